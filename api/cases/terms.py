"""Terms in working days (werkdagen). Overdue is computed, not stored.

Monday to Friday, but for the generally recognised holidays of the Algemene termijnenwet, article 3: Good Friday and the
fifth of May are among them every year.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache

import holidays

from api.consent.model import day_of

_SATURDAY = 5


@lru_cache(maxsize=32)
def _holidays(year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays("NL", years=year, categories=("public", "optional")))


def is_working_day(day: date) -> bool:
    """Whether work is expected on this day."""
    return day.weekday() < _SATURDAY and day not in _holidays(day.year)


def due_on(start: date, working_days: int) -> date:
    """The last day of a term that begins on the day after `start`."""
    day = start
    for _ in range(working_days):
        day += timedelta(days=1)
        while not is_working_day(day):
            day += timedelta(days=1)
    return day


def overdue(due: date | None, ended_at: datetime | None, now: datetime) -> bool:
    """Whether a term was let pass. Without an agreed term nothing is ever overdue."""
    return due is not None and day_of(ended_at or now) > due
