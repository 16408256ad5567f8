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

from api.storage import binary

if TYPE_CHECKING:
    from collections.abc import Callable
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
    parts = _parts(members)
    columns = (kind.value(parts[part].get(member)) for part, member, kind in _MEMBERS.values())
    return Columns._make((*columns, _persons(members)))


def cells(leaf: bytes) -> tuple[list[bytes], list[bytes]]:
    """The same as they are written: a cell for each of `COLUMNS`, and one for each person.

    Without the values between, which cost as much again: every entry goes through here.
    """
    members = content(leaf)
    parts = _parts(members)
    return (
        [cell(parts[part].get(member)) for part, member, cell in _CELLS],
        [binary.uuid(person) for person in _persons(members)],
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


def _words(values: tuple[str, ...]) -> tuple[str, ...] | None:
    """Those that can be looked for; None when there are none."""
    found = [value for value in values if _text(value) is not None and SEPARATOR not in value]
    return tuple(found[:_WORDS_MOST]) or None


def _listed(value: Any) -> tuple[str, ...]:  # noqa: ANN401 - JSON
    return tuple([each for each in _list(value) if isinstance(each, str)])


def _named(value: Any) -> tuple[str, ...]:  # noqa: ANN401 - JSON
    return tuple(_members(value))


def _list_words(value: Any) -> tuple[str, ...] | None:  # noqa: ANN401 - JSON
    return _words(_listed(value))


def _key_words(value: Any) -> tuple[str, ...] | None:  # noqa: ANN401 - JSON
    return _words(_named(value))


def _persons(members: dict[str, Any]) -> frozenset[UUID]:
    one, more = _uuid(members.get("person")), _list(members.get("persons"))
    alone = _NOBODY if one is None else frozenset((one,))
    return alone.union(found for value in more if (found := _uuid(value)) is not None) if more else alone


def _uuid(value: Any) -> UUID | None:  # noqa: ANN401 - JSON
    try:
        # The driver's own UUID is made eight times as fast as its base class, and an entry names four.
        return pgproto.UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _instant(value: Any) -> datetime | None:  # noqa: ANN401 - JSON
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


# What words repeat from entry to entry is made ready once.


@lru_cache(4_096)
def _word_cell(value: str | None) -> bytes:
    return binary.text(value)


@lru_cache(4_096)
def _words_cell(values: tuple[str, ...]) -> bytes:
    return binary.texts(_words(values))


class _Kind(NamedTuple):
    """How a member is read, and how what was read is written."""

    value: Callable[[Any], Any]
    cell: Callable[[Any], bytes]


def _text_cell(value: Any) -> bytes:  # noqa: ANN401 - JSON
    return _word_cell(_text(value))  # in this order: what is too long is not remembered


def _uuid_cell(value: Any) -> bytes:  # noqa: ANN401 - JSON
    return binary.uuid(_uuid(value))


def _instant_cell(value: Any) -> bytes:  # noqa: ANN401 - JSON
    return binary.instant(_instant(value))


def _list_cell(value: Any) -> bytes:  # noqa: ANN401 - JSON
    return _words_cell(_listed(value))


def _keys_cell(value: Any) -> bytes:  # noqa: ANN401 - JSON
    return _words_cell(_named(value))


_TEXT: Final = _Kind(_text, _text_cell)
_UUID: Final = _Kind(_uuid, _uuid_cell)
_AT: Final = _Kind(_instant, _instant_cell)
_LIST: Final = _Kind(_list_words, _list_cell)
_KEYS: Final = _Kind(_key_words, _keys_cell)

_TOP, _ACTOR, _OBJECT, _ORIGIN = range(4)
_MEMBERS: Final = {
    "at": (_TOP, "at", _AT),
    "action": (_TOP, "action", _TEXT),
    "result": (_TOP, "result", _TEXT),
    "reason": (_TOP, "reason", _TEXT),
    "organisation": (_ACTOR, "organisation", _UUID),
    "kind": (_ACTOR, "kind", _TEXT),
    "client": (_ACTOR, "client", _TEXT),
    "actor": (_ACTOR, "person", _TEXT),
    "object_type": (_OBJECT, "type", _TEXT),
    "object_id": (_OBJECT, "id", _UUID),
    "purpose": (_TOP, "purpose", _TEXT),
    "request_id": (_ORIGIN, "requestId", _UUID),
    "grounds": (_TOP, "ground", _LIST),
    "categories": (_TOP, "disclosed", _KEYS),
    "withheld": (_TOP, "withheld", _KEYS),
}
"""Where each column is read from."""
_CELLS: Final = tuple((part, member, kind.cell) for part, member, kind in _MEMBERS.values())

COLUMNS: Final = tuple(_MEMBERS)


def _parts(members: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """The members, and those of the groups in them, by number."""
    return members, _members(members.get("actor")), _members(members.get("object")), _members(members.get("origin"))
