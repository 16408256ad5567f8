"""`ketenbrug keys`: the service's own keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api import settings
from api.crypto import keyfile
from api.errors import Misconfigured

app = typer.Typer(help="The service's own keys.", no_args_is_help=True)


@app.command()
def init(
    file: Annotated[Path | None, typer.Option(help="Where to write it; KETENBRUG_KEY_FILE when absent.")] = None,
) -> None:
    """Write a new key file, mode 0400. An existing one is never overwritten."""
    path = file or settings.key_file()
    try:
        keyfile.create(path)
    except FileExistsError:
        raise Misconfigured((f"{path} exists already: a key file is never overwritten",)) from None
    typer.echo(f"Wrote {path}. Back it up apart from the database: without it nothing sealed can be opened.")


@app.command()
def check(
    file: Annotated[Path | None, typer.Option(help="Which file; KETENBRUG_KEY_FILE when absent.")] = None,
) -> None:
    """Read the key file and say whether the service would start with it."""
    keys = keyfile.load(file or settings.key_file())
    typer.echo(f"The key file holds. Key-encryption key: {keys.ring.current}.")
