"""Figures (cijfers): aggregates only."""

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from api import problems
from api.disclosure import authority
from api.disclosure.call import Call
from api.edge import replies
from api.edge.call import calls
from api.edge.openapi import told
from api.edge.routing import router
from api.schemas import statistics as wire
from api.schemas.base import Day
from api.statistics import operations
from api.statistics.model import Flow
from api.vocabulary import OutflowScheme

routes = router(tags=["statistics"])

ReferenceDate = Annotated[
    Day, Query(alias="referenceDate", description="Figures as of the end of this day.", examples=["2019-12-31"])
]
SchemeName = Annotated[
    OutflowScheme, Query(alias="scheme", description="By which evaluation's classes a reason counts as lasting.")
]


@routes.get("/statistics/flow", operation_id="readFlow", response_model=wire.Flow, responses=told(problems.WRONG_PARTY))
async def read_flow(
    request: Request,
    reference_date: ReferenceDate,
    call: Annotated[Call, calls(authority.READ_FLOW)],
    scheme: SchemeName = OutflowScheme.EVALUATION_2020,
) -> Response:
    """Inflow, occupancy and outflow (in- en uitstroom) per municipality.

    Cells under ten people are suppressed, except for municipalities, the programme, the steering group and auditors.
    """
    return replies.shown(request, await operations.flow(call, reference_date, scheme), _flow)


def _flow(flow: Flow) -> wire.Flow:
    return wire.Flow.model_validate(flow)
