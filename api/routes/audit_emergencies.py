"""Emergencies (noodprocedure) and their review. For auditors."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Request
from starlette.responses import Response

from api import problems
from api.cases.emergencies.model import DeclaredEmergency
from api.disclosure import authority
from api.disclosure.call import Call
from api.edge import replies
from api.edge.call import calls, creates
from api.edge.openapi import told
from api.edge.paging import Paging, paged
from api.edge.routing import router
from api.routes.emergencies import EmergencyIdPath
from api.schemas import emergencies as wire
from api.schemas.base import Page
from api.supervision import emergencies
from api.vocabulary import EmergencyId

routes = router(tags=["audit"])

_SEEN = (problems.NOT_FOUND, problems.WRONG_PARTY)


@routes.post(
    "/audit/emergencies/{emergencyId}/reviews",
    operation_id="reviewEmergency",
    status_code=201,
    response_model=wire.SupervisedEmergency,
    responses=told(*_SEEN, problems.ACTOR_MISSING, problems.WRONG_STATE, problems.OWN_REVIEW),
)
async def review(
    emergency_id: EmergencyIdPath,
    body: wire.NewEmergencyReview,
    call: Annotated[Call, creates(authority.REVIEW_EMERGENCY)],
) -> Response:
    """Say what you found of one that is over. Two people do, within two working days; nobody twice."""
    which = EmergencyId(emergency_id)
    if call.replayed:
        outcome = await emergencies.read(call, which)
    else:
        outcome = await emergencies.review(call, which, body.outcome, body.reference)
    return replies.made(call, outcome, _at(call), f"/audit/emergencies/{emergency_id}")


@routes.get(
    "/audit/emergencies",
    operation_id="listEmergencies",
    response_model=Page[wire.SupervisedEmergency],
    responses=told(*_SEEN[1:]),
)
async def listed(request: Request, call: Annotated[Call, calls(authority.LIST_EMERGENCIES)], page: Paging) -> Response:
    """All there were, newest first, with where their review stands."""
    return replies.shown(request, await emergencies.listed(call, page.before, page.fetch), paged(page, call, _at(call)))


@routes.get(
    "/audit/emergencies/{emergencyId}",
    operation_id="readReviewedEmergency",
    response_model=wire.SupervisedEmergency,
    responses=told(*_SEEN),
)
async def read(
    request: Request, emergency_id: EmergencyIdPath, call: Annotated[Call, calls(authority.READ_REVIEWED_EMERGENCY)]
) -> Response:
    """One of them."""
    return replies.shown(request, await emergencies.read(call, EmergencyId(emergency_id)), _at(call))


def _at(call: Call) -> Callable[[DeclaredEmergency], wire.SupervisedEmergency]:
    """An emergency as it stands at the instant of the call."""
    return lambda found: wire.SupervisedEmergency(
        id=found.id,
        organisation_id=found.organisation,
        case_id=found.case_id,
        reason=found.reason,
        reference=None if found.named is None else found.named.reference,
        declared_by=None if found.named is None else found.named.actor,
        declared_at=found.declared_at,
        ends_at=found.ends_at,
        state=found.state,
        due_date=found.due_on,
        overdue=found.overdue(call.unit.now),
        reviews=tuple(
            wire.EmergencyReview(
                outcome=each.outcome, reference=each.reference, reviewed_by=each.reviewer, reviewed_at=each.reviewed_at
            )
            for each in found.reviews
        ),
    )
