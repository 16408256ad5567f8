"""`ketenbrug demo`: the story of one person over real HTTP, narrated, on a sandbox that is gone afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from api.sandbox.cast import Cast
from api.sandbox.running import Running
from api.sandbox.story import Story

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.sandbox.story import Step

_V_NUMBER = "0000009001"


def demo(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object last.")] = False,
    people: Annotated[int, typer.Option(min=0, max=100_000, help="How many made-up people.")] = 1_095,
) -> None:
    """Play the whole exchange, from intake to withdrawal and proof. Exit 0 only if every step held."""
    console = Console(stderr=as_json, highlight=False)
    console.print("[bold]Ketenbrug[/bold] plays the story of one made-up person, with every party over real HTTP.")
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="ketenbrug-demo-") as directory:
        console.print("[dim]Starting PostgreSQL, the service and a population …[/dim]")
        with Running.start(Path(directory), people=people) as running:
            console.print(f"[dim]Ready in {time.perf_counter() - began:.1f} s at {running.base_url}[/dim]\n")
            with Cast(running.base_url, running.issuer, running.credentials) as cast:
                story = Story(
                    cast,
                    _V_NUMBER,
                    Path(directory) / "log",
                    _exporter(running),
                    tell=lambda _, told: console.print(f"[bold]{told}[/bold]"),
                    done=lambda step: _told(console, step),
                )
                held = story.play()
    console.print(f"\n{'Every step held' if held else 'IT DID NOT HOLD'}, {time.perf_counter() - began:.1f} s in all.")
    if as_json:
        steps = [{"name": step.name, "ok": step.ok, "ms": step.ms} for step in story.steps]
        typer.echo(json.dumps({"ok": held, "steps": steps, "audit": story.audit}))
    raise typer.Exit(0 if held else 1)


def _told(console: Console, step: Step) -> None:
    colour, mark = ("green", "✓") if step.ok else ("red", "✗")
    console.print(f"  [{colour}]{mark}[/{colour}] {step.told} [dim]{step.ms:.0f} ms[/dim]", soft_wrap=True)


def _exporter(running: Running) -> Callable[[Path], None]:
    """Export the log as an operator does, by the command."""

    def export(directory: Path) -> None:
        command = [sys.executable, "-m", "api.cli", "audit", "export", "--dir", str(directory)]
        subprocess.run(command, env=running.environment, check=True, capture_output=True)  # noqa: S603 - our own

    return export
