"""How far the tree is behind: known from looking, and not to know is to be late."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
import structlog

from api.audit.delay import MergeDelay
from api.errors import Unavailable
from tests.audit_store import APPEND, leaf, settle, tamper

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from api.storage.pool import Database
    from tests import servers

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
BOUND = 30.0


class Clocks:
    """The clock of the service, and one that only goes forward."""

    def __init__(self) -> None:
        self.wall = NOON
        self.passed = 1_000.0

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self.wall += timedelta(seconds=seconds)
        self.passed += seconds


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def delay(clocks: Clocks) -> MergeDelay:
    return MergeDelay(BOUND, lambda: clocks.wall, lambda: clocks.passed)


@pytest.fixture
async def connection(database: servers.Database) -> AsyncIterator[Any]:
    """As the application, of a database with a log of one entry."""
    made: Any = await asyncpg.connect(database.work_url)
    await made.execute(APPEND, leaf())
    await settle(made)
    yield made
    await made.close()


async def write(connection: Any, at: datetime | None) -> None:
    """Commit an entry that tells this time, or none."""
    told = {} if at is None else {"at": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
    await connection.execute(APPEND, leaf(**told))


async def test_the_oldest_entry_that_waits_tells_the_delay(
    connection: Any, pool: Database, delay: MergeDelay, clocks: Clocks
) -> None:
    await delay.look(pool)
    assert (delay.seconds, delay.late()) == (0, False)
    await write(connection, NOON - timedelta(seconds=20))
    await write(connection, NOON - timedelta(seconds=3))
    await delay.look(pool)
    assert delay.seconds == pytest.approx(20)
    delay.must_not_be_late()
    clocks.pass_by(11)
    assert delay.late(), "without another look"
    with pytest.raises(Unavailable):
        delay.must_not_be_late()
    await settle(connection)
    await delay.look(pool)
    assert (delay.seconds, delay.late()) == (0, False)


async def test_a_clock_that_is_set_back_hides_nothing(
    connection: Any, pool: Database, delay: MergeDelay, clocks: Clocks
) -> None:
    await write(connection, NOON)
    await delay.look(pool)
    clocks.pass_by(29)
    clocks.wall -= timedelta(days=1)
    await delay.look(pool)
    assert delay.seconds == pytest.approx(29)
    clocks.pass_by(2)
    await delay.look(pool)
    assert delay.late()


async def test_what_does_not_tell_its_age_has_waited_for_ever(
    connection: Any, pool: Database, delay: MergeDelay
) -> None:
    await write(connection, None)
    await delay.look(pool)
    assert delay.late()


async def test_who_cannot_look_is_late(pool: Database, delay: MergeDelay, clocks: Clocks) -> None:
    await pool.close()
    clocks.pass_by(29)
    with pytest.raises(Unavailable):
        await delay.look(pool)
    assert not delay.late()
    clocks.pass_by(2)
    assert delay.late()


async def test_whatever_keeps_it_from_looking_it_looks_again(delay: MergeDelay) -> None:
    """Else this process would refuse everybody until somebody restarts it."""

    class Odd:
        """Fails as nobody foresaw."""

        def unit(self, _now: object) -> Any:
            raise ZeroDivisionError

    odd: Any = Odd()
    with structlog.testing.capture_logs() as said:
        watching = asyncio.create_task(delay.watch(odd))
        await asyncio.sleep(0)
        assert not watching.done()
        watching.cancel()
    assert [(each["event"], each["kind"]) for each in said] == [("merge-delay-unknown", "ZeroDivisionError")]


@pytest.mark.parametrize(
    "moved",
    ["UPDATE audit.generation SET system_identifier = 7", "UPDATE audit.checkpoint SET last_xid = '9000000000'"],
)
async def test_a_log_that_must_not_be_continued_is_late_at_once(
    connection: Any, database: servers.Database, pool: Database, delay: MergeDelay, moved: str
) -> None:
    """Its entries may have numbers below the watermark: nothing seems to wait."""
    await tamper(database, moved)
    await write(connection, NOON)
    await delay.look(pool)
    assert delay.late()


async def test_an_adopted_log_has_waited_since_it_was_adopted(
    connection: Any, database: servers.Database, pool: Database, delay: MergeDelay
) -> None:
    superuser: Any = await asyncpg.connect(database.superuser_url)
    await superuser.execute(
        """INSERT INTO audit.generation SELECT 2, system_identifier, NULL, 1, 1, $1 FROM pg_control_system()""",
        NOON - timedelta(seconds=12),
    )
    await superuser.close()
    await delay.look(pool)
    assert delay.seconds == pytest.approx(12)
    await write(connection, NOON)
    await settle(connection)
    await delay.look(pool)
    assert delay.seconds == 0
