"""Retention: what entries said goes when its term is over, and everything that was proven of them still is."""

from __future__ import annotations

import asyncio
import shutil
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import pytest
from typer.testing import CliRunner

from api.audit import export as exports
from api.audit import proofs, retention, tiles, tree
from api.audit.receipt import Signer
from api.audit.tiles import At
from api.cli import main
from api.errors import NotExportable
from api.settings import now
from clients import receipts, verifier
from tests import live, servers
from tests.audit_kit import ORIGIN, lightened
from tests.audit_store import APPEND, Rows, leaf, settle, take_up, turn_page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

OLD, YOUNG = 600, 50
PERSON = UUID(int=7)
SIGNALLED = """INSERT INTO audit.signal (rule, index, at, organisation, client, figure, threshold)
    VALUES ('volume', $1, now(), gen_random_uuid(), 'ngo', 21, 20)"""
COUNTED = """INSERT INTO audit.signal_count (rule, day, organisation, client, actor, kind, count)
    VALUES ('volume', $1, gen_random_uuid(), 'ngo', 'somebody', 'ngo', 1)"""


def run(database: servers.Database, *words: str) -> str:
    """Run `ketenbrug audit` as the owner."""
    said = ("audit", *words)
    ended = CliRunner().invoke(main.assembled(said), said, env=live.environment(database_url=database.owner_url))
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    assert ended.exit_code == 0, ended.output
    return ended.output


