"""`ketenbrug`: each command is thin. It reads settings, calls a room, and says what came of it.

A command stands in the module of its name: a function `name`, or `app` with commands of its own. Only the module of the
command that is run is imported: the others would take most of the time that a short command takes.
"""

from __future__ import annotations

import importlib
import sys
from importlib import metadata
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from api.cli import loading, logs
from api.errors import KetenbrugError, Misconfigured

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS: Final = (
    "demo",
    "sandbox",
    "serve",
    "work",
    "openapi",
    "migrate",
    "register",
    "client",
    "people",
    "keys",
    "erase-person",
    "legal-hold",
    "honey",
    "audit",
    "witness",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"ketenbrug {metadata.version('ketenbrug')}")
        raise typer.Exit


def assembled(words: Sequence[str]) -> typer.Typer:
    """The command line as far as these words need it: the command that is named, or all of them."""
    app = typer.Typer(name="ketenbrug", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
    app.callback()(_ketenbrug)
    for name in words[:1] if set(words[:1]) <= set(COMMANDS) and words else COMMANDS:
        word = name.replace("-", "_")
        module = importlib.import_module(f"{__package__}.{word}")
        found = getattr(module, "app", None)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            app.command(name)(getattr(module, word))
    return app


def _ketenbrug(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Say which release this is.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Consent-aware exchange between the Dutch migration chain and guiding organisations."""


def main() -> None:
    """Run a command. What must not start says every reason why, and exits with 2."""
    logs.configure()
    try:
        with loading.undisturbed():
            command = assembled(sys.argv[1:])
        command()
    except Misconfigured as error:
        console = Console(stderr=True)
        for fault in error.faults:
            console.print(f"- {fault}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
    except KetenbrugError as error:
        Console(stderr=True).print(f"{type(error).__name__}: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)
    except OSError as error:
        # Of this machine: a folder that cannot be made, a disk that is full. Its own text names the file, no value.
        Console(stderr=True).print(f"{error.strerror}: {error.filename}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)
