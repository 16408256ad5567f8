"""`ketenbrug keys`: the service's own keys, and the keys of persons over time.

What changes keys in the database connects as its owner: the role of the service may not. Every command may be
interrupted and run again, and is an entry of the log, also when it is refused: but `init`, which comes before the
database, and `signing-keys`, `inbox-keys` and a `check` without --rows, which read a file that whoever runs them can
read anyway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, TypeVar
from uuid import UUID

import typer

from api import settings
from api.cli import inbox_keys, owner
from api.crypto import inbox, keyfile, memory, signing_choice
from api.crypto.choice import Kind
from api.crypto.signers import KeyServiceAway, Signer
from api.crypto.signing_choice import SigningChoice
from api.custody import custodian, epochs, inspection, opening, renewal
from api.custody.custodian import Units
from api.custody.inspection import Inspection
from api.custody.opening import Keepers
from api.errors import Misconfigured
from api.oauth import operator, signing, signing_log
from api.oauth.signing import Schedule
from api.persons import reindexing

T = TypeVar("T")

app: Final = typer.Typer(help="The service's own keys, and those of persons.", no_args_is_help=True)

app.command()(inbox_keys.rotate_inbox)
app.command()(inbox_keys.inbox_keys)

File = Annotated[Path | None, typer.Option(help="The key file; KETENBRUG_KEY_FILE when absent.")]


@app.callback()
def kept() -> None:
    """The service's own keys, and those of persons."""
    memory.keep()


@app.command()
def init(
    file: Annotated[Path | None, typer.Option(help="Where to write it; KETENBRUG_KEY_FILE when absent.")] = None,
) -> None:
    """Write a new key file, mode 0400. An existing one is never overwritten."""
    path = _path(file)
    try:
        keyfile.create(path)
    except FileExistsError:
        raise Misconfigured((f"{path} exists already: a key file is never overwritten",)) from None
    typer.echo(f"Wrote {path}. Back it up apart from the database: without it nothing sealed can be opened.")


@app.command()
def for_serving(
    to: Annotated[Path, typer.Argument(help="Where to write it. An existing file is never overwritten.")],
    file: File = None,
) -> None:
    """Write a copy of the key file for `serve --no-work`: without the keys that sign the log."""
    try:
        keyfile.for_serving(_path(file), to)
    except FileExistsError:
        raise Misconfigured((f"{to} exists already: a key file is never overwritten",)) from None
    typer.echo(f"Wrote {to}. Write it anew whenever the key file has changed.")


@app.command()
def check(
    file: File = None,
    rows: Annotated[bool, typer.Option("--rows", help="Also open every sealed row of the database.")] = False,
) -> None:
    """Say whether the service would start with this key file; with --rows, whether all that is sealed opens."""
    path = _path(file)
    keyfile.load(path)
    inbox.read(inbox.beside(path))
    current, places = asyncio.run(_present(path))
    typer.echo(f"The key file holds. Key-encryption key: {current}.")
    _tell_places(places)
    if rows:
        _tell(*_kept(path, _inspected))


@app.command()
def begin(file: File = None) -> None:
    """Make the first key-encryption key in the key service of the settings. One that is there is left alone."""
    path = _path(file)
    _, chosen = settings.custody()
    if chosen.kind is Kind.FILE:
        raise Misconfigured(("KETENBRUG_KEY_SERVICE: names no key service, and the key file has its key",))

    async def made() -> str:
        async with opening.keepers(path, chosen) as kept:
            return await kept.keys.renew("")

    typer.echo(f"The current key-encryption key is {asyncio.run(made())}.")


@app.command()
def rotate_kek(file: File = None) -> None:
    """Wrap the key of every person under a new key-encryption key. The old one goes on until `destroy-epoch`."""
    kek = _kept(_path(file), lambda units, kept: epochs.rotate(units, kept.keys, operator.local(), _progress))
    typer.echo(f"Every key is under {kek} now. Back it up before you destroy an old epoch.")


@app.command()
def destroy_epoch(
    kek: Annotated[str, typer.Argument(help="The key-encryption key to destroy: `check --rows` lists those in use.")],
    file: File = None,
) -> None:
    """Destroy an old key-encryption key for good. Then no older copy of the key table opens anything."""
    _kept(_path(file), lambda units, kept: epochs.destroy(units, kept.keys, operator.local(), kek))
    typer.echo(f"The epoch of {kek} is over here. Destroy every copy of the key file or service that holds it.")


@app.command()
def rotate_dek(file: File = None) -> None:
    """Give every person a new key and seal everything anew, while the service runs."""
    count = _kept(_path(file), lambda units, kept: renewal.rotate(units, kept.keys, operator.local(), _progress))
    typer.echo(f"{count} persons have a new key.")


@app.command()
def rotate_index(file: File = None) -> None:
    """Index V-numbers under a new key, while the service runs."""

    async def rotate(units: Units, kept: Keepers) -> tuple[int, dict[int, str]]:
        count = await reindexing.rotate(units, kept.keys, kept.index, kept.index_keys, operator.local(), _progress)
        return count, await kept.index_keys.places()

    count, places = _kept(_path(file), rotate)
    typer.echo(f"{count} persons are indexed anew. Back up the key file.")
    _tell_places(places)


