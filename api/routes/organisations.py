"""Organisations: the parties of the exchange."""

from typing import Annotated

from fastapi import Request
from starlette.responses import Response

from api import problems
from api.agreements import operations
from api.disclosure import authority
from api.disclosure.call import Call
from api.edge import replies
from api.edge.call import calls
from api.edge.openapi import told
from api.edge.routing import router
from api.principal import Organisation
from api.schemas import organisations as wire

routes = router(tags=["organisations"])


@routes.get(
    "/organisations",
    operation_id="listOrganisations",
    response_model=wire.Organisations,
    responses=told(problems.WRONG_PARTY),
)
async def list_organisations(request: Request, call: Annotated[Call, calls(authority.LIST_ORGANISATIONS)]) -> Response:
    """Who takes part in the exchange, and which organisations are designated under Aliens Act 2000 article 107(8)."""
    return replies.shown(request, await operations.organisations(call), _all)


def _all(found: list[Organisation]) -> wire.Organisations:
    return wire.Organisations(items=tuple(_one(each) for each in found))


def _one(organisation: Organisation) -> wire.Organisation:
    return wire.Organisation(
        id=organisation.id,
        kind=organisation.kind,
        name=organisation.name,
        oin=organisation.oin,
        municipalities=tuple(sorted(organisation.municipalities)),
        designated=organisation.designated,
    )
