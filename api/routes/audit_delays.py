"""Delays (uitstel van kennisgeving, UAVG 41): what a person does not get to see yet. For auditors."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Request
from starlette.responses import Response

from api import problems
from api.disclosure import authority
from api.disclosure.call import Call
from api.edge import replies
from api.edge.call import calls, creates
from api.edge.openapi import told
from api.edge.paging import Paging, paged
from api.edge.routing import router
from api.persons.model import Delay
from api.schemas import delays as wire
from api.schemas.base import Page
from api.supervision import delays

routes = router(tags=["audit"])

DelayId = Annotated[UUID, Path(alias="delayId", description="Id of a delay.")]
_SEEN = (problems.NOT_FOUND, problems.WRONG_PARTY)


@routes.post(
    "/audit/delays",
    operation_id="decideDelay",
    status_code=201,
    response_model=wire.Delay,
    responses=told(*_SEEN, problems.NOT_DELAYABLE, problems.LOG_DAMAGED),
)
async def decide(body: wire.NewDelay, call: Annotated[Call, creates(authority.DECIDE_DELAY)]) -> Response:
    """Keep one disclosure out of its person's account. Another person reviews it within 14 days, or it ends."""
    if call.replayed:
        outcome = await delays.read(call, call.made)
    else:
        outcome = await delays.decide(call, body.index, body.ground, body.reference, body.until_at)
    return replies.made(call, outcome, _delay, f"/audit/delays/{call.made}")


@routes.post(
    "/audit/delays/{delayId}/reviews",
    operation_id="reviewDelay",
    status_code=201,
    response_model=wire.Delay,
    responses=told(*_SEEN, problems.OWN_REVIEW),
)
async def review(
    delay_id: DelayId, body: wire.NewReview, call: Annotated[Call, creates(authority.REVIEW_DELAY)]
) -> Response:
    """Uphold a delay, or lift it at once: by another person than who decided."""
    if call.replayed:
        outcome = await delays.read(call, delay_id)
    else:
        outcome = await delays.review(call, delay_id, body.outcome, body.reference)
    return replies.made(call, outcome, _delay, f"/audit/delays/{delay_id}")


@routes.get("/audit/delays", operation_id="listDelays", response_model=Page[wire.Delay], responses=told(*_SEEN[1:]))
async def listed(request: Request, call: Annotated[Call, calls(authority.LIST_DELAYS)], page: Paging) -> Response:
    """All delays there were, newest first."""
    return replies.shown(request, await delays.listed(call, page.before, page.fetch), paged(page, call, _delay))


@routes.get("/audit/delays/{delayId}", operation_id="readDelay", response_model=wire.Delay, responses=told(*_SEEN))
async def read(request: Request, delay_id: DelayId, call: Annotated[Call, calls(authority.READ_DELAY)]) -> Response:
    """One delay."""
    return replies.shown(request, await delays.read(call, delay_id), _delay)


def _delay(found: Delay) -> wire.Delay:
    return wire.Delay(
        id=found.id,
        index=found.index,
        ground=found.ground,
        reference=found.reference,
        decided_by=found.actor,
        decided_at=found.decided_at,
        until_at=found.until_at,
        outcome=found.outcome,
        reviewed_at=found.reviewed_at,
        ends_at=found.ends_at,
    )
