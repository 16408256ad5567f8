"""`ketenbrug audit`: what outsiders need to check the log, and the checking.

`export`, `digest`, `archive` and `publish` ask the database only: they need no key, and no role but the application's.
`verify` shares no code with the server: it is `clients/verifier.py`.
"""

from __future__ import annotations

import asyncio
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, assert_never

import orjson
import typer
import uuid_utils.compat as uuid_utils

from api import settings
from api.audit import adoption, projection, signals, views
from api.audit.digest import Digest, of_week
from api.audit.entry import Entry, Thing
from api.audit.standing import Generation
from api.cli import digest as digests
from api.cli import guards, keeping, publishing, transaction
from api.disclosure.authority import ADOPT_LOG
from api.errors import Misconfigured
from api.oauth import operator
from api.settings import Settings, WorkDatabaseSettings
from api.vocabulary import Result
from clients import verifier

app: Final = typer.Typer(
    help="Export the audit log and check it. What reads it needs KETENBRUG_DATABASE_URL, as the application role.",
    no_args_is_help=True,
)

for each in (keeping.archive, keeping.retain, keeping.reindex, keeping.turn_page, publishing.publish):
    app.command()(each)

_Directory = Annotated[Path, typer.Option("--dir", help="The directory of the export.")]


@app.command()
def export(
    directory: _Directory,
    entry: Annotated[list[int] | None, typer.Option(help="Prove this entry by itself; may be repeated.")] = None,
    older: Annotated[
        int | None, typer.Option("--from", help="Prove that the log of this size is its beginning.")
    ] = None,
) -> None:
    """Write the log as it was signed last, in C2SP formats, with proofs for what is asked. It is an entry itself."""
    size = asyncio.run(keeping.exported(settings.database(), directory, entry or (), older))
    typer.echo(f"Exported {size} entries to {directory}.")


@app.command()
def adopt() -> None:
    """Let the log go on in a database that was moved, under another name, or with a new signer guard.

    Needs the owner's database URL, and the name and the guard that `ketenbrug work` has.
    """
    begun = asyncio.run(_adopt(settings.serving()))
    typer.echo(f"Generation {begun.number} of {begun.origin} begins after entry {begun.after}. Start `ketenbrug work`.")


@app.command()
def verify(
    directory: _Directory,
    vkeys: Annotated[Path | None, typer.Option(help="Verifier keys that you have from elsewhere.")] = None,
    policy: Annotated[Path | None, typer.Option(help="Whom you trust: log and witnesses (C2SP tlog-policy).")] = None,
    sample: Annotated[int | None, typer.Option(min=0, help="Check that the sample from here on is whole.")] = None,
) -> None:
    """Check an export offline. Exit 1 names the first thing that does not hold."""
    given = (("--vkeys", vkeys), ("--policy", policy), ("--sample", sample))
    raise typer.Exit(
        verifier.main(
            [str(directory), *(word for name, each in given for word in (name, str(each)) if each is not None)]
        )
    )


class View(StrEnum):
    """Another standard's words for an entry."""

    BIO2 = "bio2"
    ADL = "adl"
    LDV = "ldv"


@app.command()
def project(
    directory: _Directory,
    view: Annotated[
        View, typer.Option("--as", help="BIO2 8.15, Authorization Decision Log, or Logboek Dataverwerkingen.")
    ],
    register: Annotated[
        str, typer.Option(help="The address of your register of processing activities: ldv names activities there.")
    ] = "",
) -> None:
    """Write each entry of an export in the words of another standard, as JSON, a record a line. Check it first.

    Offline, from what `export` wrote: whoever may have the entries may have their views.
    """
    if view is View.LDV and not register:
        raise Misconfigured(("--register: an LDV record names the activity in your register of processing activities",))
    entries = [projection.content(each.leaf) for each in verifier.story(directory)]
    ended, where = views.endings(entries), views.Register(register.rstrip("/"), "urn:uuid:")
    for each in entries:
        for record in _records(each, view, ended, where):
            typer.echo(orjson.dumps(record))


def _records(content: views.Content, view: View, ended: views.Endings, register: views.Register) -> list[Any]:
    match view:
        case View.BIO2:
            return [views.bio2(content)]
        case View.ADL:
            return [record] if (record := views.adl(content, ended)) is not None else []
        case View.LDV:
            return views.ldv(content, ended, register)
        case _:
            assert_never(view)


@app.command()
def digest(
    week: Annotated[str | None, typer.Option(help="Such as 2026-W47; the last whole week if not given.")] = None,
    dutch: Annotated[bool, typer.Option("--dutch", help="In Dutch (Nederlands).")] = False,
) -> None:
    """Tell a week of the log in figures: for a data protection officer (FG). No person, no content."""
    try:
        begins = digests.monday(week, settings.now().date())
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    typer.echo(digests.text(asyncio.run(_digest(settings.database(), begins)), dutch=dutch))


@app.command()
def recompute_signals() -> None:
    """Forget all signals, so that `ketenbrug work` finds them anew: after a threshold was changed.

    Needs KETENBRUG_WORK_DATABASE_URL, as the role of `ketenbrug work`.
    """
    asyncio.run(_forget(settings.database(WorkDatabaseSettings)))
    typer.echo("All signals are forgotten; `ketenbrug work` finds them anew, a thousand entries at a time.")


async def _digest(url: str, monday: date) -> Digest:
    async with transaction.of(url) as unit:
        return await of_week(unit, monday)


async def _forget(url: str) -> None:
    async with transaction.of(url) as unit:
        await signals.forget(unit)


async def _adopt(found: Settings) -> Generation:
    async with (
        guards.opened(found, examined=True) as guard,
        transaction.of(found.database_url.get_secret_value()) as unit,
    ):
        told = Entry(
            id=uuid_utils.uuid7(),
            at=unit.now,
            action=ADOPT_LOG,
            result=Result.PERMITTED,
            actor=operator.local(),
            thing=Thing("audit-log"),
        )
        return await adoption.adopt(unit, found.origin, guard, told)
