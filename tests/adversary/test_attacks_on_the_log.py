"""Attacks on the log by somebody with more rights than the service: what catches each of them, and how soon.

The table of docs/how/audit.md names these tests; one test there holds that it does. "At once" is the statement itself,
"at the next start" is the next leader that takes the log up, "at the next batch" the running one, "at the next check"
an export that is verified, "when compared" needs a head that somebody kept: a guard, a witness, an auditor.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import pytest

from api.audit import export, proofs
from api.audit.checkpoint import Signer
from api.audit.delay import MergeDelay
from api.cli import keeping
from api.errors import LogDamaged, LogStopped
from api.settings import now
from api.storage.pool import Database
from clients import verifier
from clients.verifier import DoesNotHold
from tests.audit_kit import ORIGIN, retention
from tests.audit_store import APPEND, SEED, Rows, append, guard_of, integrate, leaf, settle, take_up, tamper, turn_page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from clients.verifier import Checkpoint
    from tests import servers

SIZE = 300
REWRITE = "UPDATE audit.entry SET leaf = convert_to('{\"v\":1,\"forged\":true}', 'UTF8') WHERE id = 124"
TABLES = ("entry", "entry_first", "leaf", "tile", "checkpoint")


@pytest.fixture
async def connection(database: servers.Database) -> AsyncIterator[Any]:
    """As `ketenbrug work`, of a database with a log of 300 entries that was also signed at 100."""
    made: Any = await asyncpg.connect(database.work_url)
    for count in (100, SIZE - 100):
        await append(made, count)
        await settle(made)
    yield made
    await made.close()


async def found(connection: Any, directory: Path) -> str:
    """What an export, verified by an outsider, says is wrong."""
    try:
        await export.write(Rows(connection), directory)
        verifier.verify(directory)
    except (LogDamaged, DoesNotHold) as error:
        return str(error)
    return "nothing"


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("deed", ["UPDATE audit.{0} SET {1} = {1}", "DELETE FROM audit.{0}", "TRUNCATE audit.{0}"])
async def test_plain_rewriting_is_refused_at_once(database: servers.Database, table: str, deed: str) -> None:
    """By rights to the roles of processes, by triggers to the owner and to a superuser who left them in place."""
    column = {"entry": "leaf", "entry_first": "leaf", "leaf": "entry_id", "tile": "data", "checkpoint": "note"}[table]
    for url in (database.app_url, database.work_url, database.owner_url, database.superuser_url):
        who: Any = await asyncpg.connect(url)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await who.execute(deed.format(table, column))
        await who.close()


WRITINGS = (
    "INSERT INTO audit.leaf (index, entry_id, leaf_hash) VALUES (300, 999, sha256('x'))",
    "INSERT INTO audit.tile (level, n, width, data) VALUES (5, 0, 1, sha256('x'))",
    "INSERT INTO audit.checkpoint (size, root, note) SELECT 301, root, note FROM audit.checkpoint",
    "INSERT INTO audit.cosignature (size, vkey, line, at) VALUES (300, 'x', 'x', now())",
    "DELETE FROM audit.cosignature",
    "INSERT INTO audit.verifier (vkey, at) VALUES ('x', now())",
    "INSERT INTO audit.generation (number, origin) VALUES (2, 'x')",
    "INSERT INTO audit.retention (below, at) VALUES (256, now())",
    "INSERT INTO audit.projection (index) VALUES (300)",
    "UPDATE audit.projection SET action = 'nothing.happened'",
    "DELETE FROM audit.projection_person",
    "DELETE FROM audit.signal",
    "UPDATE audit.signal_state SET size = 300",
    "DELETE FROM audit.signal_state",
    "DELETE FROM audit.signal_count",
    "UPDATE audit.delivery SET next = 300",
    "SELECT audit.turn_page(now())",
    "SELECT setval('audit.entry_id_seq', 1)",
    "INSERT INTO audit.entry (id, leaf) VALUES (1, '{}')",
    "INSERT INTO audit.entry_first (leaf) VALUES ('{}')",
)


@pytest.mark.usefixtures("connection")
async def test_writing_the_log_with_the_credentials_of_the_service_is_refused_at_once(
    database: servers.Database,
) -> None:
    """Whoever stole them appends entries, which stay and show, and does nothing else to the log.

    `test_the_rights_on_the_log_are_these_and_no_others` holds that no table is forgotten here.
    """
    stolen: Any = await asyncpg.connect(database.app_url)
    for deed in WRITINGS:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await stolen.execute(deed)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await settle(stolen)
    await append(stolen, 1)
    await stolen.close()


async def test_update_is_found_at_the_next_check_and_named(
    connection: Any, database: servers.Database, tmp_path: Path
) -> None:
    await tamper(database, REWRITE)
    assert await found(connection, tmp_path) == "tile/entries/000: entry 123 is not the one that was signed for"


async def test_update_with_all_hashes_made_to_fit_is_found_at_the_next_start(
    connection: Any, database: servers.Database, tmp_path: Path
) -> None:
    """Entry, leaf and root agree again; the signature and the guard do not."""
    await tamper(database, REWRITE.replace("124", "300"))
    await tamper(
        database,
        "UPDATE audit.leaf l SET leaf_hash = e.leaf_hash FROM audit.entry e WHERE e.id = l.entry_id AND e.id = 300",
    )
    with pytest.raises(LogDamaged):
        await take_up(connection)
    root = (await _edge(connection)).root()
    superuser: Any = await asyncpg.connect(database.superuser_url)
    await superuser.execute("ALTER TABLE audit.checkpoint DISABLE TRIGGER ALL")
    await superuser.execute("UPDATE audit.checkpoint SET root = $1 WHERE size = 300", root)
    await superuser.close()
    with pytest.raises(LogStopped, match="guard-differs"):
        await take_up(connection)
    assert "does not give the signed root" in await found(connection, tmp_path)


async def test_delete_is_found_at_the_next_check(connection: Any, database: servers.Database, tmp_path: Path) -> None:
    await tamper(database, "DELETE FROM audit.entry WHERE id = 43")
    assert await found(connection, tmp_path) == "entry 42 is not there"


@pytest.mark.parametrize(
    "deed",
    [
        "UPDATE audit.projection SET action = 'nothing.happened' WHERE index = 300",
        "UPDATE audit.projection SET categories = NULL WHERE index = 300",
        "DELETE FROM audit.projection WHERE index = 300",
        "DELETE FROM audit.projection_person",
    ],
)
async def test_hiding_an_entry_from_the_search_is_found_when_it_is_compared(
    connection: Any, database: servers.Database, deed: str
) -> None:
    """The log is whole, and proofs hold: only who searches passes it over."""
    seen = leaf(action="dossiers.read", disclosed={"identity": []}, persons=[str(UUID(int=1)), str(UUID(int=2))])
    await connection.execute(APPEND, seen)
    await settle(connection)
    assert await keeping._astray(database.app_url) == []
    await tamper(database, deed)
    assert await keeping._astray(database.app_url) == [SIZE]


async def test_delete_before_it_is_sequenced_is_found_by_the_receipt(
    connection: Any, database: servers.Database
) -> None:
    """No trace is left in the log: the caller's receipt is the evidence (tests/http/test_receipts.py)."""
    await append(connection, 1)
    await tamper(database, "DELETE FROM audit.entry WHERE id = 301")
    await append(connection, 1)
    assert (await settle(connection)).edge.size == SIZE + 1


