"""Statements on emergencies (noodprocedure), and the one of them that a decision needs."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    JSON,
    Integer,
    Uuid,
    bindparam,
    column,
    func,
    insert,
    literal_column,
    select,
    table,
    update,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by

from api.cases.emergencies.model import DeclaredEmergency, EmergencyReview, Named
from api.cases.emergencies.tables import emergency, emergency_review
from api.cases.tables import case
from api.consent.emergency import Emergency
from api.persons.tables import person_alias
from api.storage.statement import statement
from api.vocabulary import (
    CaseId,
    DossierId,
    EmergencyId,
    EmergencyOutcome,
    EmergencyReason,
    OrganisationId,
    PersonAlias,
    PersonId,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import ColumnElement, ScalarSelect

    from api.disclosure.call import Call
    from api.storage.unit import Record, Unit

_AT: Final = bindparam("at", type_=emergency.c.until_at.type)
# The room of dossiers is above this one: of its tables only the names of these columns are known here.
_DOSSIERS: Final = table("dossier", column("id"), column("request_id"), schema="exchange")
_REQUESTS: Final = table("dossier_request", column("id"), column("case_id"), schema="exchange")
_ENDS: Final = func.coalesce(emergency.c.ended_at, emergency.c.until_at)
_REVIEW: Final = func.json_build_array(
    emergency_review.c.organisation_id,
    emergency_review.c.reviewer,
    emergency_review.c.outcome,
    emergency_review.c.reference,
    emergency_review.c.reviewed_at,
)
_REVIEWS: Final = (
    select(func.json_agg(aggregate_order_by(_REVIEW, emergency_review.c.id), type_=JSON))
    .where(emergency_review.c.emergency_id == emergency.c.id)
    .correlate(emergency)
    .scalar_subquery()
)
_FACTS: Final = select(
    emergency.c.id,
    emergency.c.case_id,
    emergency.c.organisation_id,
    emergency.c.reason,
    emergency.c.reference,
    emergency.c.actor,
    emergency.c.declared_at,
    _ENDS.label("ends_at"),
    _REVIEWS.label("reviews"),
    person_alias.c.person_id,
    person_alias.c.alias,
).select_from(
    emergency.join(case, case.c.id == emergency.c.case_id).outerjoin(
        person_alias, person_alias.c.person_id == case.c.person_id
    )
)
_FIND: Final = statement(_FACTS.where(emergency.c.id == bindparam("emergency_id", type_=Uuid)))
_DECLARERS: Final = statement(
    select(emergency.c.organisation_id).where(emergency.c.case_id == bindparam("case_id", type_=Uuid)).distinct()
)
_DELIVERED: Final = statement(
    select(_DOSSIERS.c.id)
    .join(_REQUESTS, _REQUESTS.c.id == _DOSSIERS.c.request_id)
    .where(_REQUESTS.c.case_id == bindparam("case_id", type_=Uuid))
    .order_by(_DOSSIERS.c.id)
)
_LISTED: Final = statement(
    _FACTS.where(emergency.c.id < bindparam("before", type_=Uuid))
    .order_by(emergency.c.id.desc())
    .limit(bindparam("most", type_=Integer))
)
_LOCK: Final = statement(
    select(emergency.c.id).where(emergency.c.id == bindparam("emergency_id", type_=Uuid)).with_for_update()
)
_DECLARED: Final = (
    "id",
    "case_id",
    "organisation_id",
    "reason",
    "reference",
    "client",
    "actor",
    "declared_at",
    "until_at",
)
_ADD: Final = statement(insert(emergency), *_DECLARED)
_END: Final = statement(
    update(emergency)
    .where(
        emergency.c.id == bindparam("emergency_id", type_=Uuid),
        emergency.c.ended_at.is_(None),
        emergency.c.until_at > _AT,
    )
    .values(ended_at=func.greatest(_AT, emergency.c.declared_at))
)
_ADD_REVIEW: Final = statement(
    insert(emergency_review),
    "id",
    "emergency_id",
    "organisation_id",
    "client",
    "reviewer",
    "outcome",
    "reference",
    "reviewed_at",
)


def of_situation(*, case_id: ColumnElement[Any], recipient: ColumnElement[Any]) -> ScalarSelect[Any]:
    """For the statement of a situation: the last emergency that a recipient declared in a case, as `read` takes it.

    Without those that were ended: they are over at once, also for a copy of the service whose clock is behind.
    """
    declared = func.json_build_array(emergency.c.id, emergency.c.organisation_id, emergency.c.until_at, type_=JSON)
    return (
        select(declared)
        .where(emergency.c.case_id == case_id, emergency.c.organisation_id == recipient, emergency.c.ended_at.is_(None))
        .order_by(emergency.c.declared_at.desc())
        .limit(literal_column("1"))
        .correlate_except(emergency)
        .scalar_subquery()
    )


def read(found: Sequence[str] | None) -> Emergency | None:
    """The emergency that `of_situation` found."""
    if found is None:
        return None
    emergency_id, organisation, ends_at = found
    return Emergency(
        EmergencyId(uuid.UUID(emergency_id)),
        OrganisationId(uuid.UUID(organisation)),
        datetime.fromisoformat(ends_at),
    )


async def find(unit: Unit, emergency_id: EmergencyId) -> DeclaredEmergency | None:
    """An emergency, or None."""
    row = await unit.one(_FIND(emergency_id=emergency_id))
    return None if row is None else _declared(row)


async def declarers(unit: Unit, case_id: CaseId) -> frozenset[OrganisationId]:
    """The organisations that declared one in a case, however long ago."""
    return frozenset(OrganisationId(row["organisation_id"]) for row in await unit.all(_DECLARERS(case_id=case_id)))


async def dossiers(unit: Unit, case_id: CaseId) -> tuple[DossierId, ...]:
    """The dossiers that were delivered in a case, whoever asked for them and whatever is in them."""
    return tuple(DossierId(row["id"]) for row in await unit.all(_DELIVERED(case_id=case_id)))


async def listed(unit: Unit, before: UUID, most: int) -> list[DeclaredEmergency]:
    """All there were, newest first."""
    return [_declared(row) for row in await unit.all(_LISTED(before=before, most=most))]


async def lock(unit: Unit, emergency_id: EmergencyId) -> None:
    """Hold an emergency until the unit ends, so that what is read of it next stays true."""
    await unit.run(_LOCK(emergency_id=emergency_id))


async def add(call: Call, case_id: CaseId, reason: EmergencyReason, reference: str, until: datetime) -> None:
    """Keep what the caller declares. Its person is locked: who is erased leaves no name."""
    await call.unit.run(
        _ADD(
            id=call.made,
            case_id=case_id,
            organisation_id=call.caller.organisation.id,
            reason=str(reason),
            reference=reference,
            client=call.caller.client_id,
            actor=call.caller.person,
            declared_at=call.unit.now,
            until_at=until,
        )
    )


async def end(unit: Unit, emergency_id: EmergencyId) -> None:
    """End an emergency now. One that is over stays as it ended."""
    await unit.run(_END(emergency_id=emergency_id, at=unit.now))


async def add_review(unit: Unit, row: UUID, emergency_id: EmergencyId, client: str, review: EmergencyReview) -> None:
    """Keep what one person found."""
    await unit.run(
        _ADD_REVIEW(
            id=row,
            emergency_id=emergency_id,
            organisation_id=review.organisation,
            client=client,
            reviewer=review.reviewer,
            outcome=str(review.outcome),
            reference=review.reference,
            reviewed_at=review.reviewed_at,
        )
    )


def _declared(row: Record) -> DeclaredEmergency:
    return DeclaredEmergency(
        id=EmergencyId(row["id"]),
        case_id=CaseId(row["case_id"]),
        organisation=OrganisationId(row["organisation_id"]),
        reason=EmergencyReason(row["reason"]),
        declared_at=row["declared_at"],
        ends_at=row["ends_at"],
        named=_named(row),
        reviews=tuple(_review(*each) for each in row["reviews"] or ()),
    )


def _named(row: Record) -> Named | None:
    if row["alias"] is None:
        return None
    return Named(PersonId(row["person_id"]), PersonAlias(row["alias"]), row["reference"], row["actor"])


def _review(organisation: str, reviewer: str, outcome: str, reference: str, reviewed_at: str) -> EmergencyReview:
    return EmergencyReview(
        OrganisationId(uuid.UUID(organisation)),
        reviewer,
        EmergencyOutcome(outcome),
        reference,
        datetime.fromisoformat(reviewed_at),
    )
