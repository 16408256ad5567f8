"""The signer guard and adoption: a database that was restored, moved or renamed is not continued unseen."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from api.audit import adoption, sequencer, starting
from api.audit.checkpoint import Head, Signer
from api.audit.entry import Entry, Thing
from api.audit.guard import FileGuard
from api.audit.standing import BATCH
from api.errors import LogDamaged, LogStopped, Misconfigured, Unavailable
from api.oauth import operator
from api.settings import now
from api.storage.pool import Database
from api.vocabulary import Result
from tests.audit_kit import ORIGIN
from tests.audit_store import SEED, SIGNER, MemoryGuard, Rows, append, guard_of, integrate, settle, take_up, tamper

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests import servers

SUCCESSOR = Signer.from_seeds("ketenbrug.example/log-2", SEED, SEED, now)
MOVED = "UPDATE audit.generation SET system_identifier = 7"
"""As a dump finds itself in another cluster."""
WIPED = "TRUNCATE audit.entry, audit.leaf, audit.tile, audit.checkpoint, audit.projection"


@pytest.fixture
async def connection(database: servers.Database) -> AsyncIterator[Any]:
    """As the application, of a database with a log of 40 entries."""
    made: Any = await asyncpg.connect(database.work_url)
    await append(made, 40)
    await settle(made)
    yield made
    await made.close()


@pytest.fixture
async def owner(database: servers.Database) -> AsyncIterator[Database]:
    opened = await Database.open(database.owner_url, size=2)
    yield opened
    await opened.close()


async def adopt(owner: Database, guard: MemoryGuard, origin: str = ORIGIN) -> int:
    """Adopt as the command does. Returns the number of the generation."""
    unit = owner.unit(now())
    entry = Entry(
        operator.local().organisation.id,
        unit.now,
        "audit.adopt",
        Result.PERMITTED,
        operator.local(),
        Thing("audit-log"),
    )
    try:
        begun = await adoption.adopt(unit, origin, guard, entry)
    except BaseException:
        await unit.abort()
        raise
    await unit.finish()
    return begun.number


async def indexes(connection: Any) -> list[int]:
    """Every entry's place in the tree; -1 for one that is not in it."""
    rows = await connection.fetch(
        """SELECT coalesce(l.index, -1) AS at FROM audit.entry e LEFT JOIN audit.leaf l ON l.entry_id = e.id
           ORDER BY e.id"""
    )
    return [row["at"] for row in rows]


async def stopped(connection: Any, why: str, signer: Signer = SIGNER, guard: MemoryGuard | None = None) -> None:
    """It is not taken up, for this reason, which is told at the start of a process already."""
    held = guard or await guard_of(connection)
    for each in (sequencer.take_up(connection, signer, held), starting.examine(Rows(connection), held, signer)):
        with pytest.raises(LogStopped) as refused:
            await each
        assert refused.value.why == why


async def test_a_leader_that_died_after_the_guard_was_moved_is_continued_with_the_same_head(connection: Any) -> None:
    """The head that nobody but the guard knows is signed once: the next leader finds the same entries and writes it."""
    guard = await guard_of(connection)
    await append(connection, 5)
    standing = await take_up(connection)
    with pytest.raises(Unavailable):
        await integrate(_Dying(connection), standing, 3)
    promised = guard.note
    assert Head.of(promised or "").size == 43
    await starting.examine(Rows(connection), guard, SIGNER)
    await append(connection, 4)
    await settle(connection)
    rows = await connection.fetch("SELECT size, note FROM audit.checkpoint ORDER BY size")
    assert [row["size"] for row in rows] == [0, 40, 43, 49]
    assert rows[2]["note"] == promised
    assert await indexes(connection) == list(range(49))


async def test_a_head_whose_entries_are_gone_or_others_is_not_continued(
    connection: Any, database: servers.Database
) -> None:
    """The crash of above, and then an older copy of the database."""
    guard = await guard_of(connection)
    await append(connection, 3)
    standing = await take_up(connection)
    with pytest.raises(Unavailable):
        await integrate(_Dying(connection), standing, 3)
    await tamper(database, "DELETE FROM audit.entry WHERE id = 43")
    taken = await take_up(connection)
    for each in (integrate(connection, taken), starting.examine(Rows(connection), guard, SIGNER)):
        with pytest.raises(LogStopped, match="guard-ahead"):
            await each
    await append(connection, 1)
    for each in (integrate(connection, await take_up(connection)), starting.examine(Rows(connection), guard, SIGNER)):
        with pytest.raises(LogStopped, match="guard-differs"):
            await each
    assert Head.of(guard.note or "").size == 43


async def test_a_database_without_what_was_signed_is_not_continued(connection: Any, database: servers.Database) -> None:
    """Wiped, or restored from far back."""
    await append(connection, BATCH + 100)
    await settle(connection)
    await tamper(database, "DELETE FROM audit.checkpoint WHERE size > 40; DELETE FROM audit.leaf WHERE index >= 40")
    await stopped(connection, "guard-ahead")
    await tamper(database, WIPED)
    await stopped(connection, "guard-ahead")


