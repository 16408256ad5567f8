"""Rows in the binary form of COPY (PostgreSQL's manual, COPY, "Binary Format"), made where and when the caller likes.

The driver makes them too, but on the event loop and while it sends, and asks of each word of an array what it is:
measured, four times the time of a cell that is made here, and none that is made once and remembered by the caller.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from sqlalchemy import Table

NULL: Final = b"\xff\xff\xff\xff"

_HEAD: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TAIL: Final = b"\xff\xff"
_OF_TEXT: Final = 25
"""The OID of text, which an array names."""
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
    """How rows for these columns of this table are put together. Made once, beside the table."""

    __slots__ = ("_begin", "columns", "table")

    def __init__(self, table: Table, columns: Sequence[str]) -> None:
        self.table: Final = table
        self.columns: Final = tuple(table.c[name].name for name in columns)
        self._begin = _count(len(self.columns))

    def __call__(self, rows: Iterable[bytes]) -> Copied:
        """Put rows that were made by `row` together."""
        return Copied(self.table, self.columns, b"".join((_HEAD, *rows, _TAIL)))

    def row(self, *cells: bytes) -> bytes:
        """A row of its cells, in the order of `columns`. The server refuses one with too few or too many.

        Bytes, unlike tuples, are nothing that the garbage collector goes through.
        """
        return self._begin + b"".join(cells)


def text(value: str | None) -> bytes:
    """A cell of type text."""
    return NULL if value is None else data(value.encode())


def texts(values: Sequence[str] | None) -> bytes:
    """A cell of type text[]."""
    if values is None:
        return NULL
    # Dimensions, whether one is NULL, of what, how many, the first index; of an empty one only the first three.
    head = _array(1, 0, _OF_TEXT, len(values), 1) if values else _array(0, 0, _OF_TEXT, 0, 0)[:12]
    return data(head + b"".join(map(text, values)))


def data(value: bytes | None) -> bytes:
    """A cell of type bytea."""
    return NULL if value is None else _length(len(value)) + value


def uuid(value: UUID | None) -> bytes:
    """A cell of type uuid."""
    return NULL if value is None else b"\0\0\0\x10" + value.bytes


def bigint(value: int | None) -> bytes:
    """A cell of type bigint."""
    return NULL if value is None else _eight(8, value)


def instant(value: datetime | None) -> bytes:
    """A cell of type timestamptz."""
    return NULL if value is None else _eight(8, (value - _EPOCH) // _MICROSECOND)
