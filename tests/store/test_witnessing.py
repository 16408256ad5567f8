"""Two witnesses of other parties, over real HTTP: honest heads get both cosignatures, a second history gets none."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from api.audit import export, policy, proofs, witnessing
from api.audit.sequencer import COSIGNATURE
from api.audit.witnessing import Rounds
from api.errors import Unavailable, WitnessRefused
from api.outbound import Outbound
from api.settings import now
from api.storage.pool import Database
from clients import verifier
from clients import witness as witnesses
from clients.verifier import DoesNotHold
from clients.witness import Witness
from tests.audit_kit import KEY, write
from tests.audit_store import Rows, append, guard_of, settle, tamper

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from api.audit.policy import Policy
    from tests import servers

NAMES = ("ngo.example/witness", "municipality.example/witness")


@contextmanager
def listening(of: Witness) -> Iterator[str]:
    """Its URL, while it listens."""
    with witnesses.server(of, "127.0.0.1", 0) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_address[1]}"
        serving.shutdown()
        thread.join()


@pytest.fixture
def two(tmp_path: Path) -> list[Witness]:
    """Witnesses that follow the log."""
    for name in NAMES:
        Witness.make(tmp_path / name, name)
        write(tmp_path / name / "logs", f"{KEY.vkey}\n".encode())
    return [Witness.of(tmp_path / name, now) for name in NAMES]


@pytest.fixture
def trust(two: list[Witness], tmp_path: Path) -> Iterator[Path]:
    """A policy file: two of two have to cosign."""
    with listening(two[0]) as first, listening(two[1]) as second:
        lines = [f"log {KEY.vkey}", "", "# each witness with either of its keys"]
        for number, (each, url) in enumerate(zip(two, (first, second), strict=True)):
            old, new = each.key.vkeys
            lines += [f"witness w{number}-ed {old} {url}", f"witness w{number}-pq {new} {url}/"]
            lines.append(f"group w{number} any w{number}-ed w{number}-pq")
        write(tmp_path / "policy", "\n".join([*lines, "group both all w0 w1", "quorum both", ""]).encode())
        yield tmp_path / "policy"


def demanded(trust: Path) -> Policy:
    """The policy as the sequencer's side reads it."""
    return policy.parse(trust.read_text())


async def grow(connection: Any, count: int) -> None:
    await append(connection, count)
    await settle(connection)


async def test_what_the_database_refuses_is_told_as_it_is(
    connection: Any, database: servers.Database, trust: Path
) -> None:
    """As the application role, which may not write down what witnesses saw."""
    served = await Database.open(database.app_url, size=1)
    await grow(connection, 3)
    async with Outbound() as outbound:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await Rounds(served, demanded(trust), outbound, now).round()
    await served.close()


async def test_each_head_is_cosigned_and_an_outsider_sees_by_whom(
    connection: Any, pool: Database, trust: Path, tmp_path: Path
) -> None:
    asked_of = demanded(trust)
    async with Outbound() as outbound:
        rounds = Rounds(pool, asked_of, outbound, now)
        assert await rounds.round() == [], "nothing to cosign yet"
        for size in (3, 300):
            await grow(connection, size)
            assert await rounds.round() == []
            assert await rounds.round() == [], "asked once"
        again = Rounds(pool, asked_of, outbound, now)
        await grow(connection, 5)
        assert await again.round() == [], "who has forgotten is told the size"
    rows = await connection.fetch("SELECT vkey FROM audit.cosignature WHERE size = 308")
    assert asked_of.satisfied(row["vkey"] for row in rows)
    await export.write(Rows(connection), tmp_path / "export", entries=[7])
    report = verifier.verify(tmp_path / "export", policy=trust)
    assert set(report.cosigned) == set(NAMES)
    for name in NAMES:
        assert f"{name} saw this head" in report.words()
    assert "others see this same log" not in report.words()