@pytest.mark.parametrize("begun", [True, False])
async def test_who_starts_while_another_leads_is_not_refused(
    connection: Any, database: servers.Database, *, begun: bool
) -> None:
    """The leader signs on between each two looks, more than a batch at a time; where that is no race, it is told."""
    if not begun:
        await tamper(database, WIPED)
    guard = MemoryGuard((await guard_of(connection)).note if begun else None)

    async def lead(count: int) -> None:
        await append(connection, count)
        await sequencer.integrate(connection, await sequencer.take_up(connection, SIGNER, guard), SIGNER, guard)

    class Watched(MemoryGuard):
        async def last(self) -> str | None:
            held = await guard.last()
            await lead(1)
            return held

    class Slow(Rows):
        async def all(self, bound: Any) -> list[Any]:
            rows = await super().all(bound)
            if "pg_control_system" in bound.sql:
                await lead(BATCH + 1)
            return rows

    await starting.examine(Rows(connection), Watched(), SIGNER)
    await starting.examine(Slow(connection), Watched(), SIGNER)
    gone = MemoryGuard(SIGNER.signed(Head(ORIGIN, 10**6, bytes(32))))
    with pytest.raises(LogStopped, match="guard-ahead"):
        await starting.examine(Rows(connection), gone, SIGNER)


async def test_another_history_of_the_same_size_is_not_continued(connection: Any, database: servers.Database) -> None:
    guard = await guard_of(connection)
    await tamper(database, WIPED)
    await append(connection, 40)
    other = MemoryGuard()
    standing = await sequencer.take_up(connection, SIGNER, other)
    await sequencer.integrate(connection, standing, SIGNER, other)
    await stopped(connection, "guard-differs", guard=guard)


@pytest.mark.parametrize("note", [None, "behind"])
async def test_a_second_machine_finds_that_its_guard_is_not_the_one(connection: Any, note: str | None) -> None:
    """A guard in a file is one machine's."""
    behind = MemoryGuard(None if note is None else SIGNER.signed(Head(ORIGIN, 3, bytes(32))))
    await stopped(connection, "guard-missing" if note is None else "guard-behind", guard=behind)


@pytest.mark.parametrize(
    "garbage", ["", "x", f"{ORIGIN}\nx\ny\n\n", f"{ORIGIN}\n040\nAA==\n\n", f"{ORIGIN}\n1\nAA==\nx\n"]
)
async def test_a_guard_that_is_damaged_is_not_believed(connection: Any, garbage: str) -> None:
    with pytest.raises(LogDamaged, match="is none"):
        await sequencer.take_up(connection, SIGNER, MemoryGuard(garbage))


async def test_a_swapped_signing_key_stops_the_log(connection: Any) -> None:
    await stopped(connection, "guard-of-another-key", Signer.from_seeds(ORIGIN, bytes(32), SEED, now))
    other = SUCCESSOR.signed(Head(SUCCESSOR.origin, 40, bytes(32)))
    await stopped(connection, "guard-of-another-key", guard=MemoryGuard(other))


async def test_a_moved_database_is_continued_when_it_was_adopted(
    connection: Any, database: servers.Database, owner: Database
) -> None:
    """Entries that the old cluster left, and those with smaller transaction numbers: all are in the tree, once."""
    guard = await guard_of(connection)
    await append(connection, 3)
    await tamper(database, MOVED)
    await tamper(database, "UPDATE audit.checkpoint SET last_xid = '9000000000'")
    await stopped(connection, "another-cluster")
    await append(connection, 4)
    assert await adopt(owner, guard) == 2
    await append(connection, 2)
    await settle(connection, 2)
    assert await indexes(connection) == list(range(50))
    assert Head.of(guard.note or "").size == 50
    assert await connection.fetchval("SELECT max(generation) FROM audit.checkpoint") == 2
    (told,) = await connection.fetch("SELECT convert_from(leaf, 'UTF8') AS leaf FROM audit.entry WHERE id = 48")
    assert '"action":"audit.adopt"' in told["leaf"]
    await append(connection, 1)
    assert (await settle(connection)).edge.size == 51


async def test_a_cluster_whose_transactions_went_back_stops_the_log(
    connection: Any, database: servers.Database, owner: Database
) -> None:
    await tamper(database, "UPDATE audit.checkpoint SET last_xid = '9000000000'")
    await stopped(connection, "transactions-went-back")
    await adopt(owner, await guard_of(connection))
    assert (await settle(connection)).edge.size == 41


