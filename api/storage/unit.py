"""The unit of work: one per request, committed before the first byte of the answer leaves (design promise 2).

A unit is in one of three states:

    reading     each statement stands alone, on its own snapshot; nothing is written
    writing     a transaction is open; what was carried as a mark went first
    ended       committed, or rolled back with the survivors written

What is *carried* (the replay mark, events) goes with whatever the unit does: as CTEs of the last SELECT in a single
statement (`last`, the hot path), inside the transaction, or alone. What *concludes* it (the audit entries) goes behind
that, and is made only then: it tells what the unit did. No commit happens outside this module.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from api.errors import KetenbrugError, Overloaded, Unavailable
from api.storage.statement import Bound, combine, fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from typing import Protocol

    from api.storage.binary import Copied

    Record = asyncpg.Record

    class Source(Protocol):
        """Where a unit borrows its connection."""

        async def acquire(self) -> Any: ...  # noqa: ANN401, D102 - asyncpg's proxy
        async def release(self, connection: Any) -> None: ...  # noqa: ANN401, D102


_NOTHING: Final = Bound("SELECT 1", ())


class Lent:
    """A connection that somebody holds on to: what a unit gives back stays with them."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - asyncpg's proxy
        self._connection = connection

    async def acquire(self) -> Any:  # noqa: ANN401 - as above
        """The connection."""
        return self._connection

    async def release(self, connection: Any) -> None:  # noqa: ANN401 - as above
        """Nothing."""