async def test_a_head_that_was_handed_out_never_goes_back(
    connection: Any, pool: Database, database: servers.Database, trust: Path, two: list[Witness]
) -> None:
    """Not when witnesses come back, nor when one answers late about an older head."""

    async def shown() -> int:
        head = await proofs.shown(Rows(connection))
        assert head is not None
        return head.size

    async def cosigned(size: int) -> None:
        for each in two:
            await connection.execute(COSIGNATURE.sql, size, each.key.vkeys[0], "line")

    async with Outbound() as outbound:
        await grow(connection, 10)
        rounds, slow = Rounds(pool, demanded(trust), outbound, now), Rounds(pool, demanded(trust), _Away(), now)
        assert await rounds.round() == []
        assert await shown() == 10
        for size in (11, 12):
            await grow(connection, 1)
            assert len(await slow.round()) == 2
            assert await shown() == 10, f"nobody saw {size}"
        await cosigned(11)
        assert await shown() == 10, "whoever wrote that did not move it"
        await tamper(database, "UPDATE audit.checkpoint SET at = at - interval '11 s'")
        await slow.round()
        assert await shown() == 12, "they had the time"
        await rounds.round()
        await grow(connection, 1)
        await tamper(database, "UPDATE audit.checkpoint SET at = at - interval '61 s'")
        assert await shown() == 13, "nobody waits any more"
        await grow(connection, 1)
        assert await shown() == 14
        await slow.round()
        assert await shown() == 14, "from here on they are waited for again"
        await grow(connection, 1)
        await slow.round()
        assert await shown() == 14
        await rounds.round()
        assert await shown() == 15


class _Away:
    """Witnesses that cannot be reached."""

    async def post(self, url: str, _body: bytes) -> Any:
        raise Unavailable(url)


async def test_without_a_quorum_an_outsider_believes_nothing(connection: Any, trust: Path, tmp_path: Path) -> None:
    await grow(connection, 3)
    await export.write(Rows(connection), tmp_path / "export")
    with pytest.raises(DoesNotHold, match="as many witnesses as the policy demands"):
        verifier.verify(tmp_path / "export", policy=trust)


async def test_a_rolled_back_log_gets_no_cosignature(
    connection: Any, pool: Database, database: servers.Database, trust: Path
) -> None:
    """The operator restores an old copy and takes the guard away: the witnesses remember."""
    async with Outbound() as outbound:
        await grow(connection, 10)
        await Rounds(pool, demanded(trust), outbound, now).round()
        await tamper(database, "TRUNCATE audit.entry, audit.leaf, audit.tile, audit.checkpoint, audit.projection")
        (await guard_of(connection)).note = None
        await grow(connection, 4)
        faults = await Rounds(pool, demanded(trust), outbound, now).round()
    assert [type(each) for each in faults] == [WitnessRefused] * 2
    assert "a larger tree" in str(faults[0])


async def test_a_split_view_gets_no_cosignature_and_leaves_evidence(
    connection: Any, pool: Database, database: servers.Database, trust: Path, two: list[Witness]
) -> None:
    """The operator signs a second history with the log's own key, larger than the first."""
    async with Outbound() as outbound:
        await grow(connection, 10)
        await Rounds(pool, demanded(trust), outbound, now).round()
        await tamper(database, "TRUNCATE audit.leaf, audit.tile, audit.checkpoint, audit.projection, audit.cosignature")
        await tamper(database, "DELETE FROM audit.entry WHERE id = 1")
        (await guard_of(connection)).note = None
        await grow(connection, 8)
        faults = await Rounds(pool, demanded(trust), outbound, now).round()
    assert {str(each).rpartition(": ")[2] for each in faults} == {"what it cosigned is not the beginning of this log"}
    assert not await connection.fetch("SELECT FROM audit.cosignature WHERE vkey LIKE '%witness%'")
    head = await proofs.latest(Rows(connection))
    assert head is not None
    for each in two:
        assert evidence(each) == {head.note.partition("\n\n")[0]}


async def test_a_witness_that_is_away_or_talks_nonsense_is_told_and_asked_again(
    connection: Any, pool: Database, two: list[Witness]
) -> None:
    """Cosignatures are taken from the keys of the policy only, and only when they hold."""
    vkey, _ = two[0].key.vkeys
    away = policy.parse(f"witness w {vkey} http://127.0.0.1:9\nquorum w")
    await grow(connection, 3)
    async with Outbound() as outbound:
        (fault,) = await Rounds(pool, away, outbound, now).round()
    assert isinstance(fault, Unavailable)
    assert str(fault) == "http://127.0.0.1:9", "it is told which"
    head = await proofs.latest(Rows(connection))
    assert head is not None
    text, _ = verifier.signatures_of("note", head.note.encode())
    good = two[0].key.lines(text, verifier.Checkpoint("x", head.size, head.root), 7).splitlines()[0]
    asked = list(away.witnesses.values())
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    loose = f"{good[:-3]}{alphabet[alphabet.index(good[-3]) | 1]}=="
    assert loose != good, "the same bytes, written so that a verifier refuses the whole note"
    for line in (good, loose):
        assert [line for _, line in witnessing.cosignatures(line.encode(), head, asked)] == [good]
    forged = two[0].key.lines(text.replace("3", "4"), verifier.Checkpoint("x", 4, head.root), 7).splitlines()[0]
    short = good[:60]
    never = two[0].key.lines(text, verifier.Checkpoint("x", head.size, head.root), 253_402_300_800).splitlines()[0]
    for line in (forged, short, never, "\u2014 x !!!!", "\u2014 x é", "\u2014 x", "", good.replace("ngo", "xxx")):
        assert not list(witnessing.cosignatures(line.encode(), head, asked))


