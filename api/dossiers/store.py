"""Statements on dossiers. What is sealed is opened only under a permit, and only the categories it names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import uuid_utils.compat as uuid_utils
from sqlalchemy import ARRAY, Text, any_, bindparam, case, literal_column, select
from sqlalchemy.dialects.postgresql import insert as upsert

from api.cases import situation
from api.crypto.rows import digest, named, trace
from api.crypto.tables import person_key
from api.dossiers import request_store as requests
from api.dossiers.model import DossierFacts, RequestFacts, Section
from api.dossiers.tables import DOSSIER, dossier, dossier_section
from api.errors import Overloaded
from api.persons import store as persons
from api.storage.statement import statement
from api.vocabulary import DossierId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.disclosure.call import Call
    from api.disclosure.permit import Permit
    from api.dossiers.model import Delivered
    from api.storage.unit import Record
    from api.vocabulary import PersonId

_FIND: Final = statement(requests.FACTS.where(dossier.c.id == bindparam("dossier_id")))
_UPSERT_DOSSIER: Final = statement(
    upsert(dossier)
    .on_conflict_do_update(
        index_elements=["request_id"],
        set_={name: literal_column(f"excluded.{name}") for name in ("complete", "version", "seal")},
    )
    .returning(dossier.c.id),
    "id",
    "request_id",
    "complete",
    "created_at",
    "version",
    "seal",
)
_UPSERT_SECTION: Final = statement(
    upsert(dossier_section).on_conflict_do_update(
        index_elements=["dossier_id", "category"],
        set_={
            "id": literal_column("excluded.id"),
            "fields": literal_column("excluded.fields"),
            "content": literal_column("excluded.content"),
            "delivered_at": literal_column("excluded.delivered_at"),
        },
    ),
    "id",
    "dossier_id",
    "category",
    "fields",
    "content",
    "delivered_at",
)
_NAMED: Final = dossier_section.c.category == any_(bindparam("categories", type_=ARRAY(Text)))
# Of the other sections the seal needs the traces; their content does not leave the database.
_OPEN: Final = statement(
    select(
        dossier_section.c.id,
        dossier_section.c.category,
        _NAMED.label("named"),
        case((_NAMED, dossier_section.c.content), else_=trace(dossier_section.c.content)).label("content"),
        *DOSSIER.selected(),
        *persons.KEY_COLUMNS,
    )
    .select_from(dossier)
    .join(dossier_section, dossier_section.c.dossier_id == dossier.c.id)
    .join(person_key, person_key.c.person_id == bindparam("person_id"))
    .where(
        dossier.c.id == bindparam("dossier_id"),
        dossier.c.version == bindparam("version"),
    )
)
_SEALED: Final = statement(
    select(
        *DOSSIER.selected(),
        dossier_section.c.category,
        trace(dossier_section.c.content).label("content"),
    )
    .outerjoin(dossier_section, dossier_section.c.dossier_id == dossier.c.id)
    .where(dossier.c.request_id == bindparam("request_id"))
)


async def find_dossier(call: Call, dossier_id: DossierId) -> DossierFacts | None:
    """A dossier and the situation of the caller around it, or None."""
    row = await call.unit.one(_FIND(dossier_id=dossier_id, **situation.binds(call)))
    if row is None:
        return None
    request = await requests.facts_of(call, row)
    seals = {named(dossier, dossier_id): digest(row["dossier_seal"])}
    return DossierFacts(dossier_id, row["dossier_version"], row["complete"], request, seals)


async def deliver(call: Call, facts: RequestFacts, delivered: Delivered) -> DossierId:
    """Add sections to the dossier of a request, sealed; a section delivered again replaces what was there."""
    person = facts.situation.person
    await persons.take_keys(call.unit, call.vault, person)
    there = await call.unit.run(_SEALED(request_id=facts.id))
    members = _checked(call, person, there)
    dossier_id = DossierId(there[0]["dossier_id"] if there else uuid_utils.uuid7())
    sealed = {str(section.category): (uuid_utils.uuid7(), section) for section in delivered.sections}
    for category, (section_id, section) in sealed.items():
        members[category] = call.vault.seal_member(person, DOSSIER, category, section_id, section.content)
    bound = {"request_id": facts.id, "version": there[0]["dossier_version"] + 1 if there else 1}
    await call.unit.run(
        _UPSERT_DOSSIER(
            id=dossier_id,
            complete=delivered.complete,
            created_at=call.unit.now,
            seal=call.vault.seal_set(person, DOSSIER, dossier_id, bound, members),
            **bound,
        )
    )
    for category, (section_id, section) in sealed.items():
        await call.unit.run(
            _UPSERT_SECTION(
                id=section_id,
                dossier_id=dossier_id,
                category=category,
                fields=sorted(section.content),
                content=members[category],
                delivered_at=call.unit.now,
            )
        )
    return dossier_id


async def open_sections(permit: Permit, call: Call, facts: DossierFacts) -> tuple[Section, ...]:
    """The sections that the permit names. This is the unit's last statement: it commits the entry that names them too.

    Raises `Overloaded` when a delivery or an erasure came in between, so that what was written down is never less than
    what leaves. A new key does not change what is there: the entry then names the seal that the decision saw.
    """
    (person,) = permit.persons
    rows = await call.unit.last(
        _OPEN(
            dossier_id=facts.id,
            version=facts.version,
            person_id=person,
            categories=[str(category) for category in permit.categories],
        )
    )
    await call.vault.take(persons.wrapped(rows))
    _checked(call, person, rows)
    contents: dict[str, dict[str, Any]] = {
        row["category"]: call.vault.open_member(person, DOSSIER, row["category"], row["id"], row["content"])
        for row in rows
        if row["named"]
    }
    if contents.keys() != {str(category) for category in permit.categories}:
        raise Overloaded
    return tuple(Section(category, contents[category]) for category in sorted(permit.categories))


def _checked(call: Call, person: PersonId, rows: Sequence[Record]) -> dict[str, bytes]:
    """The sections of a dossier, by category, if they are those that were sealed as one: none gone, old or strange."""
    members = {row["category"]: row["content"] for row in rows if row["category"] is not None}
    if rows:
        call.vault.check_set(person, DOSSIER, rows[0], members)
    return members
