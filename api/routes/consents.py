"""Consents (toestemming) of a person in a case."""

from collections.abc import Callable
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request
from starlette.responses import Response

from api import problems
from api.cases import consents
from api.consent.evidence import Evidence, Interpreter, Text
from api.consent.model import ConsentRef
from api.consent.record import ConsentFacts
from api.consent.record import NewConsent as Recorded
from api.disclosure import authority
from api.disclosure.call import Call
from api.disclosure.permit import Refusal
from api.edge import replies, state
from api.edge.call import calls, creates
from api.edge.openapi import told
from api.edge.paging import Paging, paged
from api.edge.routing import router
from api.oauth import registry
from api.principal import Organisation
from api.schemas import consents as wire
from api.schemas.base import Page
from api.vocabulary import CaseId, ConsentId, OrganisationId, PersonId

routes = router(tags=["consents"])

ConsentIdPath = Annotated[UUID, Path(alias="consentId", description="Id of a consent (toestemming).")]
_SEEN = (problems.NOT_FOUND, problems.WRONG_PARTY)
_DONE = (*_SEEN, problems.WRONG_STATE, problems.CONSENT_TEXT_UNREVIEWED, problems.CONSENT_EVIDENCE)
_ANSWERED = (*_DONE, problems.CONSENT_STANDS_REFUSED)


@routes.post(
    "/consents", operation_id="recordConsent", status_code=201, response_model=wire.Consent, responses=told(*_ANSWERED)
)
async def record(
    request: Request, body: wire.NewConsent, call: Annotated[Call, creates(authority.RECORD_CONSENT)]
) -> Response:
    """Write down what the person was asked and answered: yes or no. A no costs the person nothing.

    A yes takes the place of an earlier no only when `supersedes` names it (vervangen).
    """
    made = ConsentId(call.made)
    if call.replayed:
        return _made(call, await consents.found(call, made))
    recipient = await registry.find_organisation(call.unit, OrganisationId(body.recipient_id))
    texts = state.of(request).texts
    return _made(call, await consents.record(call, made, CaseId(body.case_id), recipient, _new(body), texts))


@routes.get("/consents", operation_id="listConsents", response_model=Page[wire.Consent], responses=told(*_SEEN))
async def list_consents(
    request: Request,
    call: Annotated[Call, calls(authority.LIST_CONSENTS)],
    page: Paging,
    case_id: Annotated[UUID, Query(alias="caseId", description="Of which case.")],
) -> Response:
    """The consents of a case, newest first; for an NGO that guides the person."""
    outcome = await consents.listed(call, CaseId(case_id), page.before, page.fetch)
    return replies.shown(request, outcome, paged(page, call, _at(call)))


@routes.get("/consents/{consentId}", operation_id="readConsent", response_model=wire.Consent, responses=told(*_SEEN))
async def read(
    request: Request, consent_id: ConsentIdPath, call: Annotated[Call, calls(authority.READ_CONSENT)]
) -> Response:
    """A consent and its events; the latest is its state."""
    return replies.shown(request, await consents.read(call, ConsentId(consent_id)), _at(call))


@routes.get(
    "/consents/{consentId}/receipt",
    operation_id="readConsentReceipt",
    response_model=wire.ConsentReceipt,
    responses=told(*_SEEN),
)
async def read_receipt(
    request: Request, consent_id: ConsentIdPath, call: Annotated[Call, calls(authority.READ_RECEIPT)]
) -> Response:
    """What the person gets in hand: the consent as it stands, readable and signed."""
    outcome = await consents.receipt(call, ConsentId(consent_id))
    if isinstance(outcome, Refusal):
        return replies.refused(outcome)
    await call.unit.finish()  # the connection is given back: whoever signs may be slow, or away
    jws = await state.of(request).receipts.sign(outcome, call.unit.now)
    return replies.shown(request, outcome, lambda made: wire.ConsentReceipt(receipt=made, jws=jws))