async def test_a_moved_database_that_lacks_what_was_signed_is_not_adopted(
    connection: Any, database: servers.Database, owner: Database
) -> None:
    """The guard does not agree. Under another name it goes on, and everybody can see that it is another log."""
    guard = await guard_of(connection)
    await append(connection, 2)
    await settle(connection)
    await tamper(database, MOVED)
    await tamper(
        database,
        """DELETE FROM audit.entry WHERE id > 41; DELETE FROM audit.leaf WHERE index > 39;
           DELETE FROM audit.projection WHERE index > 39; DELETE FROM audit.checkpoint WHERE size > 40""",
    )
    with pytest.raises(LogStopped, match="guard-ahead"):
        await adopt(owner, guard)
    await append(connection, 1)
    with pytest.raises(LogStopped, match="guard-differs"):
        await adopt(owner, guard)
    fresh = MemoryGuard()
    await stopped(connection, "another-cluster", SUCCESSOR, fresh)
    await adopt(owner, fresh, SUCCESSOR.origin)
    standing, taken = await sequencer.take_up(connection, SUCCESSOR, fresh), 1
    while taken:
        standing, taken = await sequencer.integrate(connection, standing, SUCCESSOR, fresh)
    assert standing.edge.size == 43
    assert (fresh.note or "").startswith(f"{SUCCESSOR.origin}\n43\n")
    await stopped(connection, "another-name", SIGNER, guard)
    assert await sequencer.take_up(connection, SUCCESSOR, fresh) == standing


async def test_a_moved_database_whose_leader_died_mid_batch_is_adopted(
    connection: Any, database: servers.Database, owner: Database
) -> None:
    """The guard is one batch ahead, and the entries of the batch came along."""
    guard = await guard_of(connection)
    await append(connection, 5)
    standing = await take_up(connection)
    with pytest.raises(Unavailable):
        await integrate(_Dying(connection), standing, 3)
    await tamper(database, MOVED)
    await adopt(owner, guard)
    await settle(connection)
    assert await indexes(connection) == list(range(46))


async def test_a_leader_that_dies_after_an_adoption_is_continued_with_the_same_heads(
    connection: Any, database: servers.Database, owner: Database
) -> None:
    """Once in what is left of the earlier generation, and once in the first batch of the present one."""
    guard = await guard_of(connection)
    await append(connection, 3)
    await tamper(database, MOVED)
    await adopt(owner, guard)
    await append(connection, 4)
    for size in (43, 48):
        standing = await take_up(connection)
        with pytest.raises(Unavailable):
            await integrate(_Dying(connection), standing)
        promised = guard.note
        assert Head.of(promised or "").size == size
        await starting.examine(Rows(connection), guard, SIGNER)
        _, taken = await integrate(connection, await take_up(connection))
        assert taken == size - standing.edge.size
        assert await connection.fetchval("SELECT note FROM audit.checkpoint WHERE size = $1", size) == promised
    assert await indexes(connection) == list(range(48))


async def test_a_lost_guard_is_made_anew_by_adopting(connection: Any, owner: Database) -> None:
    fresh = MemoryGuard()
    await adopt(owner, fresh)
    assert fresh.note == (await guard_of(connection)).note
    await sequencer.take_up(connection, SIGNER, fresh)


async def test_what_belongs_together_is_not_adopted(connection: Any, owner: Database) -> None:
    with pytest.raises(LogStopped, match="nothing-to-adopt"):
        await adopt(owner, await guard_of(connection))


async def test_while_a_leader_is_at_work_nothing_is_adopted(connection: Any, owner: Database) -> None:
    await connection.execute(f"SELECT pg_advisory_lock({sequencer.LOCK})")
    with pytest.raises(LogStopped, match="leader-at-work"):
        await adopt(owner, MemoryGuard())


async def test_the_application_cannot_adopt(connection: Any) -> None:
    """Who may only append cannot tell the sequencer to pass over entries."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("INSERT INTO audit.generation SELECT 2, 7, NULL, 99, 0, now()")


async def test_a_file_is_moved_by_who_knows_what_it_holds(tmp_path: Path) -> None:
    guard = FileGuard(tmp_path / "guard")
    assert await guard.last() is None
    await guard.advance(None, "one")
    await guard.advance("one", "two")
    for before in (None, "one"):
        with pytest.raises(LogStopped, match="guard-moved"):
            await guard.advance(before, "three")
    assert await guard.last() == "two"
    assert {path.name for path in tmp_path.glob("*")} == {"guard", "guard.lock"}  # noqa: ASYNC240 - of a test


async def test_a_file_that_cannot_be_written_whole_stays_as_it_was_and_leaves_no_litter(tmp_path: Path) -> None:
    """As on a full disk: here no file may grow beyond ten bytes."""
    guard = FileGuard(tmp_path / "guard")
    await guard.advance(None, "one")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            await guard.advance("one", "longer than that")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert await guard.last() == "one"
    assert {path.name for path in tmp_path.glob("*")} == {"guard", "guard.lock"}  # noqa: ASYNC240 - of a test


async def test_a_file_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "guard").mkdir()
    with pytest.raises(Misconfigured, match="cannot be read"):
        await FileGuard(tmp_path / "guard").last()
    with pytest.raises(Misconfigured, match="cannot be written"):
        await FileGuard(tmp_path / "absent" / "guard").advance(None, "one")


class _Dying:
    """A connection that reads, and is lost before it writes."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def fetchval(self, sql: str) -> Any:
        return await self._connection.fetchval(sql)

    async def fetch(self, sql: str, *args: Any) -> Any:
        return await self._connection.fetch(sql, *args)

    async def copy_to_table(self, _table: str, **_options: Any) -> None:
        raise asyncpg.InterfaceError("killed")
