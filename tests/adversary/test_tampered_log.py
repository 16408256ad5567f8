"""Who changes the log is found: by a byte in an export, or by a row in the database.

The attackers here have more rights than the service: a superuser who takes the triggers away. They have no signing key.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from typer.testing import CliRunner

from api.audit import export
from api.cli import audit as command
from api.errors import LogDamaged
from clients import verifier
from tests.audit_store import Rows, append, guard_of, settle, tamper

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests import servers

SIZE = 300


@pytest.fixture
async def connection(database: servers.Database) -> AsyncIterator[Any]:
    """As the application, of a database with a log of 300 entries that was also signed at 100."""
    made: Any = await asyncpg.connect(database.work_url)
    for count in (100, SIZE - 100):
        await append(made, count)
        await settle(made)
    yield made
    await made.close()


@pytest.fixture
async def exported(connection: Any, tmp_path: Path) -> Path:
    directory = tmp_path / "export"
    await export.write(Rows(connection), directory, entries=[0, 299], older=100)
    return directory


def verified(directory: Path) -> tuple[int, str]:
    """Run `ketenbrug audit verify`. Returns its exit code and what it says."""
    run = CliRunner().invoke(command.app, ["verify", "--dir", str(directory)])
    return run.exit_code, run.output


async def test_one_changed_byte_of_an_export_is_found_and_named(exported: Path) -> None:
    """In the middle of each kind of file, as a disk or a hand would change it."""
    assert verified(exported)[0] == 0
    for name, said in {
        "tile/entries/000": "tile/entries/000: entry 128 is not the one that was signed for",
        "tile/entries/001.p/44": "tile/entries/001.p/44: ",
        "tile/0/000": "tile/0/000: is not what the tile above it stands for",
        "tile/0/001.p/44": "tile/0/001.p/44: the right edge of the tree does not give the signed root",
        "tile/1/000.p/1": "tile/1/000.p/1, tile/0/001.p/44: the right edge",
        "checkpoint": "checkpoint: ",
        "checkpoint.old": "checkpoint.old: ",
        "consistency": "consistency: ",
        "vkeys": "vkeys: ",
        "entries/0.json": "entries/0.tlog-proof: does not prove that entries/0.json stands at index 0",
        "entries/299.tlog-proof": "entries/299.tlog-proof: ",
    }.items():
        with changed(exported / name):
            code, output = verified(exported)
        assert (code, said in output) == (1, True), output
    assert verified(exported)[0] == 0


@contextmanager
def changed(file: Path) -> Iterator[None]:
    """Change the byte in the middle, for a while."""
    kept = file.read_bytes()
    data = bytearray(kept)
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))
    yield
    file.write_bytes(kept)


@pytest.mark.parametrize(
    ("deed", "said"),
    [
        (
            "UPDATE audit.entry SET leaf = convert_to('{\"v\":1,\"forged\":true}', 'UTF8') WHERE id = ID",
            "tile/entries/000: entry 123 is not the one that was signed for",
        ),
        (
            """UPDATE audit.leaf SET entry_id = -entry_id WHERE index IN (7, 8);
               UPDATE audit.leaf SET entry_id = (SELECT id FROM audit.entry ORDER BY id OFFSET 15 - index LIMIT 1)
               WHERE index IN (7, 8)""",
            "tile/entries/000: entry 7 is not the one that was signed for",
        ),
        (
            "UPDATE audit.leaf SET leaf_hash = sha256('') WHERE index = 299",
            "tile/1/000.p/1, tile/0/001.p/44: the right edge of the tree does not give the signed root",
        ),
        (
            "UPDATE audit.tile SET data = overlay(data placing sha256('') from 1) WHERE level = 0",
            "tile/0/000: is not what the tile above it stands for",
        ),
        (
            "UPDATE audit.checkpoint SET note = replace(note, '300', '299') WHERE size = 300",
            "checkpoint: the signature of",
        ),
        ("DELETE FROM audit.checkpoint WHERE size = 300", None),
    ],
)
async def test_a_row_that_was_changed_behind_the_triggers_is_found(
    connection: Any, database: servers.Database, tmp_path: Path, deed: str, said: str | None
) -> None:
    """Edited, reordered, or its hash made to fit: an export fails, or shows an older head than others have."""
    kept = tmp_path / "kept"
    await export.write(Rows(connection), kept)
    identity = await connection.fetchval("SELECT entry_id FROM audit.leaf WHERE index = 123")
    await tamper(database, deed.replace("ID", str(identity)))
    await export.write(Rows(connection), tmp_path / "export")
    code, output = verified(tmp_path / "export")
    if said is None:
        # An operator who shows an older head hides entries only from who kept no newer one.
        assert code == 0
        assert verifier.verify(tmp_path / "export").checkpoint.size < verifier.verify(kept).checkpoint.size
    else:
        assert (code, said in output) == (1, True)


async def test_an_entry_that_was_removed_cannot_be_exported_away(
    connection: Any, database: servers.Database, tmp_path: Path
) -> None:
    identity = await connection.fetchval("SELECT entry_id FROM audit.leaf WHERE index = 42")
    await tamper(database, f"DELETE FROM audit.entry WHERE id = {identity:d}")  # noqa: S608 - a number
    with pytest.raises(LogDamaged, match="entry 42 is not there"):
        await export.write(Rows(connection), tmp_path)


async def test_a_log_that_was_rewritten_and_signed_anew_is_found_by_who_kept_a_checkpoint(
    connection: Any, database: servers.Database, tmp_path: Path, exported: Path
) -> None:
    """Even the operator, who has the key and can empty the guard, cannot make the new log begin with the old one."""
    await tamper(database, "TRUNCATE audit.leaf, audit.tile, audit.checkpoint, audit.projection")
    await tamper(database, "DELETE FROM audit.entry WHERE id = 1")
    (await guard_of(connection)).note = None
    await settle(connection)
    await append(connection, 5)
    await settle(connection)
    forged = tmp_path / "forged"
    await export.write(Rows(connection), forged)
    assert verified(forged)[0] == 0, "by itself it holds: that is why checkpoints are compared"
    shutil.copy(exported / "checkpoint", forged / "checkpoint.old")
    shutil.copy(exported / "consistency", forged / "consistency")
    code, output = verified(forged)
    assert (code, "consistency: does not prove that checkpoint.old is the beginning" in output) == (1, True)