async def test_detaching_or_dropping_a_page_is_found_at_the_next_check(
    connection: Any, database: servers.Database, tmp_path: Path
) -> None:
    """The owner needs to take no trigger away for it, and what is appended goes on. The hashes stay."""
    await turn_page(connection, 3)
    owner: Any = await asyncpg.connect(database.owner_url)
    await owner.execute("ALTER TABLE audit.entry DETACH PARTITION audit.entry_first")
    await append(connection, 1)
    await settle(connection)
    assert await found(connection, tmp_path / "detached") == "entry 0 is not there"
    await owner.execute("DROP TABLE audit.entry_2020_03")
    await owner.close()
    assert await found(connection, tmp_path / "dropped") == "entry 0 is not there"
    with pytest.raises(asyncpg.CheckViolationError, match="no partition"):
        await append(connection, 1)


async def test_changing_a_page_while_it_is_detached_is_found_at_the_next_check_and_named(
    connection: Any, database: servers.Database, tmp_path: Path
) -> None:
    await turn_page(connection, 3)
    owner: Any = await asyncpg.connect(database.owner_url)
    async with owner.transaction():
        await owner.execute("ALTER TABLE audit.entry DETACH PARTITION audit.entry_first")
        await owner.execute("ALTER TABLE audit.entry_first DISABLE TRIGGER USER")
        await owner.execute(REWRITE.replace("audit.entry", "audit.entry_first"))
        await owner.execute("ALTER TABLE audit.entry_first ENABLE TRIGGER USER")
        await owner.execute(
            f"ALTER TABLE audit.entry ATTACH PARTITION audit.entry_first FOR VALUES FROM (MINVALUE) TO ({1 << 40})"
        )
    await owner.close()
    assert await found(connection, tmp_path) == "tile/entries/000: entry 123 is not the one that was signed for"


