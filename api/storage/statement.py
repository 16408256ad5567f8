"""A Core statement, compiled once for the asyncpg dialect: no engine and no ORM at run time (ADR 0002)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import ClauseElement, Insert
from sqlalchemy.dialects.postgresql import asyncpg

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.sql.compiler import SQLCompiler

_DIALECT: Final = asyncpg.dialect()  # type: ignore[no-untyped-call]
_MISSING: Final = object()
_PLACE: Final = re.compile(r"\$(\d+)")


@dataclass(frozen=True, slots=True)
class Bound:
    """A statement with its arguments, ready to run. The arguments stay out of repr: they may be personal data.

    `afresh`: planned for these very arguments each time, instead of once for all that may come. It costs a round trip.
    """

    sql: str
    args: tuple[Any, ...] = field(repr=False)
    afresh: bool = False


class Statement:
    """Compiled text and, for each place, where its value comes from. Call it with the values to get a `Bound`."""

    __slots__ = ("_afresh", "_places", "sql")

    def __init__(self, core: ClauseElement, columns: Sequence[str] | None = None, *, afresh: bool = False) -> None:
        if isinstance(core, Insert):
            core = core.inline()
        named: dict[str, Any] = {"column_keys": list(columns)} if columns else {}
        compiled = cast("SQLCompiler", core.compile(dialect=_DIALECT, **named))
        self.sql: Final = str(compiled)
        self._afresh: Final = afresh
        self._places: Final = tuple(self._place(compiled, name) for name in compiled.positiontup or ())

    @staticmethod
    def _place(compiled: SQLCompiler, name: str) -> tuple[str, Any, Callable[[Any], Any] | None]:
        bind = compiled.binds[name]
        default = _MISSING if bind.required else bind.effective_value
        return bind.key, default, bind.type.dialect_impl(_DIALECT).bind_processor(_DIALECT)

    def __call__(self, **values: Any) -> Bound:  # noqa: ANN401 - the driver's values
        """Bind: every value that is not written in the statement is given. Raises `PlaintextRefused`."""
        args: list[Any] = []
        for key, default, process in self._places:
            value = values.get(key, default)
            if value is _MISSING:
                raise TypeError(key)
            args.append(value if process is None else process(value))
        return Bound(self.sql, tuple(args), self._afresh)


def statement(core: ClauseElement, *columns: str, afresh: bool = False) -> Statement:
    """Compile. For an INSERT, `columns` names the columns that the caller gives; `afresh` as in `Bound`."""
    return Statement(core, columns or None, afresh=afresh)


async def fetch(connection: Any, bound: Bound) -> list[Any]:  # noqa: ANN401 - asyncpg's proxy
    """Run it on a connection. What is fetched by its text alone is prepared once, and then planned once."""
    if bound.afresh:
        return list(await (await connection.prepare(bound.sql)).fetch(*bound.args))
    return list(await connection.fetch(bound.sql, *bound.args))


@lru_cache(maxsize=512)
def _combined(parts: tuple[tuple[str, int], ...]) -> str:
    *carried, (last, _) = parts
    texts: list[str] = []
    shift = 0
    for number, (sql, count) in enumerate(carried):
        texts.append(f"carried_{number} AS ({_shifted(sql, shift)})")
        shift += count
    # PostgreSQL runs data-modifying CTEs that nobody reads from last to first.
    return f"WITH {', '.join(reversed(texts))} {_shifted(last, shift)}"


def _shifted(sql: str, by: int) -> str:
    return _PLACE.sub(lambda place: f"${int(place[1]) + by}", sql)


def combine(carried: Sequence[Bound], last: Bound) -> Bound:
    """Make one statement of INSERTs and a final SELECT, so that they share one snapshot, one round trip and one commit.

    The final SELECT must not begin with a WITH of its own.
    """
    if not carried:
        return last
    parts = (*carried, last)
    sql = _combined(tuple((part.sql, len(part.args)) for part in parts))
    return Bound(sql, tuple(arg for part in parts for arg in part.args))
