"""Statements on dossier requests, and what a decision on one or on its dossier needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Integer, bindparam, func, insert, or_, select, update

from api.cases import situation, terms
from api.cases.tables import case
from api.dossiers.model import ENDED, RequestFacts, RequestSummary
from api.dossiers.tables import DOSSIER_REQUEST, dossier, dossier_request, dossier_section
from api.persons import store as persons
from api.persons.tables import person_alias
from api.storage.statement import statement
from api.vocabulary import (
    CaseId,
    DataCategory,
    DossierId,
    DossierRequestId,
    DossierRequestState,
    MissingReason,
    OrganisationId,
    PersonAlias,
    PersonId,
    Purpose,
    RequestRefusalReason,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime
    from uuid import UUID

    from api.disclosure.call import Call
    from api.dossiers.model import NewRequest
    from api.storage.unit import Record, Unit

_SECTIONS: Final = (
    select(func.json_object_agg(dossier_section.c.category, dossier_section.c.fields))
    .where(dossier_section.c.dossier_id == dossier.c.id)
    .correlate(dossier)
    .scalar_subquery()
)
FACTS: Final = (
    select(
        dossier_request.c.id,
        dossier_request.c.case_id,
        dossier_request.c.requester,
        dossier_request.c.supplier,
        dossier_request.c.purpose,
        dossier_request.c.categories,
        dossier_request.c.state,
        dossier_request.c.requested_at,
        dossier_request.c.working_days,
        dossier_request.c.due_on,
        dossier_request.c.ended_at,
        dossier_request.c.refusal_reason,
        dossier_request.c.missing,
        dossier_request.c.version,
        dossier_request.c.proportionality_note.is_not(None).label("noted"),
        dossier.c.id.label("dossier_id"),
        dossier.c.version.label("dossier_version"),
        dossier.c.seal.label("dossier_seal"),
        dossier.c.complete,
        _SECTIONS.label("sections"),
        *situation.columns(
            case_id=dossier_request.c.case_id,
            person_id=dossier_request.c.person_id,
            municipality=case.c.municipality,
            supplier=dossier_request.c.supplier,
        ),
    )
    .join(case, case.c.id == dossier_request.c.case_id)
    .join(person_alias, person_alias.c.person_id == dossier_request.c.person_id)
    .outerjoin(dossier, dossier.c.request_id == dossier_request.c.id)
)
_FIND_REQUEST: Final = statement(FACTS.where(dossier_request.c.id == bindparam("request_id")))
_LOCK: Final = statement(
    select(dossier_request.c.version).where(dossier_request.c.id == bindparam("request_id")).with_for_update()
)
_LIST: Final = statement(
    select(dossier_request, person_alias.c.alias)
    .join(person_alias, person_alias.c.person_id == dossier_request.c.person_id)
    .where(
        or_(
            dossier_request.c.requester == bindparam("organisation"),
            dossier_request.c.supplier == bindparam("organisation"),
        )
    )
    .where(dossier_request.c.id < bindparam("before"))
    .order_by(dossier_request.c.id.desc())
    .limit(bindparam("most", type_=Integer))
)
_INSERT: Final = statement(
    insert(dossier_request),
    "id",
    "case_id",
    "person_id",
    "requester",
    "supplier",
    "purpose",
    "categories",
    "proportionality_note",
    "seal",
    "state",
    "requested_at",
    "working_days",
    "due_on",
    "missing",
    "version",
)
_MOVE: Final = statement(
    update(dossier_request)
    .where(dossier_request.c.id == bindparam("request_id"))
    .values(
        state=bindparam("to_state"),
        acknowledged_at=func.coalesce(dossier_request.c.acknowledged_at, bindparam("acknowledged")),
        ended_at=bindparam("ended"),
        refusal_reason=bindparam("why"),
        missing=dossier_request.c.missing.op("||")(bindparam("more_missing", type_=dossier_request.c.missing.type)),
        version=dossier_request.c.version + 1,
    )
)


async def find_request(call: Call, request_id: DossierRequestId) -> RequestFacts | None:
    """A request and the situation of the caller around it, or None."""
    row = await call.unit.one(_FIND_REQUEST(request_id=request_id, **situation.binds(call)))
    return None if row is None else await facts_of(call, row)


async def agreed(call: Call, facts: RequestFacts) -> frozenset[DataCategory]:
    """What it is agreed today that the caller, who supplies, gives to the requester for what it asked."""
    towards = await situation.of_case(call, facts.case_id, facts.requester)
    if towards is None:
        return frozenset()
    return towards.agreed(call.caller.organisation.kind, towards.supplier.kind, facts.purpose)


async def lock(unit: Unit, request_id: DossierRequestId) -> None:
    """Hold the request until the unit ends, so that its state stays what is read next."""
    await unit.run(_LOCK(request_id=request_id))


async def listed(unit: Unit, organisation: OrganisationId, before: UUID, most: int) -> list[RequestSummary]:
    """Requests that an organisation made or was addressed in, newest first."""
    rows = await unit.all(_LIST(organisation=organisation, before=before, most=most))
    return [_summary(row, unit.now) for row in rows]


async def add(
    call: Call,
    request_id: DossierRequestId,
    person: PersonId,
    new: NewRequest,
    working_days: int | None,
    due: date | None,
) -> None:
    """Add a request. The person's keys are taken in for the note."""
    await persons.take_keys(call.unit, call.vault, person)
    clear: dict[str, Any] = {
        "id": request_id,
        "case_id": new.case_id,
        "person_id": person,
        "requester": call.caller.organisation.id,
        "supplier": new.supplier_id,
        "purpose": str(new.purpose),
        "categories": sorted(new.categories),
        "state": str(DossierRequestState.REQUESTED),
        "requested_at": call.unit.now,
        "working_days": working_days,
        "due_on": due,
        "missing": {},
        "version": 1,
    }
    values = {"proportionality_note": new.proportionality_note}
    await call.unit.run(_INSERT(**call.vault.row(person, DOSSIER_REQUEST, values, clear)))


