"""What `ketenbrug work` does each minute: a task that fails ends neither the others nor the sequencer beside them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from api.cli import work
from api.storage.pool import Database
from api.storage.statement import Bound

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from api.storage.unit import Unit
    from tests import servers


@pytest.fixture
async def pool(database: servers.Database) -> AsyncIterator[Database]:
    opened = await Database.open(database.work_url, size=1)
    yield opened
    await opened.close()


async def demoted(unit: Unit) -> None:
    """As on a node that another one took over from: it reads, and writes no more."""
    await unit.run(Bound("SET TRANSACTION READ ONLY", ()))
    await work.TASKS[0](unit)


async def refused(unit: Unit) -> None:
    """A driver's error that means nothing to a caller."""
    await unit.all(Bound("SELECT * FROM audit.absent", ()))


async def broken(_unit: Unit) -> None:
    raise ZeroDivisionError


async def test_whatever_a_task_fails_with_the_next_one_is_done_and_the_next_minute_comes(pool: Database) -> None:
    """The only connection is given back each time."""
    done: asyncio.Queue[int] = asyncio.Queue()

    async def last(unit: Unit) -> None:
        done.put_nowait(len(await unit.run(Bound("SELECT 1", ()))))

    running = asyncio.create_task(work.each_minute(pool, (demoted, refused, broken, last), every=0.01))
    async with asyncio.timeout(60):
        assert [await done.get() for _ in range(3)] == [1, 1, 1]
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