class Unit:
    """What one request reads and writes. `now` is its only reading of the clock."""

    __slots__ = (
        "_carried",
        "_concluding",
        "_connection",
        "_flushed",
        "_signals",
        "_source",
        "_survivors",
        "_writing",
        "committed",
        "now",
    )

    def __init__(self, source: Source, now: datetime) -> None:
        self.now: Final = now
        self.committed: tuple[Bound, ...] = ()
        """What was carried and is committed by now, in its order. What the unit was not told of stays out."""
        self._source = source
        self._connection: Any = None
        self._writing = False
        self._carried: list[Bound] = []
        self._concluding: list[Callable[[bool], Bound]] = []
        self._flushed: list[Bound] = []
        self._survivors: list[Bound] = []
        self._signals: dict[str, type[KetenbrugError]] = {}

    def mark(self, bound: Bound, signals: Mapping[str, type[KetenbrugError]]) -> None:
        """Carry an INSERT that goes first and survives a failure.

        `signals` tells, for a constraint or column name, what its violation means.
        """
        self._carried.insert(0, bound)
        self._survivors.append(bound)
        self._signals.update(signals)

    def carry(self, bound: Bound) -> None:
        """Carry a write that is committed with whatever this unit does."""
        self._carried.append(bound)

    def conclude(self, make: Callable[[bool], Bound]) -> None:
        """Carry a write that is made when the unit ends, told whether what the unit wrote is kept."""
        self._concluding.append(make)

    async def all(self, bound: Bound) -> list[Record]:
        """Read rows."""
        return await self._fetch(bound)

    async def one(self, bound: Bound) -> Record | None:
        """Read one row, or None. More than one is a fault of ours."""
        rows = await self._fetch(bound)
        if len(rows) > 1:
            raise AssertionError("one row was expected")
        return rows[0] if rows else None

    async def run(self, bound: Bound) -> list[Record]:
        """Write. The first write opens the transaction, and what is carried by then goes into it first."""
        await self._begin()
        return await self._fetch(bound)

    async def copy(self, rows: Copied) -> None:
        """Write many rows at once."""
        await self._begin()
        name, schema = rows.table.name, rows.table.schema
        # The driver takes bytes for the name of a file.
        data = memoryview(rows.data)
        try:
            await self._connection.copy_to_table(
                name, schema_name=schema, columns=rows.columns, source=data, format="binary"
            )
        except Exception as error:
            raise meant(error) or error from error

    async def last(self, bound: Bound) -> list[Record]:
        """Read rows as the last thing this unit does: with all that is carried, in one statement that commits."""
        if self._writing:
            rows = await self._fetch(bound)
            await self.finish()
            return rows
        self._draw_conclusions(kept=True)
        rows = await self._fetch(combine(self._carried, bound))
        self._settle(self._carried)
        return rows

    async def finish(self) -> None:
        """Commit. Raises what a violated mark means, or `Unavailable`; then nothing was committed."""
        try:
            self._draw_conclusions(kept=True)
            if self._writing:
                await self._flush()
                await self._commit()
                self._settle(self._flushed)
            elif self._carried:
                await self._fetch(combine(self._carried, _NOTHING))
                self._settle(self._carried)
        finally:
            await self._give_back()

    async def decline(self) -> None:
        """End on a "no": roll back what was written, commit the marks, all that was carried, and what concludes it."""
        self._draw_conclusions(kept=False)
        kept = [*self._flushed, *self._carried]
        self._survivors.extend(each for each in kept if each not in self._survivors)
        await self.abort()

    async def abort(self, *testimony: Bound) -> None:
        """Roll back, then commit the marks and `testimony` (the entry that says it failed).

        Raises `Unavailable` if even that fails.
        """
        survivors = [*self._survivors, *testimony]
        self._forget()
        try:
            if self._writing:
                await self._fetch(Bound("ROLLBACK", ()))
                self._writing = False
            if survivors:
                await self._fetch(combine(survivors, _NOTHING))
                self._settle(survivors)
        finally:
            await self._give_back()

    def _draw_conclusions(self, *, kept: bool) -> None:
        concluding, self._concluding = self._concluding, []
        self._carried += [make(kept) for make in concluding]

    async def _begin(self) -> None:
        if self._writing:
            return
        await self._fetch(Bound("BEGIN", ()))
        self._writing = True
        await self._flush()

    async def _commit(self) -> None:
        """PostgreSQL answers a COMMIT after a failed statement with ROLLBACK, and calls that no error."""
        try:
            said = await self._connection.execute("COMMIT")
        except Exception as error:
            raise meant(error) or error from error
        self._writing = False
        if said != "COMMIT":
            raise AssertionError("a statement failed, and somebody went on")

    async def _flush(self) -> None:
        carried, self._carried = self._carried, []
        if carried:
            await self._fetch(combine(carried, _NOTHING))
            self._flushed += carried

    def _settle(self, committed: Sequence[Bound]) -> None:
        self.committed += tuple(committed)
        self._forget()

    def _forget(self) -> None:
        self._carried = []
        self._concluding = []
        self._flushed = []
        self._survivors = []

    async def _fetch(self, bound: Bound) -> list[Record]:
        if self._connection is None:
            self._connection = await self._source.acquire()
        try:
            rows: list[Record] = await fetch(self._connection, bound)
        except (asyncpg.UniqueViolationError, asyncpg.NotNullViolationError) as error:
            meaning = self._signals.get(error.constraint_name or error.column_name or "")
            if meaning is None:
                raise
            # The caller's own mark caused this: it must not be written again among the survivors.
            self._forget()
            raise meaning from None
        except Exception as error:
            meaning_of_all = meant(error)
            if meaning_of_all is None:
                raise
            raise meaning_of_all from error
        return rows

    async def _give_back(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._writing:
            # Neither committed nor rolled back: the server must not keep it open, so the connection is dropped.
            self._writing = False
            with suppress(asyncpg.InterfaceError):  # it broke, and the pool has it back already
                connection.terminate()
        await self._source.release(connection)


def meant(error: Exception) -> KetenbrugError | None:
    """What a driver's error means to a caller, or None when it is a fault of ours."""
    match error:
        case (
            asyncpg.TooManyConnectionsError()
            | asyncpg.DeadlockDetectedError()
            | asyncpg.SerializationError()
            | asyncpg.LockNotAvailableError()
        ):
            return Overloaded()
        case (
            asyncpg.QueryCanceledError()
            | asyncpg.PostgresConnectionError()
            | asyncpg.OperatorInterventionError()
            | asyncpg.InsufficientResourcesError()
            | asyncpg.InterfaceError()
            | asyncpg.InternalClientError()
            | asyncpg.ReadOnlySQLTransactionError()  # a node that was demoted: another one writes now
            | OSError()
        ):
            return Unavailable("database")
        case _:
            return None
