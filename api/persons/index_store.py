"""Statements of making the V-number index anew. They are run as the owner of the tables: the service may not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import Integer, bindparam, func, literal_column, select, update

from api.persons.tables import PERSON, person
from api.storage.statement import Bound, statement

if TYPE_CHECKING:
    from uuid import UUID

    from api.storage.unit import Record, Unit

_OLDER: Final = statement(
    select(person.c.id)
    .where(func.get_byte(person.c.v_index, literal_column("0")) != bindparam("version", type_=Integer))
    .where(person.c.id > bindparam("after"))
    .order_by(person.c.id)
    .limit(bindparam("most", type_=Integer))
)
_OTHERWISE: Final = statement(
    select(func.count().label("n"))
    .select_from(person)
    .where(func.get_byte(person.c.v_index, literal_column("0")) != bindparam("version", type_=Integer))
)
_CLOSE: Final = Bound("LOCK TABLE exchange.person IN SHARE ROW EXCLUSIVE MODE", ())
_SEALED: Final = statement(select(*PERSON.selected("v_number")).where(person.c.id == bindparam("person_id")))
_SET_INDEX: Final = statement(
    update(person)
    .where(person.c.id == bindparam("person_id"))
    .values(v_index=bindparam("to_index"), seal=bindparam("to_seal"))
)


async def older_index(unit: Unit, version: int, after: UUID, most: int) -> list[UUID]:
    """Persons whose index is of another version, in order."""
    return [row["id"] for row in await unit.all(_OLDER(version=version, after=after, most=most))]


async def indexed_otherwise(unit: Unit, version: int) -> int:
    """How many persons have an index of another version."""
    row = await unit.one(_OTHERWISE(version=version))
    return 0 if row is None else int(row["n"])


async def close(unit: Unit) -> None:
    """Let nobody add a person until the unit ends, and wait for those who do."""
    await unit.run(_CLOSE)


async def sealed(unit: Unit, who: UUID) -> list[Record]:
    """The row of a person as it is sealed."""
    return await unit.run(_SEALED(person_id=who))


async def set_index(unit: Unit, who: UUID, v_index: bytes, seal: bytes | None) -> None:
    """Store another index of the V-number, and the seal over it."""
    await unit.run(_SET_INDEX(person_id=who, to_index=v_index, to_seal=seal))