async def test_giving_out_an_id_again_is_refused_at_once_or_stops_the_next_batch(
    connection: Any, database: servers.Database
) -> None:
    """By its body, or where that is gone by its leaf."""
    owner: Any = await asyncpg.connect(database.owner_url)
    await owner.execute("SELECT setval('audit.entry_id_seq', 6)")
    with pytest.raises(asyncpg.UniqueViolationError):
        await append(connection, 1)
    await tamper(database, "DELETE FROM audit.entry WHERE id = 8")
    await append(connection, 1)
    await owner.close()
    with pytest.raises(asyncpg.UniqueViolationError, match="uq_leaf_entry_id"):
        await integrate(connection, await take_up(connection))


async def test_deleting_under_the_guise_of_retention_is_found_at_the_next_check(
    connection: Any, database: servers.Database, tmp_path: Path
) -> None:
    """The owner sets the mark and takes no trigger away. Who writes the entry that has to be there is in the log."""
    owner: Any = await asyncpg.connect(database.owner_url)
    await owner.execute("INSERT INTO audit.retention VALUES (256, now())")
    assert await owner.execute("DELETE FROM audit.entry WHERE id <= 256") == "DELETE 256"
    await owner.close()
    missing = "retained: no entry from 256 on says that the term of those before it is over"
    assert await found(connection, tmp_path) == missing
    await connection.execute(APPEND, retention(256))
    await settle(connection)
    assert await found(connection, tmp_path) == "nothing"
    assert verifier.verify(tmp_path).retention == SIZE


async def test_reorder_is_found_at_the_next_check(connection: Any, database: servers.Database, tmp_path: Path) -> None:
    await tamper(
        database,
        """UPDATE audit.leaf SET entry_id = -entry_id WHERE index IN (7, 8);
           UPDATE audit.leaf SET entry_id = 16 - index WHERE index IN (7, 8)""",
    )
    assert await found(connection, tmp_path) == "tile/entries/000: entry 7 is not the one that was signed for"


async def test_insert_in_the_past_is_never_put_in_and_shows_as_a_log_that_stands_still(
    connection: Any, database: servers.Database, tmp_path: Path
) -> None:
    """With an old transaction number it is below the watermark: it is in no tree, and nobody gets a proof of it."""
    superuser: Any = await asyncpg.connect(database.superuser_url)
    await superuser.execute("INSERT INTO audit.entry (xid, leaf) VALUES ('3', '\\x7b7d')")
    await superuser.close()
    assert (await settle(connection)).edge.size == SIZE
    assert await found(connection, tmp_path) == "nothing"
    await tamper(database, "INSERT INTO audit.leaf VALUES (300, 301, sha256('\\x007b7d'))")
    await append(connection, 1)
    with pytest.raises(asyncpg.UniqueViolationError):
        await integrate(connection, await take_up(connection))


async def test_truncate_is_found_at_the_next_start(connection: Any, database: servers.Database) -> None:
    """Everything is gone, and a new log would begin: the guard remembers."""
    await tamper(database, "TRUNCATE audit.entry, audit.leaf, audit.tile, audit.checkpoint, audit.projection")
    await _stops(connection, "guard-ahead")


async def test_restoring_an_old_backup_is_found_at_the_next_start(connection: Any, database: servers.Database) -> None:
    """An honest copy of the log at 100 entries, with new ones after it: it would be a fork."""
    await tamper(
        database,
        """DELETE FROM audit.entry WHERE id > 100; DELETE FROM audit.leaf WHERE index >= 100;
           DELETE FROM audit.checkpoint WHERE size > 100; DELETE FROM audit.projection WHERE index >= 100;
           DELETE FROM audit.tile""",
    )
    await _stops(connection, "guard-ahead")
    await append(connection, 250)
    await _stops(connection, "guard-differs")
    assert await connection.fetchval("SELECT max(size) FROM audit.checkpoint") == 100


async def test_a_backup_under_the_running_leader_is_found_at_the_next_start(
    connection: Any, database: servers.Database
) -> None:
    """It goes on from what it signed, so that nothing is forked; the hole shows to whoever follows, and to a check."""
    standing = await take_up(connection)
    await tamper(database, "DELETE FROM audit.checkpoint WHERE size > 100; DELETE FROM audit.leaf WHERE index >= 100")
    await append(connection, 1)
    standing, _ = await integrate(connection, standing)
    with pytest.raises(LogDamaged):
        await take_up(connection)


