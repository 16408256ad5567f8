"""`ketenbrug audit`: what outsiders need to check the log, and the checking.

`export` asks the database only: it needs no key. `verify` shares no code with the server: it is `clients/verifier.py`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Final

import typer

from api import settings
from api.audit import export as exports
from api.storage.pool import Database
from clients import verifier

app: Final = typer.Typer(help="Export the audit log and check it.", no_args_is_help=True)

_Directory = Annotated[Path, typer.Option("--dir", help="The directory of the export.")]


@app.command()
def export(
    directory: _Directory,
    entry: Annotated[list[int] | None, typer.Option(help="Prove this entry by itself; may be repeated.")] = None,
    older: Annotated[
        int | None, typer.Option("--from", help="Prove that the log of this size is its beginning.")
    ] = None,
) -> None:
    """Write the log as it was signed last, in C2SP formats, with proofs for what is asked."""
    size = asyncio.run(_export(settings.database(), directory, entry or [], older))
    typer.echo(f"Exported {size} entries to {directory}.")


@app.command()
def verify(
    directory: _Directory,
    vkeys: Annotated[Path | None, typer.Option(help="Verifier keys that you have from elsewhere.")] = None,
) -> None:
    """Check an export offline. Exit 1 names the first thing that does not hold."""
    raise typer.Exit(verifier.main([str(directory), *(() if vkeys is None else ("--vkeys", str(vkeys)))]))


async def _export(url: str, directory: Path, entries: list[int], older: int | None) -> int:
    database = await Database.open(url, size=1)
    unit = database.unit(settings.now())
    try:
        return (await exports.write(unit, directory, entries=entries, older=older)).size
    finally:
        await unit.finish()
        await database.close()
