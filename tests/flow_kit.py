"""What tests of the flow figures share: the population, counted without SQL, and a way to read figures at a glance."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from api.sandbox import population
from api.sandbox.reported import REPORTED
from api.statistics import figures, model
from api.statistics.model import Counts, Figure, Row
from api.statistics.schemes import SCHEMES
from api.vocabulary import FigureProfile, LeavingReason, Municipality, OutflowScheme

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from api.sandbox.population import Someone
    from api.statistics.model import Flow

FIRST, FINAL = SCHEMES[OutflowScheme.EVALUATION_2020], SCHEMES[OutflowScheme.EVALUATION_2022]


def counted(people: Iterable[Someone], day: date) -> dict[Municipality, Counts]:
    """Who came by the end of a day, and who of them left by then."""
    here = [each for each in people if each.opened_at.date() <= day]
    return {municipality: _counts(here, municipality, day) for municipality in Municipality}


def _counts(people: list[Someone], municipality: Municipality, day: date) -> Counts:
    of_it = [each for each in people if each.municipality is municipality]
    left = Counter(
        each.leaving_reason for each in of_it if each.leaving_reason and each.closed_date and each.closed_date <= day
    )
    with_status = sum(each.with_status for each in of_it)
    return Counts(with_status, len(of_it) - with_status, left)


def evaluated(profile: FigureProfile, counts: Mapping[Municipality, Counts] | None = None) -> Flow:
    """The figures as of 31 December 2019, of the population or of other counts."""
    if counts is None:
        counts = counted(population.people(), population.EVALUATED)
    return figures.flow(population.EVALUATED, FIRST, profile, counts, REPORTED)


def rows(flow: Flow) -> dict[Municipality, Row]:
    """The rows by municipality."""
    return {row.municipality: row for row in flow.municipalities if row.municipality}


def reason(row: Row, which: LeavingReason) -> tuple[Figure, Figure]:
    """Count and share of one reason."""
    return next((each.count, each.percentage_of_inflow) for each in row.other_outflow if each.reason is which)


def all_figures(value: Any) -> list[Figure]:
    """Every figure in a row, in order."""
    if isinstance(value, Figure):
        return [value]
    if isinstance(value, tuple):
        return [figure for each in value for figure in all_figures(each)]
    if isinstance(value, Row | model.Inflow | model.Durable | model.Other):
        return [figure for each in fields(value) for figure in all_figures(getattr(value, each.name))]
    return []
