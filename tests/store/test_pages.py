"""Pages: the table of entries has a partition for each month. Ids move forward, and nobody who appends notices."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from api.audit import export, pages, proofs
from api.cli import main, migrate
from api.errors import KetenbrugError
from api.settings import now
from clients import verifier
from tests import live
from tests.audit_store import APPEND, Rows, append, leaf, settle

if TYPE_CHECKING:
    from pathlib import Path

    from api.storage.pool import Database
    from tests import servers

MARCH = 2
"""Months since January 2020."""


def month(number: int) -> datetime:
    return datetime(2020 + number // 12, number % 12 + 1, 1, tzinfo=UTC)


async def turn(pool: Database, at: datetime) -> None:
    """What a worker does in one minute."""
    unit = pool.unit(at)
    try:
        await pages.Turner()(unit)
    finally:
        await unit.finish()


async def appended(connection: Any, count: int = 1) -> set[int]:
    """Append; return which months own the ids of the entries."""
    leaves = await append(connection, count)
    rows = await connection.fetch("SELECT DISTINCT id >> 40 AS month FROM audit.entry WHERE leaf = ANY($1)", leaves)
    return {row["month"] for row in rows}


async def names(database: servers.Database) -> list[str]:
    """The pages, as an operator sees them."""
    owner: Any = await asyncpg.connect(database.owner_url)
    rows = await owner.fetch("SELECT name FROM audit.page ORDER BY first")
    await owner.close()
    return [row["name"] for row in rows]


async def turned_page(database: servers.Database, to: str) -> str:
    """What `ketenbrug audit turn-page` says to the owner."""
    said = ("audit", "turn-page", "--month", to)
    environment = live.environment(database_url=database.owner_url)
    ended = await asyncio.to_thread(CliRunner().invoke, main.assembled(said), said, env=environment)
    return ended.output.strip()


async def test_in_the_beginning_of_a_month_the_page_is_turned_once(
    connection: Any, pool: Database, database: servers.Database
) -> None:
    """A page is there a month ahead; without one, a minute."""
    assert await appended(connection) == {0}
    await turn(pool, month(MARCH))
    assert await appended(connection) == {0}, "nobody may be sent to a page that was made just now"
    await turn(pool, month(MARCH))
    await turn(pool, month(MARCH))
    assert await appended(connection) == {MARCH}
    assert await names(database) == ["entry_first", "entry_2020_03", "entry_2020_04"]
    await turn(pool, month(MARCH + 1))
    assert await appended(connection) == {MARCH + 1}
    assert (await names(database))[-1] == "entry_2020_05"


async def test_months_without_a_worker_are_skipped_when_somebody_says_so(
    connection: Any, pool: Database, database: servers.Database, tmp_path: Path
) -> None:
    """Until then entries go on where they are, and it is told once: a clock that went wrong by years shows the same."""
    turner = pages.Turner()

    async def minutes(number: int, *, told: list[str]) -> None:
        with capture_logs() as logs:
            for _ in range(3):
                unit = pool.unit(month(number))
                await turner(unit)
                await unit.finish()
        assert [each["month"] for each in logs if each["event"] == "page-not-turned"] == told
        await append(connection, 100)

    await minutes(MARCH, told=[])
    await minutes(MARCH + 10, told=["2021-01"])
    await minutes(MARCH + 1, told=[])
    await minutes(MARCH + 10, told=["2021-01"])
    assert await appended(connection) == {MARCH + 1}
    assert await turned_page(database, "2021-01") == "Entries go on in the page of 2021-01."
    assert await appended(connection) == {MARCH + 10}
    await minutes(MARCH + 10, told=[])
    assert await turned_page(database, "2020-05") == "Entries go on in the page of 2021-01."
    assert "has not come" in await turned_page(database, f"{now() + timedelta(days=32):%Y-%m}")
    leaves = await connection.fetch("SELECT leaf FROM audit.entry")
    assert sum(b'"action":"audit.turn-page"' in each["leaf"] for each in leaves) == 2, "and not for what was refused"
    expected = [f"entry_{each}" for each in ("first", "2020_03", "2020_04", "2020_05", "2021_01", "2021_02")]
    assert await names(database) == expected
    # the log knows nothing of pages but who turned them
    assert (await settle(connection)).edge.size == 502 + 2
    assert len(await proofs.entries(Rows(connection), 0, 502)) == 502
    await export.write(Rows(connection), tmp_path)
    assert verifier.verify(tmp_path).whole


async def test_a_clock_that_is_set_back_moves_no_id_back(
    connection: Any, pool: Database, database: servers.Database
) -> None:
    for at in (MARCH + 3, MARCH + 3, MARCH, MARCH, 0):
        await turn(pool, month(at))
    assert await appended(connection) == {MARCH + 3}
    assert "entry_2020_03" not in await names(database)


async def test_a_month_that_has_not_come_has_no_page(connection: Any, pool: Database) -> None:
    """Nobody can use up the ids by turning on and on."""
    with pytest.raises(asyncpg.InvalidParameterValueError, match="has not come"):
        await turn(pool, now() + timedelta(days=32))
    assert await appended(connection) == {0}


async def test_ids_are_not_moved_to_a_page_that_may_yet_be_rolled_back(connection: Any, pool: Database) -> None:
    """Nor by somebody who asks twice before they commit."""
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("SELECT audit.turn_page($1)", month(MARCH))
    with pytest.raises(asyncpg.ObjectInUseError):
        await connection.execute("SELECT audit.turn_page($1)", month(MARCH))
    await transaction.rollback()
    assert await appended(connection) == {0}
    await turn(pool, month(MARCH))
    await turn(pool, month(MARCH))
    assert await appended(connection) == {MARCH}


async def test_whoever_appends_meanwhile_waits_for_nobody_and_no_id_comes_twice(
    connection: Any, pool: Database, database: servers.Database
) -> None:
    """Three workers turn at once, over a year; an entry that is open all the while is put in when it is committed."""
    late: Any = await asyncpg.connect(database.work_url)
    transaction = late.transaction()
    await transaction.start()
    await late.execute(APPEND, leaf(late=True))
    ended = asyncio.Event()

    async def appending() -> int:
        count = 0
        while not ended.is_set():
            await connection.execute(APPEND, leaf(n=count))
            count += 1
        return count

    running = asyncio.create_task(appending())
    for number in range(1, 13):
        for _ in range(2):
            await asyncio.gather(*(turn(pool, month(number)) for _ in range(3)))
    ended.set()
    count = await running
    assert await appended(connection) == {12}
    assert (await settle(connection)).edge.size == 0
    await transaction.commit()
    await late.close()
    assert (await settle(connection)).edge.size == count + 2
    months = "SELECT count(DISTINCT id >> 40) FROM audit.entry"
    assert await connection.fetchval(months) > 2


async def test_who_turns_while_the_log_is_adopted_tries_again(pool: Database, database: servers.Database) -> None:
    """An adoption begins a generation behind the last id: nobody may move the ids then."""
    owner: Any = await asyncpg.connect(database.owner_url)
    async with owner.transaction():
        await owner.execute("LOCK TABLE audit.entry IN SHARE ROW EXCLUSIVE MODE")
        with pytest.raises(KetenbrugError):
            await turn(pool, month(MARCH))
    await owner.close()


async def test_a_page_guards_itself(pool: Database, database: servers.Database) -> None:
    """Who names the page instead of the table meets the same triggers, also as a replica; the service has no right."""
    await turn(pool, month(MARCH))
    for url in (database.app_url, database.work_url, database.owner_url, database.superuser_url):
        who: Any = await asyncpg.connect(url)
        if url == database.superuser_url:
            await who.execute("SET session_replication_role = replica")
        for page in ("entry_first", "entry_2020_03"):
            for deed in ("UPDATE audit.{} SET leaf = leaf", "DELETE FROM audit.{}", "TRUNCATE audit.{}"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await who.execute(deed.format(page))
        await who.close()


async def test_the_service_reads_and_appends_to_the_table_alone(pool: Database, connection: Any) -> None:
    """It has no right to a page, to the numbering, or to what makes and drops pages."""
    await turn(pool, month(MARCH))
    for deed in (
        "SELECT FROM audit.entry_2020_03",
        "INSERT INTO audit.entry_first (leaf) VALUES ('{}')",
        "INSERT INTO audit.entry (id, leaf) VALUES (7, '{}')",
        "SELECT setval('audit.entry_id_seq', 7)",
        "SELECT audit.drop_page('entry_first')",
        "SELECT audit.guard_page('entry_first')",
        "SELECT audit.open_page(now())",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(deed)


async def test_a_page_is_found_by_the_id_and_no_other_is_read(pool: Database, connection: Any) -> None:
    """Two years of pages: of the many, each entry takes one."""
    for number in range(1, 25):
        await turn(pool, month(number))
    await turn(pool, month(24))
    await append(connection, 300)
    await settle(connection)
    bound = proofs._LOGGED(first=0, end=256)
    plan = await (await connection.prepare(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {bound.sql}")).fetch(*bound.args)
    read = [row[0] for row in plan if "Scan" in row[0] and "on entry" in row[0] and "never executed" not in row[0]]
    assert [each.split(" on ")[1].split()[0] for each in read] == ["entry_2022_01"]


async def test_what_was_there_is_the_first_page(empty_database: servers.Database, tmp_path: Path) -> None:
    """An upgrade takes a log over as it is, and back; the numbering goes on."""
    owner, roles = empty_database.owner_url, empty_database.roles
    await asyncio.to_thread(migrate.upgrade, owner, **roles, revision="0032")
    before: Any = await asyncpg.connect(empty_database.work_url)
    await append(before, 300)
    kept = await before.fetch("SELECT id, xid, leaf, leaf_hash FROM audit.entry ORDER BY id")
    await before.close()
    await asyncio.to_thread(migrate.upgrade, owner, **roles)
    after: Any = await asyncpg.connect(empty_database.work_url)
    assert await after.fetch("SELECT id, xid, leaf, leaf_hash FROM audit.entry ORDER BY id") == kept
    await append(after, 10)
    assert await after.fetchval("SELECT max(id) FROM audit.entry") == 310
    assert (await settle(after)).edge.size == 310
    await export.write(Rows(after), tmp_path)
    assert verifier.verify(tmp_path).whole
    for _ in range(2):
        await after.execute("SELECT audit.turn_page($1)", month(MARCH))
    await append(after, 10)
    last = await after.fetchval("SELECT max(id) FROM audit.entry")
    everything = "SELECT id, xid, leaf FROM audit.entry ORDER BY id"
    kept = await after.fetch(everything)
    await asyncio.to_thread(migrate.downgrade, owner, **roles, revision="0032")
    assert await after.fetch(everything) == kept
    await append(after, 1)
    assert await after.fetchval("SELECT max(id) FROM audit.entry") == last + 1
    await after.close()
    # and up again: all of it is the first page then, the month of the ids included
    await asyncio.to_thread(migrate.upgrade, owner, **roles)
    again: Any = await asyncpg.connect(empty_database.work_url)
    assert await appended(again) == {MARCH}
    for _ in range(2):
        await again.execute("SELECT audit.turn_page($1)", month(MARCH + 1))
    assert await appended(again) == {MARCH + 1}
    assert await again.fetch(f"{everything} LIMIT {len(kept)}") == kept
    await again.close()
    assert await names(empty_database) == ["entry_first", "entry_2020_04", "entry_2020_05"]
