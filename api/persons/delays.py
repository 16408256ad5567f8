"""Statements on delays: which entries stay out of a person's account for now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Integer, Text, Uuid, and_, bindparam, case, func, insert, select, update

from api.persons.model import UNREVIEWED, Delay
from api.persons.tables import delay
from api.storage.statement import statement
from api.vocabulary import RestrictionGround, ReviewOutcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from api.storage.unit import Unit
    from api.vocabulary import ClientId

_LOCK: Final = statement(
    select(func.pg_advisory_xact_lock(0x6B62_6465, func.hashint8(bindparam("index", type_=BigInteger))))
)
"""Two who decide on one entry take turns."""
_ENDS: Final = case(
    (delay.c.outcome.is_(None), func.least(delay.c.until_at, delay.c.decided_at + UNREVIEWED)),
    (delay.c.outcome == str(ReviewOutcome.LIFTED), delay.c.reviewed_at),
    else_=delay.c.until_at,
)
"""`Delay.ends_at`, in SQL."""
_NOW: Final = bindparam("now", type_=delay.c.decided_at.type)
_COLUMNS: Final = (
    "id",
    "index",
    "ground",
    "reference",
    "client",
    "actor",
    "decided_at",
    "until_at",
)
_ADD: Final = statement(insert(delay), *_COLUMNS)
_SHOWN: Final = [delay.c[name] for name in (*_COLUMNS, "reviewed_at", "outcome")]
_FIND: Final = statement(select(*_SHOWN).where(delay.c.id == bindparam("delay_id", type_=Uuid)).with_for_update())
_READ: Final = statement(select(*_SHOWN).where(delay.c.id == bindparam("delay_id", type_=Uuid)))
_LISTED: Final = statement(
    select(*_SHOWN)
    .where(delay.c.id < bindparam("before", type_=Uuid))
    .order_by(delay.c.id.desc())
    .limit(bindparam("most", type_=Integer))
)
_REVIEW: Final = statement(
    update(delay)
    .where(delay.c.id == bindparam("delay_id", type_=Uuid))
    .values(
        outcome=bindparam("outcome", type_=Text),
        reviewed_at=bindparam("at", type_=delay.c.decided_at.type),
        reviewer_client=bindparam("by_client", type_=Text),
        reviewer=bindparam("by_person", type_=Text),
    )
)
_STANDING: Final = statement(select(delay.c.index).where(_ENDS > _NOW).distinct())
_STANDS: Final = statement(
    select(delay.c.id).where(and_(delay.c.index == bindparam("index", type_=BigInteger), _ENDS > _NOW)).limit(1)
)


async def stands(unit: Unit, index: int) -> bool:
    """Whether this entry is delayed now. Whoever else decides on it waits until the unit ends."""
    await unit.run(_LOCK(index=index))
    return bool(await unit.all(_STANDS(index=index, now=unit.now)))


async def standing(unit: Unit) -> list[int]:
    """The entries that are delayed now."""
    return [row["index"] for row in await unit.all(_STANDING(now=unit.now))]


async def add(unit: Unit, new: Delay) -> None:
    """Keep a decision."""
    await unit.run(_ADD(**{name: getattr(new, name) for name in _COLUMNS} | {"ground": str(new.ground)}))


async def find(unit: Unit, delay_id: UUID, *, to_change: bool = False) -> Delay | None:
    """A delay, or None."""
    asked = (_FIND if to_change else _READ)(delay_id=delay_id)
    rows = await unit.run(asked) if to_change else await unit.all(asked)
    return _delay(rows[0]) if rows else None


async def listed(unit: Unit, before: UUID, most: int) -> Sequence[Delay]:
    """All there were, newest first."""
    return [_delay(row) for row in await unit.all(_LISTED(before=before, most=most))]


async def review(unit: Unit, delay_id: UUID, outcome: ReviewOutcome, client: ClientId, person: str | None) -> None:
    """Keep what another person decided."""
    at: datetime = unit.now
    await unit.run(_REVIEW(delay_id=delay_id, outcome=str(outcome), at=at, by_client=client, by_person=person))


def _delay(row: Any) -> Delay:  # noqa: ANN401 - a record of the driver
    outcome = None if row["outcome"] is None else ReviewOutcome(row["outcome"])
    members: dict[str, Any] = dict(row)
    members["ground"], members["outcome"] = RestrictionGround(row["ground"]), outcome
    return Delay(**members)
