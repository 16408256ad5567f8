"""Statements on keys and on rotations that are under way."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

import uuid_utils.compat as uuid_utils
from sqlalchemy import ARRAY, Integer, Uuid, any_, bindparam, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from api.crypto.tables import destroyed_kek, person_key, rotation
from api.crypto.wrappers import WrappedKey
from api.storage.statement import Bound, statement

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from api.storage.unit import Record, Unit

FIRST: Final = uuid.UUID(int=0)
_KEY: Final = (person_key.c.person_id, person_key.c.version, person_key.c.kek, person_key.c.wrapped)

_FORMER: Final = statement(
    select(*_KEY)
    .where(person_key.c.kek != bindparam("current"))
    .order_by(person_key.c.person_id)
    .limit(bindparam("most", type_=Integer))
    .with_for_update()
)
_UNDER: Final = statement(
    select(person_key.c.kek, func.count().label("n")).group_by(person_key.c.kek).order_by(person_key.c.kek)
)
_KEYS: Final = statement(
    select(*_KEY)
    .where(person_key.c.person_id > bindparam("after"))
    .order_by(person_key.c.person_id)
    .limit(bindparam("most", type_=Integer))
)
_OLDER: Final = statement(
    select(person_key.c.person_id)
    .where(person_key.c.created_at < bindparam("began"), person_key.c.person_id > bindparam("after"))
    .order_by(person_key.c.person_id)
    .limit(bindparam("most", type_=Integer))
)
_LEFT: Final = statement(
    select(func.count()).select_from(person_key).where(person_key.c.created_at < bindparam("began"))
)
_HOLD: Final = statement(select(*_KEY).where(person_key.c.person_id == bindparam("who")).with_for_update())
_HOLD_FREE: Final = statement(
    select(*_KEY)
    .where(person_key.c.person_id == any_(bindparam("people", type_=ARRAY(Uuid))))
    .order_by(person_key.c.person_id)
    .with_for_update(skip_locked=True)
)
_REPLACE: Final = statement(
    update(person_key)
    .where(person_key.c.person_id == bindparam("who"))
    .values(
        version=bindparam("to_version"),
        kek=bindparam("to_kek"),
        wrapped=bindparam("to_wrapped"),
        created_at=bindparam("at"),
    )
)
_REWRAP: Final = statement(
    update(person_key)
    .where(person_key.c.person_id == bindparam("who"))
    .values(kek=bindparam("to_kek"), wrapped=bindparam("to_wrapped"))
)
# A deed holds its own row first and the key after; custody the key first. Where they meet custody gives way, long
# before PostgreSQL looks for a deadlock (1 s) and might choose the deed.
_GIVE_WAY: Final = Bound("SET LOCAL lock_timeout = '200ms'", ())
_CLOSE_TABLE: Final = Bound("LOCK TABLE keys.person_key IN SHARE ROW EXCLUSIVE MODE", ())
_DESTROYED: Final = statement(upsert(destroyed_kek).on_conflict_do_nothing(index_elements=["kek"]), "kek", "at")
_RUNNING: Final = statement(
    select(rotation.c.id, rotation.c.began_at).where(
        rotation.c.what == bindparam("what"), rotation.c.ended_at.is_(None)
    )
)
_BEGIN: Final = statement(insert(rotation), "id", "what", "began_at")
_END: Final = statement(update(rotation).where(rotation.c.id == bindparam("which")).values(ended_at=bindparam("at")))


async def former(unit: Unit, current: str, most: int) -> list[WrappedKey]:
    """Keys that are not under the current KEK, held until the unit ends. Raises `Overloaded` when others hold one."""
    return [_wrapped(row) for row in await unit.run(_FORMER(current=current, most=most))]


async def under(unit: Unit) -> dict[str, int]:
    """How many keys are under each KEK."""
    return {row["kek"]: row["n"] for row in await unit.all(_UNDER())}


async def keys(unit: Unit, after: UUID, most: int) -> list[WrappedKey]:
    """Keys in the order of their persons."""
    return [_wrapped(row) for row in await unit.all(_KEYS(after=after, most=most))]


async def older(unit: Unit, began: datetime, after: UUID, most: int) -> list[UUID]:
    """Persons whose key is older than a moment, in order."""
    return [row["person_id"] for row in await unit.all(_OLDER(began=began, after=after, most=most))]


async def left(unit: Unit, began: datetime) -> int:
    """How many keys are older than a moment."""
    row = await unit.one(_LEFT(began=began))
    return 0 if row is None else int(row[0])


async def hold(unit: Unit, person: UUID) -> WrappedKey | None:
    """A person's key, held until the unit ends: nobody seals with it meanwhile. None when the person was erased.

    Raises `Overloaded`, here or later in the unit, when somebody is at work on the person: try again.
    """
    await unit.run(_GIVE_WAY)
    rows = await unit.run(_HOLD(who=person))
    return _wrapped(rows[0]) if rows else None


async def hold_free(unit: Unit, people: Sequence[UUID]) -> list[WrappedKey]:
    """The keys of these persons that nobody else holds, held until the unit ends. Raises `Overloaded`, as `hold`."""
    await unit.run(_GIVE_WAY)
    return [_wrapped(row) for row in await unit.run(_HOLD_FREE(people=people))]


async def replace(unit: Unit, new: WrappedKey) -> None:
    """Put a new key in the place of a person's key."""
    await unit.run(
        _REPLACE(who=new.person, to_version=new.version, to_kek=new.kek, to_wrapped=new.wrapped, at=unit.now)
    )


async def rewrap(unit: Unit, new: WrappedKey) -> None:
    """Store the same key under another KEK."""
    await unit.run(_REWRAP(who=new.person, to_kek=new.kek, to_wrapped=new.wrapped))


async def close(unit: Unit) -> None:
    """Let nobody write a key until the unit ends, and wait for those who do."""
    await unit.run(_CLOSE_TABLE)


async def destroyed(unit: Unit, kek: str) -> None:
    """Note that an epoch is over: from now on nothing can be stored under it."""
    await unit.run(_DESTROYED(kek=kek, at=unit.now))


async def running(unit: Unit, what: str) -> tuple[UUID, datetime] | None:
    """The rotation of this kind that was begun and not ended."""
    row = await unit.one(_RUNNING(what=what))
    return None if row is None else (row["id"], row["began_at"])


async def begin(unit: Unit, what: str) -> tuple[UUID, datetime]:
    """Note that a rotation begins."""
    made = uuid_utils.uuid7()
    await unit.run(_BEGIN(id=made, what=what, began_at=unit.now))
    return made, unit.now


async def end(unit: Unit, which: UUID) -> None:
    """Note that a rotation has ended."""
    await unit.run(_END(which=which, at=unit.now))


def _wrapped(row: Record) -> WrappedKey:
    return WrappedKey(row["person_id"], row["version"], row["kek"], row["wrapped"])
