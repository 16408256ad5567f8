"""The log as files, in the layout of C2SP tlog-tiles, under `/log` (ADR 0029).

checkpoint             the last signed head, with every cosignature    everybody
tile/LEVEL/N[.p/W]     hashes                                          everybody
tile/entries/N[.p/W]   entries                                         auditors; each reading is an entry

Outside `/v1`, and outside the API description: the specification fixes these addresses, and will not version them so.
"""

from typing import Annotated, Final

from fastapi import Request
from starlette.responses import PlainTextResponse, Response

from api import problems
from api.audit import proofs, tiles
from api.disclosure import authority
from api.disclosure.call import Call
from api.edge import replies, state
from api.edge.answers import ProblemResponse
from api.edge.call import calls
from api.edge.openapi import told
from api.edge.routing import router
from api.edge.unit import UnitOfWork
from api.problems import Problem
from api.supervision import operations

routes: Final = router(described=False)

_OPEN: Final = {"Access-Control-Allow-Origin": "*"}
_MOVES: Final = _OPEN | {"Cache-Control": tiles.MOVES}
_NEVER_CHANGES: Final = _OPEN | {"Cache-Control": tiles.NEVER_CHANGES}


class Octets(Response):
    """Bytes."""

    media_type = tiles.OCTETS


@routes.get("/log/checkpoint", response_class=PlainTextResponse)
async def checkpoint(request: Request, unit: UnitOfWork) -> Response:
    """The signed head to go by (C2SP tlog-checkpoint). Have the keys that verify it from elsewhere."""
    async with state.of(request).published.passed():
        found = await proofs.shown(unit)
    if found is None:
        return ProblemResponse(Problem(problems.NOT_FOUND))
    return PlainTextResponse(found.note, headers=_MOVES, media_type=tiles.NOTE)


@routes.get(
    "/log/tile/entries/{place:path}",
    operation_id="readBundle",
    response_model=None,
    response_class=Octets,
    responses=told(problems.NOT_FOUND, problems.RETENTION_OVER, problems.WRONG_PARTY, problems.LOG_DAMAGED),
)
async def entries(place: str, call: Annotated[Call, calls(authority.READ_AUDIT)]) -> Response:
    """The exact bytes of entries, each behind its length in 16 bits."""
    return replies.file(await operations.bundle(call, tiles.read(tiles.ENTRIES, place)), Octets.media_type)


@routes.get("/log/tile/{level}/{place:path}", response_class=Octets)
async def tile(request: Request, level: str, place: str, unit: UnitOfWork) -> Response:
    """A tile of hashes, full or as a checkpoint rested on it."""
    at = tiles.read(level, place)
    async with state.of(request).published.passed():
        found = None if at is None else await tiles.hashes(unit, at)
    if found is None:
        return ProblemResponse(Problem(problems.NOT_FOUND))
    return Octets(found, headers=_NEVER_CHANGES)
