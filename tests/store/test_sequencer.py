"""The sequencer on PostgreSQL: every committed entry stands in the tree once, whoever dies and whoever comes late."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import orjson
import pytest

from api.audit import lead, sequencer, tree
from api.audit.checkpoint import Signer
from api.audit.standing import BATCH
from api.errors import LogDamaged, LogStopped, Unavailable
from api.settings import now
from tests.audit_store import APPEND, SEED, SIGNER, MemoryGuard, append, guard_of, integrate, settle, take_up, tamper

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from api.storage.pool import Database
    from tests import servers


async def logged(connection: Any) -> list[bytes]:
    """The leaves in the order of the tree. Their indexes count up from 0."""
    rows = await connection.fetch(
        "SELECT l.index, e.leaf, l.leaf_hash FROM audit.leaf l JOIN audit.entry e ON e.id = l.entry_id ORDER BY l.index"
    )
    assert [row["index"] for row in rows] == list(range(len(rows)))
    assert all(row["leaf_hash"] == tree.leaf_hash(row["leaf"]) for row in rows)
    return [row["leaf"] for row in rows]


async def signed(connection: Any) -> tuple[int, bytes]:
    row = await connection.fetchrow("SELECT size, root FROM audit.checkpoint ORDER BY size DESC LIMIT 1")
    return row["size"], row["root"]


def root(leaves: Sequence[bytes]) -> bytes:
    return tree.Edge().grown(tree.leaf_hash(each) for each in leaves)[0].root()


async def until(connection: Any, size: int) -> None:
    """Wait until a checkpoint of this size is signed."""

    async def there() -> bool:
        found: bool = await connection.fetchval("SELECT EXISTS (SELECT FROM audit.checkpoint WHERE size >= $1)", size)
        return found

    await true(there)


async def true(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(60):
        while not await condition():  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(0.02)


@asynccontextmanager
async def running(pool: Database, **options: Any) -> AsyncIterator[asyncio.Task[None]]:
    options = {"interval": 0.01, "patience": 0.05} | options
    guard = options.pop("guard", None) or MemoryGuard()
    task = asyncio.create_task(sequencer.run(pool, SIGNER, guard, **options))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_new_log_begins_with_the_signed_head_of_nothing(connection: Any) -> None:
    standing = await take_up(connection)
    assert await signed(connection) == (0, tree.EMPTY_ROOT)
    assert await integrate(connection, standing) == (standing, 0)
    keys = await connection.fetch("SELECT vkey FROM audit.verifier")
    assert {row["vkey"] for row in keys} == set(SIGNER.vkeys)
    assert await connection.fetchval("SELECT vkey FROM audit.cosignature") == SIGNER.post_quantum.vkey


@pytest.mark.parametrize("most", [1, 100, 256, 1024])
async def test_entries_stand_in_the_order_in_which_they_were_committed(connection: Any, most: int) -> None:
    leaves = await append(connection, 300 if most == 1 else 700)
    standing = await settle(connection, most)
    assert await logged(connection) == leaves
    assert await signed(connection) == (len(leaves), root(leaves))
    assert standing == await take_up(connection)


async def test_a_late_committer_is_never_passed_over(connection: Any, database: servers.Database) -> None:
    """An entry with a smaller number that commits after a larger one was committed."""
    slow: Any = await asyncpg.connect(database.work_url)
    transaction = slow.transaction()
    await transaction.start()
    late = await append(slow, 1)
    early = await append(connection, 3)
    standing = await settle(connection)
    assert standing.edge.size == 0, "while it runs, nothing after it can be placed"
    await transaction.commit()
    await slow.close()
    await settle(connection)
    assert await logged(connection) == late + early


async def test_what_is_rolled_back_leaves_no_gap(connection: Any) -> None:
    first = await append(connection, 2)
    transaction = connection.transaction()
    await transaction.start()
    await append(connection, 5)
    await transaction.rollback()
    second = await append(connection, 2)
    await settle(connection)
    assert await logged(connection) == first + second


@pytest.mark.parametrize(("guards", "fails"), [(1, "LogStopped"), (2, "UniqueViolationError")])
async def test_of_two_leaders_at_once_one_fails_and_nothing_is_taken_twice(
    connection: Any, database: servers.Database, guards: int, fails: str
) -> None:
    """As if both held the lock: the guard stops the second one; without a common one, the size of the tree does."""
    leaves = await append(connection, 7)
    other: Any = await asyncpg.connect(database.work_url)
    standing = await take_up(connection)
    guard = await guard_of(connection)
    theirs = (guard, guard if guards == 1 else MemoryGuard(guard.note))
    outcomes = await asyncio.gather(
        *(
            sequencer.integrate(leader, standing, SIGNER, its, 7)
            for leader, its in zip((connection, other), theirs, strict=True)
        ),
        return_exceptions=True,
    )
    assert sorted(type(each).__name__ for each in outcomes) == [fails, "tuple"]
    leaves += await append(connection, 3)
    await settle(other)
    await other.close()
    assert await logged(connection) == leaves


async def test_sixteen_appenders_and_two_followers_lose_nothing(connection: Any, pool: Database) -> None:
    """Gap-free and exactly once while everybody writes at once, some of them in long transactions, some rolled back."""
    committed: list[bytes] = []

    async def appender(number: int) -> None:
        for turn in range(12):
            async with pool.connection() as borrowed:
                transaction = borrowed.transaction()
                await transaction.start()
                leaves = await append(borrowed, 1 + turn % 3)
                await asyncio.sleep(0.001 * (number % 5))
                if (number + turn) % 7 == 0:
                    await transaction.rollback()
                else:
                    await transaction.commit()
                    committed.extend(leaves)

    guard = MemoryGuard()
    async with running(pool, guard=guard), running(pool, guard=guard):
        await asyncio.gather(*(appender(number) for number in range(16)))
        await until(connection, len(committed))
    assert sorted(await logged(connection)) == sorted(committed)
    assert await signed(connection) == (len(committed), root(await logged(connection)))


async def test_another_one_takes_over_when_the_leader_is_killed(
    connection: Any, pool: Database, database: servers.Database
) -> None:
    """The server ends the leader's session, as when its process is killed with -9, again and again in mid-work."""
    superuser: Any = await asyncpg.connect(database.superuser_url)
    leaves: list[bytes] = []
    faults: list[Exception] = []
    guard = MemoryGuard()
    async with running(pool, guard=guard, notice=faults.append), running(pool, guard=guard, notice=faults.append):
        for _ in range(5):
            leaves += await append(connection, 40)
            await superuser.execute(
                """SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database =
                   (SELECT oid FROM pg_database WHERE datname = current_database())"""
            )
            leaves += await append(connection, 40)
            await until(connection, len(leaves))
    await superuser.close()
    assert await logged(connection) == leaves
    assert await signed(connection) == (len(leaves), root(leaves))