def evidence(of: Witness) -> set[str]:
    """The texts of what shows that there are two histories."""
    return {file.read_text().partition("\n\n")[0] for file in (of.directory / "forked").iterdir() if not file.suffix}


class _Says:
    """A witness that answers this."""

    def __init__(self, status: int, body: bytes) -> None:
        self.answer = (status, body)

    async def post(self, _url: str, _body: bytes) -> Any:
        """Answer."""
        from api.outbound import Answer  # noqa: PLC0415 - of this double alone

        return Answer(self.answer[0], "", self.answer[1])


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (409, b"99\n", "a larger tree"),
        (409, b"many\n", "it answered 409"),
        (409, b"0\n", "it answered 409"),
        (409, b"3\n", "it has cosigned another tree of this size, or a larger one"),
        (422, b"", "what it cosigned is not the beginning of this log"),
        (500, b"", "it answered 500"),
        (200, b"", "none of its lines"),
    ],
)
async def test_whatever_a_witness_says_is_put_into_words(
    connection: Any, pool: Database, two: list[Witness], status: int, body: bytes, said: str
) -> None:
    await grow(connection, 3)
    one = policy.parse(f"witness w {two[0].key.vkeys[0]} http://w.example\nquorum none")
    (fault,) = await Rounds(pool, one, _Says(status, body), now).round()
    assert isinstance(fault, WitnessRefused)
    assert said in str(fault)


async def test_rounds_go_on_and_each_fault_is_told(connection: Any, pool: Database, two: list[Witness]) -> None:
    """A key without a URL is asked by nobody. The database that goes away is a fault like a witness that does."""
    first, second = (each.key.vkeys[0] for each in two)
    both = policy.parse(f"witness w {first} http://w.example\nwitness v {second}\nquorum w")
    await grow(connection, 3)
    heard: list[Exception] = []
    told = asyncio.Event()

    def notice(fault: Exception) -> None:
        heard.append(fault)
        told.set()

    for fault in (WitnessRefused, Unavailable):
        task = asyncio.create_task(witnessing.run(pool, both, _Says(500, b""), now, notice))
        async with asyncio.timeout(60):
            await told.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert [type(each) for each in heard] == [fault]
        heard.clear()
        told.clear()
        await pool.close()


class _Broken:
    """A fault of ours: no witness can bring it about."""

    async def post(self, _url: str, _body: bytes) -> Any:
        raise ZeroDivisionError


async def test_each_fault_of_a_round_is_told_also_those_of_ours(
    connection: Any, pool: Database, two: list[Witness]
) -> None:
    """None stands for another, and none is taken for one of a witness."""
    first, second = (each.key.vkeys[0] for each in two)
    both = policy.parse(f"witness w {first} http://w.example\nwitness v {second} http://v.example\nquorum none")
    await grow(connection, 3)
    faults = await Rounds(pool, both, _Broken(), now).round()
    assert [type(each) for each in faults] == [ZeroDivisionError] * 2


async def test_what_nobody_foresaw_is_told_and_ends_nothing(
    connection: Any, pool: Database, two: list[Witness]
) -> None:
    """The sequencer runs beside it, and would be cancelled with it."""
    one = policy.parse(f"witness w {two[0].key.vkeys[0]} http://w.example\nquorum none")
    await grow(connection, 3)
    heard: asyncio.Queue[Exception] = asyncio.Queue()
    task = asyncio.create_task(witnessing.run(pool, one, _Broken(), now, heard.put_nowait))
    async with asyncio.timeout(60):
        assert isinstance(await heard.get(), ZeroDivisionError)
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
