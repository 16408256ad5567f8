"""A small app behind the real edge, until a test needs the real routes: every shape that an operation can have."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import httpx
from fastapi import Depends, Header, Query, Request
from pydantic import Field
from starlette.responses import Response, StreamingResponse

from api import errors, problems
from api.crypto.mac import Mac
from api.disclosure import authority
from api.disclosure.call import Call
from api.disclosure.permit import Refusal
from api.edge import enclosure, openapi, paging, passage, replies
from api.edge.envelope import Bounds, Envelope
from api.edge.etags import Precondition  # noqa: TC001 - FastAPI reads it at run time
from api.edge.openapi import About, told
from api.edge.paging import Paging, paged
from api.edge.routing import join, router
from api.edge.unit import Acting
from api.edge.well_known import SecurityContact
from api.principal import Organisation, Principal
from api.schemas.base import Day, Instant, Page, ShortText, Wire
from api.vocabulary import ClientId, DataCategory, Municipality, OrganisationId, Party, Reason, Scope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI
    from starlette.types import Message

BASE = "https://ketenbrug.test"
EXPIRES = datetime(2027, 6, 1, tzinfo=UTC)
THING = UUID("019a0000-0000-7000-8000-000000000001")
CARRIED = {
    "api-version": openapi.VERSION,
    "cache-control": "no-store",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
}
PROBLEM = "application/problem+json"
OWN = UUID("00000000-0000-4000-8000-000000000001")


class Thing(Wire):
    """A thing (ding)."""

    id: UUID
    name: ShortText
    made_at: Instant
    due_date: Day | None = None


class NewThing(Wire):
    """A thing to make."""

    name: ShortText
    made_at: Instant
    count: Annotated[int, Field(ge=0, le=10)] = 0
    due_date: Day | None = None
    parts: tuple[NewThing, ...] = ()


async def _proven(request: Request, client: Annotated[str, Header(alias="X-Client")] = "ngo") -> Call:
    """Stands where the guard stands: says who acts."""
    organisation = Organisation(OrganisationId(OWN), Party.NGO, "Test NGO", None)
    origin = passage.of(request.scope).origin
    caller = Principal(ClientId(client), organisation, frozenset({Scope.CASES_READ}), origin, "token")
    request.state.acting = Acting(caller, authority.LIST_CASES)
    stand_in: Any = None
    return Call(authority.LIST_CASES, caller, stand_in, stand_in, stand_in)


Proven = Annotated[Call, Depends(_proven)]
things = router(tags=["things"])


@things.get("/things", operation_id="listThings", response_model=Page[Thing], responses=told(problems.WRONG_PARTY))
async def list_things(
    request: Request,
    call: Proven,
    page: Paging,
    municipality: Municipality | None = None,  # noqa: ARG001 - it is part of the address
) -> Response:
    """Things, newest first; the municipality filters nothing here, it only binds the cursor."""
    known = [Thing(id=UUID(int=number), name=f"thing {number}", made_at=_MADE) for number in range(25, 0, -1)]
    rows = [each for each in known if each.id < page.before][: page.fetch]
    return replies.shown(request, rows, paged(page, call, lambda each: each))


@things.get("/numbers", operation_id="listNumbers", response_model=Page[Thing])
async def list_numbers(request: Request, call: Proven, page: Paging) -> Response:
    """A feed, oldest first."""
    rows = list(range((page.number or 0) + 1, 8))[: page.fetch]
    return replies.shown(request, rows, paged(page, call, _numbered, lambda number: number))


@things.post("/things", operation_id="makeThing", status_code=201, response_model=Thing)
async def make_thing(body: NewThing) -> Thing:
    """A thing as it was asked, so that a test sees what was understood."""
    return Thing(id=THING, name=body.name, made_at=body.made_at, due_date=body.due_date)


@things.get("/things/{thingId}", operation_id="readThing", response_model=Thing, responses=told(problems.NOT_FOUND))
async def read_thing(request: Request, thingId: UUID) -> Response:  # noqa: N803 - as it stands in the address
    """One thing, or the refusal that everything unknown gets."""
    outcome = Thing(id=thingId, name="thing", made_at=_MADE) if thingId == THING else Refusal(Reason.NOT_VISIBLE)
    return replies.shown(request, outcome, lambda each: each)


@things.put("/things/{thingId}", operation_id="changeThing", response_model=Thing)
async def change_thing(request: Request, thingId: UUID, body: NewThing, known: Precondition) -> Response:  # noqa: N803
    """Change a thing whose version is 1."""
    changed = Thing(id=thingId, name=body.name, made_at=body.made_at)
    stale = known.versions is not None and 1 not in known.versions
    return replies.shown(request, Refusal(Reason.PRECONDITION_FAILED) if stale else changed, lambda each: each)


@things.post("/things/{thingId}/endings", operation_id="endThing", status_code=204)
async def end_thing(thingId: UUID) -> None:  # noqa: N803 - as above
    """An operation that takes no body."""


broken = router(tags=["broken"], described=False)


@broken.get("/broken/{how}")
async def break_down(how: str, seconds: Annotated[float, Query()] = 0) -> Response:
    """Fail in the way that is asked."""
    match how:
        case "unforeseen":
            raise RuntimeError("the name of the person is Canary")
        case "slow":
            await asyncio.sleep(seconds)
        case "timeout":
            raise TimeoutError
        case "midway":
            return StreamingResponse(_stops_midway(), media_type="application/octet-stream")
        case "stale":
            raise errors.StaleStanding
        case "overloaded":
            raise errors.Overloaded(3)
        case "withheld":
            return replies.shown(_NO_REQUEST, _WITHHELD, lambda each: each)
        case _:
            raise problems.Stopped(problems.Problem(problems.BY_SLUG[how]))
    return Response(status_code=204)


@broken.post("/raw", openapi_extra={"requestBody": {"content": {"application/octet-stream": {}}}})
async def raw(request: Request, swallow: Annotated[bool, Query()] = False) -> dict[str, int]:  # noqa: FBT002
    """Count a body of up to 2,000,000 bytes as it streams in; `swallow` ignores what the edge says of its size."""
    passage.of(request.scope).max_body = 2_000_000
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
    except problems.Stopped:
        if not swallow:
            raise
    return {"size": size}


def _numbered(number: int) -> Thing:
    return Thing(id=UUID(int=number), name=str(number), made_at=_MADE)


_MADE = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
_WITHHELD = Refusal(Reason.NOTHING_PERMITTED, {DataCategory.MEDICAL: Reason.CONSENT_WITHDRAWN})
_NO_REQUEST: Any = None


async def _stops_midway() -> AsyncIterator[bytes]:
    yield b"half"
    raise RuntimeError("Canary")


def options(*, bounds: Bounds | None = None, ready: Any = None) -> enclosure.Options:
    """The edge of the test app."""
    return enclosure.Options(
        about=About(BASE),
        cursors=Mac(b"k" * 32),
        security=SecurityContact("mailto:security@ketenbrug.test", BASE + "/policy", EXPIRES),
        ready=ready or {},
        bounds=bounds or Bounds(),
        zone=lambda peer: f"zone of {peer}",
    )


def demo() -> FastAPI:
    """The app, not yet enclosed."""
    app = enclosure.application(options())
    join(app, things, openapi.BASE)
    join(app, broken, openapi.BASE)
    return app


def enclosed(*, bounds: Bounds | None = None, ready: Any = None) -> Envelope:
    """The app as it is served."""
    chosen = options(bounds=bounds, ready=ready)
    app = enclosure.application(chosen)
    join(app, things, openapi.BASE)
    join(app, broken, openapi.BASE)
    return enclosure.enclose(app, chosen)


def client(app: Envelope) -> httpx.AsyncClient:
    """A client of the app, in this process."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=BASE)


