"""The row seal: an authenticator over the sealed columns of a row, so that none can be nulled, rolled back or moved.

    seal    := key version (2, big endian) | first 30 bytes of HMAC-SHA-256(seal key, message)
    message := "ketenbrug/row/1" | lp(table) | row (16) | person (16) | number of bound columns (2)
               | for each bound column in order of its name:  lp(name) | value
               | for each sealed column in order of its name: lp(name) | 0x00, or 0x01 | trace (32)
    trace   := first 16 bytes of the envelope (header, nonce) | its last 16 (tag)
    value   := 0x00, or 0x01 | lp(the bytes, those of a UUID, or a number, text or instant in UTF-8),
               or 0x02 | count (2) | each value, of a list

The same over a set of rows that belong to one (`SealedSet`), with their names in place of columns.

An envelope proves its own place; it does not prove that it is the latest, nor that its neighbours are. The seal does,
from traces alone: to check it nobody needs the ciphertext of a column that they may not open. *Bound* columns are clear
and never change: they decide whose the row is. A row that is rolled back whole, seal included, still holds; then its
seal is not the one that the audit log named last (docs/how/threat-model.md).
"""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from sqlalchemy import func, literal_column

from api.storage.base import Envelope

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

    from sqlalchemy import Column, ColumnElement, FromClause, Table


class Selected(Protocol):
    """A row as the driver gives it."""

    def __getitem__(self, name: str, /) -> Any: ...  # noqa: ANN401 - what the driver gives


SEAL: Final = "seal"
_FORMAT: Final = b"ketenbrug/row/1"
_EDGE: Final = 16


class SealedRow:
    """How the rows of one table are sealed: every `sealed` column, and the clear ones that are bound to them.

    `through`: the columns by which a row finds its person, nearest first; none when it has a `person_id` or is the
    person.
    """

    __slots__ = ("bound", "columns", "steps", "table", "through")

    def __init__(self, table: Table, *bound: str, through: Iterable[Column[Any]] = ()) -> None:
        self.table: Final = table
        self.steps: Final = _steps(table)
        self.columns: Final = tuple(self.steps)
        self.bound: Final = bound
        self.through: Final = tuple(through)
        table.info[SealedRow] = self

    def __repr__(self) -> str:
        return f"<SealedRow {self.table.name}>"

    def selected(self, *whole: str, **instead: ColumnElement[Any]) -> tuple[ColumnElement[Any], ...]:
        """What a statement selects so that `Vault.open_row` can open the columns in `whole`; of others their traces.

        `instead` replaces a column by an expression that gives the envelope or its trace.
        """
        traced = {name: trace(self.table.c[name]) for name in self.columns if name not in whole}
        given = {**{name: self.table.c[name] for name in whole}, **traced, **instead}
        clear = {name: self.table.c[name] for name in ("id", *self.bound, SEAL)}
        return tuple(column.label(self._label(name)) for name, column in {**given, **clear}.items())

    def row(self, record: Selected) -> UUID:
        """The id in what `selected` gave."""
        return uuid.UUID(bytes=record[self._label("id")].bytes)

    def value(self, record: Selected, column: str) -> Any:  # noqa: ANN401 - what the driver gives
        """A column in what `selected` gave: an envelope, its trace or NULL; or the seal."""
        return record[self._label(column)]

    def bound_in(self, record: Selected) -> dict[str, Any]:
        """The bound columns in what `selected` gave."""
        return {name: record[self._label(name)] for name in self.bound}

    def _label(self, name: str) -> str:
        return f"{self.table.name}_{name}"


