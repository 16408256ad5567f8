"""Screening outcomes (screeningsuitkomst)."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request
from starlette.responses import Response

from api import problems
from api.disclosure import authority
from api.disclosure.call import Call
from api.edge import replies
from api.edge.call import AskedPurpose, calls, creates_signed
from api.edge.openapi import told
from api.edge.paging import Paging, paged
from api.edge.routing import router
from api.routes import evidence
from api.schemas import screening as wire
from api.schemas.base import Page
from api.schemas.evidence import Evidence
from api.screening import operations
from api.screening.model import NewOutcome, Outcome, OutcomeSummary
from api.vocabulary import CaseId, OrganisationId, ScreeningOutcomeId

routes = router(tags=["screening outcomes"])

OutcomeId = Annotated[UUID, Path(alias="screeningOutcomeId", description="Id of a screening outcome.")]
_SEEN = (problems.NOT_FOUND, problems.WRONG_PARTY)


@routes.post(
    "/screening-outcomes",
    operation_id="shareOutcome",
    status_code=201,
    response_model=wire.ScreeningOutcome,
    responses=told(*_SEEN, problems.WRONG_STATE),
)
async def share(
    body: wire.NewScreeningOutcome, call: Annotated[Call, creates_signed(authority.SHARE_OUTCOME)]
) -> Response:
    """Record the outcome of a legal screening (juridische screening) and address it."""
    made = ScreeningOutcomeId(call.made)
    outcome = await (operations.read(call, made, None) if call.replayed else operations.share(call, made, _new(body)))
    return replies.made(call, outcome, _outcome, f"/screening-outcomes/{made}")


@routes.get(
    "/screening-outcomes",
    operation_id="listOutcomes",
    response_model=Page[wire.ScreeningOutcomeSummary],
    responses=told(*_SEEN),
)
async def list_outcomes(
    request: Request,
    call: Annotated[Call, calls(authority.LIST_OUTCOMES)],
    page: Paging,
    case_id: Annotated[UUID, Query(alias="caseId", description="Of which case.")],
) -> Response:
    """Your own outcomes of a case, newest first."""
    outcome = await operations.listed(call, CaseId(case_id), page.before, page.fetch)
    return replies.shown(request, outcome, paged(page, call, _summary))


@routes.get(
    "/screening-outcomes/{screeningOutcomeId}",
    operation_id="readOutcome",
    response_model=wire.ScreeningOutcome,
    responses=told(*_SEEN, problems.NOT_PERMITTED),
)
async def read(
    request: Request,
    outcome_id: OutcomeId,
    call: Annotated[Call, calls(authority.READ_OUTCOME)],
    purpose: AskedPurpose = None,
) -> Response:
    """An outcome as far as you may see it. The legal analysis never crosses to an authority."""
    return replies.shown(request, await operations.read(call, ScreeningOutcomeId(outcome_id), purpose), _outcome)


@routes.get(
    "/screening-outcomes/{screeningOutcomeId}/evidence",
    operation_id="readOutcomeEvidence",
    response_model=Evidence,
    responses=told(*_SEEN),
)
async def read_evidence(
    request: Request, outcome_id: OutcomeId, call: Annotated[Call, calls(authority.READ_OUTCOME_EVIDENCE)]
) -> Response:
    """The signed body that an outcome of your own was made of, whole; to nobody else, because of what it holds."""
    return replies.shown(request, await operations.read_evidence(call, ScreeningOutcomeId(outcome_id)), evidence.shown)


def _new(body: wire.NewScreeningOutcome) -> NewOutcome:
    return NewOutcome(
        CaseId(body.case_id),
        body.shared_outcome.model_dump(mode="json", by_alias=True),
        body.legal_analysis,
        tuple(each.model_dump(mode="json", by_alias=True) for each in body.explanations),
        body.not_explained_reason,
        frozenset(OrganisationId(each) for each in body.addressee_ids),
    )


def _outcome(outcome: Outcome) -> wire.ScreeningOutcome:
    facts = outcome.facts
    return wire.ScreeningOutcome(
        id=facts.id,
        case_id=facts.situation.case,
        author_id=facts.author,
        created_at=facts.created_at,
        shared_outcome=None if outcome.shared is None else wire.SharedOutcome.model_validate(outcome.shared),
        legal_analysis=outcome.analysis,
        explanations=tuple(wire.Explanation.model_validate(each) for each in outcome.explanations),
        version=facts.version,
    )


def _summary(summary: OutcomeSummary) -> wire.ScreeningOutcomeSummary:
    return wire.ScreeningOutcomeSummary.model_validate(summary)
