"""The unit of work on a real database: what is committed, and what is not, in each way that a request can end."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import pytest

from api.cli import transaction
from api.errors import NotPossible, Overloaded, Replayed, StaleStanding, Unavailable
from api.storage.pool import Database
from api.storage.statement import Bound
from api.storage.unit import Unit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests import servers

NOW: Final = datetime(2026, 11, 24, 12, tzinfo=UTC)
SIGNALS: Final = {"mark_pkey": Replayed, "standing": StaleStanding}
TABLES: Final = """
    CREATE SCHEMA trial;
    CREATE TABLE trial.mark (digest text CONSTRAINT mark_pkey PRIMARY KEY, standing text NOT NULL);
    CREATE TABLE trial.entry (what text);
    CREATE TABLE trial.effect (what text);
    CREATE TABLE trial.ordered (place bigint GENERATED ALWAYS AS IDENTITY, what text);
    CREATE TABLE trial.late (what text UNIQUE DEFERRABLE INITIALLY DEFERRED);
    GRANT USAGE ON SCHEMA trial TO PUBLIC;
    GRANT ALL ON ALL TABLES IN SCHEMA trial TO PUBLIC;
"""


class Watched:
    """A source of connections that remembers what went over them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.said: list[str] = []
        self.lent = 0

    async def acquire(self) -> Any:
        """Borrow one, with an ear on it."""
        connection = await self._database.acquire()
        self.lent += 1
        connection.add_query_logger(self._hear)
        return connection

    async def release(self, connection: Any) -> None:
        """Give it back."""
        self.lent -= 1
        with suppress(asyncpg.InterfaceError):  # it was dropped
            connection.remove_query_logger(self._hear)
        await self._database.release(connection)

    def _hear(self, record: Any) -> None:
        self.said.append(record.query)


