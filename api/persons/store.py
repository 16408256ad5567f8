"""Statements on persons."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

from sqlalchemy import (
    ARRAY,
    LargeBinary,
    Uuid,
    any_,
    bindparam,
    column,
    delete,
    func,
    insert,
    null,
    select,
    table,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from api.crypto.tables import person_key
from api.crypto.wrappers import WrappedKey
from api.errors import Overloaded
from api.persons import standing
from api.persons.model import Erasure, Person
from api.persons.tables import PERSON, erasure, legal_hold, person, person_alias
from api.storage.statement import statement
from api.vocabulary import ErasureGround, PersonAlias, PersonId

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any
    from uuid import UUID

    from api.crypto.blind import Tags
    from api.crypto.honey import Eye
    from api.crypto.vault import Vault
    from api.storage.unit import Record, Unit
    from api.vocabulary import HoldGround


# The rooms of cases and dossiers are above this one: of their tables only the names of these columns are known here.
_CASES: Final = table("case", column("id"), column("person_id"), schema="exchange")
_EMERGENCIES: Final = table("emergency", column("case_id"), column("reference"), column("actor"), schema="exchange")
_DOCUMENTS: Final = table("document", column("person_id"), schema="exchange")
_FOUND: Final = (
    select(person.c.id, person.c.v_index, person_alias.c.alias)
    .join(person_alias, person_alias.c.person_id == person.c.id)
    .where(person.c.v_index == any_(bindparam("v_index", type_=ARRAY(LargeBinary))))
    .subquery("found")
)
_FIND: Final = statement(
    select(standing.CURRENT, standing.BEYOND, _FOUND.c.id, _FOUND.c.alias)
    .select_from(standing.ALWAYS.outerjoin(_FOUND, true()))
    .order_by(_FOUND.c.v_index)
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
_LOCK: Final = statement(
    select(person_key.c.person_id).where(person_key.c.person_id == bindparam("person_id")).with_for_update()
)

_OF_CASE: Final = statement(
    select(person_alias.c.person_id, person_alias.c.alias)
    .join(_CASES, _CASES.c.person_id == person_alias.c.person_id)
    .where(_CASES.c.id == bindparam("case_id", type_=Uuid))
)
_OF_ALIAS: Final = statement(
    select(person.c.id, person.c.v_number.is_not(None).label("has_v_number"))
    .join(person_alias, person_alias.c.person_id == person.c.id)
    .where(person_alias.c.alias == bindparam("alias", type_=Uuid))
)
_STANDING: Final = statement(
    select(legal_hold.c.id).where(legal_hold.c.person_id == bindparam("person_id"), legal_hold.c.released_at.is_(None))
)
_HOLD: Final = statement(
    upsert(legal_hold).on_conflict_do_nothing(
        index_elements=["person_id"], index_where=legal_hold.c.released_at.is_(None)
    ),
    "id",
    "person_id",
    "ground",
    "placed_at",
)
_RELEASE: Final = statement(
    update(legal_hold).where(legal_hold.c.id == bindparam("hold_id")).values(released_at=bindparam("at"))
)
_DESTROY_KEY: Final = statement(
    delete(person_key)
    .where(person_key.c.person_id == bindparam("person_id"))
    .returning(person_key.c.kek, person_key.c.version, func.sha256(person_key.c.wrapped).label("digest"))
)
_ADD_ERASURE: Final = statement(insert(erasure), *(each.name for each in erasure.c))
_FIND_ERASURE: Final = statement(select(erasure).where(erasure.c.id == bindparam("erasure_id")))
_FORGET_ALIAS: Final = statement(delete(person_alias).where(person_alias.c.person_id == bindparam("person_id")))
_DELETE_DOCUMENTS: Final = statement(
    delete(_DOCUMENTS).where(_DOCUMENTS.c.person_id == bindparam("person_id", type_=Uuid))
)
_FORGET_EMERGENCIES: Final = statement(
    update(_EMERGENCIES)
    .where(
        _EMERGENCIES.c.case_id.in_(select(_CASES.c.id).where(_CASES.c.person_id == bindparam("person_id", type_=Uuid)))
    )
    .values(reference=null(), actor=null())
)
_FORGET_NUMBER: Final = statement(
    update(person)
    .where(person.c.id == bindparam("person_id"))
    .values(v_index=null(), v_number=null(), erased_at=bindparam("at"))
)


async def find(unit: Unit, tags: Tags) -> tuple[Person | None, bytes]:
    """The person with the V-number of these tags, or None; and the tag that somebody new with it is stored under.

    Raises `Unavailable` when others are under a version that is not live here. Who was once taken in twice, and is not
    put right yet, is who came first.
    """
    row, *_ = await unit.all(_FIND(v_index=tags.sought, **standing.gaps(tags.versions)))
    stored = tags.stored(standing.hold(row))
    return None if row["id"] is None else Person(PersonId(row["id"]), PersonAlias(row["alias"])), stored


async def look(unit: Unit, eye: Eye, tags: Tags) -> None:
    """Let an eye look at whose V-number is sought, whoever may see them. Where nothing is planted nothing is asked."""
    if eye.planted and (who := (await find(unit, tags))[0]) is not None:
        eye.look((who.id,))


def named() -> Person:
    """A new person: a random id and a random alias, not yet stored."""
    return Person(PersonId(uuid.uuid4()), PersonAlias(uuid.uuid4()))


async def add(unit: Unit, vault: Vault, new: Person, v_number: str | None, v_index: bytes | None) -> None:
    """Store a new person with a key. Raises `Overloaded` when another unit adds the same V-number at once.

    `v_index` is what `find` found in this unit: not what was true before.
    """
    await vault.create(unit, new.id)
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


async def of_case(unit: Unit, case_id: UUID) -> Person | None:
    """The person of a case, or None."""
    row = await unit.one(_OF_CASE(case_id=case_id))
    return None if row is None else Person(PersonId(row["person_id"]), PersonAlias(row["alias"]))


async def of_alias(unit: Unit, alias: PersonAlias) -> tuple[PersonId, bool] | None:
    """Who has this alias in the log, and whether a V-number is known of them; or None."""
    row = await unit.one(_OF_ALIAS(alias=alias))
    return None if row is None else (PersonId(row["id"]), row["has_v_number"])


async def lock(unit: Unit, who: PersonId) -> bool:
    """Let nobody else hold, release or erase this person until the unit ends; False when they are erased by now.

    Their key is the lock, so that it waits for whoever seals with it, and what is read after it is as the others left
    it.
    """
    return bool(await unit.run(_LOCK(person_id=who)))


async def held(unit: Unit, who: PersonId) -> UUID | None:
    """The hold that forbids erasure, or None."""
    row = await unit.one(_STANDING(person_id=who))
    return None if row is None else row["id"]


async def place_hold(unit: Unit, hold_id: UUID, who: PersonId, ground: HoldGround) -> None:
    """Place a hold, unless one stands."""
    await unit.run(_HOLD(id=hold_id, person_id=who, ground=str(ground), placed_at=unit.now))


async def release_hold(unit: Unit, hold_id: UUID) -> None:
    """Release a hold."""
    await unit.run(_RELEASE(hold_id=hold_id, at=unit.now))


async def destroy(unit: Unit, who: PersonId) -> tuple[str, int, bytes]:
    """Delete the key of a person, locked, what finds them, their documents with the keys of these, and what names them.

    Which key it was: KEK, version, SHA-256 of it wrapped.
    """
    (gone,) = await unit.run(_DESTROY_KEY(person_id=who))
    await unit.run(_DELETE_DOCUMENTS(person_id=who))
    await unit.run(_FORGET_ALIAS(person_id=who))
    await unit.run(_FORGET_EMERGENCIES(person_id=who))
    await unit.run(_FORGET_NUMBER(person_id=who, at=unit.now))
    return gone["kek"], gone["version"], gone["digest"]


async def add_erasure(unit: Unit, done: Erasure) -> None:
    """Keep the proof of an erasure."""
    await unit.run(
        _ADD_ERASURE(
            id=done.id,
            ground=str(done.ground),
            kek=done.kek,
            key_version=done.key_version,
            key_digest=done.key_digest,
            erased_at=done.erased_at,
        )
    )


async def find_erasure(unit: Unit, erasure_id: UUID) -> Erasure | None:
    """The proof of an erasure, or None."""
    row = await unit.one(_FIND_ERASURE(erasure_id=erasure_id))
    if row is None:
        return None
    ground = ErasureGround(row["ground"])
    return Erasure(row["id"], row["erased_at"], ground, row["kek"], row["key_version"], row["key_digest"])


async def opening(vault: Vault, rows: list[Record]) -> Record:
    """The one row that a statement with `KEY_COLUMNS` found, its key taken in.

    Raises `Overloaded` when there is none: it was there a statement ago, so the person was erased in between.
    """
    if not rows:
        raise Overloaded
    (row,) = rows
    await vault.take(wrapped([row]))
    return row


def v_number(opened: Mapping[str, Any]) -> str | None:
    """The V-number in an opened row of a person, or None when there is none yet."""
    found: str | None = opened["v_number"]
    return found


def wrapped(rows: Iterable[Record]) -> list[WrappedKey]:
    """The wrapped keys in rows that selected `KEY_COLUMNS`."""
    return [WrappedKey(row["person_id"], row["key_version"], row["kek"], row["wrapped"]) for row in rows]
