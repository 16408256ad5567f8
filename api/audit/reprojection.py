"""The search columns anew, from the leaves: of entries that were put in before a column was there, or after a loss.

As the owner, in small steps beside a sequencer that is at work: it only adds rows behind the last one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import ARRAY, BigInteger, Uuid, any_, bindparam, delete, func, select, tuple_

from api.audit import batch, projection, proofs, tree
from api.audit.tables import projection as search_columns
from api.audit.tables import projection_person
from api.storage.statement import statement

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from api.storage.unit import Unit

STEP: Final = 10 * tree.WIDTH
"""Entries in one transaction."""

_COLUMNS: Final = statement(
    delete(search_columns).where(search_columns.c.index == any_(bindparam("indexes", type_=ARRAY(BigInteger))))
)
_PERSONS: Final = statement(
    delete(projection_person).where(
        tuple_(projection_person.c.person, projection_person.c.index).in_(
            select(
                func.unnest(bindparam("persons", type_=ARRAY(Uuid))),
                func.unnest(bindparam("indexes", type_=ARRAY(BigInteger))),
            )
        )
    )
)


async def size(unit: Unit) -> int:
    """How many entries there are to go through."""
    head = await proofs.latest(unit)
    return 0 if head is None else head.size


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
    await unit.run(_PERSONS(persons=[person for person, _ in about], indexes=[index for _, index in about]))
