"""Advice requests (adviesvraag) and advice (advies)."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request
from starlette.responses import Response

from api import problems
from api.advice import operations
from api.advice.model import Advice, NewAdvice, NewRequest, RequestSummary
from api.advice.model import Request as AdviceRequest
from api.disclosure import authority
from api.disclosure.call import Call
from api.edge import replies
from api.edge.call import AskedPurpose, calls, creates, creates_signed
from api.edge.openapi import told
from api.edge.paging import Paging, opened, paged
from api.edge.routing import router
from api.routes import evidence
from api.schemas import advice as wire
from api.schemas.base import Page
from api.schemas.evidence import Evidence
from api.vocabulary import (
    AdviceId,
    AdviceRequestId,
    CaseId,
    OrganisationId,
    Purpose,
    ScreeningOutcomeId,
)

routes = router(tags=["advice"])

RequestId = Annotated[UUID, Path(alias="adviceRequestId", description="Id of an advice request (adviesvraag).")]
AdviceIdPath = Annotated[UUID, Path(alias="adviceId", description="Id of an advice (advies).")]
_SEEN = (problems.NOT_FOUND, problems.WRONG_PARTY)
_READ = (*_SEEN, problems.NOT_PERMITTED)


@routes.post(
    "/advice-requests",
    operation_id="requestAdvice",
    status_code=201,
    response_model=wire.AdviceRequest,
    responses=told(*_SEEN, problems.NOT_PERMITTED, problems.NOT_EXPLAINED),
)
async def request_advice(
    body: wire.NewAdviceRequest, call: Annotated[Call, creates(authority.REQUEST_ADVICE)]
) -> Response:
    """Ask the IND on residence, DT&V on return, or AVIM on identity."""
    made = AdviceRequestId(call.made)
    outcome = await (
        operations.read_request(call, made, None) if call.replayed else operations.request(call, made, _new(body))
    )
    return replies.made(call, outcome, _request, f"/advice-requests/{made}")


@routes.get(
    "/advice-requests",
    operation_id="listAdviceRequests",
    response_model=Page[wire.AdviceRequestSummary],
    responses=told(*_SEEN),
)
async def list_requests(
    request: Request, call: Annotated[Call, calls(authority.LIST_ADVICE_REQUESTS)], page: Paging
) -> Response:
    """The requests that you made or that were addressed to you, newest first."""
    outcome = await operations.listed(call, page.before, page.fetch)
    return replies.shown(request, outcome, paged(page, call, _summary))


@routes.get(
    "/advice-requests/{adviceRequestId}",
    operation_id="readAdviceRequest",
    response_model=wire.AdviceRequest,
    responses=told(*_READ),
)
async def read_request(
    request: Request,
    request_id: RequestId,
    call: Annotated[Call, calls(authority.READ_ADVICE_REQUEST)],
    purpose: AskedPurpose = None,
) -> Response:
    """A request as far as you may see it."""
    outcome = await operations.read_request(call, AdviceRequestId(request_id), purpose)
    return replies.shown(request, outcome, _request)


@routes.post("/advice", operation_id="giveAdvice", status_code=201, response_model=wire.Advice, responses=told(*_SEEN))
async def give(body: wire.NewAdvice, call: Annotated[Call, creates_signed(authority.GIVE_ADVICE)]) -> Response:
    """Answer: advice, no advice, or more information needed. Advice is no decision: it has no legal effect."""
    made = AdviceId(call.made)
    outcome = await (operations.read(call, made, None) if call.replayed else operations.give(call, made, _given(body)))
    return replies.made(call, outcome, _advice, f"/advice/{made}")


@routes.get(
    "/advice",
    operation_id="listAdvice",
    response_model=Page[wire.Advice],
    responses=told(problems.WRONG_PARTY),
)
async def list_advice(
    request: Request,
    call: Annotated[Call, calls(authority.LIST_ADVICE)],
    page: Paging,
    case_id: Annotated[UUID, Query(alias="caseId", description="Of which case.")],
    purpose: AskedPurpose = None,
) -> Response:
    """The advice on a case that you may see for this purpose, newest first. What you may not see is as absent."""
    outcome = await operations.listed_advice(call, CaseId(case_id), purpose, page.before, page.fetch)
    return replies.shown(request, outcome, opened(page, call, _advice, _id))


@routes.get("/advice/{adviceId}", operation_id="readAdvice", response_model=wire.Advice, responses=told(*_READ))
async def read_advice(
    request: Request,
    advice_id: AdviceIdPath,
    call: Annotated[Call, calls(authority.READ_ADVICE)],
    purpose: AskedPurpose = None,
) -> Response:
    """An advice as far as you may see it."""
    return replies.shown(request, await operations.read(call, AdviceId(advice_id), purpose), _advice)


@routes.get(
    "/advice/{adviceId}/evidence",
    operation_id="readAdviceEvidence",
    response_model=Evidence,
    responses=told(*_READ),
)
async def read_evidence(
    request: Request,
    advice_id: AdviceIdPath,
    call: Annotated[Call, calls(authority.READ_ADVICE_EVIDENCE)],
    purpose: AskedPurpose = None,
) -> Response:
    """The signed body that an advice was made of, where it was signed: who said it, to show to somebody else."""
    return replies.shown(request, await operations.read_evidence(call, AdviceId(advice_id), purpose), evidence.shown)


def _new(body: wire.NewAdviceRequest) -> NewRequest:
    outcome = body.screening_outcome_id
    return NewRequest(
        CaseId(body.case_id),
        OrganisationId(body.addressee_id),
        Purpose(body.purpose),
        body.question,
        None if outcome is None else ScreeningOutcomeId(outcome),
    )


def _given(body: wire.NewAdvice) -> NewAdvice:
    return NewAdvice(
        AdviceRequestId(body.advice_request_id),
        body.answer,
        body.summary,
        None if body.body is None else body.body.model_dump(mode="json", by_alias=True),
        body.valid_until_date,
    )


def _request(seen: AdviceRequest) -> wire.AdviceRequest:
    facts = seen.facts
    return wire.AdviceRequest(
        id=facts.id,
        case_id=facts.situation.case,
        requester_id=facts.requester,
        addressee_id=facts.addressee,
        purpose=facts.purpose,
        requested_at=facts.requested_at,
        due_date=facts.due_on,
        overdue=seen.overdue,
        question=seen.question,
        screening_outcome_id=facts.outcome_id,
        v_number=seen.v_number,
        advice_id=facts.advice_id,
        version=facts.version,
    )


def _summary(summary: RequestSummary) -> wire.AdviceRequestSummary:
    return wire.AdviceRequestSummary(
        id=summary.id,
        case_id=summary.case_id,
        purpose=summary.purpose,
        requested_at=summary.requested_at,
        due_date=summary.due_on,
        answered=summary.answered,
    )


def _id(advice: Advice) -> AdviceId:
    return advice.facts.id


def _advice(advice: Advice) -> wire.Advice:
    facts = advice.facts
    return wire.Advice(
        id=facts.id,
        advice_request_id=facts.request_id,
        case_id=facts.situation.case,
        author_id=facts.author,
        answer=facts.answer,
        given_at=facts.given_at,
        summary=advice.summary,
        body=None if advice.body is None else wire.BODY.validate_python(advice.body),
        valid_until_date=facts.valid_until,
    )
