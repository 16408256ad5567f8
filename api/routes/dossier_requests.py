"""Dossier requests (dossierverzoek)."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Request
from starlette.responses import Response

from api import problems
from api.disclosure import authority
from api.disclosure.call import Call
from api.disclosure.permit import Refusal
from api.dossiers import requests
from api.dossiers.model import Delivered, NewRequest, Preview, RequestSummary, Section
from api.dossiers.model import Request as DossierRequest
from api.edge import replies
from api.edge.call import AskedPurpose, calls, creates
from api.edge.openapi import told
from api.edge.paging import Paging, paged
from api.edge.routing import router
from api.schemas import dossiers as wire
from api.schemas.base import Page
from api.vocabulary import CaseId, DossierRequestId, OrganisationId

routes = router(tags=["dossier requests"])

RequestId = Annotated[UUID, Path(alias="dossierRequestId", description="Id of a dossier request (dossierverzoek).")]
_SEEN = (problems.NOT_FOUND, problems.WRONG_PARTY)
_DONE = (*_SEEN, problems.WRONG_STATE)


@routes.post(
    "/dossier-requests",
    operation_id="requestDossier",
    status_code=201,
    response_model=wire.DossierRequest,
    responses=told(*_SEEN, problems.NOT_PERMITTED),
)
async def request_dossier(
    body: wire.NewDossierRequest, call: Annotated[Call, creates(authority.REQUEST_DOSSIER)]
) -> Response:
    """Ask whom it was agreed with for a dossier, with the proportionality note of Aliens Act 2000 article 107(10).

    The IND, as agreements are now; DT&V or AVIM where one says that it supplies some of these sections.
    """
    made = DossierRequestId(call.made)
    outcome = await (requests.read(call, made, None) if call.replayed else requests.request(call, made, _new(body)))
    return _made(call, outcome)


@routes.post(
    "/dossier-requests/_preview",
    operation_id="previewDossierRequest",
    response_model=wire.Preview,
    responses=told(*_SEEN),
)
async def preview(
    request: Request, body: wire.NewDossierRequest, call: Annotated[Call, calls(authority.PREVIEW_DOSSIER)]
) -> Response:
    """What a request would get today, per section, and what to do about the rest. Discloses nothing; is logged."""
    return replies.shown(request, await requests.preview(call, _new(body)), _preview)


@routes.get(
    "/dossier-requests",
    operation_id="listDossierRequests",
    response_model=Page[wire.DossierRequestSummary],
    responses=told(*_SEEN),
)
async def list_requests(
    request: Request, call: Annotated[Call, calls(authority.LIST_REQUESTS)], page: Paging
) -> Response:
    """The requests that you made or that were addressed to you, newest first."""
    outcome = await requests.listed(call, page.before, page.fetch)
    return replies.shown(request, outcome, paged(page, call, _summary))


@routes.get(
    "/dossier-requests/{dossierRequestId}",
    operation_id="readDossierRequest",
    response_model=wire.DossierRequest,
    responses=told(*_SEEN, problems.NOT_PERMITTED),
)
async def read_request(
    request: Request,
    request_id: RequestId,
    call: Annotated[Call, calls(authority.READ_REQUEST)],
    purpose: AskedPurpose = None,
) -> Response:
    """A request. The supplier declares the purpose and gets the V-number that it needs to find the file."""
    return replies.shown(request, await requests.read(call, DossierRequestId(request_id), purpose), _request)


@routes.post(
    "/dossier-requests/{dossierRequestId}/acknowledgements",
    operation_id="acknowledgeDossierRequest",
    status_code=201,
    response_model=wire.DossierRequest,
    responses=told(*_DONE),
)
async def acknowledge(request_id: RequestId, call: Annotated[Call, creates(authority.ACKNOWLEDGE_REQUEST)]) -> Response:
    """Confirm receipt (ontvangstbevestiging)."""
    which = DossierRequestId(request_id)
    return _made(call, await (requests.found(call, which) if call.replayed else requests.acknowledge(call, which)))


@routes.post(
    "/dossier-requests/{dossierRequestId}/refusals",
    operation_id="refuseDossierRequest",
    status_code=201,
    response_model=wire.DossierRequest,
    responses=told(*_DONE),
)
async def refuse(
    request_id: RequestId, body: wire.RequestRefusal, call: Annotated[Call, creates(authority.REFUSE_REQUEST)]
) -> Response:
    """Refuse a request, with a coded reason that the requester reads."""
    which = DossierRequestId(request_id)
    refused = requests.found(call, which) if call.replayed else requests.refuse(call, which, body.reason)
    return _made(call, await refused)


@routes.post(
    "/dossier-requests/{dossierRequestId}/cancellations",
    operation_id="cancelDossierRequest",
    status_code=201,
    response_model=wire.DossierRequest,
    responses=told(*_DONE),
)
async def cancel(request_id: RequestId, call: Annotated[Call, creates(authority.CANCEL_REQUEST)]) -> Response:
    """Take a request back."""
    which = DossierRequestId(request_id)
    return _made(call, await (requests.found(call, which) if call.replayed else requests.cancel(call, which)))


@routes.post(
    "/dossier-requests/{dossierRequestId}/deliveries",
    operation_id="deliverDossier",
    status_code=201,
    response_model=wire.DossierRequest,
    responses=told(*_DONE, problems.NO_AGREEMENT, problems.NOT_ASKED),
)
async def deliver(
    request_id: RequestId, body: wire.Delivery, call: Annotated[Call, creates(authority.DELIVER_DOSSIER)]
) -> Response:
    """Deliver sections (rubrieken), whole or in part. No facial images, no fingerprints, no BSN."""
    which = DossierRequestId(request_id)
    if call.replayed:
        return _made(call, await requests.found(call, which))
    sections = tuple(Section(each.category, each.content) for each in body.sections)
    missing = {each.category: each.reason for each in body.missing}
    return _made(call, await requests.deliver(call, which, Delivered(sections, body.complete, missing)))


def _new(body: wire.NewDossierRequest) -> NewRequest:
    return NewRequest(
        CaseId(body.case_id),
        OrganisationId(body.supplier_id),
        body.purpose,
        frozenset(body.categories),
        body.proportionality_note,
    )


def _made(call: Call, outcome: DossierRequest | Refusal) -> Response:
    location = "" if isinstance(outcome, Refusal) else f"/dossier-requests/{outcome.facts.id}"
    return replies.made(call, outcome, _request, location)


def _request(seen: DossierRequest) -> wire.DossierRequest:
    facts = seen.facts
    return wire.DossierRequest(
        id=facts.id,
        case_id=facts.case_id,
        requester_id=facts.requester,
        supplier_id=facts.supplier,
        purpose=facts.purpose,
        categories=tuple(sorted(facts.categories)),
        state=facts.state,
        requested_at=facts.requested_at,
        due_date=facts.due_on,
        working_days_term=facts.working_days,
        overdue=seen.overdue,
        dossier_id=facts.dossier_id,
        refusal_reason=facts.refusal_reason,
        v_number=seen.v_number,
        version=facts.version,
    )


def _summary(summary: RequestSummary) -> wire.DossierRequestSummary:
    return wire.DossierRequestSummary(
        id=summary.id,
        case_id=summary.case_id,
        state=summary.state,
        requested_at=summary.requested_at,
        due_date=summary.due_on,
        overdue=summary.overdue,
    )


def _preview(preview: Preview) -> wire.Preview:
    permitted = [
        wire.PreviewLine(category=category, permitted=True, ground=None if grant is None else str(grant.ground))
        for category, grant in preview.granted.items()
    ]
    withheld = [
        wire.PreviewLine(category=category, permitted=False, reason=reason, next_step=problems.next_step(reason))
        for category, reason in preview.withheld.items()
    ]
    return wire.Preview(lines=tuple(sorted(permitted + withheld, key=lambda line: line.category)))