async def entries(connection: Any, count: int, days: int) -> None:
    """Append entries of so many days ago, and put them into the tree."""
    at = (now() - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    leaves = [(leaf(at=at, person=str(PERSON), n=n),) for n in range(count)]
    await connection.executemany(APPEND, leaves)
    await settle(connection)


@pytest.fixture
async def connection(database: servers.Database) -> AsyncIterator[Any]:
    """As the application, in a log of 600 old entries on two pages, and 50 young ones on a third."""
    made: Any = await asyncpg.connect(database.work_url)
    await entries(made, OLD // 2, 100)
    await turn_page(made, 3)
    await entries(made, OLD // 2, 100)
    await turn_page(made, 4)
    await entries(made, YOUNG, 1)
    yield made
    await made.close()


def promise(of: bytes) -> receipts.Receipt:
    """A receipt for this entry, of yesterday."""
    signer = Signer.from_seed(ORIGIN, 60, bytes(32))
    return receipts.read(signer.sign(of, now() - timedelta(days=1)), signer.key.vkey)


async def pages(database: servers.Database) -> list[str]:
    owner: Any = await asyncpg.connect(database.owner_url)
    rows = await owner.fetch("SELECT name FROM audit.page ORDER BY first")
    await owner.close()
    return [row["name"] for row in rows]


async def archived(database: servers.Database, to: Path) -> Path:
    await asyncio.to_thread(run, database, "archive", "--dir", str(to))
    return to


async def retained(database: servers.Database, archive: Path, days: int = 30) -> str:
    return await asyncio.to_thread(run, database, "retain", "--days", str(days), "--archive", str(archive))


async def test_the_drill(
    connection: Any, database: servers.Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Archive, delete, prove, and bring back: the archive makes an export of the lighter log whole again."""
    monkeypatch.setattr(retention, "STEP", 256)
    archive = await archived(database, tmp_path / "archive")
    head = await proofs.latest(Rows(connection))
    assert head is not None
    promised, never = (promise(each) for each in (verifier.story(archive)[3].leaf, b"{}"))
    for index, days in ((511, 101), (512, 0)):
        await connection.execute(SIGNALLED, index)
        await connection.execute(COUNTED, (now() - timedelta(days=days)).date())
    told = await retained(database, archive)
    assert "Of the first 512 entries only the hashes are left; 512 were deleted now." in told
    # (1) the bodies are gone, one page as a whole, and what they were found by; who tries again deletes nothing more
    assert await pages(database) == ["entry_2020_03", "entry_2020_04", "entry_2020_05"]
    count = "SELECT count(*) FROM audit.projection"
    assert await connection.fetchval("SELECT count(*) FROM audit.entry") == OLD + YOUNG - 512 + 2
    assert await connection.fetchval(count) == OLD + YOUNG - 512
    assert await connection.fetchval(count.replace("projection", "projection_person")) == OLD + YOUNG - 512
    assert await connection.fetch("SELECT index FROM audit.signal") == [(512,)]
    assert await connection.fetch("SELECT day FROM audit.signal_count") == [(now().date(),)]
    assert "; 0 were deleted now." in await retained(database, archive)
    assert await tiles.bundle(Rows(connection), At(None, 0, 256)) is None
    # (2) the log goes on, takes up its edge, and says who deleted
    await settle(connection)
    assert (await take_up(connection)).edge.size == OLD + YOUNG + 2
    taken, deleted = await proofs.entries(Rows(connection), OLD + YOUNG, OLD + YOUNG + 2)
    assert b'"action":"audit.export-log"' in taken.leaf
    assert b'"action":"audit.retain"' in deleted.leaf
    # (3) an export proves the rest, and says in words what it does not
    run_export = ("export", "--dir", str(tmp_path / "log"), "--from", str(head.size))
    await asyncio.to_thread(run, database, *run_export)
    report = verifier.verify(tmp_path / "log", sample=512)
    assert (report.retained, report.retention, report.older) == (512, OLD + YOUNG + 1, head.size)
    assert "Proven: the first 512 entries stand in it with their hashes, in their order." in report.words()
    assert "Not proven: what the first 512 entries say." in report.words()
    assert len(verifier.story(tmp_path / "log")) == OLD + YOUNG + 2 - 512
    assert receipts.broken([promised, never], tmp_path / "log") == (never,)
    with pytest.raises(NotExportable, match="past its term"):
        await asyncio.to_thread(run, database, "export", "--dir", str(tmp_path / "one"), "--entry", "511")
    # (4) whoever kept an entry can still prove it
    kept = verifier.story(archive)[3].leaf
    path = await proofs.inclusion(Rows(connection), 3, report.checkpoint.size, {})
    assert verifier.included(kept, 3, report.checkpoint, path)
    # (5) with the bundles of the archive the export is whole again
    for n in range(2):
        name = tree.path("entries", n)
        await asyncio.to_thread(shutil.copyfile, archive / name, tmp_path / "log" / name)
    await asyncio.to_thread((tmp_path / "log" / "retained").unlink)
    whole = verifier.verify(tmp_path / "log")
    assert (whole.whole, whole.retained) == (True, 0)


async def test_a_page_that_is_being_read_is_dropped_the_next_time(
    connection: Any, database: servers.Database, tmp_path: Path
) -> None:
    """Nobody waits long for a dump to end: who appends would wait too."""
    archive = await archived(database, tmp_path / "archive")
    dump = connection.transaction()
    await dump.start()
    await connection.fetch("SELECT FROM audit.entry LIMIT 1")
    with pytest.raises(NotExportable, match="run this again"):
        await retained(database, archive)
    await dump.rollback()
    assert "entry_first" in await pages(database)
    await retained(database, archive)
    assert "entry_first" not in await pages(database)


async def test_no_page_is_dropped_that_holds_what_is_not_past_its_term(
    connection: Any, database: servers.Database
) -> None:
    """Not by the function that drops them, whoever calls it; and none that is, or may be, written to."""
    await connection.execute(APPEND, leaf())
    superuser: Any = await asyncpg.connect(database.superuser_url)
    await superuser.execute("INSERT INTO audit.retention VALUES (512, now())")
    for page in ("entry_2020_03", "entry_2020_04", "entry_2020_05"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
            await superuser.execute("SELECT audit.drop_page($1)", page)
    await superuser.close()
    assert len(await pages(database)) == 4


async def put_in(superuser: Any, ids: Sequence[int], xids: Sequence[int]) -> None:
    """Entries as they stand in the tree, of these transactions, and a page behind them."""
    await superuser.execute(
        """INSERT INTO audit.entry (id, xid, leaf) SELECT id, xid::text::xid8, $3
            FROM unnest($1::bigint[], $2::bigint[]) AS put (id, xid)""",
        ids,
        xids,
        leaf(),
    )
    await superuser.execute(
        """INSERT INTO audit.leaf SELECT nth - 1, id, sha256('')
            FROM unnest($1::bigint[]) WITH ORDINALITY AS put (id, nth)""",
        ids,
    )
    await turn_page(superuser, 3)


async def test_a_page_is_dropped_without_a_look_at_each_of_its_entries(database: servers.Database) -> None:
    """A month of a busy log has more of them than a statement has time for."""
    superuser: Any = await asyncpg.connect(database.superuser_url)
    await put_in(superuser, range(1, 5001), range(1001, 6001))
    await superuser.execute("INSERT INTO audit.retention VALUES (5120, now())")
    await superuser.execute("ANALYZE audit.entry, audit.leaf")
    read = """SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_all_tables
        WHERE schemaname = 'audit' AND (relname = 'leaf' OR relname LIKE 'entry%')"""
    async with superuser.transaction():
        before = await superuser.fetchval(read)
        whole = await superuser.fetch(retention._WHOLE().sql)
        assert [each["name"] for each in whole] == ["entry_first"]
        assert await superuser.fetchval(read) - before < 50
        await superuser.execute("SELECT audit.drop_page('entry_first')")
    await superuser.close()
    assert await pages(database) == ["entry_2020_03", "entry_2020_04"]


@pytest.mark.parametrize(
    ("ids", "xids", "moved_after"),
    [([*range(1, 256), 257, 256], range(1001, 1258), None), (range(1, 258), [*range(1001, 1257), 5], 256)],
    ids=["the last but one id came last", "transactions are numbered anew"],
)
async def test_a_page_is_held_by_the_last_of_it_in_the_log(
    database: servers.Database, ids: Sequence[int], xids: Sequence[int], moved_after: int | None
) -> None:
    """That need not be the one with the last id, nor of the last transaction in a database that was moved."""
    superuser: Any = await asyncpg.connect(database.superuser_url)
    await put_in(superuser, ids, xids)
    if moved_after is not None:
        await superuser.execute("INSERT INTO audit.generation VALUES (2, 7, 'moved', $1, 256, now())", moved_after)
    for mark, past in ((256, False), (512, True)):
        await superuser.execute("INSERT INTO audit.retention VALUES ($1, now())", mark)
        assert await superuser.fetchval("SELECT audit.past_its_term('entry_first')") is past
    await superuser.close()


async def test_nothing_is_deleted_without_an_archive_that_holds_it(
    connection: Any, database: servers.Database, tmp_path: Path
) -> None:
    archive = tmp_path / "archive"
    await exports.write(Rows(connection), archive, entries=[3])
    with pytest.raises(NotExportable, match="never written over"):
        await archived(database, archive)
    with pytest.raises(NotExportable, match="does not hold"):
        await retained(database, tmp_path / "absent")
    await entries(connection, 400, 50)
    with pytest.raises(NotExportable, match="make a newer one"):
        await retained(database, archive, days=1)
    await asyncio.to_thread(lightened, archive, 256)
    with pytest.raises(NotExportable, match="no entry from 256 on says"):
        await retained(database, archive)
    await asyncio.to_thread(shutil.rmtree, archive / "tile")
    with pytest.raises(NotExportable, match="lacks entries"):
        await retained(database, archive)
    assert await connection.fetchval("SELECT count(*) FROM audit.entry") == OLD + YOUNG + 400
    assert not await connection.fetch("SELECT FROM audit.retention")


@pytest.fixture
def other(cluster: servers.Server, template: servers.Database) -> Iterator[servers.Database]:
    with servers.database(cluster, template) as made:
        yield made


@pytest.mark.usefixtures("connection")
async def test_an_archive_of_another_log_is_refused(
    database: servers.Database, other: servers.Database, tmp_path: Path
) -> None:
    theirs: Any = await asyncpg.connect(other.work_url)
    await entries(theirs, OLD + YOUNG, 1)
    await theirs.close()
    archive = await archived(other, tmp_path / "archive")
    with pytest.raises(NotExportable, match="not of this log"):
        await retained(database, archive)


async def test_only_what_is_past_its_term_can_be_deleted(connection: Any, database: servers.Database) -> None:
    """By the owner, and by a superuser who leaves the triggers where they are."""
    superuser: Any = await asyncpg.connect(database.superuser_url)
    for sql in ("DELETE FROM audit.entry", "DELETE FROM audit.entry WHERE false"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
            await superuser.execute(sql)
    await superuser.execute("INSERT INTO audit.retention VALUES (256, now())")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
        await superuser.execute("DELETE FROM audit.entry WHERE id = 257")
    assert await superuser.execute("DELETE FROM audit.entry WHERE id <= 256") == "DELETE 256"
    with pytest.raises(asyncpg.CheckViolationError):
        await superuser.execute("INSERT INTO audit.retention VALUES (300, now())")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("INSERT INTO audit.retention VALUES (512, now())")
    await superuser.close()


async def test_a_young_log_has_nothing_past_its_term(database: servers.Database, tmp_path: Path) -> None:
    """Not even when it has not begun."""
    assert "Of the first 0 entries" in await retained(database, tmp_path / "none")


async def test_search_columns_are_read_from_the_entries_again(connection: Any, database: servers.Database) -> None:
    """Of entries from before a column was there, and of rows that are lost."""
    everything = "SELECT * FROM audit.projection ORDER BY index"
    before = await connection.fetch(everything)
    superuser: Any = await asyncpg.connect(database.superuser_url)
    await superuser.execute("UPDATE audit.projection SET action = NULL WHERE index < 300")
    await superuser.execute("DELETE FROM audit.projection WHERE index > 500")
    await superuser.execute("DELETE FROM audit.projection_person WHERE index > 400")
    await superuser.close()
    with pytest.raises(AssertionError, match=r"549 entries are not found by what they say: 0, 1, .*, 19, …"):
        await asyncio.to_thread(run, database, "reindex", "--check")
    said = await asyncio.to_thread(run, database, "reindex")
    assert f"Read {OLD + YOUNG} entries again." in said
    assert "Every entry is found" in await asyncio.to_thread(run, database, "reindex", "--check")
    assert await connection.fetch(everything) == before
    about = await connection.fetchval("SELECT count(*) FROM audit.projection_person WHERE person = $1", PERSON)
    assert about == OLD + YOUNG
    last = await connection.fetchval("SELECT leaf FROM audit.entry ORDER BY id DESC LIMIT 1")
    assert b'"action":"audit.reindex"' in last


async def test_an_old_clock_takes_no_young_entry_with_it(connection: Any) -> None:
    """Entries go in the order of the log: what one of them says of its time is nothing about those before it."""
    await entries(connection, 300, 1)
    await entries(connection, 1, 29)
    assert await retention.due(Rows(connection), now() - timedelta(days=30)) == 512
    assert await retention.due(Rows(connection), now() + timedelta(days=1)) == 768
    assert await retention.due(Rows(connection), now() - timedelta(days=101)) == 0
    await entries(connection, 1, -3650)
    await entries(connection, 300, 1)
    assert await retention.due(Rows(connection), now() - timedelta(hours=1)) == 1024, "nor does one that is ahead stay"


async def test_an_empty_log_has_nothing_to_read_again(database: servers.Database) -> None:
    assert "Read 0 entries again." in await asyncio.to_thread(run, database, "reindex")