def assert_carried(answer: httpx.Response) -> None:
    assert {name: answer.headers.get(name) for name in CARRIED} == CARRIED
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "server" not in answer.headers
    assert UUID(answer.headers["request-id"]).version == 7


def assert_problem(answer: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    assert_carried(answer)
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
    body: dict[str, Any] = answer.json()
    assert body["type"] == f"{BASE}/problems/{slug}"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body["nextStep"]
    assert body["requestId"] == answer.headers["request-id"]
    assert body["instance"] == f"urn:uuid:{body['requestId']}"
    return body


async def speak(
    envelope: Any,
    path: str,
    *,
    method: str = "GET",
    query: bytes = b"",
    headers: list[tuple[bytes, bytes]] | None = None,
    messages: list[Message] | None = None,
    client: list[Any] | None = None,
) -> list[Message]:
    """Speak ASGI ourselves, where a client would not send what a test needs. `messages` loses what was asked for."""
    left = [{"type": "http.request", "body": b"", "more_body": False}] if messages is None else messages
    sent: list[Message] = []

    async def receive() -> Message:
        return left.pop(0) if left else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query,
        "headers": headers or [], "client": client, "scheme": "https", "root_path": "", "http_version": "1.1",
    }  # fmt: skip
    await envelope(scope, receive, send)
    return sent


def page_of(path: str) -> paging.Page:
    """The first page of a list of the test app, with the key of its cursors."""
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": []}
    return paging.Page(Request(scope), options().cursors, 50, None)
