"""Reading the log from PostgreSQL: proofs that the verifier takes, exports that hold."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from api.audit import export, proofs, tree, witnessing
from api.cli import audit as command
from api.errors import LogDamaged, NotExportable
from api.settings import now
from api.storage.pool import Database
from clients import verifier
from tests.audit_kit import ORIGIN
from tests.audit_store import SIGNER, Rows, append, settle, tamper

if TYPE_CHECKING:
    from pathlib import Path

    from tests import servers


async def integrated(connection: Any, *sizes: int) -> list[bytes]:
    """A log with a checkpoint at each of the sizes."""
    leaves: list[bytes] = []
    for size in sizes:
        leaves += await append(connection, size - len(leaves))
        await settle(connection)
    return leaves


async def test_before_it_has_begun_a_log_has_no_head(connection: Any, tmp_path: Path) -> None:
    assert await proofs.latest(Rows(connection)) is None
    with pytest.raises(NotExportable, match="has not begun"):
        await export.write(Rows(connection), tmp_path)


async def test_the_head_is_the_one_that_was_signed_last(connection: Any) -> None:
    await integrated(connection, 3, 7)
    head, past = await proofs.latest(Rows(connection)), await proofs.at(Rows(connection), 3)
    assert head is not None
    assert past is not None
    assert (head.size, past.size) == (7, 3)
    assert head.note.startswith(f"{ORIGIN}\n7\n")
    assert head.at > past.at
    assert await proofs.at(Rows(connection), 5) is None
    assert set(await proofs.vkeys(Rows(connection))) == set(SIGNER.vkeys)


async def test_the_head_that_is_shown_is_the_last_that_witnesses_saw(
    connection: Any, database: servers.Database, tmp_path: Path
) -> None:
    """Unless more was asked for, or nobody heard of them for a minute. Where they are not asked, it is the last."""

    async def shown(above: int = -1) -> int | None:
        found = await proofs.shown(Rows(connection), above)
        return None if found is None else found.size

    assert await shown() is None
    await integrated(connection, 3, 5, 8)
    assert [await shown(), await proofs.seen(Rows(connection))] == [8, None]
    await connection.execute("INSERT INTO audit.delivery VALUES ('witnesses', 5, now()), ('ldv', 3, now())")
    assert [await shown(), await shown(4), await shown(5), await shown(8)] == [5, 5, 8, None]
    assert await proofs.seen(Rows(connection)) == 5
    assert (await export.write(Rows(connection), tmp_path)).size == 5
    assert (await export.write(Rows(connection), tmp_path, older=8)).size == 8
    assert (await export.write(Rows(connection), tmp_path, entries=[7])).size == 8
    await tamper(database, "UPDATE audit.checkpoint SET at = at - interval '1 hour' WHERE size <= 5")
    assert await shown() == 5, "however old it is"
    await tamper(database, "UPDATE audit.checkpoint SET at = at - interval '61 s' WHERE size = 8")
    assert [await shown(), await proofs.seen(Rows(connection))] == [8, None]


@pytest.mark.parametrize("size", [1, 255, 256, 257, 700])
async def test_what_stands_in_the_log_is_proven(connection: Any, size: int) -> None:
    """At the present size and at every earlier one, whether a checkpoint was signed there or not."""
    leaves = await integrated(connection, (size + 1) // 2, size)
    signed = await proofs.latest(Rows(connection))
    assert signed is not None
    assert signed.known
    for known in {size, (size + 1) // 2, max(1, size - 3)}:
        edge, _ = tree.Edge().grown(tree.leaf_hash(each) for each in leaves[:known])
        head = verifier.Checkpoint(ORIGIN, known, edge.root())
        for index in {0, known // 2, known - 1}:
            (logged,) = await proofs.entries(Rows(connection), index, index + 1)
            assert (logged.index, logged.leaf) == (index, leaves[index])
            path = await proofs.inclusion(Rows(connection), index, known, {})
            assert path == await proofs.inclusion(Rows(connection), index, known, signed.known)
            assert verifier.included(leaves[index], index, head, path)
        older, _ = tree.Edge().grown(tree.leaf_hash(each) for each in leaves[: known // 2])
        first = verifier.Checkpoint(ORIGIN, known // 2, older.root())
        assert verifier.consistent(first, head, await proofs.consistency(Rows(connection), known // 2, known, {}))


async def test_tiles_of_an_earlier_release_prove_what_they_proved(connection: Any, database: servers.Database) -> None:
    await integrated(connection, 600)
    before = [await proofs.inclusion(Rows(connection), index, 600, {}) for index in range(0, 600, 37)]
    await tamper(database, "UPDATE audit.tile SET middle = NULL")
    assert [await proofs.inclusion(Rows(connection), index, 600, {}) for index in range(0, 600, 37)] == before


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        ("DELETE FROM audit.tile WHERE level = 1", "a tile is not there"),
        ("DELETE FROM audit.leaf WHERE index >= 512", "a tile is not there"),
        ("DELETE FROM audit.leaf WHERE index >= 594", "narrower than the tree"),
    ],
)
async def test_nothing_is_proven_from_a_damaged_log(
    connection: Any, database: servers.Database, damage: str, what: str
) -> None:
    await integrated(connection, 600)
    await tamper(database, damage)
    with pytest.raises(LogDamaged, match=what):
        await proofs.inclusion(Rows(connection), 599, 600, {})


@pytest.mark.parametrize("size", [0, 1, 256, 257, 700])
async def test_an_export_holds(connection: Any, tmp_path: Path, size: int) -> None:
    leaves = await integrated(connection, size // 2, size)
    asked = sorted({0, size // 2, size - 1}) if size else []
    await export.write(Rows(connection), tmp_path / "new", entries=asked * 2, older=size // 2)
    report = verifier.verify(tmp_path / "new")
    assert (report.checkpoint.size, report.proven, report.older) == (size, tuple(asked), size // 2)
    assert [each.leaf for each in verifier.story(tmp_path / "new")] == leaves
    assert all((tmp_path / f"new/entries/{index}.json").read_bytes() == leaves[index] for index in asked)


async def test_an_export_replaces_an_earlier_one_and_nothing_else(connection: Any, tmp_path: Path) -> None:
    await integrated(connection, 5)
    await export.write(Rows(connection), tmp_path, entries=[4], older=5)
    await append(connection, 5)
    await settle(connection)
    await export.write(Rows(connection), tmp_path)
    assert verifier.verify(tmp_path).checkpoint.size == 10
    assert not (tmp_path / "entries").exists()
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(NotExportable, match=r"holds something that is no export: thesis\.txt"):
        await export.write(Rows(connection), tmp_path)


async def test_what_was_never_signed_or_logged_is_not_exported(connection: Any, tmp_path: Path) -> None:
    await integrated(connection, 5)
    with pytest.raises(NotExportable, match="no checkpoint of 4 entries was signed"):
        await export.write(Rows(connection), tmp_path, older=4)
    for index in (5, -1):
        with pytest.raises(NotExportable, match=f"no entry {index} in a log of 5 entries"):
            await export.write(Rows(connection), tmp_path, entries=[index])
    assert files(tmp_path) == []


async def test_an_export_is_of_one_moment(connection: Any, tmp_path: Path) -> None:
    """Entries that arrive while it is written are not in it."""
    await integrated(connection, 300)

    class Growing(Rows):
        async def all(self, bound: Any) -> list[Any]:
            rows = await super().all(bound)
            await append(connection, 3)
            await settle(connection)
            return rows

    await export.write(Growing(connection), tmp_path, entries=[299], older=300)
    assert verifier.verify(tmp_path).checkpoint.size == 300


async def test_an_export_under_which_the_mark_moves_is_none(
    connection: Any, database: servers.Database, tmp_path: Path
) -> None:
    await integrated(connection, 300)

    class Moved(Rows):
        async def all(self, bound: Any) -> list[Any]:
            rows = await super().all(bound)
            if rows and "below" in rows[0]:
                await tamper(database, "INSERT INTO audit.retention VALUES (256, now())")
            return rows

    with pytest.raises(NotExportable, match="export again"):
        await export.write(Moved(connection), tmp_path)
    assert not (tmp_path / "checkpoint").exists()


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (
            "DELETE FROM audit.entry WHERE id = (SELECT entry_id FROM audit.leaf WHERE index = 7)",
            "entry 7 is not there",
        ),
        ("DELETE FROM audit.leaf WHERE index = 257", "is not whole"),
    ],
)
async def test_an_export_that_cannot_be_whole_says_so(
    connection: Any, database: servers.Database, tmp_path: Path, damage: str, what: str
) -> None:
    await integrated(connection, 258)
    await tamper(database, damage)
    with pytest.raises(LogDamaged, match=what):
        await export.write(Rows(connection), tmp_path)
    with pytest.raises(verifier.DoesNotHold, match="checkpoint: is not there"):
        verifier.verify(tmp_path)


async def test_a_proof_in_a_log_of_thousands_asks_the_database_once(connection: Any) -> None:
    """For the tiles, and with them for the hashes of the last leaves."""
    await integrated(connection, 2_000)
    asked = 0

    class Counting(Rows):
        async def all(self, bound: Any) -> list[Any]:
            nonlocal asked
            asked += 1
            return await super().all(bound)

    await proofs.inclusion(Counting(connection), 1_000, 2_000, {})
    assert asked == 1


async def test_the_commands_keep_their_contract(connection: Any, database: servers.Database, tmp_path: Path) -> None:
    """Design section 7: `audit export --dir DIR [--entry INDEX …] [--from SIZE]`, `audit verify --dir DIR`."""
    await integrated(connection, 3, 9)
    arguments = ["export", "--dir", str(tmp_path), "--entry", "1", "--entry", "8", "--from", "3"]
    run = await asked(database, arguments)
    assert (run.exit_code, run.output) == (0, f"Exported 9 entries to {tmp_path}.\n")
    assert files(tmp_path) == [
        "checkpoint",
        "checkpoint.old",
        "consistency",
        "entries/1.json",
        "entries/1.tlog-proof",
        "entries/8.json",
        "entries/8.tlog-proof",
        "tile/0/000.p/9",
        "tile/entries/000.p/9",
        "vkeys",
    ]
    run = CliRunner().invoke(command.app, ["verify", "--dir", str(tmp_path)])
    assert run.exit_code == 0
    assert f"log {ORIGIN}, 9 entries" in run.output
    run = CliRunner().invoke(command.app, ["verify", "--dir", str(tmp_path), "--vkeys", str(tmp_path / "vkeys")])
    assert run.exit_code == 0
    (tmp_path / "tile/entries/000.p/9").write_bytes(b"")
    run = CliRunner().invoke(command.app, ["verify", "--dir", str(tmp_path)])
    assert (run.exit_code, "tile/entries/000.p/9" in run.output) == (1, True)
    run = await asked(database, ["export", "--dir", str(tmp_path), "--entry", "9"])
    assert isinstance(run.exception, NotExportable)


async def asked(database: servers.Database, arguments: list[str]) -> Any:
    """Run the command in a thread, since it has an event loop of its own."""
    environment = {"KETENBRUG_DATABASE_URL": database.app_url}
    return await asyncio.to_thread(CliRunner().invoke, command.app, arguments, env=environment)


def files(directory: Path) -> list[str]:
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())


async def test_of_earlier_days_the_last_cosignatures_are_kept(connection: Any, database: servers.Database) -> None:
    await integrated(connection, 1, 2, 3)
    later = await Database.open(database.work_url, size=1)
    for days, left in ((0, [0, 1, 2, 3]), (2, [3])):
        unit = later.unit(now() + timedelta(days=days))
        await witnessing.sweep(unit)
        await unit.finish()
        kept = await connection.fetch("SELECT size FROM audit.cosignature ORDER BY size")
        assert [row["size"] for row in kept] == left
    await later.close()
    head = await proofs.at(Rows(connection), 2)
    assert head is not None
    assert head.note.count("\u2014") == 1
