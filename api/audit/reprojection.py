"""The search columns beside the leaves that they are read from: whether they say the same, and writing them anew.

No proof covers them: who can write to the database could have the search pass over an entry that is in the log. They
are written anew, as the owner, of entries that were put in before a column was there, or after a loss. In small steps
beside a sequencer that is at work: it only adds rows behind the last one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import ARRAY, BigInteger, Uuid, any_, bindparam, delete, func, select, tuple_

from api.audit import batch, projection, proofs, tree
from api.audit.tables import projection as search_columns
from api.audit.tables import projection_person
from api.storage.statement import statement

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from api.storage.unit import Record, Unit

STEP: Final = 10 * tree.WIDTH
"""Entries in one transaction."""

_COLUMNS: Final = statement(
    delete(search_columns).where(search_columns.c.index == any_(bindparam("indexes", type_=ARRAY(BigInteger))))
)
_OF_THESE: Final = tuple_(projection_person.c.person, projection_person.c.index).in_(
    select(
        func.unnest(bindparam("persons", type_=ARRAY(Uuid))),
        func.unnest(bindparam("indexes", type_=ARRAY(BigInteger))),
    )
)
_PERSONS: Final = statement(delete(projection_person).where(_OF_THESE))


_FOUND_BY: Final = statement(
    select(search_columns).where(
        search_columns.c.index >= bindparam("first", type_=BigInteger),
        search_columns.c.index < bindparam("end", type_=BigInteger),
    )
)
_ABOUT: Final = statement(select(projection_person.c.person, projection_person.c.index).where(_OF_THESE))


async def size(unit: Unit) -> int:
    """How many entries there are to go through."""
    head = await proofs.latest(unit)
    return 0 if head is None else head.size


async def astray(unit: Unit, first: int, end: int) -> list[int]:
    """Which of these entries are not found by what they say: by a column that differs, a row or a person that lacks."""
    said = {each.index: projection.of(each.leaf) for each in await proofs.entries(unit, first, end)}
    rows = {row["index"]: row for row in await unit.all(_FOUND_BY(first=first, end=end))}
    pairs = [(person, index) for index, columns in said.items() for person in columns.persons]
    there = {(row["person"], row["index"]) for row in await unit.all(_ABOUT(**_unzipped(pairs)))}
    lacking = {index for person, index in pairs if (person, index) not in there}
    return [index for index, columns in said.items() if index in lacking or _read(rows.get(index)) != columns[:-1]]


def _read(row: Record | None) -> tuple[object, ...] | None:
    """The columns of a row, as `projection.of` reads them from a leaf."""
    if row is None:
        return None
    return tuple(_tuple(row[name]) for name in projection.COLUMNS)


def _tuple(value: object) -> object:
    return tuple(cast("list[object]", value)) if isinstance(value, list) else value


async def again(unit: Unit, first: int, end: int) -> int:
    """Read the entries from `first` to below `end` again, and write what they are found by. Returns how many."""
    rows = await proofs.entries(unit, first, end)
    indexes = [each.index for each in rows]
    about = [(person, each.index) for each in rows for person in projection.of(each.leaf).persons]
    await drop(unit, indexes, about)
    for found in batch.found((each.index, each.leaf) for each in rows):
        await unit.copy(found)
    return len(rows)


async def drop(unit: Unit, indexes: Sequence[int], about: Sequence[tuple[UUID, int]]) -> None:
    """Remove what these entries are found by. `about`: of each person, with the index of the entry."""
    await unit.run(_COLUMNS(indexes=list(indexes)))
    await unit.run(_PERSONS(**_unzipped(about)))


def _unzipped(about: Sequence[tuple[UUID, int]]) -> dict[str, list[Any]]:
    return {"persons": [person for person, _ in about], "indexes": [index for _, index in about]}