async def test_a_fork_with_the_logs_own_key_is_found_when_compared(
    connection: Any, database: servers.Database, tmp_path: Path
) -> None:
    """Whoever has the key and skips the guard signs what they like. Who kept a head sees that it is another log."""
    await export.write(Rows(connection), tmp_path / "kept")
    kept = verifier.verify(tmp_path / "kept").checkpoint
    await append(connection, 5)
    await settle(connection)
    assert verifier.consistent(kept, *await _grown(connection, tmp_path / "honest", kept)), "an honest log is no fork"
    await tamper(database, "TRUNCATE audit.leaf, audit.tile, audit.checkpoint, audit.projection, audit.cosignature")
    await tamper(database, "DELETE FROM audit.entry WHERE id = 1")
    (await guard_of(connection)).note = None
    await append(connection, 5)
    await settle(connection)
    assert not verifier.consistent(kept, *await _grown(connection, tmp_path / "forged", kept))


async def test_a_swapped_signing_key_is_found_at_the_next_start_and_by_everybody_who_has_the_old_one(
    connection: Any, database: servers.Database, tmp_path: Path
) -> None:
    other = Signer.from_seeds(ORIGIN, bytes(32), SEED, now)
    with pytest.raises(LogStopped, match="guard-of-another-key"):
        await take_up(connection, other)
    await export.write(Rows(connection), tmp_path / "before")
    (await guard_of(connection)).note = None
    await tamper(database, "TRUNCATE audit.leaf, audit.tile, audit.checkpoint, audit.projection, audit.cosignature")
    await settle(connection, signer=other)
    await export.write(Rows(connection), tmp_path / "after")
    with pytest.raises(DoesNotHold, match="checkpoint: is not signed by a known key"):
        verifier.verify(tmp_path / "after", vkeys=tmp_path / "before" / "vkeys")


async def test_a_clock_that_is_set_back_hides_neither_the_order_nor_the_delay(
    connection: Any, database: servers.Database
) -> None:
    """The order is that of the transactions; the time is in the entry and shows; the delay is measured twice."""
    yesterday = datetime.now(UTC) - timedelta(days=1)  # noqa: TID251 - the attack
    await connection.execute(APPEND, leaf(at=yesterday.strftime("%Y-%m-%dT%H:%M:%S.%fZ")))
    pool = await Database.open(database.work_url, size=1)
    delay = MergeDelay(30, now)
    await delay.look(pool)
    assert delay.late()
    await settle(connection)
    await delay.look(pool)
    assert not delay.late()
    await pool.close()
    row = await connection.fetchrow("SELECT index, at FROM audit.projection ORDER BY index DESC LIMIT 1")
    assert (row["index"], row["at"]) == (SIZE, yesterday)


async def test_rewriting_under_the_guise_of_a_replica_is_refused_at_once(database: servers.Database) -> None:
    superuser: Any = await asyncpg.connect(database.superuser_url)
    await superuser.execute("SET session_replication_role = replica")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
        await superuser.execute("DELETE FROM audit.entry")
    await superuser.close()


def test_the_page_tells_each_attack_and_each_attack_is_tried() -> None:
    page = (Path(__file__).parents[2] / "docs/how/audit.md").read_text()
    told = set(re.findall(r"`(test_\w+)`", page))
    tried = set(re.findall(r"^(?:async )?def (test_\w+)", Path(__file__).read_text(), re.MULTILINE))
    assert tried - told == {"test_the_page_tells_each_attack_and_each_attack_is_tried"}
    assert told <= tried


async def _grown(connection: Any, directory: Path, kept: Checkpoint) -> tuple[Checkpoint, list[bytes]]:
    """The head that an outsider verifies, and the best proof that this log can give that it extends the kept one."""
    await export.write(Rows(connection), directory)
    head = verifier.verify(directory).checkpoint
    assert head.size > kept.size
    return head, await proofs.consistency(Rows(connection), kept.size, head.size, {})


async def _stops(connection: Any, why: str) -> None:
    """The log is not continued; whichever of the two steps finds it."""
    with pytest.raises(LogStopped, match=why):
        await integrate(connection, await take_up(connection))


async def _edge(connection: Any) -> Any:
    from api.audit import standing  # noqa: PLC0415 - of this helper alone

    async def fetch(bound: Any) -> Any:
        return await connection.fetch(bound.sql, *bound.args)

    return await standing._edge(fetch, SIZE)
