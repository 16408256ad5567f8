"""The pool answers when it cannot serve: no capacity now, or nothing there. It never queues without end."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from api.errors import Overloaded, Unavailable
from api.storage.pool import Database
from api.storage.statement import Bound

if TYPE_CHECKING:
    from tests import servers

NOW: Final = datetime(2026, 11, 24, 12, tzinfo=UTC)


async def test_when_all_connections_are_lent_the_next_is_told_so(database: servers.Database) -> None:
    """503 with Retry-After, after a wait that is known."""
    pool = await Database.open(database.app_url, size=1, wait=0.05)
    async with pool.connection():
        unit = pool.unit(NOW)
        with pytest.raises(Overloaded) as told:
            await unit.all(Bound("SELECT 1", ()))
        await unit.abort()

    assert told.value.retry_after >= 1
    after = pool.unit(NOW)
    assert len(await after.last(Bound("SELECT 1", ()))) == 1, "it was given back"
    await after.finish()
    await pool.close()


async def test_a_waiting_request_gets_what_is_given_back(database: servers.Database) -> None:
    pool = await Database.open(database.app_url, size=1, wait=30)
    held = await pool.acquire()
    waiting = asyncio.ensure_future(pool.acquire())
    await asyncio.sleep(0.01)
    assert not waiting.done()

    await pool.release(held)

    await pool.release(await waiting)
    await pool.close()


async def test_when_the_server_takes_no_more_connections_it_is_no_capacity(database: servers.Database) -> None:
    pool = await Database.open(database.app_url, size=2)
    owner: Any = await asyncpg.connect(database.superuser_url)
    await owner.execute(f'ALTER DATABASE "{database.name}" CONNECTION LIMIT 1')
    async with pool.connection():
        with pytest.raises(Overloaded):
            await pool.acquire()
    await owner.close()
    await pool.close()


async def test_when_nobody_listens_the_database_is_unavailable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Unavailable):
            await Database.open(f"postgresql://nobody@127.0.0.1:{taken.getsockname()[1]}/nothing")


async def test_a_wrong_password_is_told_without_the_password(database: servers.Database) -> None:
    parts = urlsplit(database.app_url)
    netloc = f"{parts.username}_stranger:guess-of-a-password@{parts.netloc.rpartition('@')[2]}"

    with pytest.raises(Unavailable) as told:
        await Database.open(urlunsplit(parts._replace(netloc=netloc)))

    assert "guess" not in f"{told.value} {told.value!r} {told.value.__cause__}"


async def test_when_the_database_went_away_it_is_unavailable(
    database: servers.Database, empty_database: servers.Database
) -> None:
    pool = await Database.open(database.app_url, size=2)
    owner: Any = await asyncpg.connect(empty_database.superuser_url)
    await owner.execute(f'ALTER DATABASE "{database.name}" ALLOW_CONNECTIONS false')
    async with pool.connection():
        with pytest.raises(Unavailable):
            await pool.acquire()
    await owner.execute(f'ALTER DATABASE "{database.name}" ALLOW_CONNECTIONS true')
    await owner.close()
    await pool.close()


async def test_a_session_has_its_limits_from_the_start(database: servers.Database) -> None:
    """No statement, lock or forgotten transaction holds a connection for ever, and a commit is on disk."""
    pool = await Database.open(database.app_url)
    async with pool.connection() as connection:
        names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "synchronous_commit")
        found = [await connection.fetchval("SELECT current_setting($1)", name) for name in names]
    await pool.close()

    assert found == ["5s", "2s", "10s", "on"]


async def test_json_is_read_as_values(database: servers.Database) -> None:
    pool = await Database.open(database.app_url)
    async with pool.connection() as connection:
        row = await connection.fetchrow("SELECT $1::jsonb AS one, '[1, null]'::json AS two", '{"a": {"b": 1}}')
    await pool.close()

    assert (row["one"], row["two"]) == ({"a": {"b": 1}}, [1, None])
