"""A log in PostgreSQL, as the application writes it and as somebody with more rights damages it."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson

from api import settings
from api.audit import log, sequencer
from api.audit.checkpoint import Signer
from api.audit.standing import BATCH
from api.errors import LogStopped
from api.storage.statement import fetch
from tests.audit_kit import ORIGIN

if TYPE_CHECKING:
    from api.storage.statement import Bound
    from tests import servers

SEED = bytes(range(32))
SIGNER = Signer.from_seeds(ORIGIN, SEED, SEED, settings.now)
APPEND = log._APPEND.sql


def leaf(**members: Any) -> bytes:
    """A leaf that is like no other."""
    return orjson.dumps({"v": 1, "id": secrets.token_hex(8), "action": "tests.append"} | members)


async def append(connection: Any, count: int) -> list[bytes]:
    """Commit leaves, in one transaction."""
    leaves = [leaf(n=n) for n in range(count)]
    await connection.executemany(APPEND, [(each,) for each in leaves])
    return leaves


async def turn_page(connection: Any, month: int) -> None:
    """Turn to the page of this month of 2020, as the workers of two minutes do."""
    for _ in range(2):
        await connection.execute("SELECT audit.turn_page($1)", datetime(2020, month, 1, tzinfo=UTC))


class MemoryGuard:
    """Keeps the last signed head as long as the test runs. `refuses` is what it raises instead, when it is told to."""

    def __init__(self, note: str | None = None) -> None:
        self.note = note
        self.refuses: Exception | None = None

    async def last(self) -> str | None:
        """The note."""
        return self.note

    async def advance(self, before: str | None, after: str) -> None:
        """Keep it."""
        if self.refuses is not None:
            raise self.refuses
        if self.note != before:
            raise LogStopped("guard-moved")
        self.note = after


_GUARDS: dict[str, MemoryGuard] = {}


async def guard_of(connection: Any) -> MemoryGuard:
    """The guard of the log in this database: one for all who lead it in this test run."""
    return _GUARDS.setdefault(await connection.fetchval("SELECT current_database()"), MemoryGuard())


async def take_up(connection: Any, signer: Signer = SIGNER) -> sequencer.Standing:
    """Take the log up with its guard."""
    return await sequencer.take_up(connection, signer, await guard_of(connection))


async def integrate(
    connection: Any, standing: sequencer.Standing, most: int = BATCH, signer: Signer = SIGNER
) -> tuple[sequencer.Standing, int]:
    """Integrate one batch."""
    return await sequencer.integrate(connection, standing, signer, await guard_of(connection), most)


async def settle(connection: Any, most: int = BATCH, signer: Signer = SIGNER) -> sequencer.Standing:
    """Integrate until nothing is left."""
    standing = await take_up(connection, signer)
    taken = 1
    while taken:
        standing, taken = await integrate(connection, standing, most, signer)
    return standing


class Rows:
    """Reads on a connection, as a unit of work does."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def all(self, bound: Bound) -> list[Any]:
        """Rows."""
        return await fetch(self._connection, bound)


async def tamper(database: servers.Database, sql: str) -> None:
    """Do what the triggers forbid, as a superuser who takes them away."""
    superuser: Any = await asyncpg.connect(database.superuser_url)
    async with superuser.transaction():
        pages = await superuser.fetch("SELECT relid::regclass::text AS name FROM pg_partition_tree('audit.entry')")
        tables = [f"audit.{name}" for name in ("leaf", "tile", "checkpoint", "generation")]
        for table in (*tables, *(page["name"] for page in pages)):
            await superuser.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        await superuser.execute(sql)
    await superuser.close()
