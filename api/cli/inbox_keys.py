"""`ketenbrug keys rotate-inbox` and `inbox-keys`: the keys that others may seal their posts to."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from api import settings
from api.cli import owner
from api.crypto import inbox, inbox_log, keyfile
from api.crypto.inbox import Inbox, Kind
from api.custody import custodian
from api.custody.custodian import Units
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
        owner.run(lambda units: _recorded(units, inbox.read(file), held=not compromised))
        new = inbox.rotate(file, kind, now, begins, compromised=compromised, like=keys.path, before=noting)
    except Misconfigured:
        owner.noting(custodian.ROTATE_INBOX, "inbox-key", refused="not-possible")()
        raise
    owner.run(lambda units: _recorded(units, inbox.read(file), given_up=kind if compromised else None))
    typer.echo(f"Key {new.kid} is published from {owner.moment(new.begins)}.")
    typer.echo(f"Every machine that serves needs {file} by then.")


def inbox_keys() -> None:
    """Say which keys others may seal their posts to, and which they will and could."""
    at = settings.now().timestamp()
    for key, state in inbox.read(inbox.beside(settings.key_file())).states(at):
        typer.echo(f"{state:<8} {key.kind:<12} {key.kid} {owner.moment(key.begins)}")


async def _recorded(units: Units, found: Inbox, *, held: bool = False, given_up: Kind | None = None) -> None:
    """Let the database know of the keys; `held`: if they are not older than what the database knows."""
    unit = units()
    try:
        if held:
            await inbox_log.hold(unit, found)
        await inbox_log.record(unit, found, given_up=given_up)
        await unit.finish()
    except BaseException:
        await unit.abort()
        raise
