"""Weeks as people name them."""

from __future__ import annotations

from datetime import date

import pytest

from api.cli import digest


@pytest.mark.parametrize(
    ("week", "monday"),
    [("2026-W47", date(2026, 11, 16)), ("2026-W01", date(2025, 12, 29)), (None, date(2026, 11, 16))],
)
def test_a_week_begins_on_a_monday(week: str | None, monday: date) -> None:
    assert digest.monday(week, date(2026, 11, 25)) == monday


@pytest.mark.parametrize("week", ["47", "2026-W54", "2026-W00", "last"])
def test_what_is_no_week_is_refused(week: str) -> None:
    with pytest.raises(ValueError, match=r"week"):
        digest.monday(week, date(2026, 11, 25))