class World:
    """A database with three tables, and units on it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.source = Watched(database)

    def unit(self) -> Unit:
        """A unit that is listened to."""
        return Unit(self.source, NOW)

    def marked(self, digest: str = "once", standing: str | None = "stands") -> Unit:
        """A unit that carries a mark and an entry, as every guarded request does."""
        unit = self.unit()
        unit.mark(Bound("INSERT INTO trial.mark VALUES ($1, $2)", (digest, standing)), SIGNALS)
        unit.carry(entry("asked"))
        return unit

    async def rows(self) -> dict[str, list[str]]:
        """What everybody else sees."""
        async with self.database.connection() as connection:
            return {
                table: [row[0] for row in await connection.fetch(f"SELECT * FROM trial.{table} ORDER BY 1")]  # noqa: S608 - ours
                for table in ("mark", "entry", "effect")
            }


def entry(what: str) -> Bound:
    return Bound("INSERT INTO trial.entry VALUES ($1)", (what,))


def effect(what: str) -> Bound:
    return Bound("INSERT INTO trial.effect VALUES ($1)", (what,))


READ: Final = Bound("SELECT 7 AS seven", ())
NOTHING: Final[dict[str, list[str]]] = {"mark": [], "entry": [], "effect": []}


@pytest.fixture
async def world(database: servers.Database) -> AsyncIterator[World]:
    owner: Any = await asyncpg.connect(database.superuser_url)
    await owner.execute(TABLES)
    await owner.close()
    pool = await Database.open(database.app_url, size=3, wait=0.2)
    made = World(pool)
    yield made
    assert made.source.lent == 0, "a unit kept its connection"
    await pool.close()


async def test_reading_alone_opens_no_transaction(world: World) -> None:
    unit = world.unit()

    assert [row["seven"] for row in await unit.all(READ)] == [7]
    assert dict(await unit.one(READ) or ()) == {"seven": 7}
    assert await unit.one(Bound("SELECT 1 WHERE false", ())) is None
    await unit.finish()

    assert world.source.said == [READ.sql, READ.sql, "SELECT 1 WHERE false"]


async def test_one_row_is_never_one_of_many(world: World) -> None:
    unit = world.unit()

    with pytest.raises(AssertionError):
        await unit.one(Bound("SELECT generate_series(1, 2)", ()))
    await unit.abort()


async def test_a_unit_that_did_nothing_borrows_nothing(world: World) -> None:
    await world.unit().finish()
    await world.unit().abort()
    await world.unit().decline()

    assert world.source.said == []


async def test_the_hot_path_is_one_statement_that_commits(world: World) -> None:
    """The mark, the entry and the read share one snapshot and one commit (design section 2)."""
    unit = world.marked()

    rows = await unit.last(READ)

    assert [row["seven"] for row in rows] == [7]
    assert await world.rows() == NOTHING | {"mark": ["once"], "entry": ["asked"]}
    assert len(world.source.said) == 1
    await unit.finish()
    assert len(world.source.said) == 1, "what was committed is not written again"


async def test_if_the_entry_cannot_be_written_nothing_is_read(world: World) -> None:
    """Design promise 2: no disclosure without an audit entry."""
    unit = world.marked()
    unit.carry(Bound("INSERT INTO trial.entry SELECT 1 / $1::int", (0,)))

    with pytest.raises(asyncpg.DivisionByZeroError):
        await unit.last(READ)
    await unit.abort()

    assert await world.rows() == NOTHING | {"mark": ["once"]}


async def test_a_write_opens_a_transaction_that_the_mark_enters_first(world: World) -> None:
    unit = world.marked()

    await unit.run(effect("done"))
    assert await world.rows() == NOTHING, "nothing is seen before it is finished"
    unit.carry(entry("done"))
    await unit.finish()

    assert await world.rows() == {"mark": ["once"], "entry": ["asked", "done"], "effect": ["done"]}
    first, marks, *_, last = world.source.said
    assert (first, last) == ("BEGIN", "COMMIT")
    assert "INSERT INTO trial.mark" in marks


async def test_what_is_carried_is_written_in_its_order_and_the_mark_first(world: World) -> None:
    """A replay must be found out before anything is written of it, and the log tells things in the order they were."""
    unit = world.unit()
    words = [f"{number}" for number in range(12)]
    for each in words:
        unit.carry(Bound("INSERT INTO trial.ordered (what) VALUES ($1)", (each,)))
    unit.mark(Bound("INSERT INTO trial.ordered (what) VALUES ($1)", ("mark",)), SIGNALS)

    await unit.finish()

    async with world.database.connection() as connection:
        rows = await connection.fetch("SELECT what FROM trial.ordered ORDER BY place")
    assert [row["what"] for row in rows] == ["mark", *words]


async def test_what_concludes_a_unit_is_made_when_all_is_done(world: World) -> None:
    """So that an entry can tell of what its deed wrote; and goes behind it, whichever way the unit ends."""
    done: list[str] = []
    unit = world.marked()
    unit.conclude(lambda kept: entry(f"{'kept' if kept else 'lost'}: {', '.join(done)}"))

    await unit.run(effect("one"))
    done.append("one")
    await unit.run(effect("two"))
    done.append("two")
    await unit.finish()

    assert await world.rows() == {"mark": ["once"], "entry": ["asked", "kept: one, two"], "effect": ["one", "two"]}


async def test_a_unit_is_concluded_once_and_knows_what_is_lost(world: World) -> None:
    async def ended(how: Callable[[Unit], Awaitable[Any]], *, writing: bool) -> list[str]:
        before = set((await world.rows())["entry"])
        unit = world.unit()
        unit.conclude(lambda kept: entry(f"{number}: {kept}"))
        if writing:
            await unit.run(effect(f"{number}"))
        await how(unit)
        await unit.finish()
        return sorted(set((await world.rows())["entry"]) - before)

    number = 1
    assert await ended(lambda unit: unit.last(READ), writing=False) == ["1: True"]
    number = 2
    assert await ended(lambda unit: unit.last(READ), writing=True) == ["2: True"]
    number = 3
    assert await ended(Unit.decline, writing=True) == ["3: False"]
    number = 4
    assert await ended(Unit.abort, writing=True) == []
    assert (await world.rows())["effect"] == ["2"]


async def test_the_last_read_of_a_unit_that_wrote_commits_too(world: World) -> None:
    unit = world.marked()
    await unit.run(effect("done"))

    rows = await unit.last(Bound("SELECT what FROM trial.effect", ()))

    assert [row["what"] for row in rows] == ["done"]
    assert await world.rows() == {"mark": ["once"], "entry": ["asked"], "effect": ["done"]}


async def test_a_unit_that_only_carries_writes_it_at_the_end(world: World) -> None:
    await world.marked().finish()

    assert await world.rows() == NOTHING | {"mark": ["once"], "entry": ["asked"]}
    assert len(world.source.said) == 1


async def _read(unit: Unit) -> None:
    await unit.last(READ)


async def _write(unit: Unit) -> None:
    await unit.run(effect("again"))


async def _end(unit: Unit) -> None:
    await unit.finish()


each_way: Final = pytest.mark.parametrize("go", [_read, _write, _end])


@each_way
async def test_a_mark_that_is_there_already_is_a_replay(world: World, go: Callable[[Unit], Awaitable[None]]) -> None:
    """A proof is good once (RFC 9449 section 11.1), whatever the request does; the second leaves only its testimony."""
    await world.marked().finish()
    again = world.marked()

    with pytest.raises(Replayed):
        await go(again)
    await again.abort(entry("replayed"))

    assert await world.rows() == NOTHING | {"mark": ["once"], "entry": ["asked", "replayed"]}


@each_way
async def test_a_mark_of_a_client_that_no_longer_stands_is_refused(
    world: World, go: Callable[[Unit], Awaitable[None]]
) -> None:
    """A client that was disabled a moment ago is out, though its token is remembered."""
    unit = world.marked(standing=None)

    with pytest.raises(StaleStanding):
        await go(unit)
    await unit.abort()

    assert await world.rows() == NOTHING


async def test_of_two_equal_marks_at_once_one_wins(world: World) -> None:
    first, second = world.marked(), world.marked()
    await first.run(effect("first"))
    waiting = asyncio.ensure_future(second.run(effect("second")))
    await asyncio.sleep(0.05)
    assert not waiting.done(), "the second waits for what becomes of the first"

    await first.finish()

    with pytest.raises(Replayed):
        await waiting
    await second.abort()
    assert (await world.rows())["effect"] == ["first"]


async def test_a_violation_that_nobody_foresaw_is_a_fault_of_ours(world: World) -> None:
    unit = world.marked()

    with pytest.raises(asyncpg.NotNullViolationError):
        await unit.run(Bound("INSERT INTO trial.mark VALUES (NULL, 'stands')", ()))
    await unit.abort(entry("failed"))

    assert await world.rows() == NOTHING | {"mark": ["once"], "entry": ["failed"]}


async def test_a_decided_no_keeps_the_mark_and_the_entry_and_drops_the_rest(world: World) -> None:
    """A refusal commits: who asked, and what we said."""
    unit = world.marked()
    await unit.run(effect("begun"))
    unit.carry(entry("refused"))

    await unit.decline()

    assert await world.rows() == NOTHING | {"mark": ["once"], "entry": ["asked", "refused"]}


async def test_a_commit_after_a_failed_statement_is_no_yes(world: World) -> None:
    """PostgreSQL answers such a COMMIT with ROLLBACK, and calls that no error."""
    unit = world.marked()
    await unit.run(effect("begun"))
    with pytest.raises(asyncpg.PostgresError):
        await unit.run(Bound("SELECT 1/0", ()))
    with pytest.raises(AssertionError, match="somebody went on"):
        await unit.finish()


async def test_a_decided_no_before_any_write_keeps_all_that_is_carried_once(world: World) -> None:
    await world.marked().decline()

    assert await world.rows() == NOTHING | {"mark": ["once"], "entry": ["asked"]}


async def test_a_failure_keeps_the_mark_and_its_testimony_alone(world: World) -> None:
    """The proof is used up; what was not done is not told as done."""
    unit = world.marked()
    await unit.run(effect("begun"))
    unit.carry(entry("done"))

    await unit.abort(entry("failed"))

    assert await world.rows() == NOTHING | {"mark": ["once"], "entry": ["failed"]}
    assert "ROLLBACK" in world.source.said


async def test_a_failure_before_any_write_keeps_the_mark(world: World) -> None:
    await world.marked().abort()

    assert await world.rows() == NOTHING | {"mark": ["once"]}


async def test_a_commit_that_fails_is_told_and_leaves_nothing_open(world: World) -> None:
    """What could not be committed must not be answered, and the connection must not stay in its transaction."""
    unit = world.marked()
    for _ in range(2):
        await unit.run(Bound("INSERT INTO trial.late VALUES ('twice')", ()))

    with pytest.raises(asyncpg.UniqueViolationError):
        await unit.finish()

    assert await world.rows() == NOTHING
    assert world.source.lent == 0
    async with world.database.connection() as connection:
        assert not connection.is_in_transaction()
        open_ones = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
        )
    assert open_ones == 0


async def test_a_connection_that_breaks_is_a_database_that_does_not_answer(world: World) -> None:
    unit = world.marked()
    await unit.run(effect("begun"))
    (row,) = await unit.all(Bound("SELECT pg_backend_pid() AS pid", ()))
    async with world.database.connection() as connection:
        await connection.execute("SELECT pg_terminate_backend($1, 30000)", row["pid"])

    with pytest.raises(Unavailable):
        await unit.run(effect("more"))
    with pytest.raises(Unavailable):
        await unit.abort(entry("failed"))

    assert await world.rows() == NOTHING
    assert world.source.lent == 0


async def test_a_statement_that_takes_too_long_is_stopped(world: World) -> None:
    unit = world.unit()
    await unit.all(Bound("SET statement_timeout = 50", ()))

    with pytest.raises(Unavailable):
        await unit.all(Bound("SELECT pg_sleep(30)", ()))
    await unit.abort()


async def test_a_lock_that_is_not_let_go_is_no_capacity(world: World) -> None:
    holder, waiter = world.unit(), world.unit()
    await holder.run(Bound("LOCK TABLE trial.effect", ()))
    await waiter.all(Bound("SET lock_timeout = 50", ()))

    with pytest.raises(Overloaded):
        await waiter.run(effect("never"))
    await waiter.abort()
    await holder.abort()


async def test_an_ended_unit_may_begin_anew(world: World) -> None:
    """The edge writes down why a replay was turned away with the unit that was turned away."""
    await world.marked().finish()
    again = world.marked()
    with pytest.raises(Replayed):
        await again.finish()

    await again.abort()
    again.carry(entry("turned away"))
    await again.finish()

    assert (await world.rows())["entry"] == ["asked", "turned away"]


async def test_a_cancelled_unit_leaves_its_mark(world: World) -> None:
    """The peer went away in the middle: nothing of the effect stays, and the proof is used up."""
    unit = world.marked()
    await unit.run(effect("begun"))
    waiting = asyncio.ensure_future(unit.run(Bound("SELECT pg_sleep(30)", ())))
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    await unit.abort(entry("failed"))

    assert await world.rows() == NOTHING | {"mark": ["once"], "entry": ["failed"]}


async def test_a_unit_tells_what_of_that_which_it_carried_is_committed(world: World) -> None:
    """However it ended: only what is there for everybody is told, in its order."""
    asked, (mark, also) = entry("asked"), (Bound("INSERT INTO trial.mark VALUES ($1, $2)", ("m", "s")), entry("also"))
    alone, read, written, declined, failed, lost = (world.unit() for _ in range(6))
    for unit in (alone, read, written, declined, failed, lost):
        unit.carry(asked)
        assert unit.committed == ()

    await alone.finish()
    await read.last(READ)
    read.carry(also)
    await read.finish()
    await written.run(effect("done"))
    written.carry(also)
    await written.last(READ)
    declined.mark(mark, SIGNALS)
    await declined.run(effect("undone"))
    await declined.decline()
    await failed.abort(also)
    await lost.abort()

    assert alone.committed == (asked,)
    assert read.committed == written.committed == (asked, also)
    assert set(declined.committed) == {mark, asked}
    assert failed.committed == (also,)
    assert lost.committed == ()


async def test_what_a_command_is_refused_is_let_go_at_once(database: servers.Database) -> None:
    """Not when closing the database has waited for it, which takes five seconds."""

    async def refused() -> None:
        async with transaction.of(database.app_url) as unit:
            await unit.all(Bound("SELECT 1", ()))
            raise NotPossible("no")

    with pytest.raises(NotPossible):
        await asyncio.wait_for(refused(), 4)
