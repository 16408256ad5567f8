"""The figures of tables S.1 and S.2 as values, and who gets them how.

Source of the tables: Regioplan, *Plan- en procesevaluatie Landelijke Vreemdelingenvoorzieningen*, WODC 19041 (2020).
Counts are of participations (cases). Percentages are whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from api.vocabulary import FigureProfile, LeavingReason, Municipality, OutflowClass, OutflowScheme, Party

if TYPE_CHECKING:
    from collections.abc import Mapping

_OFFICIAL: Final = frozenset({Party.MUNICIPALITY, Party.PROGRAMME, Party.AUDITOR, Party.STEERING_GROUP})
_QUARTER: Final = 3


class Sum(StrEnum):
    """The cells that are no leaving reason."""

    INFLOW = "inflow"
    WITH_STATUS = "with-status"
    WITHOUT_STATUS = "without-status"
    OCCUPANCY = "occupancy"
    DURABLE = "durable"


Cell: TypeAlias = Sum | LeavingReason


class Measure(StrEnum):
    """What can be published and loaded as it was published."""

    INTENDED_CAPACITY = "intended-capacity"
    OCCUPANCY = "occupancy"
    OCCUPANCY_PERCENTAGE = "occupancy-percentage"
    FREE_PERCENTAGE = "free-percentage"
    DURABLE_TARGET = "durable-target"


LASTING_MEASURES: Final = (Measure.INTENDED_CAPACITY, Measure.DURABLE_TARGET)
"""What holds until it is published anew. The others are of one day."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """Which leaving reasons count as lasting or semi-lasting. All others count as neither."""

    name: OutflowScheme
    lasting: frozenset[LeavingReason]
    semi_lasting: frozenset[LeavingReason]

    @property
    def others(self) -> tuple[LeavingReason, ...]:
        """The reasons that are not lasting, in the order of the vocabulary."""
        return tuple(reason for reason in LeavingReason if reason not in self.lasting)

    def class_of(self, reason: LeavingReason) -> OutflowClass:
        """The class of a reason."""
        if reason in self.lasting:
            return OutflowClass.LASTING
        return OutflowClass.SEMI_LASTING if reason in self.semi_lasting else OutflowClass.NONE


@dataclass(frozen=True, slots=True)
class Counts:
    """The cases of one municipality: who came, and who of them left, by reason."""

    with_status: int = 0
    without_status: int = 0
    left: Mapping[LeavingReason, int] = field(default_factory=dict["LeavingReason", int])

    def cells(self, scheme: Scheme) -> dict[Cell, int]:
        """Every cell. Lasting reasons are one cell together, as in the tables."""
        inflow = self.with_status + self.without_status
        cells: dict[Cell, int] = {
            Sum.INFLOW: inflow,
            Sum.WITH_STATUS: self.with_status,
            Sum.WITHOUT_STATUS: self.without_status,
            Sum.OCCUPANCY: inflow - sum(self.left.values()),
            Sum.DURABLE: sum(self.left.get(reason, 0) for reason in scheme.lasting),
        }
        return cells | {reason: self.left.get(reason, 0) for reason in scheme.others}


@dataclass(frozen=True, slots=True)
class Reported:
    """A figure as it was published. Without a value, `text` is all that was printed."""

    reference_date: date
    municipality: Municipality
    measure: Measure
    value: int | None
    source: str
    estimated: bool = False
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. `reported`: loaded as published, not counted. `estimated`: an estimate, or made of one.

    Without a value it is either suppressed, or unknown.
    """

    value: int | None = None
    suppressed: bool = False
    estimated: bool = False
    reported: bool = False
    as_printed: str | None = None


@dataclass(frozen=True, slots=True)
class Inflow:
    """Who came (instroom)."""

    total: Figure
    with_status: Figure
    without_status: Figure


@dataclass(frozen=True, slots=True)
class Durable:
    """Who left lastingly (duurzame uitstroom), the share of the inflow, and the target in per cent."""

    count: Figure
    percentage_of_inflow: Figure
    target: Figure


@dataclass(frozen=True, slots=True)
class Other:
    """Who left otherwise, for one reason."""

    reason: LeavingReason
    outflow_class: OutflowClass
    count: Figure
    percentage_of_inflow: Figure


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one municipality, or of all together: then `municipality` is None."""

    municipality: Municipality | None
    intended_capacity: Figure
    occupancy: Figure
    occupancy_percentage: Figure
    free: Figure
    free_percentage: Figure
    inflow: Inflow
    durable_outflow: Durable
    other_outflow: tuple[Other, ...]


@dataclass(frozen=True, slots=True)
class Flow:
    """Tables S.1 and S.2 as of the end of `reference_date`. `sources` are those of the reported figures."""

    reference_date: date
    scheme: OutflowScheme
    profile: FigureProfile
    municipalities: tuple[Row, ...]
    total: Row
    sources: tuple[str, ...]


def profile_of(kind: Party) -> FigureProfile:
    """Who gets official figures: those who answer for the programme or supervise it. All others: no small cells."""
    return FigureProfile.OFFICIAL if kind in _OFFICIAL else FigureProfile.SMALL_CELLS_SUPPRESSED


def as_of(asked: date, today: date, profile: FigureProfile) -> date:
    """The day whose figures are answered: never after today, and for suppressed figures the end of a quarter.

    Day by day, a change of one in a cell would tell that somebody left, and why (an end by MOB tells nobody).
    """
    day = min(asked, today)
    if profile is FigureProfile.OFFICIAL:
        return day
    morrow = day + timedelta(days=1)
    return date(morrow.year, morrow.month - (morrow.month - 1) % _QUARTER, 1) - timedelta(days=1)
