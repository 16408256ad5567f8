"""Statements on persons."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import ARRAY, Integer, LargeBinary, any_, bindparam, func, insert, literal_column, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from api.crypto.tables import person_key
from api.crypto.wrappers import WrappedKey
from api.errors import Overloaded
from api.persons.tables import PERSON, person, person_alias
from api.storage.statement import statement
from api.vocabulary import PersonAlias, PersonId

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any
    from uuid import UUID

    from api.crypto.blind import BlindIndex
    from api.crypto.vault import Vault
    from api.storage.unit import Record, Unit


@dataclass(frozen=True, slots=True)
class Person:
    """A person as the log and the vault know them."""

    id: PersonId
    alias: PersonAlias


_FIND: Final = statement(
    select(person.c.id, person_alias.c.alias)
    .join(person_alias, person_alias.c.person_id == person.c.id)
    .where(person.c.v_index == any_(bindparam("v_index", type_=ARRAY(LargeBinary))))
)
_INSERT: Final = statement(
    upsert(person).on_conflict_do_nothing(index_elements=["v_index"]).returning(person.c.id),
    "id",
    "v_index",
    "v_number",
    "seal",
    "created_at",
)
_ALIAS: Final = statement(insert(person_alias), "person_id", "alias")

KEY_COLUMNS: Final = (
    person_key.c.person_id,
    person_key.c.version.label("key_version"),
    person_key.c.kek,
    person_key.c.wrapped,
)
"""What a statement selects beside sealed columns, so that row and key come from one snapshot."""

_KEYS: Final = statement(
    select(*KEY_COLUMNS).where(person_key.c.person_id == bindparam("person_id")).with_for_update(read=True)
)

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
_CLOSE: Final = statement(text("LOCK TABLE exchange.person IN SHARE ROW EXCLUSIVE MODE"))
_SEALED: Final = statement(select(*PERSON.selected("v_number")).where(person.c.id == bindparam("person_id")))
_SET_INDEX: Final = statement(
    update(person)
    .where(person.c.id == bindparam("person_id"))
    .values(v_index=bindparam("to_index"), seal=bindparam("to_seal"))
)


async def find(unit: Unit, index: BlindIndex, v_number: str) -> Person | None:
    """The person with this V-number, or None."""
    row = await unit.one(_FIND(v_index=index.sought(v_number)))
    return None if row is None else Person(PersonId(row["id"]), PersonAlias(row["alias"]))


def named() -> Person:
    """A new person: a random id and a random alias, not yet stored."""
    return Person(PersonId(uuid.uuid4()), PersonAlias(uuid.uuid4()))


async def add(unit: Unit, vault: Vault, index: BlindIndex, new: Person, v_number: str | None) -> None:
    """Store a new person with a key. Raises `Overloaded` when another unit adds the same V-number at once."""
    await vault.create(unit, new.id)
    v_index = None if v_number is None else index.of_v_number(v_number)
    clear = {"id": new.id, "v_index": v_index, "created_at": unit.now}
    added = await unit.run(_INSERT(**vault.row(new.id, PERSON, {"v_number": v_number}, clear)))
    if not added:
        raise Overloaded
    await unit.run(_ALIAS(person_id=new.id, alias=new.alias))


async def take_keys(unit: Unit, vault: Vault, who: PersonId) -> None:
    """Take a person's keys into the vault, to seal something new. Rows to open bring their own keys along.

    The keys are held until the unit ends, so that none is replaced or destroyed before what it seals is committed.
    """
    await vault.take(wrapped(await unit.run(_KEYS(person_id=who))))


async def older_index(unit: Unit, version: int, after: UUID, most: int) -> list[UUID]:
    """Persons whose index is of another version, in order."""
    return [row["id"] for row in await unit.all(_OLDER(version=version, after=after, most=most))]


async def indexed_otherwise(unit: Unit, version: int) -> int:
    """How many persons have an index of another version."""
    row = await unit.one(_OTHERWISE(version=version))
    return 0 if row is None else int(row["n"])


async def close(unit: Unit) -> None:
    """Let nobody add a person until the unit ends, and wait for those who do."""
    await unit.run(_CLOSE())


async def sealed(unit: Unit, who: UUID) -> list[Record]:
    """The row of a person as it is sealed."""
    return await unit.run(_SEALED(person_id=who))


async def set_index(unit: Unit, who: UUID, v_index: bytes, seal: bytes | None) -> None:
    """Store another index of the V-number, and the seal over it."""
    await unit.run(_SET_INDEX(person_id=who, to_index=v_index, to_seal=seal))


def v_number(opened: Mapping[str, Any]) -> str | None:
    """The V-number in an opened row of a person, or None when there is none yet."""
    found: str | None = opened["v_number"]
    return found


def wrapped(rows: Iterable[Record]) -> list[WrappedKey]:
    """The wrapped keys in rows that selected `KEY_COLUMNS`."""
    return [WrappedKey(row["person_id"], row["key_version"], row["kek"], row["wrapped"]) for row in rows]