async def move(
    call: Call,
    facts: RequestFacts,
    state: DossierRequestState,
    *,
    reason: RequestRefusalReason | None = None,
    missing: Mapping[DataCategory, MissingReason] | None = None,
) -> None:
    """Change the state of a request."""
    await call.unit.run(
        _MOVE(
            request_id=facts.id,
            to_state=str(state),
            acknowledged=call.unit.now if state is not DossierRequestState.CANCELLED else None,
            ended=call.unit.now if state in ENDED else None,
            why=None if reason is None else str(reason),
            more_missing={str(category): str(why) for category, why in (missing or {}).items()},
        )
    )


def _summary(row: Record, now: datetime) -> RequestSummary:
    return RequestSummary(
        DossierRequestId(row["id"]),
        CaseId(row["case_id"]),
        DossierRequestState(row["state"]),
        row["requested_at"],
        row["due_on"],
        terms.overdue(row["due_on"], row["ended_at"], now),
        PersonId(row["person_id"]),
        PersonAlias(row["alias"]),
    )


async def facts_of(call: Call, row: Record) -> RequestFacts:
    """The request in a row that selected `FACTS`."""
    caller = call.caller.organisation.id
    sections: dict[str, list[str]] = row["sections"] or {}
    return RequestFacts(
        id=DossierRequestId(row["id"]),
        case_id=CaseId(row["case_id"]),
        requester=OrganisationId(row["requester"]),
        supplier=OrganisationId(row["supplier"]),
        purpose=Purpose(row["purpose"]),
        categories=frozenset(DataCategory(each) for each in row["categories"]),
        state=DossierRequestState(row["state"]),
        requested_at=row["requested_at"],
        working_days=row["working_days"],
        due_on=row["due_on"],
        ended_at=row["ended_at"],
        refusal_reason=None if row["refusal_reason"] is None else RequestRefusalReason(row["refusal_reason"]),
        missing={DataCategory(category): MissingReason(why) for category, why in row["missing"].items()},
        dossier_id=None if row["dossier_id"] is None else DossierId(row["dossier_id"]),
        version=row["version"],
        situation=await situation.of(
            call.unit,
            row,
            supplied=row["supplier"] == caller,
            addressed=row["supplier"] == caller,
            holdings={DataCategory(category): tuple(names) for category, names in sections.items()},
            proportionality_note=row["noted"],
        ),
    )
