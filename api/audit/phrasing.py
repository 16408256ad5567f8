"""A query written out, to stand in an entry for good: the same terms, and nothing that may not stay there.

What has a space or a quote is no word of the log, and ten digits may be a V-number. Neither finds anything, so that
neither is written into what is never erased: `written` refuses it.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from api.audit.query import Key, Pattern, Span, Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from api.audit.query import Term, Value

_WORD: Final = re.compile(r"(?!.*\d{10})[!#-+\--~]{1,200}", re.ASCII)
"""Visible, and neither a quote nor a comma."""
_LIKE: Final = re.compile(r"\\(.)|%")


def written(terms: Iterable[Term]) -> str:
    """The terms as a query that asks the same. Raises `Unreadable`, with the number of the term for a place."""
    return " ".join(_term(place, each) for place, each in enumerate(terms, 1))


def _term(place: int, term: Term) -> str:
    values = ",".join(_value(place, term.key, each) for each in term.values)
    return f"{'-' if term.negated else ''}{term.key}:{values}"


def _value(place: int, key: Key, value: Value) -> str:
    match value:
        case UUID():
            return str(value)
        case Span():
            return _span(key, value)
        case Pattern(like=like):
            return _word(place, _LIKE.sub(lambda found: found[1] or "*", like))
        case _:
            return f'"{_word(place, value)}"'


def _word(place: int, text: str) -> str:
    if not _WORD.fullmatch(text):
        raise Unreadable(place, "An export keeps its query, so each value is a word of the log, without ten digits.")
    return text


def _span(key: Key, span: Span) -> str:
    low, high = _end(span.low), _end(span.high)
    match key:
        case Key.AFTER:
            return low
        case Key.BEFORE:
            return high
        case _:
            return f"{low}..{_end(_last(span.high))}"


def _end(value: datetime | int | None) -> str:
    match value:
        case datetime():
            return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        case None:
            return ""
        case _:
            return str(value)


def _last(beyond: datetime | int | None) -> datetime | int | None:
    """The last one within."""
    match beyond:
        case datetime():
            return beyond - timedelta(microseconds=1)
        case None:
            return None
        case _:
            return beyond - 1
