"""Agreements (gegevensdelingsafspraak) as data."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request
from starlette.responses import Response

from api import problems
from api.agreements import operations
from api.agreements.model import AgreementVersion
from api.disclosure import authority
from api.disclosure.call import Call
from api.disclosure.permit import Refusal
from api.edge import replies
from api.edge.call import calls, creates
from api.edge.openapi import told
from api.edge.paging import Paging, paged
from api.edge.routing import router
from api.schemas import agreements as wire
from api.schemas.base import Page
from api.vocabulary import AgreementId

routes = router(tags=["agreements"])

AgreementIdPath = Annotated[UUID, Path(alias="agreementId", description="Id of an agreement.")]
_SEEN = (problems.NOT_FOUND, problems.WRONG_PARTY)


@routes.get("/agreements", operation_id="listAgreements", response_model=Page[wire.Agreement], responses=told(*_SEEN))
async def list_agreements(
    request: Request, call: Annotated[Call, calls(authority.LIST_AGREEMENTS)], page: Paging
) -> Response:
    """The latest version of each agreement, with who signed it."""
    outcome = await operations.listed(call, page.before, page.fetch)
    return replies.shown(request, outcome, paged(page, call, _one))


@routes.get(
    "/agreements/{agreementId}", operation_id="readAgreement", response_model=wire.Agreement, responses=told(*_SEEN)
)
async def read_agreement(
    request: Request,
    agreement_id: AgreementIdPath,
    call: Annotated[Call, calls(authority.READ_AGREEMENT)],
    version: Annotated[int | None, Query(ge=1, le=10_000, description="The latest when absent.")] = None,
) -> Response:
    """A version of an agreement."""
    return replies.shown(request, await operations.read(call, AgreementId(agreement_id), version), _one)


@routes.post(
    "/agreements",
    operation_id="addAgreement",
    status_code=201,
    response_model=wire.Agreement,
    responses=told(*_SEEN, problems.WRONG_STATE),
)
async def add_agreement(body: wire.NewAgreement, call: Annotated[Call, creates(authority.ADD_AGREEMENT)]) -> Response:
    """Take in a version. It is in force between the parties that sign it."""
    added = operations.again(call, body.document) if call.replayed else operations.add(call, body.document)
    return _made(call, await added)


@routes.post(
    "/agreements/{agreementId}/signatures",
    operation_id="signAgreement",
    status_code=201,
    response_model=wire.Agreement,
    responses=told(*_SEEN, problems.WRONG_STATE),
)
async def sign_agreement(
    agreement_id: AgreementIdPath, body: wire.NewSignature, call: Annotated[Call, creates(authority.SIGN_AGREEMENT)]
) -> Response:
    """Sign a version for your own organisation, with a key that it registered for that."""
    which = AgreementId(agreement_id)
    if call.replayed:
        return _made(call, await operations.read(call, which, body.version))
    return _made(call, await operations.sign(call, which, body.version, body.signature))


def _made(call: Call, outcome: AgreementVersion | Refusal) -> Response:
    location = "" if isinstance(outcome, Refusal) else f"/agreements/{outcome.id}?version={outcome.version}"
    return replies.made(call, outcome, _one, location)


def _one(found: AgreementVersion) -> wire.Agreement:
    return wire.Agreement(
        id=found.id,
        version=found.version,
        kind=found.kind,
        municipality=found.municipality,
        valid_from_date=found.valid_from,
        valid_until_date=found.valid_until,
        digest=found.digest.hex(),
        document=dict(found.document),
        parties=tuple(wire.AgreementParty.model_validate(each) for each in found.parties),
    )