@pytest.mark.parametrize("busy", ["idle", "in a transaction", "copying", "of the service"])
async def test_another_one_takes_over_when_the_leader_hangs(
    connection: Any, pool: Database, database: servers.Database, busy: str
) -> None:
    """Its process was stopped, or its host is gone without a word: the server would keep its lock for hours.

    So would somebody who has the credentials of the service: these too are ended.
    """
    hung: Any = await asyncpg.connect(database.app_url if busy == "of the service" else database.work_url)
    assert await hung.fetchval("SELECT pg_try_advisory_lock($1)", sequencer.LOCK)
    stuck = None
    if busy in {"in a transaction", "copying"}:
        await hung.execute("BEGIN")
    if busy == "copying":
        stuck = asyncio.create_task(hung.copy_to_table("projection", schema_name="audit", source=_never_ends()))
    leaves = await append(connection, 3)
    async with running(pool, silence=0.3):
        await until(connection, 3)
    assert await logged(connection) == leaves
    if stuck is not None:
        stuck.cancel()
        await asyncio.gather(stuck, return_exceptions=True)
    hung.terminate()


async def _never_ends() -> AsyncIterator[bytes]:
    yield b"1\t"
    await asyncio.Event().wait()


async def test_who_leads_and_works_is_left_alone(connection: Any, pool: Database) -> None:
    """However many wait for the lead, and however little there is to do."""
    faults: list[Exception] = []
    async with running(pool, silence=0.3, notice=faults.append), running(pool, silence=0.3, notice=faults.append):
        await until(connection, 0)
        await asyncio.sleep(1)
        await append(connection, 1)
        await until(connection, 1)
    assert not faults


async def test_a_batch_is_there_as_a_whole_or_not_at_all(connection: Any, database: servers.Database) -> None:
    """The last table that a batch writes refuses it: nothing of the batch is there."""
    await append(connection, 3)
    standing = await take_up(connection)
    owner: Any = await asyncpg.connect(database.owner_url)
    await owner.execute("ALTER TABLE audit.checkpoint ADD CONSTRAINT no_more CHECK (size = 0)")
    with pytest.raises(asyncpg.CheckViolationError):
        await integrate(connection, standing)
    for table in ("leaf", "tile", "projection", "projection_person"):
        assert not await connection.fetch(f"SELECT FROM audit.{table}")
    await owner.execute("ALTER TABLE audit.checkpoint DROP CONSTRAINT no_more")
    await owner.close()
    assert (await settle(connection)).edge.size == 3


