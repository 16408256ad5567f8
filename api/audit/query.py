"""The query language of the log (zoektaal): from a line of text to terms. Pure: no clock, no SQL, no input in an error.

    query   = terms, separated by spaces; all of them must hold
    term    = ["-"] key ":" value *("," value)          "-" turns it round; after a comma stands an alternative
    value   = characters but space, comma and quote, in which "*" stands for anything; or "anything, between quotes"
    range   = [low] ".." [high]                         of `at` and `seq`; both ends are included

    actor client    who acted: the acting person as the client named them, the client
    org             the organisation by its id, or a kind of organisation: ngo, ind …
    person          whom it is about, by the alias in this log; also one of many
    action object   what was done, and to which type of thing, or to which one by its id
    purpose ground  why, and on which legal ground
    result reason   how it ended, and why it was refused
    category        a category that was disclosed; `withheld`: one that was not
    request         the `Request-Id` of an answer
    after before at instants (RFC 3339) or days in UTC: from `after` on, until just before `before`, `at` within
    seq             places in the log
    signal          a rule that found something at this entry

A word that nothing has finds nothing; a key that does not exist is refused, with those that do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar
from uuid import UUID

from api.vocabulary import Party

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T", datetime, int)

LENGTH_MOST: Final = 1_000
TERMS_MOST: Final = 20
VALUES_MOST: Final = 20


class Key(StrEnum):
    """What can be asked for."""

    ACTOR = "actor"
    CLIENT = "client"
    ORG = "org"
    PERSON = "person"
    ACTION = "action"
    OBJECT = "object"
    PURPOSE = "purpose"
    GROUND = "ground"
    RESULT = "result"
    REASON = "reason"
    CATEGORY = "category"
    WITHHELD = "withheld"
    REQUEST = "request"
    AFTER = "after"
    BEFORE = "before"
    AT = "at"
    SEQ = "seq"
    SIGNAL = "signal"


@dataclass(frozen=True, slots=True)
class Pattern:
    """Text in which something stands for anything. `like`: as SQL writes it, with a backslash before what is meant."""

    like: str


@dataclass(frozen=True, slots=True)
class Span:
    """From `low` on, to below `high`. None is open."""

    low: datetime | int | None
    high: datetime | int | None


Value: TypeAlias = str | UUID | Pattern | Span


@dataclass(frozen=True, slots=True)
class Term:
    """One condition: the key has one of these values, or with `negated` none of them."""

    key: Key
    values: tuple[Value, ...]
    negated: bool = False


class Unreadable(ValueError):
    """The query cannot be read. `args[0]` says why, without any of it; `place` is where, counted from 1."""

    def __init__(self, place: int, why: str) -> None:
        super().__init__(why)
        self.place = place


_TOKEN: Final = re.compile(r'\s*(?P<minus>-?)(?P<key>[A-Za-z]+):(?P<values>(?:"[^"]*"|[^\s"])+)(?=\s|$)|\s+$')
_VALUE: Final = re.compile(r'"(?P<quoted>[^"]*)"|(?P<bare>[^,"]+)')
_VALUES: Final = re.compile(r'("[^"]*"|[^,"]+)(,("[^"]*"|[^,"]+))*')
_IDS: Final = frozenset({Key.PERSON, Key.REQUEST})
_SPANS: Final = frozenset({Key.AFTER, Key.BEFORE, Key.AT, Key.SEQ})
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_UNSTORABLE: Final = re.compile(r"[\x00\ud800-\udfff]")
"""What no text in PostgreSQL has."""
_NUMBER: Final = re.compile(r"\d{1,15}", re.ASCII)


def parse(text: str) -> tuple[Term, ...]:
    """The terms of a query. Raises `Unreadable`."""
    if len(text) > LENGTH_MOST:
        raise Unreadable(LENGTH_MOST + 1, f"A query has at most {LENGTH_MOST} characters.")
    terms = tuple(_terms(text))
    if len(terms) > TERMS_MOST:
        raise Unreadable(len(text), f"A query has at most {TERMS_MOST} terms.")
    return terms


def _terms(text: str) -> Iterator[Term]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or _UNSTORABLE.search(match[0]):
            raise Unreadable(at + 1, "Write terms as key:value, with quotes round a value that has a space or a comma.")
        if match["key"] is not None:
            yield _term(match)
        at = match.end()


def _term(match: re.Match[str]) -> Term:
    place = match.start("key") + 1
    try:
        key = Key(match["key"].lower())
    except ValueError:
        raise Unreadable(place, f"There is no such key; there are: {', '.join(Key)}.") from None
    values = tuple(_value(key, each, match.start("values") + 1) for each in _split(match))
    return Term(key, values, negated=bool(match["minus"]))


def _split(match: re.Match[str]) -> list[re.Match[str]]:
    found = list(_VALUE.finditer(match["values"])) if _VALUES.fullmatch(match["values"]) else []
    if not 0 < len(found) <= VALUES_MOST:
        why = f"After the colon stand 1 to {VALUES_MOST} values with a comma between them."
        raise Unreadable(match.start("values") + 1, why)
    return found


def _value(key: Key, match: re.Match[str], place: int) -> Value:
    quoted, bare = match["quoted"], match["bare"]
    text = bare if quoted is None else quoted
    if key in _SPANS:
        return _span(key, text, place)
    is_id = _ID.fullmatch(text) is not None
    if key in _IDS and not is_id:
        raise Unreadable(place, f"The value of {key} is a UUID.")
    if key is Key.ORG and not is_id and text not in set(Party):
        raise Unreadable(place, f"The value of org is a UUID, or one of: {', '.join(Party)}.")
    if is_id and (key in _IDS or key in {Key.ORG, Key.OBJECT}):
        return UUID(text)
    return Pattern(_like(text)) if quoted is None and "*" in text else text


def _like(text: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", text).replace("*", "%")


def _span(key: Key, text: str, place: int) -> Span:
    try:
        return _range(text, _number, _next) if key is Key.SEQ else _time(key, text)
    except (ValueError, OverflowError):
        what = "a number, or two with .. between" if key is Key.SEQ else "a day as 2026-11-24, or an instant with zone"
        raise Unreadable(place, f"The value of {key} is {what}.") from None


def _time(key: Key, text: str) -> Span:
    match key:
        case Key.AFTER:
            return Span(_first(text), None)
        case Key.BEFORE:
            return Span(None, _first(text))
        case _:
            return _range(text, _first, _beyond)


def _range(text: str, first: Callable[[str], T], beyond: Callable[[str], T]) -> Span:
    """One value, or from one to another; either may be left open. Raises `ValueError` or `OverflowError`."""
    low, dots, high = text.partition("..")
    if not dots:
        high = low
    if not low and not high:
        raise ValueError
    return Span(first(low) if low else None, beyond(high) if high else None)


def _first(text: str) -> datetime:
    """The instant in UTC, or the first one of the day. Raises `ValueError`; `OverflowError` outside the calendar."""
    if _DAY.fullmatch(text):
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    if not _INSTANT.fullmatch(text):
        raise ValueError
    return datetime.fromisoformat(text).astimezone(UTC)


def _beyond(text: str) -> datetime:
    """The first instant that is no longer within. Raises as `_first`."""
    step = timedelta(days=1) if _DAY.fullmatch(text) else timedelta(microseconds=1)
    return _first(text) + step


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError
    return int(text)


def _next(text: str) -> int:
    return _number(text) + 1
