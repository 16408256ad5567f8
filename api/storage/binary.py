"""Rows in the binary form of COPY (PostgreSQL's manual, COPY, "Binary Format"), made where and when the caller likes.

The driver makes them too, but on the event loop and while it sends, and asks of each word of an array what it is:
measured, 20 against 5 microseconds for a row of search columns. What words repeat are remembered.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from sqlalchemy import ARRAY, BigInteger, DateTime, LargeBinary, Text, Uuid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from uuid import UUID

    from sqlalchemy import Table
    from sqlalchemy.types import TypeEngine

    Cell = Callable[[Any], bytes]

_HEAD: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TAIL: Final = b"\xff\xff"
_NULL: Final = b"\xff\xff\xff\xff"
_OF_TEXT: Final = 25
"""The OID of text, which an array names."""
_REMEMBERED: Final = 4_096

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

_length: Final = struct.Struct("!i").pack
_count: Final = struct.Struct("!h").pack
_eight: Final = struct.Struct("!iq").pack
_array: Final = struct.Struct("!iiiii").pack


class Copied(NamedTuple):
    """Rows for these columns of this table, as they are sent."""

    table: Table
    columns: tuple[str, ...]
    data: bytes


class Form:
    """How rows for these columns of this table are written. Made once, beside the table."""

    __slots__ = ("_begin", "_cells", "columns", "table")

    def __init__(self, table: Table, columns: Sequence[str]) -> None:
        self.table: Final = table
        self.columns: Final = tuple(columns)
        self._begin = _count(len(self.columns))
        self._cells = tuple(_cell(name, table.c[name].type) for name in self.columns)

    def __call__(self, rows: Iterable[bytes]) -> Copied:
        """Put rows that were made by `row` together."""
        return Copied(self.table, self.columns, b"".join((_HEAD, *rows, _TAIL)))

    def row(self, *values: Any) -> bytes:  # noqa: ANN401 - of the types of the columns, in the order of `columns`
        """Write one. Bytes, unlike tuples, are nothing that the garbage collector goes through."""
        return self._begin + b"".join([cell(value) for cell, value in zip(self._cells, values, strict=True)])


@lru_cache(_REMEMBERED)
def _text(value: str | None) -> bytes:
    return _NULL if value is None else _bytes(value.encode())


@lru_cache(_REMEMBERED)
def _texts(values: tuple[str, ...] | None) -> bytes:
    if values is None:
        return _NULL
    # Dimensions, whether one is NULL, of what, how many, the first index; of an empty one only the first three.
    head = _array(1, 0, _OF_TEXT, len(values), 1) if values else _array(0, 0, _OF_TEXT, 0, 0)[:12]
    return _bytes(head + b"".join(_text(value) for value in values))


def _bytes(value: bytes | None) -> bytes:
    return _NULL if value is None else _length(len(value)) + value


def _uuid(value: UUID | None) -> bytes:
    return _NULL if value is None else b"\0\0\0\x10" + value.bytes


def _bigint(value: int | None) -> bytes:
    return _NULL if value is None else _eight(8, value)


def _instant(value: datetime | None) -> bytes:
    return _NULL if value is None else _eight(8, (value - _EPOCH) // _MICROSECOND)


_CELLS: Final[tuple[tuple[type[TypeEngine[Any]], Cell], ...]] = (
    (BigInteger, _bigint),
    (DateTime, _instant),
    (LargeBinary, _bytes),
    (Text, _text),
    (Uuid, _uuid),
)


def _cell(name: str, of: Any) -> Cell:  # noqa: ANN401 - the type of a column
    if isinstance(of, ARRAY) and isinstance(cast("Any", of).item_type, Text):
        return _texts
    for kind, cell in _CELLS:
        if isinstance(of, kind):
            return cell
    raise TypeError("no binary form is known for the column", name)
