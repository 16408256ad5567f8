"""`ketenbrug witness`: a witness of somebody else's log. It needs no database, no settings and no key of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from api import settings
from api.errors import Misconfigured
from clients.verifier import DoesNotHold
from clients.witness import Witness, server

app: Final = typer.Typer(help="Cosign heads of logs that only grow.", no_args_is_help=True)

_Directory = Annotated[Path, typer.Option("--dir", help="What the witness knows: its key, its logs, what it cosigned.")]


@app.command()
def init(
    name: Annotated[str, typer.Argument(help="Name of the witness, such as witness.example.org.")],
    directory: _Directory,
) -> None:
    """Make a witness and print its verifier keys: for the log's people, and for whoever trusts you."""
    try:
        vkeys = Witness.make(directory, name)
    except (FileExistsError, ValueError) as error:
        raise Misconfigured((f"{directory}: {error}",)) from None
    for vkey in vkeys:
        typer.echo(vkey)


@app.command()
def serve(
    directory: _Directory,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535)] = 8090,
) -> None:
    """Cosign over HTTP (C2SP tlog-witness) until stopped. Write the logs' verifier keys into DIR/logs first."""
    try:
        witness = Witness.of(directory, settings.now)
    except DoesNotHold as error:
        raise Misconfigured((f"{directory}: {error}",)) from None
    with server(witness, host, port) as serving:
        typer.echo(f"{witness.key.name} listens at http://{host}:{serving.server_address[1]}")
        serving.serve_forever()
