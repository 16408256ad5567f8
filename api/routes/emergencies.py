"""Emergencies (noodprocedure): for an NGO that cares for a person who cannot consent."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Request
from starlette.responses import Response

from api import problems
from api.cases.emergencies import operations as emergencies
from api.cases.emergencies.operations import Declared
from api.disclosure import authority
from api.disclosure.call import Call
from api.disclosure.permit import Refusal
from api.edge import replies
from api.edge.call import calls, creates
from api.edge.openapi import told
from api.edge.routing import router
from api.schemas import emergencies as wire
from api.vocabulary import CaseId, EmergencyId

routes = router(tags=["emergencies"])

EmergencyIdPath = Annotated[UUID, Path(alias="emergencyId", description="Id of an emergency.")]
_SEEN = (problems.NOT_FOUND, problems.WRONG_PARTY)


@routes.post(
    "/emergencies",
    operation_id="declareEmergency",
    status_code=201,
    response_model=wire.Emergency,
    responses=told(
        *_SEEN, problems.WRONG_FUNCTION, problems.ACTOR_MISSING, problems.WRONG_STATE, problems.EMERGENCY_STANDS
    ),
)
async def declare(body: wire.NewEmergency, call: Annotated[Call, creates(authority.DECLARE_EMERGENCY)]) -> Response:
    """Declare it, for 24 hours. An auditor is told, and two people review it. Then read with `Purpose: emergency`."""
    if call.replayed:
        return _made(call, await emergencies.read(call, EmergencyId(call.made)))
    return _made(call, await emergencies.declare(call, CaseId(body.case_id), body.reason, body.reference))


@routes.post(
    "/emergencies/{emergencyId}/endings",
    operation_id="endEmergency",
    status_code=201,
    response_model=wire.Emergency,
    responses=told(*_SEEN),
)
async def end(emergency_id: EmergencyIdPath, call: Annotated[Call, creates(authority.END_EMERGENCY)]) -> Response:
    """End it before its time. One that is over stays as it ended."""
    which = EmergencyId(emergency_id)
    return _made(call, await (emergencies.read(call, which) if call.replayed else emergencies.end(call, which)))


@routes.get(
    "/emergencies/{emergencyId}", operation_id="readEmergency", response_model=wire.Emergency, responses=told(*_SEEN)
)
async def read(
    request: Request, emergency_id: EmergencyIdPath, call: Annotated[Call, calls(authority.READ_EMERGENCY)]
) -> Response:
    """One that your organisation declared."""
    return replies.shown(request, await emergencies.read(call, EmergencyId(emergency_id)), _emergency)


def _made(call: Call, outcome: Declared | Refusal) -> Response:
    location = "" if isinstance(outcome, Refusal) else f"/emergencies/{outcome.facts.id}"
    return replies.made(call, outcome, _emergency, location)


def _emergency(declared: Declared) -> wire.Emergency:
    facts = declared.facts
    return wire.Emergency(
        id=facts.id,
        case_id=facts.case_id,
        reason=facts.reason,
        reference=declared.named.reference,
        declared_by=declared.named.actor,
        declared_at=facts.declared_at,
        ends_at=facts.ends_at,
        dossier_ids=declared.dossiers,
    )
