"""The search columns of a leaf. Pure, and total: whatever bytes were logged, the log goes on.

A member that is missing, of another type, or more than a column or its index can hold, is None; a leaf that is not JSON
has no columns at all. The leaf keeps what it says; only finding it by that member is lost.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import orjson
from asyncpg.pgproto import pgproto

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

_TEXT_MOST: Final = 200
"""Characters: a B-tree refuses rows of more than some 2,700 bytes."""

_WORDS_MOST: Final = 64

SEPARATOR: Final = "\x1f"
"""Stands between words where several are sent as one text: in no word."""

_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_NOTHING: Final[dict[str, Any]] = {}
_NOBODY: Final[frozenset[UUID]] = frozenset()


class Columns(NamedTuple):
    """What a leaf can be found by. `persons` are aliases."""

    at: datetime | None
    action: str | None
    result: str | None
    reason: str | None
    organisation: UUID | None
    kind: str | None
    client: str | None
    actor: str | None
    object_type: str | None
    object_id: UUID | None
    purpose: str | None
    request_id: UUID | None
    grounds: tuple[str, ...] | None
    categories: tuple[str, ...] | None
    withheld: tuple[str, ...] | None
    persons: frozenset[UUID]


def of(leaf: bytes) -> Columns:
    """Read them."""
    members = content(leaf)
    actor = _members(members.get("actor"))
    thing = _members(members.get("object"))
    origin = _members(members.get("origin"))
    return Columns(
        at=_instant(members.get("at")),
        action=_text(members.get("action")),
        result=_text(members.get("result")),
        reason=_text(members.get("reason")),
        organisation=_uuid(actor.get("organisation")),
        kind=_text(actor.get("kind")),
        client=_text(actor.get("client")),
        actor=_text(actor.get("person")),
        object_type=_text(thing.get("type")),
        object_id=_uuid(thing.get("id")),
        purpose=_text(members.get("purpose")),
        request_id=_uuid(origin.get("requestId")),
        grounds=_words(_list(members.get("ground"))),
        categories=_words(_members(members.get("disclosed"))),
        withheld=_words(_members(members.get("withheld"))),
        persons=_persons(members.get("person"), members.get("persons")),
    )


def identity(leaf: bytes) -> UUID | None:
    """The id that the entry gave itself."""
    return _uuid(content(leaf).get("id"))


def consents(leaf: bytes) -> tuple[tuple[UUID, int], ...]:
    """The consents that carried it, each with its version then."""
    each = [_members(value) for value in _list(content(leaf).get("consents"))]
    pairs = [(_uuid(one.get("id")), one.get("version")) for one in each]
    return tuple((which, version) for which, version in pairs if which is not None and isinstance(version, int))


def content(leaf: bytes) -> dict[str, Any]:
    """What the leaf says; nothing when it is not a JSON object."""
    try:
        return _members(orjson.loads(leaf))
    except orjson.JSONDecodeError:
        return _NOTHING


def _members(value: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return cast("dict[str, Any]", value) if isinstance(value, dict) else _NOTHING


def _list(value: Any) -> list[object]:  # noqa: ANN401 - JSON
    return cast("list[object]", value) if isinstance(value, list) else []


def _text(value: Any) -> str | None:  # noqa: ANN401 - JSON
    # PostgreSQL holds no NUL in a text.
    return value if isinstance(value, str) and len(value) <= _TEXT_MOST and "\x00" not in value else None


def _words(values: Iterable[Any]) -> tuple[str, ...] | None:
    """Those that are words; None when there are none."""
    given = tuple(values)
    try:
        return _known_words(given)
    except TypeError:  # a member that is itself a list or an object cannot be looked up
        return _known_words(tuple(value for value in given if isinstance(value, str)))


@lru_cache(4_096)
def _known_words(given: tuple[Any, ...]) -> tuple[str, ...] | None:
    found = [value for value in given if _text(value) is not None and SEPARATOR not in value]
    return tuple(found[:_WORDS_MOST]) or None


def _persons(one: Any, more: Any) -> frozenset[UUID]:  # noqa: ANN401 - JSON
    found = _uuid(one)
    alone = _NOBODY if found is None else frozenset((found,))
    return alone.union(_uuids(_list(more))) if more else alone


def _uuid(value: Any) -> UUID | None:  # noqa: ANN401 - JSON
    try:
        # The driver's own UUID is made eight times as fast as its base class, and an entry names four.
        return pgproto.UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _uuids(values: Iterable[Any]) -> Iterable[UUID]:
    return (found for value in values if (found := _uuid(value)) is not None)


def _instant(value: Any) -> datetime | None:  # noqa: ANN401 - JSON
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None
