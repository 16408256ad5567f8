"""No withheld cell can be computed back from the flow figures, whatever the counts."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from api.sandbox import population
from api.statistics import model, suppression
from api.statistics.model import Counts, Figure, Flow, Row, Sum
from api.vocabulary import FigureProfile, LeavingReason, Municipality
from tests import flow_kit as kit

Place: TypeAlias = tuple[Municipality | None, model.Cell]

OFFICIAL, SMALL = FigureProfile.OFFICIAL, FigureProfile.SMALL_CELLS_SUPPRESSED
HIDDEN = Figure(suppressed=True)

reasons = st.dictionaries(st.sampled_from(LeavingReason), st.integers(0, 40), max_size=8)


@st.composite
def municipality_counts(draw: st.DrawFn) -> Counts:
    left = draw(reasons)
    came = sum(left.values()) + draw(st.integers(0, 60))
    without = draw(st.integers(0, min(came, 30)))
    return Counts(came - without, without, left)


populations = st.fixed_dictionaries({municipality: municipality_counts() for municipality in Municipality})


@given(populations)
def test_no_withheld_small_cell_can_be_computed_back(counts: dict[Municipality, Counts]) -> None:
    """To a reader of the whole answer who even knows which cells were small, each stays anywhere from 0 to 9."""
    flow = kit.evaluated(SMALL, counts)
    reader = Reader(flow, {municipality: each.cells(kit.FIRST) for municipality, each in counts.items()})
    reader.reckon()

    for place, small in reader.small.items():
        if small:
            assert reader.least[place] == 0, place
            assert reader.most[place] >= 9, place


@given(populations)
def test_what_is_shown_is_true(counts: dict[Municipality, Counts]) -> None:
    shown, whole = kit.evaluated(SMALL, counts), kit.evaluated(OFFICIAL, counts)

    for row, true in zip((*shown.municipalities, shown.total), (*whole.municipalities, whole.total), strict=True):
        for figure, official in zip(kit.all_figures(row), kit.all_figures(true), strict=True):
            assert figure in (HIDDEN, official)


@given(populations)
def test_no_count_under_ten_is_shown_and_no_share_of_a_withheld_count(counts: dict[Municipality, Counts]) -> None:
    flow = kit.evaluated(SMALL, counts)

    for row in (*flow.municipalities, flow.total):
        outflows: tuple[model.Durable | model.Other, ...] = (row.durable_outflow, *row.other_outflow)
        shown = (row.occupancy, *kit.all_figures(row.inflow), *(each.count for each in outflows))
        assert all(figure.value is None or figure.value >= suppression.LEAST for figure in shown)
        assert all(each.percentage_of_inflow == HIDDEN for each in outflows if each.count.suppressed)
        assert row.occupancy.suppressed == row.free.suppressed


def test_the_reader_of_these_tests_would_find_what_is_badly_hidden() -> None:
    """A test that cannot fail is a defect: primary suppression alone is seen through."""
    counts = kit.counted(population.people(), population.EVALUATED)
    flow = kit.evaluated(OFFICIAL)
    rows = tuple(
        replace(row, durable_outflow=replace(row.durable_outflow, count=HIDDEN)) for row in flow.municipalities
    )
    reader = Reader(
        replace(flow, municipalities=rows),
        {municipality: each.cells(kit.FIRST) for municipality, each in counts.items()},
    )
    reader.reckon()

    assert reader.least[Municipality.AMSTERDAM, Sum.DURABLE] == reader.most[Municipality.AMSTERDAM, Sum.DURABLE] == 3


class Reader:
    """Somebody who computes: bounds of every cell, tightened by every equation until nothing moves.

    They know more than they should: which withheld cells are under ten, and that the others are not, but of a
    municipality that is withheld whole.
    """

    def __init__(self, flow: Flow, truth: dict[Municipality, dict[model.Cell, int]]) -> None:
        self.small: dict[Place, bool] = {}
        self.least: dict[Place, float] = {}
        self.most: dict[Place, float] = {}
        self._cells = tuple(next(iter(truth.values())))
        for row in (*flow.municipalities, flow.total):
            for cell, figure in self._read(row).items():
                place = (row.municipality, cell)
                shown = figure.value
                true = truth[row.municipality][cell] if row.municipality else None
                self.small[place] = shown is None and true is not None and true < suppression.LEAST
                floor = 0 if true is None or self.small[place] or row.inflow.total.suppressed else suppression.LEAST
                ceiling = suppression.LEAST - 1 if self.small[place] else float("inf")
                self.least[place] = floor if shown is None else shown
                self.most[place] = ceiling if shown is None else shown

    def _read(self, row: Row) -> dict[model.Cell, Figure]:
        free, capacity = row.free.value, row.intended_capacity.value
        occupancy = row.occupancy
        if occupancy.value is None and free is not None and capacity is not None:
            occupancy = Figure(capacity - free)
        return {
            Sum.INFLOW: row.inflow.total,
            Sum.WITH_STATUS: row.inflow.with_status,
            Sum.WITHOUT_STATUS: row.inflow.without_status,
            Sum.OCCUPANCY: occupancy,
            Sum.DURABLE: row.durable_outflow.count,
            **{each.reason: each.count for each in row.other_outflow},
        }

    def _equations(self) -> list[tuple[Place, list[Place]]]:
        status = (Sum.WITH_STATUS, Sum.WITHOUT_STATUS)
        ways = tuple(cell for cell in self._cells if cell not in {Sum.INFLOW, *status})
        found: list[tuple[Place, list[Place]]] = []
        for municipality in (*Municipality, None):
            found.extend(
                ((municipality, Sum.INFLOW), [(municipality, cell) for cell in parts]) for parts in (status, ways)
            )
        found.extend(((None, cell), [(m, cell) for m in Municipality]) for cell in self._cells)
        return found

    def reckon(self) -> None:
        """Tighten until nothing moves."""
        moved = True
        while moved:
            moved = False
            for whole, parts in self._equations():
                least, most = (sum(of[part] for part in parts) for of in (self.least, self.most))
                moved |= self._narrow(whole, least, most)
                for part in parts:
                    others_least = sum(self.least[each] for each in parts if each != part)
                    others_most = sum(self.most[each] for each in parts if each != part)
                    moved |= self._narrow(part, self.least[whole] - others_most, self.most[whole] - others_least)

    def _narrow(self, place: Place, least: float, most: float) -> bool:
        before = self.least[place], self.most[place]
        self.least[place], self.most[place] = max(before[0], least), min(before[1], most)
        return before != (self.least[place], self.most[place])
