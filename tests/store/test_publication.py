"""The log in a bucket: no head without its tiles, and nothing that is not ours, whoever breaks off or comes along."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs
from typer.testing import CliRunner

from api.audit import export, publication
from api.audit.checkpoint import own
from api.audit.places import BucketSettings, in_one_bucket
from api.audit.publication import Publication
from api.cli import audit as command
from api.cli import publishing
from api.errors import LogDamaged, Misconfigured, NotExportable, Unavailable
from api.settings import now
from clients import verifier
from tests import live
from tests.audit_kit import ORIGIN, retention
from tests.audit_store import APPEND, Rows, append, settle, tamper
from tests.bucket_kit import Store, objects

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from api.outbound import Answer
    from api.storage.pool import Database
    from tests import servers

STATED = ("--entries", "--reason", "incident", "--reference", "AUD-2026-14")
PLACE = "https://log.s3.eu-central-1.amazonaws.com/tree"


@pytest.fixture
def store() -> Store:
    return Store()


async def grown(connection: Any, *sizes: int) -> None:
    """A log with a head at each of these sizes."""
    for size in sizes:
        await append(connection, size - await connection.fetchval("SELECT count(*) FROM audit.entry"))
        await settle(connection)


def to(pool: Database, store: Store, **more: Any) -> Publication:
    return Publication(pool, objects(store), PLACE, now, **more)


async def published(made: Publication) -> int:
    while await made.step():
        pass
    return made.size


def there(store: Store) -> dict[str, bytes]:
    """What everybody can fetch."""
    return {url.removeprefix(f"{PLACE}/"): each for url, each in store.objects.items() if not url.endswith(".probe")}


def on_disk(store: Store, directory: Path) -> Path:
    """A copy of the bucket."""
    for name, data in there(store).items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(data)
    return directory


def exported(directory: Path) -> dict[str, bytes]:
    files = (each for each in directory.rglob("*") if each.is_file())
    return {each.relative_to(directory).as_posix(): each.read_bytes() for each in files}


async def test_what_is_published_is_what_is_exported_without_entries(
    pool: Database, connection: Any, store: Store, tmp_path: Path
) -> None:
    """The same bytes under the same names, said of them what HTTP says; the head comes last."""
    await grown(connection, 600)
    assert await published(to(pool, store)) == 600
    await export.write(Rows(connection), tmp_path)
    kept = {name: data for name, data in exported(tmp_path).items() if "entries" not in name and name != "vkeys"}
    assert there(store) == kept
    (*some, (last, head)) = [(url, said) for url, said in store.written if not url.endswith(".probe")]
    assert last == f"{PLACE}/checkpoint"
    assert (head["Content-Type"], head["Cache-Control"]) == ("text/plain; charset=utf-8", "public, no-cache")
    assert {(said["Content-Type"], said["Cache-Control"]) for _, said in some} == {
        ("application/octet-stream", "public, max-age=31536000, immutable")
    }


async def test_only_what_is_not_there_yet_is_written_and_nothing_is_taken_away(
    pool: Database, connection: Any, store: Store
) -> None:
    await grown(connection, 0)
    made = to(pool, store)
    assert await published(made) == 0
    for size in (5, 300, 512, 600):
        before, known = len(store.written), there(store)
        await grown(connection, size)
        assert await published(made if size != 512 else to(pool, store)) == size
        fresh = [url.removeprefix(f"{PLACE}/") for url, _ in store.written[before:] if not url.endswith(".probe")]
        assert set(fresh) - {"checkpoint"} == there(store).keys() - known.keys()
        assert fresh[-1] == "checkpoint"
        assert known.items() - there(store).items() <= {("checkpoint", known["checkpoint"])}
    assert {"tile/0/000.p/5", "tile/0/001.p/44", "tile/1/000.p/1", "tile/0/001"} < there(store).keys()
    asked = len(store.asked)
    assert await published(made) == 600
    assert len(store.asked) == asked + 1


async def test_who_was_broken_off_goes_on_and_no_head_is_ever_without_its_tiles(
    pool: Database, connection: Any, store: Store, tmp_path: Path
) -> None:
    """Broken off at each write in turn, of three steps: what anybody can fetch holds every time."""
    await grown(connection, 100, 300, 600)
    for room in range(1, 14):
        store.room = room
        with pytest.raises(Unavailable):
            await published(to(pool, store, most=300, entries=True))
        if "checkpoint" in there(store):
            assert verifier.verify(on_disk(store, tmp_path / str(room))).checkpoint.size in {300, 600}
    store.room = 1_000
    store.loses = 1
    with pytest.raises(Unavailable):
        await published(to(pool, store, most=300, entries=True))
    assert await published(to(pool, store, most=300, entries=True)) == 600
    assert verifier.verify(on_disk(store, tmp_path / "last")).checkpoint.size == 600


async def test_of_two_at_once_one_moves_the_head_and_the_other_looks_again(
    pool: Database, connection: Any, store: Store
) -> None:
    await grown(connection, 100, 300, 600)
    several = [to(pool, store, most=most) for most in (300, 1_000, 300)]
    assert await asyncio.gather(*(published(each) for each in several)) == [600, 600, 600]
    alone = Store()
    await published(to(pool, alone, most=300))
    assert there(alone).items() <= there(store).items()


async def test_one_who_looked_before_another_wrote_takes_nothing_back(
    pool: Database, connection: Any, store: Store
) -> None:
    await grown(connection, 100)
    slow = to(pool, store)
    await published(slow)
    await grown(connection, 300)
    stale = store._shown(f"{PLACE}/checkpoint")
    await grown(connection, 600)
    assert await published(to(pool, store)) == 600
    store.answers = [stale]
    assert await slow.step()
    assert await published(slow) == 600
    assert there(store)["checkpoint"].startswith(f"{ORIGIN}\n600\n".encode())


async def test_cosignatures_that_come_later_are_put_below_the_head(
    pool: Database, connection: Any, store: Store, database: servers.Database
) -> None:
    await grown(connection, 5)
    made = to(pool, store)
    await published(made)
    await tamper(database, "INSERT INTO audit.cosignature VALUES (5, 'w+00000000+AA', '\u2014 w AAAA', now())")
    await published(made)
    assert there(store)["checkpoint"].decode().endswith("\u2014 w AAAA\n")
    before = len(store.written)
    await published(made)
    await published(to(pool, store))
    assert [url for url, _ in store.written[before:]] == [f"{PLACE}/checkpoint.probe"]


SPOILED: dict[str, tuple[str, bytes | None, str]] = {
    "a head of another log": ("checkpoint", b"other.example/log\n300\n" + b"A" * 43 + b"=\n\n", "did not sign"),
    "no head": ("checkpoint", b"\xff", "did not sign"),
    "no tile": ("tile/0/001.p/44", None, "do not give its head"),
    "another tile": ("tile/0/001.p/44", bytes(44 * 32), "do not give its head"),
    "a tile of another width": ("tile/1/000.p/1", bytes(64), "do not give its head"),
    "a tile that comes later": ("tile/0/001", bytes(256 * 32), "is there already"),
}


@pytest.mark.parametrize("which", SPOILED)
async def test_what_is_not_ours_or_not_whole_is_not_gone_on_from(
    pool: Database, connection: Any, store: Store, which: str
) -> None:
    """Somebody wrote there, or took something away: told, and nothing is written over."""
    name, data, why = SPOILED[which]
    await grown(connection, 300)
    await published(to(pool, store))
    if data is None:
        del store.objects[f"{PLACE}/{name}"]
    else:
        store.objects[f"{PLACE}/{name}"] = data
    await grown(connection, 600)
    head = there(store)["checkpoint"]
    with pytest.raises(NotExportable, match=why):
        await published(to(pool, store))
    assert (there(store)["checkpoint"], there(store).get(name)) == (head, data or there(store).get(name))


async def test_a_head_with_another_signature_or_of_a_newer_copy_is_not_ours(
    pool: Database, connection: Any, store: Store, database: servers.Database
) -> None:
    await grown(connection, 5)
    made = to(pool, store)
    await published(made)
    note = there(store)["checkpoint"]
    store.objects[f"{PLACE}/checkpoint"] = note.replace(own(note.decode())[-9:].encode(), b"AAAAAAA=\n")
    for each in (made, to(pool, store)):
        with pytest.raises(NotExportable, match="did not sign"):
            await published(each)
    store.objects[f"{PLACE}/checkpoint"] = note
    assert await published(made) == 5
    await tamper(database, "DELETE FROM audit.checkpoint WHERE size = 5")
    for each in (made, to(pool, store)):
        with pytest.raises(NotExportable, match="older copy"):
            await published(each)


@pytest.mark.parametrize("damage", ["UPDATE audit.leaf SET leaf_hash = sha256('x')", "DELETE FROM audit.leaf"])
async def test_of_a_damaged_log_nothing_is_published(
    pool: Database, connection: Any, store: Store, database: servers.Database, damage: str
) -> None:
    await grown(connection, 300, 600)
    made = to(pool, store, most=300)
    assert await made.step()
    await tamper(database, f"{damage} WHERE index = 400")
    before = there(store)
    with pytest.raises(LogDamaged, match="do not give the signed root"):
        await made.step()
    assert there(store) == before


async def test_before_the_log_has_begun_nothing_is_published(pool: Database, store: Store) -> None:
    assert await published(to(pool, store)) == -1
    assert there(store) == {}


async def test_a_store_that_takes_no_notice_of_conditions_is_refused(pool: Database, connection: Any) -> None:
    await grown(connection, 5)
    store = Store(heeds=False)
    with pytest.raises(Misconfigured, match="no notice of conditions"):
        await published(to(pool, store))
    assert there(store) == {}


async def test_another_write_of_the_same_tile_is_waited_for(pool: Database, connection: Any) -> None:
    """S3 answers 409 while two writes of one object are under way."""
    await grown(connection, 5)

    class Busy(Store):
        def _written(self, url: str, body: bytes, headers: dict[str, str]) -> Answer:
            if url.endswith("/tile/0/000.p/5") and not self.written[1:]:
                self.written.append((url, headers))
                self.answers = [self._shown(url)]
                return super()._written(PLACE, body, {"If-Match": "x"})
            return super()._written(url, body, headers)

    made = to(pool, busy := Busy())
    with pytest.raises(Unavailable):
        await published(made)
    assert await published(made) == 5
    assert "tile/0/000.p/5" in there(busy)


async def test_with_entries_it_is_an_export_that_grows(
    pool: Database, connection: Any, store: Store, tmp_path: Path
) -> None:
    """What a data protection officer copies from there is verified as any other export, keys and all."""
    for size in (300, 600):
        await grown(connection, size)
        await published(to(pool, store, entries=True))
    report = verifier.verify(on_disk(store, tmp_path))
    assert (report.checkpoint.size, report.whole, report.retained) == (600, True, 0)
    assert {said["Cache-Control"] for url, said in store.written if "entries" in url} == {"no-store"}
    # a log that has another key by now says so there too
    store.objects[f"{PLACE}/vkeys"] = b"of before\n"
    await grown(connection, 601)
    await published(to(pool, store, entries=True))
    assert b"of before" not in there(store)["vkeys"]


async def test_a_place_has_entries_or_not_from_its_beginning(pool: Database, connection: Any, store: Store) -> None:
    await grown(connection, 5)
    await published(to(pool, store))
    with pytest.raises(NotExportable, match="no entries so far"):
        await published(to(pool, store, entries=True))
    other = Store()
    other.room = 3
    with pytest.raises(Unavailable):
        await published(to(pool, other, entries=True))
    other.room = 100
    with pytest.raises(NotExportable, match="for nobody else"):
        await published(to(pool, other))


async def test_what_is_past_its_term_is_not_published(
    pool: Database, connection: Any, store: Store, tmp_path: Path, database: servers.Database
) -> None:
    """Its hashes are, and the export says from where on the entries are there."""
    await grown(connection, 300)
    late = Store()
    await published(to(pool, late, entries=True))
    await grown(connection, 600)
    await tamper(database, "INSERT INTO audit.retention VALUES (512, now()); DELETE FROM audit.entry WHERE id <= 512")
    with pytest.raises(NotExportable, match="past its term"):
        await published(to(pool, late, entries=True))
    await connection.execute(APPEND, retention(512))
    await settle(connection)
    made = to(pool, store, entries=True, most=300)
    heads = 0
    while await made.step():
        if f"{PLACE}/checkpoint" in store.objects:
            heads += 1
            assert verifier.verify(on_disk(store, tmp_path)).retained == 512
    assert heads == 1, "none without the entry that says so"
    await grown(connection, 700)
    await published(to(pool, store, entries=True))
    assert verifier.verify(on_disk(store, tmp_path)).retained == 512
    store.objects[f"{PLACE}/retained"] = b"nothing\n"
    with pytest.raises(NotExportable, match="is no number"):
        await published(to(pool, store, entries=True))


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        ("UPDATE audit.entry SET leaf = '{}' WHERE id = 7", "entries 0 to 255"),
        ("DELETE FROM audit.entry WHERE id = 7", "entry 6 is not there"),
    ],
)
async def test_an_entry_that_was_changed_is_not_published(
    pool: Database, connection: Any, store: Store, database: servers.Database, damage: str, what: str
) -> None:
    await grown(connection, 300)
    await tamper(database, damage)
    with pytest.raises(LogDamaged, match=what):
        await published(to(pool, store, entries=True))
    assert "checkpoint" not in there(store)


async def test_one_process_keeps_it_up_and_tells_when_it_was(pool: Database, connection: Any, store: Store) -> None:
    """Of two one publishes. A bucket that is away is told, and tried again; the time of the last success stands."""
    faults: list[Exception] = []
    await grown(connection, 5)
    store.room = 1
    made = [to(pool, store) for _ in range(2)]
    running = [asyncio.create_task(publication.run(pool, each, now, faults.append, every=0.01)) for each in made]
    for size in (5, 300):
        await grown(connection, size)
        await until(lambda: bool(faults))
        store.room = 100
        head = f"{ORIGIN}\n{size}\n".encode()
        await until(lambda head=head: there(store).get("checkpoint", b"").startswith(head))  # type: ignore[misc]
    for each in running:
        each.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    assert {type(each) for each in faults} == {Unavailable}
    assert sorted(each.size for each in made) == [-1, 300]
    assert 0 <= now().timestamp() - (REGISTRY.get_sample_value("ketenbrug_log_published_timestamp_seconds") or 0) < 60


async def test_a_client_that_cannot_be_opened_stops_nothing_and_is_opened_when_it_can_be(pool: Database) -> None:
    """Who publishes runs beside who signs: without credentials it tells so, and goes on trying."""
    nobody = {"AWS_PROFILE": "nobody", "AWS_EC2_METADATA_DISABLED": "true"}
    given = {"AWS_PROFILE": None, "AWS_ACCESS_KEY_ID": "example", "AWS_SECRET_ACCESS_KEY": "example"}
    found = BucketSettings(log_bucket_url=f"http://127.0.0.1:{live.free_port()}/log")
    with capture_logs() as told, CliRunner(env=nobody).isolation():
        running = asyncio.create_task(publishing.run(pool, found, every=0.01))
        await until(lambda: running.done() or len(told) > 1)
        assert not running.done()
        assert {(each["kind"], each["where"]) for each in told} == {("Unavailable", "credentials")}
        with CliRunner(env=given).isolation():
            await until(lambda: running.done() or told[-1]["where"] != "credentials")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert (told[-1]["kind"], told[-1]["where"]) == ("Unavailable", "peer")


async def until(holds: Callable[[], bool]) -> None:
    """Wait for it."""
    for _ in range(3_000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to that")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "where to"),
        (("--to", "http://log.s3.example/tree"), "an https address"),
        (("--to", "https://log.s3.example/"), "no / at its end"),
        (("--to", PLACE, "--entries"), "needs --reason"),
        (("--to", PLACE, "--entries", "--reason", "incident", "--reference", "J. de Vries"), "no name"),
        (("--to", PLACE, *STATED), "say --unpublished"),
    ],
)
def test_the_command_says_what_it_needs(words: tuple[str, ...], why: str) -> None:
    """Entries go nowhere without a reason, nor where nobody said which place is for everybody."""
    run = CliRunner().invoke(command.app, ["publish", *words], env={"KETENBRUG_LOG_BUCKET_URL": ""})
    assert isinstance(run.exception, Misconfigured)
    assert why in str(run.exception)


@pytest.mark.parametrize(
    ("public", "to"),
    [
        (PLACE, PLACE),
        (PLACE, f"{PLACE}/private"),
        (PLACE, "https://log.s3.eu-central-1.amazonaws.com"),
        (PLACE, "https://log.s3.eu-central-1.amazonaws.com/apart"),
        (PLACE, "https://LOG.S3.eu-central-1.amazonaws.com:443/tr%65e"),
        (PLACE, "https://s3.eu-central-1.amazonaws.com/log/apart"),
        ("http://127.0.0.1:9000/log", "http://127.0.0.1:9000/log/entries"),
        ("https://log.example", "https://log.example./entries"),
    ],
)
def test_entries_never_go_into_the_bucket_that_is_for_everybody(public: str, to: str) -> None:
    """Whatever the folder, and however it is written."""
    settings = {"KETENBRUG_LOG_BUCKET_URL": public}
    run = CliRunner().invoke(command.app, ["publish", "--to", to, *STATED, "--unpublished"], env=settings)
    assert isinstance(run.exception, Misconfigured)
    assert "another bucket" in str(run.exception)
    for apart in ("https://other.s3.eu-central-1.amazonaws.com/tree", "http://127.0.0.1:9000/logs"):
        assert not in_one_bucket(public, apart)
