"""Terms in working days: weekends and Dutch public holidays (Algemene termijnenwet, article 3) do not count."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cases import terms
from api.consent.model import AMSTERDAM, day_of

days = st.dates(date(2020, 1, 1), date(2040, 12, 31))
FRIDAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("day", "why"),
    [
        (date(2026, 1, 1), "nieuwjaarsdag"),
        (date(2026, 4, 3), "goede vrijdag"),
        (date(2026, 4, 6), "tweede paasdag"),
        (date(2027, 3, 29), "tweede paasdag moves with the moon"),
        (date(2026, 4, 27), "koningsdag"),
        (date(2025, 5, 5), "bevrijdingsdag"),
        (date(2026, 5, 14), "hemelvaartsdag"),
        (date(2026, 5, 25), "tweede pinksterdag"),
        (date(2026, 12, 25), "eerste kerstdag"),
        (date(2026, 11, 21), "zaterdag"),
        (date(2026, 11, 22), "zondag"),
    ],
)
def test_nobody_is_at_work(day: date, why: str) -> None:
    assert not terms.is_working_day(day), why


@pytest.mark.parametrize(
    "day",
    [
        date(2026, 4, 2),  # Maundy Thursday
        date(2026, 4, 7),  # the day after Easter
        date(2025, 4, 28),  # King's Day fell on a Sunday, and was kept on Saturday the 26th
        date(2026, 12, 24),
        date(2026, 12, 28),  # the second day of Christmas fell on a Saturday: no day is given in its place
        FRIDAY,
    ],
)
def test_work_goes_on(day: date) -> None:
    assert terms.is_working_day(day)


@pytest.mark.parametrize(
    ("start", "working_days", "due"),
    [
        (FRIDAY, 0, FRIDAY),
        (FRIDAY, 1, date(2026, 11, 23)),
        (date(2026, 11, 21), 1, date(2026, 11, 23)),
        (FRIDAY, 5, date(2026, 11, 27)),
        (FRIDAY, 10, date(2026, 12, 4)),
        (date(2026, 4, 2), 1, date(2026, 4, 7)),  # Good Friday, a weekend, Easter Monday
        (date(2026, 4, 24), 1, date(2026, 4, 28)),  # a weekend and King's Day
        (date(2026, 12, 24), 3, date(2026, 12, 30)),
        (date(2026, 12, 31), 1, date(2027, 1, 4)),  # into a year with holidays of its own
    ],
)
def test_a_term_begins_on_the_day_after(start: date, working_days: int, due: date) -> None:
    assert terms.due_on(start, working_days) == due


@given(days, st.integers(1, 60))
def test_a_term_ends_on_a_working_day_and_holds_as_many_as_agreed(start: date, working_days: int) -> None:
    due = terms.due_on(start, working_days)

    between = [start + timedelta(days=each) for each in range(1, (due - start).days + 1)]
    assert terms.is_working_day(due)
    assert sum(map(terms.is_working_day, between)) == working_days


@given(days, st.integers(0, 30), st.integers(0, 30))
def test_a_term_after_a_term_is_both(start: date, one: int, other: int) -> None:
    assert terms.due_on(terms.due_on(start, one), other) == terms.due_on(start, one + other)


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (datetime(2026, 11, 20, 22, 59, 59, tzinfo=UTC), date(2026, 11, 20)),
        (datetime(2026, 11, 20, 23, tzinfo=UTC), date(2026, 11, 21)),
        (datetime(2026, 7, 1, 21, 59, 59, tzinfo=UTC), date(2026, 7, 1)),
        (datetime(2026, 7, 1, 22, tzinfo=UTC), date(2026, 7, 2)),
        (datetime(2026, 7, 2, 2, tzinfo=AMSTERDAM), date(2026, 7, 2)),
    ],
)
def test_the_day_is_that_of_amsterdam(at: datetime, day: date) -> None:
    assert day_of(at) == day


def test_a_term_is_let_pass_at_midnight_in_amsterdam() -> None:
    """The last day of a term is a whole day, in winter and in summer."""
    for midnight in (datetime(2026, 11, 20, 23, tzinfo=UTC), datetime(2026, 7, 1, 22, tzinfo=UTC)):
        due = day_of(midnight - timedelta(seconds=1))

        assert not terms.overdue(due, None, midnight - timedelta(seconds=1))
        assert terms.overdue(due, None, midnight)


def test_what_ended_in_time_stays_in_time() -> None:
    ended, long_after = datetime(2026, 11, 20, 12, tzinfo=UTC), datetime(2027, 11, 20, tzinfo=UTC)

    assert not terms.overdue(FRIDAY, ended, long_after)
    assert terms.overdue(FRIDAY, ended + timedelta(days=1), long_after)


def test_without_an_agreed_term_nothing_is_overdue() -> None:
    assert not terms.overdue(None, None, datetime(2036, 1, 1, tzinfo=UTC))