async def test_one_leads_and_the_lock_is_free_when_it_stops(connection: Any, pool: Database) -> None:
    async with running(pool):
        await until(connection, 0)
        assert not await lead.leads(connection, sequencer.LOCK, 60)
    await true(lambda: lead.leads(connection, sequencer.LOCK, 60))


async def test_more_than_a_batch_is_taken_without_waiting(connection: Any, pool: Database) -> None:
    await append(connection, 2 * BATCH + 1)
    async with running(pool, interval=0.2):
        await until(connection, 2 * BATCH + 1)
    sizes = [row["size"] for row in await connection.fetch("SELECT size FROM audit.checkpoint ORDER BY size")]
    assert sizes == [0, BATCH, 2 * BATCH, 2 * BATCH + 1]


async def test_a_log_keeps_its_name(connection: Any) -> None:
    await settle(connection)
    with pytest.raises(LogStopped, match="another-name"):
        await take_up(connection, Signer.from_seeds("other.example/log", SEED, SEED, now))


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        ("DELETE FROM audit.leaf WHERE index = 299", "is not there"),
        ("UPDATE audit.leaf SET leaf_hash = sha256('') WHERE index = 299", "does not give the signed root"),
        ("DELETE FROM audit.tile WHERE level = 1", "is not there"),
        ("UPDATE audit.checkpoint SET root = sha256('') WHERE size = 300", "does not give the signed root"),
    ],
)
async def test_a_damaged_log_is_not_extended(
    connection: Any, database: servers.Database, pool: Database, damage: str, what: str
) -> None:
    """Who can take the triggers away can damage the log, but cannot have the damage signed."""
    await append(connection, 300)
    await settle(connection)
    await tamper(database, damage)
    with pytest.raises(LogDamaged, match=what):
        await take_up(connection)
    await append(connection, 1)
    heard = asyncio.Event()
    faults: list[Exception] = []

    def notice(fault: Exception) -> None:
        faults.append(fault)
        if len(faults) > 2:
            heard.set()

    async with running(pool, guard=await guard_of(connection), notice=notice), asyncio.timeout(60):
        await heard.wait()
    assert {type(fault) for fault in faults} == {LogDamaged}
    assert (await signed(connection))[0] == 300


async def test_a_fault_that_passes_is_waited_out() -> None:
    """No connection is to be had at first. Nobody needs to listen for the faults."""
    third = asyncio.Event()
    turns: list[None] = []

    class Absent:
        def connection(self) -> Any:
            turns.append(None)
            if len(turns) > 2:
                third.set()
            raise Unavailable("database")

    async with running(Absent(), patience=0.001), asyncio.timeout(60):  # type: ignore[arg-type]
        await third.wait()


@pytest.mark.parametrize(
    "odd",
    [
        b"not json",
        b"\x00\xff",
        b'{"at":"0001-01-01T00:00:00.000000Z","action":"\\u0000","actor":[]}',
        b'{"at":"9999-12-31T23:59:59.999999Z","persons":["x"]}',
        orjson.dumps({"action": "a" * 60_000, "persons": [str(UUID(int=n)) for n in range(100)]}),
    ],
)
async def test_no_entry_can_stop_the_log(connection: Any, odd: bytes) -> None:
    """Whatever bytes the application was made to log, they are logged, and so is what comes after."""
    await connection.execute(APPEND, odd)
    after = await append(connection, 1)
    await settle(connection)
    assert await logged(connection) == [odd, *after]


@pytest.mark.parametrize("size", [1, 65_536])
async def test_an_entry_that_fits_no_bundle_is_refused(connection: Any, size: int) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute(APPEND, bytes(size))


async def test_the_application_can_say_neither_when_it_wrote_nor_what_the_hash_is(connection: Any) -> None:
    """An entry that claims an old transaction would never be taken."""
    for column, value in (("xid", "'1'"), ("leaf_hash", "sha256('')"), ("id", "1")):
        with pytest.raises(asyncpg.PostgresError):
            await connection.execute(f"INSERT INTO audit.entry (leaf, {column}) VALUES ('{{}}', {value})")  # noqa: S608