class SealedSet:
    """Rows of one table that are sealed as one on the row that they belong to: none goes, comes, or takes a place.

    A member is named by its column `by`, and its envelope is sealed to `content/name`: who may read it hangs on the
    name.
    """

    __slots__ = ("bound", "by", "content", "members", "step", "table", "through")

    def __init__(
        self, table: Table, members: Table, *bound: str, by: str, content: str, through: Iterable[Column[Any]] = ()
    ) -> None:
        self.table: Final = table
        self.members: Final = members
        self.bound: Final = bound
        self.by: Final = by
        self.content: Final = content
        self.step: Final = _steps(members)[content]
        self.through: Final = tuple(through)
        table.info[SealedSet] = self

    def __repr__(self) -> str:
        return f"<SealedSet {self.table.name}>"

    def column(self, name: str) -> str:
        """Where the content of a member is sealed to."""
        return f"{self.content}/{name}"

    def selected(self) -> tuple[ColumnElement[Any], ...]:
        """What a statement selects of the row that they belong to, so that `Vault.check_set` can check the seal."""
        clear = {name: self.table.c[name] for name in ("id", *self.bound, SEAL)}
        return tuple(column.label(f"{self.table.name}_{name}") for name, column in clear.items())

    def bound_in(self, record: Selected) -> dict[str, Any]:
        """The bound columns in what `selected` gave."""
        return {name: record[f"{self.table.name}_{name}"] for name in self.bound}


def source_of(kind: SealedRow | SealedSet) -> FromClause:
    """The table joined to those that lead to its person."""
    joined: FromClause = kind.table
    for column in kind.through:
        joined = joined.join(_reached(column).table, column == _reached(column))
    return joined


def person_of(kind: SealedRow | SealedSet) -> ColumnElement[Any]:
    """The column of `source_of` that names the person."""
    last = _reached(kind.through[-1]).table if kind.through else kind.table
    return last.c.get("person_id", last.c["id"])


def _reached(column: Column[Any]) -> Column[Any]:
    """What a column refers to."""
    (link,) = column.foreign_keys
    return link.column


def digest(seal: bytes) -> bytes:
    """What the log names a seal by: it tells two seals apart, and helps nobody to make one."""
    return hashlib.sha256(seal).digest()


def named(table: Table, row: UUID) -> str:
    """What the log calls a row: TABLE/ID."""
    return f"{table.fullname}/{row}"


def trace(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The trace of an envelope, computed where it lies."""
    head = func.substring(column, literal_column("1"), literal_column(str(_EDGE)))
    return head.op("||")(func.substring(column, func.octet_length(column) - literal_column(str(_EDGE - 1))))


def trace_of(value: bytes | None) -> bytes | None:
    """The trace of an envelope; a trace is its own."""
    return None if value is None else value[:_EDGE] + value[-_EDGE:]


def message(
    table: str, row: UUID, person: bytes, bound: Mapping[str, Any], traces: Mapping[str, bytes | None]
) -> bytes:
    """What is authenticated."""
    parts = [_FORMAT, _sized(table.encode()), row.bytes, person, len(bound).to_bytes(2, "big")]
    for name in sorted(bound):
        parts += (_sized(name.encode()), _present(bound[name]))
    for name in sorted(traces):
        held = traces[name]
        parts += (_sized(name.encode()), b"\x00" if held is None else b"\x01" + held)
    return b"".join(parts)


def _steps(table: Table) -> dict[str, int]:
    """The sealed columns of a table, and of what their values are lengthened to a multiple (`api.crypto.padding`)."""
    return {column.name: column.type.step for column in table.c if isinstance(column.type, Envelope)}


def _present(value: Any) -> bytes:  # noqa: ANN401 - a clear value of the driver
    match value:
        case None:
            return b"\x00"
        case uuid.UUID():
            return b"\x01" + _sized(value.bytes)
        case bytes():
            return b"\x01" + _sized(value)
        case int() | str():
            return b"\x01" + _sized(str(value).encode())
        case datetime():
            return b"\x01" + _sized(value.astimezone(UTC).isoformat().encode())
        case [*each]:
            return b"\x02" + len(each).to_bytes(2, "big") + b"".join(_present(one) for one in each)
        case _:
            raise TypeError("no column of ours holds this")


def _sized(part: bytes) -> bytes:
    return len(part).to_bytes(2, "big") + part
