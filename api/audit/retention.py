"""Retention: what entries said is deleted when its term is over; that they were there, and where, stays provable.

A mark says below which index; it stands on the boundary of a bundle, and only ever moves up. Setting it is an entry,
committed with it. Then bodies, search columns and persons go in small steps, as the owner; leaves, tiles and
checkpoints stay, so that every proof, receipt and consistency still holds. What goes must be in an archive first: an
export that was verified and whose head this database signed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import ARRAY, BigInteger, DateTime, any_, bindparam, delete, func, insert, select

from api.audit import log, projection, proofs, reprojection, tree
from api.audit.tables import entry, leaf, retention
from api.audit.tables import projection as search_columns
from api.errors import NotExportable
from api.storage.statement import statement

if TYPE_CHECKING:
    from datetime import datetime

    from api.audit.entry import Entry
    from api.audit.proofs import Reader
    from api.storage.unit import Unit

STEP: Final = reprojection.STEP

_BELOW: Final = statement(select(func.coalesce(func.max(retention.c.below), 0).label("below")))
_FIRST_SINCE: Final = statement(
    select(search_columns.c.index)
    .where(search_columns.c.at >= bindparam("since", type_=DateTime(timezone=True)))
    .order_by(search_columns.c.at, search_columns.c.index)
    .limit(1)
)
_MARK: Final = statement(insert(retention).values(at=func.now()), "below", "at")
_BODIES: Final = statement(
    select(leaf.c.index, entry.c.id, entry.c.leaf)
    .join(entry, entry.c.id == leaf.c.entry_id)
    .where(leaf.c.index >= bindparam("first", type_=BigInteger), leaf.c.index < bindparam("end", type_=BigInteger))
)
_FORGET: Final = statement(delete(entry).where(entry.c.id == any_(bindparam("ids", type_=ARRAY(BigInteger)))))


async def below(reader: Reader) -> int:
    """Entries with an index below this are past their term; 0 when none is."""
    found: int = (await reader.all(_BELOW()))[0]["below"]
    return found


async def due(reader: Reader, since: datetime) -> int:
    """Where the mark would stand if entries before this time were past their term."""
    head = await proofs.latest(reader)
    size = 0 if head is None else head.size
    first = next((row["index"] for row in await reader.all(_FIRST_SINCE(since=since))), size)
    return max(await below(reader), first - first % tree.WIDTH)


async def mark(unit: Unit, to: int, archive: tuple[int, bytes], entry: Entry) -> None:
    """Say that entries below `to` are past their term. `archive`: size and root of a verified export that holds them.

    Raises `NotExportable` when the archive is of another log, or does not reach so far.
    """
    size, root = archive
    signed = await proofs.at(unit, size)
    if signed is None or signed.root != root:
        raise NotExportable("the archive is not of this log, or of a head that this database did not sign")
    if size < to:
        why = f"the archive ends before entry {to}: make a newer one"
        raise NotExportable(why)
    await unit.run(_MARK(below=to))
    log.append(unit, entry)


async def forget(unit: Unit, first: int) -> int:
    """Delete what is past its term among the next `STEP` entries from `first` on. Returns how many had a body."""
    end = min(first + STEP, await below(unit))
    rows = await unit.all(_BODIES(first=first, end=end))
    about = [(person, row["index"]) for row in rows for person in projection.of(row["leaf"]).persons]
    await reprojection.drop(unit, range(first, end), about)
    await unit.run(_FORGET(ids=[row["id"] for row in rows]))
    return len(rows)
