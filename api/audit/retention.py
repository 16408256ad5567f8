"""Retention: what entries said is deleted when its term is over; that they were there, and where, stays provable.

A mark says below which index; it stands on the boundary of a bundle, and only ever moves up. Setting it is an entry,
committed with it. Then bodies, search columns, persons and signals go in small steps, as the owner; leaves, tiles and
checkpoints stay, so that every proof, receipt and consistency still holds. Of a page (`api.audit.pages`) that is past
its term from first to last no body is deleted: it is dropped when all else of it has gone. What goes must be in an
archive first: an export that was verified and whose head this database signed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
    Text,
    any_,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    select,
    text,
    true,
)

from api.audit import log, projection, proofs, reprojection, tree
from api.audit.tables import body, entry, leaf, retention, signal
from api.audit.tables import projection as search_columns
from api.errors import NotExportable
from api.storage.statement import statement

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from api.audit.entry import Entry
    from api.audit.proofs import Reader
    from api.storage.unit import Unit

STEP: Final = reprojection.STEP
_LOOK: Final = 65_536
"""Entries among which one statement looks for a young one."""

_BELOW: Final = statement(select(func.coalesce(func.max(retention.c.below), 0).label("below")))
_MARKED_AT: Final = statement(select(func.max(retention.c.at).label("at")))
_FIRST_SINCE: Final = statement(
    select(func.min(search_columns.c.index).label("found")).where(
        search_columns.c.index >= bindparam("first", type_=BigInteger),
        search_columns.c.index < bindparam("end", type_=BigInteger),
        search_columns.c.at >= bindparam("since", type_=DateTime(timezone=True)),
        # What a clock that was years ahead said would keep all that follows for as long.
        search_columns.c.at <= func.now() + literal_column("interval '1 day'"),
    )
)
_MARK: Final = statement(insert(retention).values(at=func.now()), "below", "at")
_BODIES: Final = statement(
    select(leaf.c.index, leaf.c.entry_id, body.c.leaf)
    .join(body, true())
    .where(leaf.c.index >= bindparam("first", type_=BigInteger), leaf.c.index < bindparam("end", type_=BigInteger))
)
_FORGET: Final = statement(delete(entry).where(entry.c.id == any_(bindparam("ids", type_=ARRAY(BigInteger)))))
_SIGNALS: Final = statement(
    delete(signal).where(
        signal.c.index >= bindparam("first", type_=BigInteger), signal.c.index < bindparam("end", type_=BigInteger)
    )
)
_COUNTS: Final = statement(
    text(
        "DELETE FROM audit.signal_count WHERE day < (SELECT (p.at AT TIME ZONE 'Europe/Amsterdam')::date"
        " FROM audit.projection p WHERE p.index >= CAST(:end AS bigint) AND p.at IS NOT NULL ORDER BY p.index LIMIT 1)"
    )
)
_WHOLE: Final = statement(
    text("SELECT name, first, ends FROM audit.page WHERE audit.past_its_term(name) ORDER BY first")
)
_DROP: Final = statement(select(func.audit.drop_page(bindparam("page", type_=Text))))


class Page(NamedTuple):
    """A page that is past its term from first to last: its name, and the ids that it owns."""

    name: str
    first: int
    ends: int


async def below(reader: Reader) -> int:
    """Entries with an index below this are past their term; 0 when none is."""
    found: int = (await reader.all(_BELOW()))[0]["below"]
    return found


async def marked_at(reader: Reader) -> datetime | None:
    """When the mark was moved last."""
    found: datetime | None = (await reader.all(_MARKED_AT()))[0]["at"]
    return found


async def due(reader: Reader, since: datetime) -> int:
    """Where the mark would stand if entries before this time were past their term: below the first one of later.

    Looked for in the order of the log: an entry says what the clock of its process said, which may be of years ago.
    """
    head, marked = await proofs.latest(reader), await below(reader)
    size = 0 if head is None else head.size
    for first in range(marked, size, _LOOK):
        (row,) = await reader.all(_FIRST_SINCE(first=first, end=min(first + _LOOK, size), since=since))
        if row["found"] is not None:
            size = row["found"]
            break
    return max(marked, size - size % tree.WIDTH)


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


async def whole(reader: Reader) -> list[Page]:
    """The pages that are past their term from first to last, and are not written to any more. The oldest first.

    What that means, and how it is seen without a look at each entry, is in the database (revision 0033).
    """
    return [Page(**row) for row in await reader.all(_WHOLE())]


async def forget(unit: Unit, first: int, dropped: Collection[Page] = ()) -> int:
    """Delete what is past its term among the next `STEP` entries from `first` on. Returns how many had a body.

    Bodies in the pages that are to be `dropped` after all steps stay until then. With the last go the counts of days.
    """
    mark = await below(unit)
    end = min(first + STEP, mark)
    rows = await unit.all(_BODIES(first=first, end=end))
    about = [(person, row["index"]) for row in rows for person in projection.of(row["leaf"]).persons]
    await reprojection.drop(unit, range(first, end), about)
    await unit.run(_SIGNALS(first=first, end=end))
    if end == mark:
        await unit.run(_COUNTS(end=end))
    ids = [row["entry_id"] for row in rows]
    await unit.run(_FORGET(ids=[each for each in ids if not any(page.first <= each < page.ends for page in dropped)]))
    return len(rows)


async def drop(unit: Unit, page: Page) -> None:
    """Drop a page. Who reads the log just then is waited for, and new readers wait behind; raises `Overloaded`."""
    await unit.run(_DROP(page=page.name))
