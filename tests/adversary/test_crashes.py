"""kill -9 under load: nothing acknowledged is lost, and nothing disclosed is unwritten (promises 2 and 6).

Real clients in threads open cases and pull a dossier (`tests.load`). In their midst the server dies with its worker, or
the database does with the leader of the log. `make soak` does it twenty times over.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import pytest

from api.sandbox.running import NAME
from clients import receipts, verifier
from tests import live
from tests import load as loads
from tests.load import ENOUGH, Load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from uuid import UUID

    from api.sandbox.cast import Cast
    from api.sandbox.running import Running

STARTED: Final = 60.0
"""Seconds until a worker that was killed is there again, and has signed what happened."""


@pytest.fixture
def load(running: Running) -> Iterator[Load]:
    with loads.ready(running) as made:
        yield made


def cases(running: Running) -> set[UUID]:
    """Every case that the database holds."""

    async def ask() -> set[UUID]:
        connection = await asyncpg.connect(running.cluster.superuser_url(NAME))
        try:
            return {row["id"] for row in await connection.fetch('SELECT id FROM exchange."case"')}
        finally:
            await connection.close()

    return asyncio.run(ask())


def kill_the_service(running: Running) -> None:
    """The server and its worker, at once."""
    for pid in (*live.children(running.service.pid), running.service.pid):
        os.kill(pid, signal.SIGKILL)
    running.service.restart()


def kill_the_leader_and_the_database(running: Running) -> None:
    """The worker, and PostgreSQL under it. The server is left alone: it must find the one, and start the other."""
    for pid in live.children(running.service.pid):
        os.kill(pid, signal.SIGKILL)
    running.cluster.kill()
    running.cluster.restart()


@pytest.mark.parametrize("blow", [kill_the_service, kill_the_leader_and_the_database])
def test_nothing_acknowledged_is_lost_and_nothing_disclosed_is_unwritten(
    running: Running, load: Load, tmp_path: Path, blow: Callable[[Running], None]
) -> None:
    before = cases(running)
    load.begin()
    try:
        load.until_enough()
        blow(running)
        load.until_enough()
    finally:
        load.end()

    assert load.felt, "the blow was felt"
    # One effect for each key, however often it was sent.
    made = {case for _, case in load.acknowledged.values()}
    assert len(made) == len(load.sent)
    assert cases(running) - before == made
    # What was acknowledged can be read: the row and the key of its person survived together.
    for number, case in list(load.acknowledged.values())[-2 * ENOUGH :]:
        assert load.cast.ngo.cases.read(case).value.v_number == number
    _assert_logged(running, load, tmp_path / "log")


def _assert_promises_kept(cast: Cast, log: Path) -> None:
    """Whatever was killed: every receipt that was handed out is for an entry of the log."""
    key = cast.receipt_key()
    there = {sha256(b"\x00" + each.leaf).digest() for each in verifier.story(log)}
    promised = {receipts.read(each, key).leaf_hash for each in cast.journal.receipts}
    assert len(promised) > ENOUGH
    assert promised <= there


def _assert_logged(running: Running, load: Load, to: Path) -> None:
    """Every answer but a failure of ours has its entry, once; and the log that says so is whole."""
    answered = dict(load.cast.journal.calls)
    final = {request for request, status in answered.items() if status < 500}
    entries: dict[str, dict[str, Any]] = {}

    def written() -> bool:
        found = [each for each in live.export(running.application_url, to) if "requestId" in each["origin"]]
        times = Counter(each["origin"]["requestId"] for each in found)
        assert all(times[request] <= 1 for request in final)
        entries.update((each["origin"]["requestId"], each) for each in found)
        return final <= set(entries)

    live.until(written, STARTED)
    assert verifier.verify(to).checkpoint.size > len(final)
    _assert_promises_kept(load.cast, to)
    assert load.disclosed
    for request in load.disclosed:
        entry = entries[request]
        assert (entry["action"], entry["result"], entry["purpose"]) == ("dossiers.read", "permitted", "legal-screening")
