"""How the figures follow from counts of cases and from what was published. Pure.

Small cells are withheld from all but official readers so that none can be computed back from what is published:

    inflow = with status + without status
    inflow = occupancy + durable outflow + every other reason

1. In each equation `suppression.withheld` adds cells until the small ones are safe. The least loss comes first: a
   reason, then the durable outflow, then the occupancy.
2. Where the inflow itself must go, the whole municipality goes.
3. The sum of a cell over municipalities is published only where the cell is published for each of them. So no sum says
   anything about a withheld cell, and each municipality stands alone.
4. A percentage is withheld with the counts that it is made of, free places with the occupancy.

What this does not do: answers for two dates may differ by few. See `model.as_of`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.statistics import suppression
from api.statistics.model import Counts, Durable, Figure, Flow, Inflow, Measure, Other, Row, Sum
from api.vocabulary import FigureProfile, Municipality

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from api.statistics.model import Cell, Reported, Scheme


def flow(
    day: date,
    scheme: Scheme,
    profile: FigureProfile,
    counts: Mapping[Municipality, Counts],
    reported: Iterable[Reported],
) -> Flow:
    """Tables S.1 and S.2."""
    reported = tuple(reported)
    rows: list[Row] = []
    for municipality in Municipality:
        cells = counts.get(municipality, Counts()).cells(scheme)
        gone = withheld(cells) if profile is FigureProfile.SMALL_CELLS_SUPPRESSED else frozenset["Cell"]()
        printed = {each.measure: _as_printed(each) for each in reported if each.municipality is municipality}
        rows.append(_municipal(municipality, cells, gone, printed, scheme))
    return Flow(
        reference_date=day,
        scheme=scheme.name,
        profile=profile,
        municipalities=tuple(rows),
        total=_total_row(rows, scheme),
        sources=tuple(sorted({each.source for each in reported})),
    )


def withheld(cells: Mapping[Cell, int]) -> frozenset[Cell]:
    """Which cells of one municipality are withheld."""
    status: dict[Cell, int] = {cell: cells[cell] for cell in (Sum.WITH_STATUS, Sum.WITHOUT_STATUS)}
    reasons: dict[Cell, int] = {cell: count for cell, count in cells.items() if not isinstance(cell, Sum)}
    ways = reasons | {Sum.DURABLE: cells[Sum.DURABLE], Sum.OCCUPANCY: cells[Sum.OCCUPANCY]}
    by_status = suppression.withheld(status, status)
    by_way = suppression.withheld(ways, (*sorted(reasons, key=lambda cell: cells[cell]), Sum.DURABLE, Sum.OCCUPANCY))
    if cells[Sum.INFLOW] < suppression.LEAST or by_status is None or by_way is None:
        return frozenset(cells)
    return by_status | by_way


def _municipal(
    municipality: Municipality,
    cells: Mapping[Cell, int],
    gone: frozenset[Cell],
    printed: Mapping[Measure, Figure],
    scheme: Scheme,
) -> Row:
    shown = {cell: Figure(suppressed=True) if cell in gone else Figure(count) for cell, count in cells.items()}
    capacity = printed.get(Measure.INTENDED_CAPACITY, Figure())
    if Sum.OCCUPANCY in gone:
        # What was printed of a withheld count would tell it.
        printed = {measure: printed[measure] for measure in printed if measure is Measure.DURABLE_TARGET}
    else:
        shown[Sum.OCCUPANCY] = printed.get(Measure.OCCUPANCY, shown[Sum.OCCUPANCY])
    return _row(municipality, shown, capacity, _minus(capacity, shown[Sum.OCCUPANCY]), printed, scheme)


def _total_row(rows: Sequence[Row], scheme: Scheme) -> Row:
    shown: dict[Cell, Figure] = {
        Sum.INFLOW: _total(row.inflow.total for row in rows),
        Sum.WITH_STATUS: _total(row.inflow.with_status for row in rows),
        Sum.WITHOUT_STATUS: _total(row.inflow.without_status for row in rows),
        Sum.OCCUPANCY: _total(row.occupancy for row in rows),
        Sum.DURABLE: _total(row.durable_outflow.count for row in rows),
    }
    for place, reason in enumerate(scheme.others):
        shown[reason] = _total(row.other_outflow[place].count for row in rows)
    capacity = _total(row.intended_capacity for row in rows)
    return _row(None, shown, capacity, _total(row.free for row in rows), {}, scheme)


def _row(
    municipality: Municipality | None,
    shown: Mapping[Cell, Figure],
    capacity: Figure,
    free: Figure,
    printed: Mapping[Measure, Figure],
    scheme: Scheme,
) -> Row:
    inflow, occupancy, durable = shown[Sum.INFLOW], shown[Sum.OCCUPANCY], shown[Sum.DURABLE]
    return Row(
        municipality=municipality,
        intended_capacity=capacity,
        occupancy=occupancy,
        occupancy_percentage=printed.get(Measure.OCCUPANCY_PERCENTAGE, _percentage(occupancy, capacity)),
        free=free,
        free_percentage=printed.get(Measure.FREE_PERCENTAGE, _percentage(free, capacity)),
        inflow=Inflow(inflow, shown[Sum.WITH_STATUS], shown[Sum.WITHOUT_STATUS]),
        durable_outflow=Durable(durable, _percentage(durable, inflow), printed.get(Measure.DURABLE_TARGET, Figure())),
        other_outflow=tuple(
            Other(reason, scheme.class_of(reason), shown[reason], _percentage(shown[reason], inflow))
            for reason in scheme.others
        ),
    )


def _as_printed(each: Reported) -> Figure:
    return Figure(each.value, estimated=each.estimated, reported=True, as_printed=each.text)


def _total(figures: Iterable[Figure]) -> Figure:
    parts = tuple(figures)
    if any(part.suppressed for part in parts):
        return Figure(suppressed=True)
    values = [part.value for part in parts if part.value is not None]
    return Figure(
        sum(values) if len(values) == len(parts) else None,
        estimated=any(part.estimated for part in parts),
        reported=any(part.reported for part in parts),
    )


def _minus(whole: Figure, part: Figure) -> Figure:
    if part.suppressed:
        return Figure(suppressed=True)
    if whole.value is None or part.value is None:
        return Figure(estimated=part.estimated)
    return Figure(whole.value - part.value, estimated=part.estimated)


def _percentage(part: Figure, whole: Figure) -> Figure:
    """In whole per cents, halves rounded up, as the tables print them."""
    if part.suppressed or whole.suppressed:
        return Figure(suppressed=True)
    if part.value is None or not whole.value:
        return Figure(estimated=part.estimated)
    return Figure((200 * part.value + whole.value) // (2 * whole.value), estimated=part.estimated)
