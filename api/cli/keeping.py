"""`ketenbrug audit archive`, `retain`, `reindex`, `turn-page`: what the owner of the database does with an old log."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
import uuid_utils.compat as uuid_utils

from api import settings
from api.audit import export as exports
from api.audit import pages, reprojection, retention
from api.audit.entry import Entry, Stated, Thing
from api.cli.transaction import opened, within
from api.custody import custodian
from api.disclosure.authority import EXPORT_LOG, REINDEX_LOG, RETAIN_LOG, TURN_PAGE
from api.errors import NotExportable, Overloaded
from api.oauth import operator
from api.storage.pool import Database
from api.storage.unit import Unit
from api.vocabulary import Result
from clients import verifier

_SHOWN: Final = 20
"""Entries that are named, of those that the search would miss."""


def archive(directory: Annotated[Path, typer.Option("--dir", help="A directory without an export.")]) -> None:
    """Export the whole log to a new directory and check it there, before what is past its term is deleted."""
    if (directory / "checkpoint").exists():
        why = f"{directory} holds an export; an archive is never written over"
        raise NotExportable(why)
    asyncio.run(exported(settings.database(), directory))
    size, _ = _archived(directory)
    typer.echo(f"Archived {size} entries in {directory}, and checked them. Keep it where this database is not.")


def retain(
    days: Annotated[int, typer.Option(min=1, help="Delete what entries older than this said.")],
    archive: Annotated[Path, typer.Option(help="A directory of `ketenbrug audit archive` that holds them.")],
) -> None:
    """Delete what entries said when their term is over. Their hashes stay, and every proof still holds.

    Needs the owner's database URL. May be broken off and run again.
    """
    below, gone = asyncio.run(_retain(settings.database(), days, archive))
    typer.echo(f"Of the first {below} entries only the hashes are left; {gone} were deleted now.")


def reindex(
    *,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit 1 if one is missed.")] = False,
) -> None:
    """Read what entries are found by from the entries again: after an upgrade that tells of more search columns.

    Needs the owner's database URL, but for --check. The log goes on meanwhile.
    """
    if not check:
        typer.echo(f"Read {asyncio.run(_reindex(settings.database()))} entries again.")
    elif astray := asyncio.run(_astray(settings.database())):
        shown = ", ".join(map(str, astray[:_SHOWN])) + (", …" if len(astray) > _SHOWN else "")
        typer.echo(f"{len(astray)} entries are not found by what they say: {shown}")
        raise typer.Exit(1)
    else:
        typer.echo("Every entry is found by what it says.")


def turn_page(
    month: Annotated[datetime, typer.Option(formats=["%Y-%m"], help="The month that it is, such as 2026-12.")],
) -> None:
    """Let entries go on in the page of this month, after months without `ketenbrug work`.

    Needs the owner's database URL. There is no way back to an earlier page.
    """
    if (begun := month.replace(tzinfo=UTC)) > settings.now():
        raise typer.BadParameter("this month has not come")
    typer.echo(f"Entries go on in the page of {asyncio.run(_turn_page(settings.database(), begun))}.")


async def exported(url: str, directory: Path, entries: Sequence[int] = (), older: int | None = None) -> int:
    """Export the log as it was signed last; its size. That it was done is an entry before anything is read."""
    async with opened(url) as database:
        await taken_out(database)
        async with within(database) as unit:
            return (await exports.write(unit, directory, entries=entries, older=older)).size


async def taken_out(database: Database, why: Stated | None = None) -> None:
    """Write down that entries are about to leave."""
    async with within(database) as unit:
        custodian.write_down(unit, operator.local(), EXPORT_LOG, "audit-log", stated=why)


def _archived(directory: Path, *, below: int = 0) -> tuple[int, bytes]:
    """Size and root of an archive that holds every entry from `below` on. Raises `NotExportable`."""
    try:
        report = verifier.verify(directory)
    except verifier.DoesNotHold as fault:
        why = f"the archive does not hold. {fault}"
        raise NotExportable(why) from None
    if not report.whole or report.retained > below:
        raise NotExportable("the archive lacks entries that are to be deleted")
    return report.checkpoint.size, report.checkpoint.root


async def _retain(url: str, days: int, directory: Path) -> tuple[int, int]:
    async with opened(url) as database:
        gone = 0
        async with within(database) as unit:
            before, to = await retention.below(unit), await retention.due(unit, unit.now - timedelta(days=days))
            if to > before:
                await retention.mark(unit, to, _archived(directory, below=before), _told(unit, to))
        async with within(database) as unit:
            whole = await retention.whole(unit)
        for first in range(0, to, retention.STEP):
            async with within(database) as unit:
                gone += await retention.forget(unit, first, whole)
        for page in whole:
            try:
                async with within(database) as unit:
                    await retention.drop(unit, page)
            except Overloaded:
                why = f"audit.{page.name} is past its term and somebody reads it, such as a dump: run this again"
                raise NotExportable(why) from None
    return to, gone


async def _reindex(url: str) -> int:
    async with opened(url) as database:
        read = 0
        async with within(database) as unit:
            custodian.write_down(unit, operator.local(), REINDEX_LOG, "audit-log")
            size = await reprojection.size(unit)
        for first in range(0, size, reprojection.STEP):
            async with within(database) as unit:
                read += await reprojection.again(unit, first, min(first + reprojection.STEP, size))
    return read


async def _astray(url: str) -> list[int]:
    async with opened(url) as database:
        astray: list[int] = []
        async with within(database) as unit:
            size = await reprojection.size(unit)
        for first in range(0, size, reprojection.STEP):
            async with within(database) as unit:
                astray += await reprojection.astray(unit, first, min(first + reprojection.STEP, size))
    return astray


async def _turn_page(url: str, month: datetime) -> str:
    async with opened(url) as database:
        async with within(database) as unit:
            await pages.leap(unit, month)
        async with within(database) as unit:
            custodian.write_down(unit, operator.local(), TURN_PAGE, "audit-log")
            return await pages.leap(unit, month)


def _told(unit: Unit, below: int) -> Entry:
    return Entry(
        id=uuid_utils.uuid7(),
        at=unit.now,
        action=RETAIN_LOG,
        result=Result.PERMITTED,
        actor=operator.local(),
        thing=Thing("audit-log", version=below),
    )
