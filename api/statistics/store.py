"""Statements on figures. Nothing sealed is read."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ARRAY, Date, DateTime, Uuid, all_, bindparam, func, insert, literal_column, or_, select
from sqlalchemy import case as sql_case
from sqlalchemy.dialects.postgresql import distinct_on

from api.cases.tables import case
from api.statistics.model import LASTING_MEASURES, Counts, Measure, Reported
from api.statistics.tables import reported_figure
from api.storage.statement import statement
from api.vocabulary import LeavingReason, Municipality

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import date, datetime
    from uuid import UUID

    from api.storage.unit import Record, Unit

_REASON: Final = sql_case((case.c.closed_date <= bindparam("day", type_=Date), case.c.leaving_reason))
_COUNT: Final = statement(
    select(case.c.municipality, case.c.with_status, _REASON.label("reason"), func.count().label("cases"))
    .where(case.c.opened_at < bindparam("before", type_=DateTime(timezone=True)))
    .where(case.c.id != all_(bindparam("planted", type_=ARRAY(Uuid))))
    .group_by(case.c.municipality, case.c.with_status, literal_column("reason"))
)
_REPORTED: Final = statement(
    select(reported_figure)
    .ext(distinct_on(reported_figure.c.municipality, reported_figure.c.measure))
    .where(reported_figure.c.reference_date <= bindparam("day", type_=Date))
    .where(
        or_(
            reported_figure.c.reference_date == bindparam("day", type_=Date),
            reported_figure.c.measure.in_([literal_column(f"'{measure}'") for measure in LASTING_MEASURES]),
        )
    )
    .order_by(reported_figure.c.municipality, reported_figure.c.measure, reported_figure.c.reference_date.desc())
)
_ANY: Final = statement(select(reported_figure.c.reference_date).limit(literal_column("1")))
_RECORD: Final = statement(
    insert(reported_figure), "reference_date", "municipality", "measure", "value", "text", "estimated", "source"
)


async def reported(unit: Unit, day: date) -> tuple[Reported, ...]:
    """What was published for this day, and what was published before and still holds."""
    return tuple(_reported(row) for row in await unit.all(_REPORTED(day=day)))


async def counts(unit: Unit, day: date, before: datetime, planted: Collection[UUID]) -> dict[Municipality, Counts]:
    """Cases opened before an instant, and closed by the end of a day, but for what is planted: it is of nobody.

    This is the unit's last statement.
    """
    rows = await unit.last(_COUNT(day=day, before=before, planted=list(planted)))
    of: dict[Municipality, list[Record]] = {}
    for row in rows:
        of.setdefault(Municipality(row["municipality"]), []).append(row)
    return {municipality: _counts(each) for municipality, each in of.items()}


async def anything_reported(unit: Unit) -> bool:
    """Whether any published figure is loaded."""
    return await unit.one(_ANY()) is not None


async def record(unit: Unit, figures: Iterable[Reported]) -> None:
    """Load published figures."""
    for figure in figures:
        values: dict[str, Any] = {
            "reference_date": figure.reference_date,
            "municipality": str(figure.municipality),
            "measure": str(figure.measure),
            "value": figure.value,
            "text": figure.text,
            "estimated": figure.estimated,
            "source": figure.source,
        }
        await unit.run(_RECORD(**values))


def _counts(rows: list[Record]) -> Counts:
    left: Counter[LeavingReason] = Counter()
    for row in rows:
        if row["reason"] is not None:
            left[LeavingReason(row["reason"])] += row["cases"]
    with_status = sum(row["cases"] for row in rows if row["with_status"])
    return Counts(with_status, sum(row["cases"] for row in rows) - with_status, left)


def _reported(row: Record) -> Reported:
    return Reported(
        reference_date=row["reference_date"],
        municipality=Municipality(row["municipality"]),
        measure=Measure(row["measure"]),
        value=row["value"],
        source=row["source"],
        estimated=row["estimated"],
        text=row["text"],
    )
