"""The event feed: thin, for those who poll; nothing is ever missed."""

from typing import Annotated

from fastapi import Request
from starlette.responses import Response

from api import problems
from api.disclosure import authority
from api.disclosure.call import Call
from api.edge import replies
from api.edge.call import calls
from api.edge.openapi import told
from api.edge.paging import Page, Paging
from api.edge.routing import router
from api.events import Event, Position
from api.notifications import operations
from api.schemas import events as wire

routes = router(tags=["events"])


@routes.get("/events", operation_id="readEvents", response_model=wire.EventPage, responses=told(problems.WRONG_PARTY))
async def read_events(request: Request, call: Annotated[Call, calls(authority.READ_EVENTS)], page: Paging) -> Response:
    """What happened for your organisation after the cursor, oldest first. Keep the cursor and come back with it."""
    after = Position.read(page.position)
    outcome = await operations.feed(call, after, page.limit)
    return replies.shown(request, outcome, lambda found: _page(found, after, page, call))


def _page(found: list[Event], after: Position, page: Page, call: Call) -> wire.EventPage:
    reached = found[-1].at if found else after
    return wire.EventPage(
        items=tuple(wire.Event.model_validate(each) for each in found),
        cursor=page.seal(str(reached), call.caller.client_id),
    )
