"""Persons (vreemdeling): the account of what was disclosed of them."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Request
from starlette.responses import Response

from api import problems
from api.audit import search
from api.cases import account
from api.cases.account import Disclosure
from api.disclosure import authority
from api.disclosure.call import Call
from api.edge import pseudonyms, replies
from api.edge.call import calls
from api.edge.openapi import told
from api.edge.paging import Paging, paged
from api.edge.routing import router
from api.schemas import persons as wire
from api.schemas.base import Page

routes = router(tags=["persons"])

PersonIdPath = Annotated[UUID, Path(alias="personId", description="Id of a person, as your cases show it.")]


@routes.get(
    "/persons/{personId}/disclosures",
    operation_id="listDisclosures",
    response_model=Page[wire.Disclosure],
    responses=told(problems.NOT_FOUND, problems.WRONG_PARTY, problems.LOG_DAMAGED),
)
async def list_disclosures(
    request: Request, person_id: PersonIdPath, call: Annotated[Call, calls(authority.LIST_DISCLOSURES)], page: Paging
) -> Response:
    """Who saw what of a person's file, when and why (inzage in verstrekkingen), newest first: for who guides them."""
    below = search.END if page.number is None else page.number
    outcome = await account.of(call, pseudonyms.meant(request, call, person_id), below, page.fetch)
    return replies.shown(request, outcome, paged(page, call, _disclosure, lambda found: found.index))


def _disclosure(found: Disclosure) -> wire.Disclosure:
    consents = tuple(wire.ConsentAtThatTime(id=which, version=version) for which, version in found.consents)
    return wire.Disclosure(
        index=found.index,
        disclosed_at=found.at,
        action=found.action,
        organisation_id=found.organisation,
        organisation_name=found.organisation_name,
        purpose=found.purpose,
        grounds=found.grounds,
        consents=consents,
        categories=found.categories,
        shown=found.shown,
    )
