"""Admission checks (toets op de doelgroep)."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Request
from starlette.responses import Response

from api import problems
from api.cases import admission
from api.cases.model import AdmissionCheck, Finding
from api.disclosure import authority
from api.disclosure.call import Call
from api.edge import replies
from api.edge.call import AskedPurpose, calls, creates
from api.edge.openapi import told
from api.edge.routing import router
from api.schemas import cases as wire
from api.vocabulary import AdmissionCheckId, CaseId, OrganisationId

routes = router(tags=["admission checks"])

CheckId = Annotated[UUID, Path(alias="admissionCheckId", description="Id of an admission check.")]
_SEEN = (problems.NOT_FOUND, problems.WRONG_PARTY, problems.NOT_PERMITTED)
_DONE = (problems.NOT_FOUND, problems.WRONG_PARTY, problems.WRONG_STATE)


@routes.post(
    "/admission-checks",
    operation_id="askAdmission",
    status_code=201,
    response_model=wire.AdmissionCheck,
    responses=told(*_SEEN),
)
async def ask(body: wire.NewAdmissionCheck, call: Annotated[Call, creates(authority.ASK_ADMISSION)]) -> Response:
    """Ask the IND whether a person belongs to the target group. No documents are exchanged."""
    check = AdmissionCheckId(call.made)
    if call.replayed:
        outcome = await admission.found(call, check)
    else:
        outcome = await admission.ask(call, check, CaseId(body.case_id), OrganisationId(body.addressee_id))
    return replies.made(call, outcome, _check, f"/admission-checks/{check}")


@routes.get(
    "/admission-checks/{admissionCheckId}",
    operation_id="readAdmission",
    response_model=wire.AdmissionCheck,
    responses=told(*_SEEN),
)
async def read(
    request: Request,
    check_id: CheckId,
    call: Annotated[Call, calls(authority.READ_ADMISSION)],
    purpose: AskedPurpose = None,
) -> Response:
    """The IND reads whom it is asked about; the asker and the municipality read what the IND answered."""
    return replies.shown(request, await admission.read(call, AdmissionCheckId(check_id), purpose), _check)


@routes.post(
    "/admission-checks/{admissionCheckId}/answers",
    operation_id="answerAdmission",
    status_code=201,
    response_model=wire.AdmissionCheck,
    responses=told(*_DONE),
)
async def answer(
    check_id: CheckId, body: wire.AdmissionAnswers, call: Annotated[Call, creates(authority.ANSWER_ADMISSION)]
) -> Response:
    """The IND answers every criterion: applies, does not apply, or unknown."""
    check = AdmissionCheckId(check_id)
    if call.replayed:
        outcome = await admission.found(call, check)
    else:
        findings = [Finding(each.criterion, each.answer) for each in body.findings]
        outcome = await admission.answer_all(call, check, findings)
    return replies.made(call, outcome, _check, f"/admission-checks/{check}")


@routes.post(
    "/admission-checks/{admissionCheckId}/decisions",
    operation_id="decideAdmission",
    status_code=201,
    response_model=wire.AdmissionCheck,
    responses=told(*_DONE),
)
async def decide(
    check_id: CheckId, body: wire.AdmissionDecision, call: Annotated[Call, creates(authority.DECIDE_ADMISSION)]
) -> Response:
    """The municipality decides. An admission by exception has conditions and a review date."""
    check = AdmissionCheckId(check_id)
    if call.replayed:
        outcome = await admission.found(call, check)
    else:
        outcome = await admission.decide(call, check, body.result, body.conditions, body.review_date)
    return replies.made(call, outcome, _check, f"/admission-checks/{check}")


def _check(check: AdmissionCheck) -> wire.AdmissionCheck:
    return wire.AdmissionCheck.model_validate(check)
