"""Signals (signalen): what fixed rules found in the audit log. For auditors."""

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from api import problems
from api.audit import search
from api.audit.signals import Signal
from api.disclosure import authority
from api.disclosure.call import Call
from api.edge import replies
from api.edge.call import calls
from api.edge.openapi import told
from api.edge.paging import Paging, paged
from api.edge.routing import router
from api.schemas import audit as wire
from api.schemas.base import Page
from api.supervision import operations
from api.vocabulary import SignalRule

routes = router(tags=["audit"])

Rule = Annotated[SignalRule | None, Query(description="Only what this rule found.")]


@routes.get(
    "/audit/signals",
    operation_id="listSignals",
    response_model=Page[wire.AuditSignal],
    responses=told(problems.WRONG_PARTY),
)
async def list_signals(
    request: Request, call: Annotated[Call, calls(authority.LIST_SIGNALS)], page: Paging, rule: Rule = None
) -> Response:
    """What the rules found in the log, the latest found first: reasons to look, no verdicts."""
    below = search.END if page.number is None else page.number
    outcome = await operations.found_by_rules(call, rule, below, page.fetch)
    return replies.shown(request, outcome, paged(page, call, _signal))


def _signal(found: Signal) -> wire.AuditSignal:
    return wire.AuditSignal(
        rule=found.rule,
        index=found.index,
        at=found.at,
        organisation_id=found.organisation,
        client_id=found.client,
        actor=found.actor,
        figure=found.figure,
        threshold=found.threshold,
        explanation=found.english,
        explanation_dutch=found.dutch,
    )