@routes.post(
    "/consents/{consentId}/withdrawals",
    operation_id="withdrawConsent",
    status_code=201,
    response_model=wire.Consent,
    responses=told(*_SEEN, problems.WRONG_STATE),
)
async def withdraw(
    consent_id: ConsentIdPath, body: wire.Withdrawal, call: Annotated[Call, creates(authority.WITHDRAW_CONSENT)]
) -> Response:
    """Take a consent back (intrekking), for the person. It counts from the very next request."""
    which = ConsentId(consent_id)
    return _made(
        call, await (consents.found(call, which) if call.replayed else consents.withdraw(call, which, body.note))
    )


@routes.post(
    "/consents/{consentId}/reconfirmations",
    operation_id="reconfirmConsent",
    status_code=201,
    response_model=wire.Consent,
    responses=told(*_DONE),
)
async def reconfirm(
    request: Request,
    consent_id: ConsentIdPath,
    body: wire.Reconfirmation,
    call: Annotated[Call, creates(authority.RECONFIRM_CONSENT)],
) -> Response:
    """Write down that the person still means a yes (herbevestiging), also when its time was over."""
    which = ConsentId(consent_id)
    if call.replayed:
        return _made(call, await consents.found(call, which))
    texts = state.of(request).texts
    return _made(call, await consents.reconfirm(call, which, _evidence(body.evidence), body.valid_until_at, texts))


@routes.post(
    "/consents/{consentId}/invalidations",
    operation_id="invalidateConsent",
    status_code=201,
    response_model=wire.Consent,
    responses=told(*_SEEN, problems.WRONG_STATE),
)
async def invalidate(
    consent_id: ConsentIdPath, body: wire.Invalidation, call: Annotated[Call, creates(authority.INVALIDATE_CONSENT)]
) -> Response:
    """Write down that a yes was recorded in error (ongeldigverklaring). A no is never undone so: ask again."""
    which = ConsentId(consent_id)
    return _made(
        call, await (consents.found(call, which) if call.replayed else consents.invalidate(call, which, body.reason))
    )


def _new(body: wire.NewConsent) -> "consents.Making":
    def make(person: PersonId, recipient: Organisation) -> Recorded:
        return Recorded(
            person,
            CaseId(body.case_id),
            body.kind,
            body.purpose,
            recipient,
            body.function,
            frozenset(body.categories),
            body.given,
            body.given_by,
            body.valid_until_at,
            _evidence(body.evidence),
            tuple(ConsentRef(ConsentId(each.consent_id), each.version) for each in body.supersedes),
        )

    return make


def _evidence(shown: wire.ConsentEvidence) -> Evidence:
    by = shown.interpreter
    text = shown.text
    return Evidence(
        Text(text.id, text.version, text.language, bytes.fromhex(text.sha256)),
        shown.reading,
        None if by is None else Interpreter(by.kind, by.language, by.number, by.reason),
        shown.asked,
        shown.understood,
        frozenset(shown.present),
        shown.own_code,
        shown.place,
    )


def _made(call: Call, outcome: ConsentFacts | Refusal) -> Response:
    location = f"/consents/{outcome.id}" if isinstance(outcome, ConsentFacts) else ""
    return replies.made(call, outcome, _at(call), location)


def _at(call: Call) -> Callable[[ConsentFacts], wire.Consent]:
    """A consent as it stands at the instant of the call."""
    return lambda facts: wire.Consent(
        id=facts.id,
        case_id=facts.case,
        kind=facts.kind,
        purpose=facts.purpose,
        recipient_id=facts.recipient,
        function=facts.function,
        categories=tuple(sorted(facts.categories)),
        given_by=facts.given_by,
        state=facts.state(call.unit.now),
        valid_from_at=facts.valid_from,
        valid_until_at=facts.valid_until,
        events=tuple(wire.ConsentEvent.model_validate(each) for each in facts.events),
        supersedes=tuple(
            wire.Superseded(consent_id=each.id, version=each.version)
            for each in sorted(facts.supersedes, key=lambda each: each.id)
        ),
        superseded_categories=tuple(sorted(facts.superseded)),
        version=facts.version,
    )
