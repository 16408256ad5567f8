"""One asyncpg pool per process, with limits that answer instead of queueing without end."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import orjson

from api.errors import Overloaded, Unavailable
from api.storage.unit import Unit

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from datetime import datetime

STATEMENT_MS: Final = 5_000
LOCK_MS: Final = 2_000
IDLE_IN_TRANSACTION_MS: Final = 10_000


async def _prepare(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    for name in ("json", "jsonb"):
        # SQLAlchemy's bind processors write the JSON text, so only reading needs work here.
        await connection.set_type_codec(name, encoder=str, decoder=orjson.loads, schema="pg_catalog")


async def _as_it_is(_connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Nothing here sets session state on a pooled connection, so the reset query (a round trip) has nothing to undo."""


class Database:
    """The pool and what comes of it: units of work for requests, connections for background work."""

    __slots__ = ("_pool", "_wait")

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], wait: float) -> None:
        self._pool = pool
        self._wait = wait

    @classmethod
    async def open(cls, url: str, *, size: int = 10, wait: float = 2.0) -> Database:
        """Connect. `size` is the most connections held, `wait` the seconds a request waits for one before 503.

        Raises `Unavailable` when the database does not answer.
        """
        try:
            pool = await asyncpg.create_pool(
                url,
                min_size=1,
                max_size=size,
                init=_prepare,
                reset=_as_it_is,
                command_timeout=STATEMENT_MS / 1000 + 1,
                server_settings={
                    "application_name": "ketenbrug",
                    "statement_timeout": str(STATEMENT_MS),
                    "lock_timeout": str(LOCK_MS),
                    "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_MS),
                    # A host that is gone without a word would keep its sessions and their locks for hours.
                    "tcp_keepalives_idle": "30",
                    "tcp_keepalives_interval": "10",
                    "tcp_keepalives_count": "3",
                    "synchronous_commit": "on",  # a receipt must never be signed for an entry that can vanish
                    "default_transaction_isolation": "read committed",
                },
            )
        except (OSError, asyncpg.PostgresError, TimeoutError) as error:
            raise Unavailable("database") from error
        return cls(pool, wait)

    def unit(self, now: datetime) -> Unit:
        """Begin a unit of work for one request. `now` is its one reading of the clock."""
        return Unit(self, now)

    async def acquire(self) -> Any:  # noqa: ANN401 - asyncpg's proxy is the connection to everybody but the type checker
        """Borrow a connection. Raises `Overloaded` when none is free in time, `Unavailable` when none can be made."""
        try:
            return await self._pool.acquire(timeout=self._wait)
        except TimeoutError as error:
            raise Overloaded from error
        except asyncpg.TooManyConnectionsError as error:
            raise Overloaded from error
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise Unavailable("database") from error

    async def release(self, connection: Any) -> None:  # noqa: ANN401 - as above
        """Give a connection back."""
        await self._pool.release(connection)

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Any]:
        """Borrow a connection for background work."""
        connection = await self.acquire()
        try:
            yield connection
        finally:
            await self.release(connection)

    async def close(self) -> None:
        """Close every connection, waiting for those at work for at most 5 seconds."""
        try:
            async with asyncio.timeout(5):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()
