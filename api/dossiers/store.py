"""Statements on dossiers. What is sealed is opened only under a permit, and only the categories it names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import uuid_utils.compat as uuid_utils
from sqlalchemy import ARRAY, Text, any_, bindparam, literal_column, select
from sqlalchemy.dialects.postgresql import insert as upsert

from api.cases import situation
from api.crypto.tables import person_key
from api.dossiers import request_store as requests
from api.dossiers.model import DossierFacts, RequestFacts, Section
from api.dossiers.tables import dossier, dossier_section
from api.errors import Overloaded
from api.persons import store as persons
from api.storage.statement import statement
from api.vocabulary import (
    DossierId,
)

if TYPE_CHECKING:
    from api.disclosure.call import Call
    from api.disclosure.permit import Permit
    from api.dossiers.model import Delivered

_FIND: Final = statement(requests.FACTS.where(dossier.c.id == bindparam("dossier_id")))
_UPSERT_DOSSIER: Final = statement(
    upsert(dossier)
    .on_conflict_do_update(
        index_elements=["request_id"],
        set_={"complete": literal_column("excluded.complete"), "version": dossier.c.version + 1},
    )
    .returning(dossier.c.id),
    "id",
    "request_id",
    "complete",
    "created_at",
    "version",
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
_OPEN: Final = statement(
    select(dossier_section.c.id, dossier_section.c.category, dossier_section.c.content, *persons.KEY_COLUMNS)
    .select_from(dossier)
    .join(dossier_section, dossier_section.c.dossier_id == dossier.c.id)
    .join(person_key, person_key.c.person_id == bindparam("person_id"))
    .where(
        dossier.c.id == bindparam("dossier_id"),
        dossier.c.version == bindparam("version"),
        dossier_section.c.category == any_(bindparam("categories", type_=ARRAY(Text))),
    )
)


async def find_dossier(call: Call, dossier_id: DossierId) -> DossierFacts | None:
    """A dossier and the situation of the caller around it, or None."""
    row = await call.unit.one(_FIND(dossier_id=dossier_id, **situation.binds(call)))
    if row is None:
        return None
    request = await requests.facts_of(call, row)
    return DossierFacts(DossierId(row["dossier_id"]), row["dossier_version"], row["complete"], request)


async def deliver(call: Call, facts: RequestFacts, delivered: Delivered) -> DossierId:
    """Add sections to the dossier of a request, sealed; a section delivered again replaces what was there."""
    person = facts.situation.person
    await persons.take_keys(call.unit, call.vault, person)
    (row,) = await call.unit.run(
        _UPSERT_DOSSIER(
            id=uuid_utils.uuid7(),
            request_id=facts.id,
            complete=delivered.complete,
            created_at=call.unit.now,
            version=1,
        )
    )
    dossier_id = DossierId(row["id"])
    for section in delivered.sections:
        section_id = uuid_utils.uuid7()
        await call.unit.run(
            _UPSERT_SECTION(
                id=section_id,
                dossier_id=dossier_id,
                category=str(section.category),
                fields=sorted(section.content),
                content=call.vault.seal(
                    person, section.content, "dossier_section", _column(section.category), section_id
                ),
                delivered_at=call.unit.now,
            )
        )
    return dossier_id


async def open_sections(permit: Permit, call: Call, facts: DossierFacts) -> tuple[Section, ...]:
    """The sections that the permit names. This is the unit's last statement: it commits the entry that names them too.

    Raises `Overloaded` when a delivery came in between, so that what was written down is never less than what leaves.
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
    contents: dict[str, dict[str, Any]] = {
        row["category"]: call.vault.open(person, row["content"], "dossier_section", _column(row["category"]), row["id"])
        for row in rows
    }
    if contents.keys() != {str(category) for category in permit.categories}:
        raise Overloaded
    return tuple(Section(category, contents[category]) for category in sorted(permit.categories))


def _column(category: str) -> str:
    """Where a section is sealed to: its category decides who may read it, so that no row passes for another one."""
    return f"content/{category}"
