"""Erasures (vergetelheid)."""

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
from api.edge.routing import router
from api.persons import erasure
from api.persons.model import Erasure
from api.schemas import erasures as wire

routes = router(tags=["erasures"])

ErasureId = Annotated[UUID, Path(alias="erasureId", description="Id of an erasure.")]


@routes.post(
    "/erasures",
    operation_id="erasePerson",
    status_code=201,
    response_model=wire.Erasure,
    responses=told(problems.NOT_FOUND, problems.WRONG_PARTY, problems.WRONG_STATE),
)
async def erase(body: wire.NewErasure, call: Annotated[Call, creates(authority.ERASE_PERSON)]) -> Response:
    """Destroy the key of a person, for good. Refused while a legal hold (bewaarplicht) stands."""
    if call.replayed:
        outcome = await erasure.found(call, call.made)
    else:
        outcome = await erasure.erase(call, body.case_id, body.ground)
    return replies.made(call, outcome, _erasure, f"/erasures/{call.made}")


@routes.get(
    "/erasures/{erasureId}",
    operation_id="readErasure",
    response_model=wire.Erasure,
    responses=told(problems.NOT_FOUND, problems.WRONG_PARTY),
)
async def read(
    request: Request, erasure_id: ErasureId, call: Annotated[Call, calls(authority.READ_ERASURE)]
) -> Response:
    """The proof of an erasure."""
    return replies.shown(request, await erasure.found(call, erasure_id), _erasure)


def _erasure(done: Erasure) -> wire.Erasure:
    return wire.Erasure(
        id=done.id,
        erased_at=done.erased_at,
        ground=done.ground,
        key_encryption_key=done.kek,
        key_version=done.key_version,
        key_digest=done.key_digest.hex(),
    )
