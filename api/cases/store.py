"""Statements on cases. What is sealed is opened only under a permit."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import ARRAY, Integer, LargeBinary, Text, any_, bindparam, func, insert, select, true, update

from api.cases.model import Assignment, Case, CaseFacts, CaseSummary
from api.cases.tables import assignment, case
from api.consent.model import GUIDING
from api.crypto.tables import person_key
from api.persons import standing
from api.persons import store as persons
from api.persons.tables import PERSON, person, person_alias
from api.storage.statement import statement
from api.vocabulary import (
    CareFunction,
    CaseId,
    DataCategory,
    LeavingReason,
    Municipality,
    OrganisationId,
    PersonAlias,
    PersonId,
)

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from api.crypto.blind import Tags
    from api.crypto.vault import Vault
    from api.disclosure.permit import Permit
    from api.storage.unit import Record, Unit

V_NUMBER_FIELD: Final = ("vNumber",)

_ASSIGNMENTS: Final = (
    select(
        func.json_agg(
            func.json_build_object(
                "organisation_id",
                assignment.c.organisation_id,
                "function",
                assignment.c.function,
                "from_at",
                assignment.c.from_at,
            )
        )
    )
    .where(assignment.c.case_id == case.c.id, assignment.c.until_at.is_(None))
    .correlate(case)
    .scalar_subquery()
)
_FIND: Final = statement(
    select(
        case,
        person_alias.c.alias,
        person.c.v_index.is_not(None).label("has_v_number"),
        _ASSIGNMENTS.label("assignments"),
    )
    .join(person, person.c.id == case.c.person_id)
    .join(person_alias, person_alias.c.person_id == case.c.person_id)
    .where(case.c.id == bindparam("case_id"))
)
_GUIDED: Final = statement(
    select(person_alias.c.alias)
    .join(case, case.c.person_id == person_alias.c.person_id)
    .join(assignment, assignment.c.case_id == case.c.id)
    .where(
        person_alias.c.person_id == bindparam("person_id"),
        assignment.c.organisation_id == bindparam("organisation_id"),
        assignment.c.function == any_(bindparam("functions", sorted(GUIDING), type_=ARRAY(Text))),
        assignment.c.until_at.is_(None),
        case.c.closed_date.is_(None),
    )
    .limit(1)
)
_OF_PERSON: Final = statement(
    select(case.c.id)
    .join(person_alias, person_alias.c.person_id == case.c.person_id)
    .where(case.c.person_id == bindparam("person_id"))
    .order_by(case.c.id)
)
_LOCK: Final = statement(select(case.c.version).where(case.c.id == bindparam("case_id")).with_for_update())
_ASSIGNED: Final = (
    select(case.c.id, case.c.person_id, person_alias.c.alias, case.c.municipality, case.c.opened_at, case.c.closed_date)
    .join(person_alias, person_alias.c.person_id == case.c.person_id)
    .where(
        case.c.id.in_(
            select(assignment.c.case_id).where(
                assignment.c.organisation_id == bindparam("organisation_id"), assignment.c.until_at.is_(None)
            )
        )
    )
)
_LIST: Final = statement(
    _ASSIGNED.where(case.c.id < bindparam("before")).order_by(case.c.id.desc()).limit(bindparam("most", type_=Integer))
)
_SOUGHT: Final = (
    _ASSIGNED.join(person, person.c.id == case.c.person_id)
    .where(person.c.v_index == any_(bindparam("v_index", type_=ARRAY(LargeBinary))))
    .subquery("sought")
)
_SEARCH: Final = statement(
    select(standing.CURRENT, standing.BEYOND, _SOUGHT)
    .select_from(standing.ALWAYS.outerjoin(_SOUGHT, true()))
    .order_by(_SOUGHT.c.id.desc())
)
_INSERT: Final = statement(
    insert(case), "id", "person_id", "municipality", "opened_by", "opened_at", "with_status", "version"
)
_ASSIGN: Final = statement(insert(assignment), "id", "case_id", "organisation_id", "function", "from_at")
_CLOSE: Final = statement(
    update(case)
    .where(case.c.id == bindparam("case_id"))
    .values(
        closed_date=bindparam("on_date"),
        leaving_reason=bindparam("why"),
        version=case.c.version + 1,
    )
)
_TOUCH: Final = statement(update(case).where(case.c.id == bindparam("case_id")).values(version=case.c.version + 1))
_OPEN: Final = statement(
    select(*PERSON.selected("v_number"), *persons.KEY_COLUMNS)
    .join(person_key, person_key.c.person_id == person.c.id)
    .where(person.c.id == bindparam("person_id"))
)


async def find(unit: Unit, case_id: CaseId) -> CaseFacts | None:
    """The case, or None."""
    row = await unit.one(_FIND(case_id=case_id))
    return None if row is None else _facts(row)


async def guided(unit: Unit, who: PersonId, organisation: OrganisationId) -> PersonAlias | None:
    """The alias of a person whom this organisation guides in a case that goes on; None if it guides them in none."""
    row = await unit.one(_GUIDED(person_id=who, organisation_id=organisation))
    return None if row is None else PersonAlias(row["alias"])


async def of_person(unit: Unit, who: PersonId) -> tuple[CaseId, ...]:
    """The cases of a person, oldest first; none of who was erased."""
    return tuple(CaseId(row["id"]) for row in await unit.all(_OF_PERSON(person_id=who)))


async def lock(unit: Unit, case_id: CaseId) -> None:
    """Hold the case until the unit ends, so that what was read of it stays true."""
    await unit.run(_LOCK(case_id=case_id))


async def listed(unit: Unit, organisation: OrganisationId, before: UUID, most: int) -> list[CaseSummary]:
    """Cases to which an organisation is assigned, newest first."""
    return [_summary(row) for row in await unit.all(_LIST(organisation_id=organisation, before=before, most=most))]


async def of_v_number(unit: Unit, organisation: OrganisationId, tags: Tags) -> list[CaseSummary]:
    """Cases of one person to which an organisation is assigned. Raises `Unavailable`, as `persons.find`."""
    wanted = _SEARCH(organisation_id=organisation, v_index=tags.sought, **standing.gaps(tags.versions))
    rows = await unit.all(wanted)
    standing.hold(rows[0])
    return [_summary(row) for row in rows if row["id"] is not None]


async def add(
    unit: Unit, case_id: CaseId, who: PersonId, municipality: Municipality, by: OrganisationId, *, with_status: bool
) -> None:
    """Add a case."""
    await unit.run(
        _INSERT(
            id=case_id,
            person_id=who,
            municipality=str(municipality),
            opened_by=by,
            opened_at=unit.now,
            with_status=with_status,
            version=1,
        )
    )


async def assign(unit: Unit, row: UUID, case_id: CaseId, organisation: OrganisationId, function: CareFunction) -> None:
    """Assign an organisation from now on."""
    await unit.run(
        _ASSIGN(id=row, case_id=case_id, organisation_id=organisation, function=str(function), from_at=unit.now)
    )
    await unit.run(_TOUCH(case_id=case_id))


async def close(unit: Unit, case_id: CaseId, on_date: date, why: LeavingReason) -> None:
    """End a case."""
    await unit.run(_CLOSE(case_id=case_id, on_date=on_date, why=str(why)))


async def open_case(permit: Permit, unit: Unit, vault: Vault, facts: CaseFacts) -> Case:
    """The case with what the permit lets be opened. This is the unit's last statement."""
    v_number = await open_v_number(permit, unit, vault, facts.person) if facts.has_v_number else None
    return Case(
        facts.id,
        facts.person,
        facts.municipality,
        v_number,
        facts.with_status,
        facts.opened_at,
        facts.closed_date,
        facts.leaving_reason,
        facts.assignments,
        facts.version,
    )


