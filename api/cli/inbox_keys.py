"""`ketenbrug keys rotate-inbox` and `inbox-keys`: the keys that others may seal their posts to."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from api import settings
from api.cli import owner
from api.crypto import inbox, keyfile
from api.crypto.inbox import Kind
from api.custody import custodian
from api.errors import Misconfigured


def rotate_inbox(
    *,
    kind: Annotated[Kind, typer.Option(help="Which key, and with it which algorithm.")] = Kind.X25519,
    ahead: Annotated[
        int,
        typer.Option(min=0, help="Seconds in which every machine gets the file, before others are told of the key."),
    ] = 600,
    compromised: Annotated[
        bool, typer.Option("--compromised", help="The keys of this kind leaked: they open nothing more, from now on.")
    ] = False,
) -> None:
    """Make a key that others may seal their posts to. Running services see it within seconds, without a restart."""
    keys, now = keyfile.load(settings.key_file()), settings.now()
    file, begins = inbox.beside(keys.path), now if compromised else now + timedelta(seconds=ahead)
    noting = owner.noting(custodian.ROTATE_INBOX, "inbox-key")
    try:
        new = inbox.rotate(file, kind, now, begins, compromised=compromised, like=keys.path, before=noting)
    except Misconfigured:
        owner.noting(custodian.ROTATE_INBOX, "inbox-key", refused="not-possible")()
        raise
    typer.echo(f"Key {new.kid} is published from {owner.moment(new.begins)}.")
    typer.echo(f"Every machine that serves needs {file} by then.")


def inbox_keys() -> None:
    """Say which keys others may seal their posts to, and which they will and could."""
    at = settings.now().timestamp()
    for key, state in inbox.read(inbox.beside(settings.key_file())).states(at):
        typer.echo(f"{state:<8} {key.kind:<12} {key.kid} {owner.moment(key.begins)}")
