"""The figures of a week, for a data protection officer: how much was seen, refused and found. No person, no content."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, func, select

from api.audit import signals
from api.audit.tables import projection
from api.storage.statement import statement
from api.vocabulary import Result

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from api.audit.proofs import Reader
    from api.vocabulary import SignalRule

_HERE: Final = ZoneInfo("Europe/Amsterdam")
_SINCE, _UNTIL = bindparam("since", type_=projection.c.at.type), bindparam("until", type_=projection.c.at.type)
_FIGURES: Final = statement(
    select(
        func.min(projection.c.index).label("first"),
        func.count().label("entries"),
        func.count()
        .filter(projection.c.result == str(Result.PERMITTED), projection.c.categories.is_not(None))
        .label("disclosures"),
        func.count().filter(projection.c.result == str(Result.REFUSED)).label("refused"),
        func.count().filter(projection.c.result == str(Result.FAILED)).label("failed"),
        func.count().filter(projection.c.grounds.op("@>")(["vital-interest"])).label("vital"),
        func.count()
        .filter(projection.c.action == "audit.read-identity", projection.c.result == str(Result.PERMITTED))
        .label("opened"),
        func.count()
        .filter(projection.c.action == "audit.export", projection.c.result == str(Result.PERMITTED))
        .label("exports"),
    ).where(projection.c.at >= _SINCE, projection.c.at < _UNTIL)
)
_BY_KIND: Final = statement(
    select(projection.c.kind, func.count().label("times"))
    .where(projection.c.at >= _SINCE, projection.c.at < _UNTIL)
    .where(projection.c.result == str(Result.PERMITTED), projection.c.categories.is_not(None))
    .group_by(projection.c.kind)
    .order_by(projection.c.kind)
)


@dataclass(frozen=True, slots=True)
class Digest:
    """What a week came to. `first`: the index of its first entry, from which its sample is drawn; None without any."""

    monday: date
    first: int | None
    entries: int
    disclosures: int
    refused: int
    failed: int
    vital: int
    opened: int
    exports: int
    by_kind: Mapping[str, int]
    signals: Mapping[SignalRule, int]


async def of_week(reader: Reader, monday: date) -> Digest:
    """The figures of the week that begins on this day, in Amsterdam."""
    since, until = (datetime.combine(monday + timedelta(days=days), time(), _HERE).astimezone(UTC) for days in (0, 7))
    (figures,) = await reader.all(_FIGURES(since=since, until=until))
    kinds = await reader.all(_BY_KIND(since=since, until=until))
    found = await signals.counts(reader, since, until)
    by_kind = {row["kind"] or "?": row["times"] for row in kinds}
    return Digest(monday=monday, by_kind=by_kind, signals=found, **dict(figures))
