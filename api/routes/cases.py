"""Cases (casus) and their assignments."""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Request
from starlette.responses import Response

from api import problems
from api.cases import operations
from api.cases.model import Case, CaseSummary
from api.cases.operations import NewCase
from api.disclosure import authority
from api.disclosure.call import Call
from api.edge import pseudonyms, replies, state
from api.edge.call import calls, creates, looks_up
from api.edge.etags import Precondition
from api.edge.openapi import told
from api.edge.paging import Paging, paged
from api.edge.routing import router
from api.schemas import cases as wire
from api.schemas.base import Page
from api.vocabulary import CaseId, OrganisationId, PersonId

routes = router(tags=["cases"])

CaseIdPath = Annotated[UUID, Path(alias="caseId", description="Id of a case (casus).")]
_SEEN = (problems.NOT_FOUND, problems.WRONG_PARTY)


async def _new_case(request: Request, body: wire.NewCase) -> NewCase:
    tags = None if body.v_number is None else await state.of(request).index.of(body.v_number)
    return NewCase(body.municipality, body.v_number, tags, frozenset(body.functions), body.with_status)


@routes.post("/cases", operation_id="openCase", status_code=201, response_model=wire.Case, responses=told(*_SEEN))
async def open_case(
    request: Request,
    call: Annotated[Call, creates(authority.OPEN_CASE, prepared=_new_case)],
    new: Annotated[NewCase, Depends(_new_case)],
) -> Response:
    """Open a case for a person (casus openen). Without a V-number the person is new."""
    case_id = CaseId(call.made)
    if call.replayed:
        outcome = await operations.read(call, case_id)
    else:
        if new.v_number is not None:
            looks_up(request, call, new.v_number)
        outcome = await operations.open_case(call, case_id, new)
    return replies.made(call, outcome, _case(request, call), f"/cases/{case_id}", _version)


@routes.get("/cases", operation_id="listCases", response_model=Page[wire.CaseSummary], responses=told(*_SEEN))
async def list_cases(request: Request, call: Annotated[Call, calls(authority.LIST_CASES)], page: Paging) -> Response:
    """The cases to which your organisation is assigned, newest first."""
    outcome = await operations.listed(call, page.before, page.fetch)
    return replies.shown(request, outcome, paged(page, call, _summary))


@routes.post(
    "/cases/_search", operation_id="searchCases", response_model=Page[wire.CaseSummary], responses=told(*_SEEN)
)
async def search_cases(
    request: Request, body: wire.CaseSearch, call: Annotated[Call, calls(authority.SEARCH_CASES)]
) -> Response:
    """Look up cases by V-number (vreemdelingennummer); never in an address. Only your own cases are found."""
    looks_up(request, call, body.v_number)
    outcome = await operations.search(call, body.v_number)
    return replies.shown(request, outcome, lambda found: Page(items=tuple(_summary(each) for each in found)))


@routes.get("/cases/{caseId}", operation_id="readCase", response_model=wire.Case, responses=told(*_SEEN))
async def read_case(
    request: Request, case_id: CaseIdPath, call: Annotated[Call, calls(authority.READ_CASE)]
) -> Response:
    """A case, for those assigned to it."""
    return replies.shown(request, await operations.read(call, CaseId(case_id)), _case(request, call), _version)


@routes.post(
    "/cases/{caseId}/assignments",
    operation_id="assignCase",
    status_code=201,
    response_model=wire.Case,
    responses=told(*_SEEN, problems.WRONG_STATE),
)
async def assign_case(
    request: Request,
    case_id: CaseIdPath,
    body: wire.NewAssignment,
    call: Annotated[Call, creates(authority.ASSIGN_CASE)],
) -> Response:
    """Assign an organisation in one function. Whoever coordinates the case may do so."""
    case = CaseId(case_id)
    if call.replayed:
        outcome = await operations.read(call, case)
    else:
        outcome = await operations.assign(call, case, OrganisationId(body.organisation_id), body.function)
    return replies.made(call, outcome, _case(request, call), f"/cases/{case_id}", _version)


@routes.post(
    "/cases/{caseId}/closures",
    operation_id="closeCase",
    status_code=201,
    response_model=wire.Case,
    responses=told(*_SEEN, problems.WRONG_STATE),
)
async def close_case(
    request: Request,
    case_id: CaseIdPath,
    body: wire.Closure,
    call: Annotated[Call, creates(authority.CLOSE_CASE)],
    known: Precondition,
) -> Response:
    """End a case (casus beëindigen) as you saw it: `If-Match` names its version. No event is sent about it."""
    case = CaseId(case_id)
    if call.replayed:
        outcome = await operations.read(call, case)
    else:
        outcome = await operations.close(call, case, body.closed_date, body.leaving_reason, known.versions)
    return replies.made(call, outcome, _case(request, call), f"/cases/{case_id}", _version)


def _version(case: Case) -> int:
    return case.version


def _case(request: Request, call: Call) -> Callable[[Case], wire.Case]:
    def render(case: Case) -> wire.Case:
        shown = pseudonyms.shown(request, call, case.person_id)
        return wire.Case.model_validate(replace(case, person_id=PersonId(shown)))

    return render


def _summary(case: CaseSummary) -> wire.CaseSummary:
    return wire.CaseSummary.model_validate(case)
