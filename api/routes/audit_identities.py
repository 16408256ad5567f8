"""Who stands behind an alias of the audit log (herleiden): for auditors, with a reason."""

from typing import Annotated

from fastapi import Request
from starlette.responses import Response

from api import problems
from api.audit.entry import Stated
from api.disclosure import authority
from api.disclosure.call import Call
from api.edge import replies
from api.edge.call import calls
from api.edge.openapi import told
from api.edge.routing import router
from api.schemas import audit as wire
from api.supervision import identities
from api.supervision.identities import Identity

routes = router(tags=["audit"])


@routes.post(
    "/audit/identities/_open",
    operation_id="openIdentity",
    response_model=wire.AuditIdentity,
    responses=told(problems.NOT_FOUND, problems.WRONG_PARTY),
)
async def open_identity(
    request: Request, body: wire.AuditAlias, call: Annotated[Call, calls(authority.OPEN_IDENTITY)]
) -> Response:
    """Who stands behind an alias. The person sees in their account that it was opened; who is erased is as absent."""
    why = Stated(body.reason, body.reference)
    outcome = await identities.opened(call, body.person_alias, why, with_number=body.with_v_number)
    return replies.shown(request, outcome, _identity)


def _identity(found: Identity) -> wire.AuditIdentity:
    return wire.AuditIdentity(case_ids=found.cases, v_number=found.v_number)