async def open_v_number(permit: Permit, unit: Unit, vault: Vault, who: PersonId) -> str | None:
    """The V-number, if the permit names identity and the person. This is the unit's last statement."""
    if DataCategory.IDENTITY not in permit.categories or who not in permit.persons:
        return None
    rows = await unit.last(_OPEN(person_id=who))
    await vault.take(persons.wrapped(rows))
    return persons.v_number(vault.open_row(who, PERSON, rows[0], ("v_number",))) if rows else None


def _facts(row: Record) -> CaseFacts:
    return CaseFacts(
        id=CaseId(row["id"]),
        person=PersonId(row["person_id"]),
        alias=PersonAlias(row["alias"]),
        municipality=Municipality(row["municipality"]),
        with_status=row["with_status"],
        opened_by=OrganisationId(row["opened_by"]),
        opened_at=row["opened_at"],
        closed_date=row["closed_date"],
        leaving_reason=None if row["leaving_reason"] is None else LeavingReason(row["leaving_reason"]),
        version=row["version"],
        assignments=tuple(_assignment(each) for each in row["assignments"] or ()),
        has_v_number=row["has_v_number"],
    )


def _assignment(each: dict[str, str]) -> Assignment:
    return Assignment(
        OrganisationId(uuid.UUID(each["organisation_id"])),
        CareFunction(each["function"]),
        datetime.fromisoformat(each["from_at"]),
    )


def _summary(row: Record) -> CaseSummary:
    return CaseSummary(
        CaseId(row["id"]),
        PersonId(row["person_id"]),
        PersonAlias(row["alias"]),
        Municipality(row["municipality"]),
        row["opened_at"],
        row["closed_date"],
    )