def _path(file: Path | None) -> Path:
    return file or settings.key_file()


def _progress(done: int, left: int) -> None:
    typer.echo(f"{done} done" + (f", {left} left" if left else ""), err=True)


async def _present(path: Path) -> tuple[str, dict[int, str]]:
    """The current key-encryption key, and where the keys of the V-number index are."""
    _, chosen = settings.custody()
    async with opening.keepers(path, chosen) as kept:
        return await kept.keys.current(), await kept.index_keys.places()


def _tell_places(places: dict[int, str]) -> None:
    for version, place in places.items():
        typer.echo(f"Version {version} of the V-number index is in {place}.")


async def _inspected(units: Units, kept: Keepers) -> tuple[Inspection, list[UUID]]:
    """What does not open, and, where all does, who is not found."""
    found = await inspection.inspect(units, kept.keys, operator.local(), _progress)
    return found, await reindexing.astray(units, kept.keys, kept.index) if found.holds else []


def _tell(found: Inspection, astray: list[UUID]) -> None:
    for kek, count in found.under.items():
        typer.echo(f"{count} keys are under {kek}.")
    for person in found.locked:
        typer.echo(f"The key of person {person} does not open.")
    for each in found.broken:
        typer.echo(f"{each.table} {each.row} is not as it was sealed.")
    for person in astray:
        typer.echo(f"The V-number of person {person} does not lead to them.")
    typer.echo(f"{found.rows} rows of {found.persons} persons " + ("hold." if found.holds else "were looked at."))
    if astray or not found.holds:
        raise typer.Exit(1)


def _kept(path: Path, work: Callable[[Units, Keepers], Awaitable[T]]) -> T:
    """Do it with who keeps the keys."""
    _, chosen = settings.custody()

    async def run(units: Units) -> T:
        async with opening.keepers(path, chosen) as kept:
            return await work(units, kept)

    return owner.run(run)


@app.command()
def rotate_signing(
    *,
    ahead: Annotated[
        int, typer.Option(min=signing.AHEAD_LEAST, help="Seconds for which the new key is published before it signs.")
    ] = 3_600,
    compromised: Annotated[
        bool, typer.Option("--compromised", help="The present keys leaked: the new one signs now, theirs ends now.")
    ] = False,
) -> None:
    """Publish a new key that will sign access tokens. Running services see it within seconds, without a restart."""
    keys, now, (file, chosen) = keyfile.load(settings.key_file()), settings.now(), settings.signing()
    begins = now if compromised else now + timedelta(seconds=ahead)
    try:
        owner.run(lambda units: _recorded(units, signing.read(keys.token, file), held=not compromised))
        new = signing.rotate(
            keys.token,
            file,
            begins,
            compromised=compromised,
            like=keys.path,
            before=owner.noting(custodian.ROTATE_SIGNING, "signing-key"),
            make=lambda: _made(chosen),
        )
    except Misconfigured:
        owner.noting(custodian.ROTATE_SIGNING, "signing-key", refused="not-possible")()
        raise
    owner.run(lambda units: _recorded(units, signing.read(keys.token, file), alone=compromised))
    typer.echo(f"Key {new.kid} signs from {owner.moment(new.begins)}. Every machine that serves needs {file} by then.")


def _made(chosen: SigningChoice) -> Signer:
    """A new key, where the settings say. Raises `Misconfigured` when nobody makes one."""

    async def made() -> Signer:
        async with signing_choice.opened(chosen) as workshop:
            return await workshop.make()

    try:
        return asyncio.run(made())
    except KeyServiceAway as away:
        raise Misconfigured((away.why,)) from None


async def _recorded(units: Units, schedule: Schedule, *, held: bool = False, alone: bool = False) -> None:
    """Let the database know of a schedule; `held`: if it is not older than what the database knows."""
    unit = units()
    try:
        if held:
            await signing_log.hold(unit, schedule)
        await signing_log.record(unit, schedule, alone=alone)
        await unit.finish()
    except BaseException:
        await unit.abort()
        raise


@app.command()
def signing_keys() -> None:
    """Say which keys sign access tokens, and which will and did; and that those that will can."""
    at, (file, chosen) = settings.now().timestamp(), settings.signing()
    first = keyfile.load(settings.key_file()).token

    async def tried() -> tuple[Schedule, tuple[str, ...]]:
        async with signing_choice.opened(chosen) as workshop:
            schedule = signing.read(first, file, workshop)
            return schedule, await schedule.faults(at, ahead=True)

    schedule, faults = asyncio.run(tried())
    for key, state in schedule.states(at):
        typer.echo(
            f"{state:<8} {key.kid} {owner.moment(key.begins):<25} {key.signer.written.get('label', 'in the file')}"
        )
    if faults:
        raise Misconfigured(faults)
