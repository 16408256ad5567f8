"""Wire types of figures (cijfers): the flow of tables S.1 and S.2 of the evaluation."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from api.schemas.base import Day, Wire
from api.vocabulary import FigureProfile, LeavingReason, Municipality, OutflowClass, OutflowScheme


class Figure(Wire):
    """One figure. Without a value it is suppressed, or unknown."""

    value: Annotated[int | None, Field(description="Whole people, places or per cents.")]
    suppressed: Annotated[
        bool, Field(description="Withheld: it, or one that could be computed with it, counts fewer than ten people.")
    ]
    estimated: Annotated[bool, Field(description="An estimate, or made of one.")]
    reported: Annotated[bool, Field(description="Loaded as it was published; not counted here.")]
    as_printed: Annotated[str | None, Field(description="What was printed, where a number does not tell it.")] = None


class Inflow(Wire):
    """Who came (instroom)."""

    total: Figure
    with_status: Annotated[Figure, Field(description="With LVV status.")]
    without_status: Annotated[Figure, Field(description="Sheltered without LVV status.")]


class DurableOutflow(Wire):
    """Who left lastingly (duurzame uitstroom)."""

    count: Figure
    percentage_of_inflow: Figure
    target: Annotated[Figure, Field(description="The best-effort target in the pilot period, in per cent.")]


class OtherOutflow(Wire):
    """Who left otherwise (overige uitstroom), for one reason."""

    reason: LeavingReason
    outflow_class: OutflowClass
    count: Figure
    percentage_of_inflow: Figure


class FlowFigures(Wire):
    """The figures of all municipalities together."""

    intended_capacity: Annotated[Figure, Field(description="Beoogde capaciteit, in places.")]
    occupancy: Annotated[Figure, Field(description="Bezetting: who came and has not left.")]
    occupancy_percentage: Figure
    free: Figure
    free_percentage: Figure
    inflow: Inflow
    durable_outflow: DurableOutflow
    other_outflow: tuple[OtherOutflow, ...]


class MunicipalFlow(FlowFigures):
    """The figures of one municipality."""

    municipality: Municipality


class Flow(Wire):
    """Inflow, occupancy and outflow (in- en uitstroom) since the start, as of the end of the reference date."""

    reference_date: Annotated[
        Day,
        Field(
            description="The day that the figures are of: the one asked, but not after today; "
            "for suppressed figures the last end of a quarter by then."
        ),
    ]
    scheme: OutflowScheme
    profile: Annotated[FigureProfile, Field(description="Whether small cells are suppressed for you.")]
    municipalities: tuple[MunicipalFlow, ...]
    total: FlowFigures
    sources: Annotated[tuple[str, ...], Field(description="Where the reported figures were published.")]
