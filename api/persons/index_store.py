"""Statements of the V-number index as a whole. To make it anew is for the owner of the tables: the service may not.

A tag begins with its version, so that what is of older or newer ones is a range of the index over all tags.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import ARRAY, Integer, LargeBinary, Uuid, any_, bindparam, exists, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from api.crypto.tables import index_version, person_key
from api.persons import store
from api.persons.tables import PERSON, person
from api.storage.statement import Bound, statement

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from api.storage.unit import Record, Unit

_VERSION: Final = func.get_byte(person.c.v_index, literal_column("0"))
_OLDER: Final = statement(
    select(person.c.id)
    .where(bindparam("version", type_=Integer) != _VERSION)
    .where(person.c.id > bindparam("after"))
    .order_by(person.c.id)
    .limit(bindparam("most", type_=Integer))
)
_OTHERWISE: Final = statement(
    select(func.count().label("n")).select_from(person).where(bindparam("version", type_=Integer) != _VERSION)
)
_NEWEST: Final = statement(
    select(_VERSION.label("version"))
    .where(person.c.v_index.is_not(None))
    .order_by(person.c.v_index.desc())
    .limit(literal_column("1"))
)
_BEGUN: Final = statement(select(func.coalesce(func.max(index_version.c.version), 0).label("version")))
_CLOSE: Final = Bound("LOCK TABLE exchange.person IN SHARE ROW EXCLUSIVE MODE", ())
_BEGIN: Final = statement(upsert(index_version).on_conflict_do_nothing(index_elements=["version"]), "version", "at")
_INDEXED: Final = (
    select(*PERSON.selected("v_number"), *store.KEY_COLUMNS)
    .join(person_key, person_key.c.person_id == person.c.id)
    .where(person.c.v_index.is_not(None))
)
_SEALED: Final = statement(_INDEXED.where(person.c.id == any_(bindparam("people", type_=ARRAY(Uuid)))))
_PAGE: Final = statement(
    _INDEXED.where(person.c.id > bindparam("after")).order_by(person.c.id).limit(bindparam("most", type_=Integer))
)
_TWIN: Final = person.alias("twin")
_SET_INDEX: Final = statement(
    update(person)
    .where(person.c.id == bindparam("person_id"))
    .where(
        ~exists(
            select(literal_column("1", Integer)).where(
                _TWIN.c.v_index == bindparam("to_index", type_=LargeBinary), _TWIN.c.id != bindparam("person_id")
            )
        ).correlate(person)
    )
    .values(v_index=bindparam("to_index"), seal=bindparam("to_seal"))
    .returning(person.c.id)
)


async def newest(unit: Unit) -> int:
    """The newest version that anybody is indexed under; 0 when nobody is indexed."""
    row = await unit.one(_NEWEST())
    return 0 if row is None else int(row["version"])


async def begun(unit: Unit) -> int:
    """The newest version that a rotation began; 0 when there was none."""
    row = await unit.one(_BEGUN())
    return 0 if row is None else int(row["version"])


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


async def begin(unit: Unit, version: int) -> None:
    """Note that whoever is new is stored under this version: from now on nobody can be under one before it."""
    await unit.run(_BEGIN(version=version, at=unit.now))


async def sealed(unit: Unit, people: Sequence[UUID]) -> list[Record]:
    """The rows of persons who are indexed, as they are sealed."""
    return await unit.run(_SEALED(people=people))


async def page(unit: Unit, after: UUID, most: int) -> list[Record]:
    """The same, of a page of all of them in order, with their keys."""
    return await unit.all(_PAGE(after=after, most=most))


async def set_index(unit: Unit, who: UUID, v_index: bytes, seal: bytes | None) -> bool:
    """Store another index of the V-number, and the seal over it; False when another person has this V-number."""
    return bool(await unit.run(_SET_INDEX(person_id=who, to_index=v_index, to_seal=seal)))
