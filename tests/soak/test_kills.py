"""Leader and PostgreSQL killed in the midst of load, twenty times: every receipt is provable, no index twice, no gap.

`make soak` runs it; it takes some minutes. Two processes can lead the log. In each round the one that leads is killed
with -9, and so is PostgreSQL: in every other round at the same moment, else once the other process has taken over.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from api.audit.sequencer import LOCK
from api.sandbox.running import NAME, Running
from clients import receipts, verifier
from tests import live
from tests import load as loads

if TYPE_CHECKING:
    from collections.abc import Generator

    import pytest

    from clients.receipts import Receipt
    from tests.load import Load

ROUNDS: Final = 20
PATIENCE: Final = 180.0
"""Seconds for load, a new leader, or the end of the log. A bound on what is hung, no promise."""
ASKING: Final = 4
"""Threads that ask for proofs."""

_LEADS: Final = """
    SELECT activity.client_port FROM pg_locks JOIN pg_stat_activity AS activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND ((classid::bigint << 32) | objid::bigint) = $1::bigint
"""
_LEAVES: Final = 'SELECT "index", entry_id, leaf_hash FROM audit.leaf ORDER BY "index"'
_ENTRIES: Final = "SELECT id, leaf_hash FROM audit.entry"


@dataclass
class Second:
    """`ketenbrug work`, beside the one that the server keeps: one of the two leads."""

    running: Running
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, unless it lives."""
        if self._process is None or self._process.poll() is not None:
            with (self.running.directory / "second").open("ab") as said:
                self._process = subprocess.Popen(  # noqa: S603 - our own words
                    (*live.COMMAND, "work"), env=self.running.environment, stdout=said, stderr=said
                )

    def stop(self) -> None:
        """Stop it, if it lives."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(live.STARTING)


@dataclass
class Log:
    """The log, as it was seen after each round: what stood somewhere must stand there for good."""

    running: Running
    leaves: list[tuple[int, bytes]] = field(default_factory=list["tuple[int, bytes]"])
    """Entry id and leaf hash, by index."""

    def look(self) -> None:
        """Read it again, and compare."""
        found = asked(self.running, _LEAVES)
        assert [row["index"] for row in found] == list(range(len(found))), "no index twice, no gap"
        leaves = [(row["entry_id"], row["leaf_hash"]) for row in found]
        assert len({entry for entry, _ in leaves}) == len(leaves), "an entry stands at one index"
        assert leaves[: len(self.leaves)] == self.leaves, "what stood somewhere stands there"
        self.leaves = leaves

    def whole(self) -> bool:
        """Whether every committed entry is in it, with the hash of its bytes."""
        self.look()
        return {(row["id"], row["leaf_hash"]) for row in asked(self.running, _ENTRIES)} == set(self.leaves)


def test_every_receipt_is_provable_whatever_was_killed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    began, taken_over = time.monotonic(), list[float]()
    with (
        Running.start(tmp_path / "sandbox", people=0, said=tmp_path / "said") as running,
        second(running) as other,
        loads.ready(running) as load,
    ):
        log = Log(running)
        load.begin()
        try:
            for number in range(ROUNDS):
                load.until_enough(PATIENCE)
                taken_over += blow(running, at_once=number % 2 == 0)
                running.cluster.restart()
                other.start()
                load.until_enough(PATIENCE)
                log.look()
        finally:
            load.end()
        live.until(log.whole, PATIENCE)
        felt = load.felt
        assert felt >= ROUNDS, "each blow was felt"
        promised = read(load)
        assert proven(running, load, promised) == len(promised)
        live.export(running.application_url, tmp_path / "log")
    assert verifier.verify(tmp_path / "log").checkpoint.size >= len(log.leaves)
    assert receipts.broken(promised, tmp_path / "log") == ()
    assert {each.leaf_hash for each in promised} <= {hashed for _, hashed in log.leaves}
    with capsys.disabled():
        sys.stdout.write(
            f"\n{ROUNDS} rounds: {len(promised)} receipts handed out, all proven; {len(log.leaves)} entries, "
            f"each at one index, without a gap; {felt} requests failed meanwhile; "
            f"a new leader after {max(taken_over):.1f} s at most; {time.monotonic() - began:.0f} s in all.\n"
        )


@contextmanager
def second(running: Running) -> Generator[Second]:
    made = Second(running)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def blow(running: Running, *, at_once: bool) -> list[float]:
    """Kill the leader, and PostgreSQL. Returns the seconds until another one led, if it was waited for."""
    live.until(lambda: leader(running) is not None, PATIENCE)
    led = leader(running)
    assert led is not None
    os.kill(led, signal.SIGKILL)
    taken = list[float]()
    if not at_once:
        since = time.monotonic()
        live.until(lambda: leader(running) not in {None, led}, PATIENCE)
        taken.append(time.monotonic() - since)
    running.cluster.kill()
    return taken


def leader(running: Running) -> int | None:
    """The process that holds the lock of the log; None when none does."""
    for row in asked(running, _LEADS, LOCK):
        for process in Path("/proc").glob("[0-9]*"):
            if row["client_port"] in ports(process):
                return int(process.name)
    return None


def ports(process: Path) -> set[int]:
    """The local TCP ports of a process of ours: which sockets it holds, and where each is bound."""
    try:
        if b"api.cli" not in (process / "cmdline").read_bytes():
            return set()
        held = {str(each.readlink()) for each in (process / "fd").iterdir()}
        rows = [line.split() for line in (process / "net/tcp").read_text().splitlines()[1:]]
    except OSError:
        return set()
    return {int(row[1].rpartition(":")[2], 16) for row in rows if f"socket:[{row[9]}]" in held}


def asked(running: Running, query: str, *given: object) -> list[Any]:
    async def ask() -> list[Any]:
        connection = await asyncpg.connect(running.cluster.superuser_url(NAME))
        try:
            return await connection.fetch(query, *given)
        finally:
            await connection.close()

    return asyncio.run(ask())


def read(load: Load) -> list[Receipt]:
    """Every receipt that came, once."""
    key = load.cast.receipt_key()
    return [receipts.read(each, key) for each in dict.fromkeys(load.cast.journal.receipts)]


def proven(running: Running, load: Load, promised: list[Receipt]) -> int:
    """How many of the promises the exchange proves when it is asked."""
    vkeys = [row["vkey"] for row in asked(running, "SELECT vkey FROM audit.verifier")]

    def one(receipt: Receipt) -> int:
        proof = load.cast.ngo.receipts.prove(receipt.hashed).value
        index, _ = receipts.kept(receipt, proof.tlog_proof, vkeys)
        return index

    with ThreadPoolExecutor(ASKING) as threads:
        return len(set(threads.map(one, promised)))
