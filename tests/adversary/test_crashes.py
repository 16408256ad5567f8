"""kill -9 under load: nothing acknowledged is lost, and nothing disclosed is unwritten (promises 2 and 6).

Real clients in threads open cases and pull a dossier. In their midst the server dies with its worker, or the database
does. Who got no answer asks again with the same key, as any client would, until there is one.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

import asyncpg
import pytest

from api.sandbox import cast as play
from api.sandbox.cast import GUIDING, SECTIONS, Cast
from api.sandbox.running import NAME
from api.schemas.cases import NewCase
from api.vocabulary import Municipality, Purpose
from clients import receipts, verifier
from clients.errors import KetenbrugClientError
from tests import live

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from api.sandbox.running import Running

THREADS: Final = 3
"""That create, and as many that read."""
ENOUGH: Final = 30
"""Answers before the blow, and after."""

_NUMBERS: Final = count(5_550_000_000)


@dataclass
class Load:
    """What was sent, and what came of it."""

    cast: Cast
    dossier: UUID
    acknowledged: dict[UUID, tuple[str, UUID]] = field(default_factory=dict["UUID", "tuple[str, UUID]"])
    """By idempotency key: the V-number, and the case that was made."""
    sent: dict[UUID, str] = field(default_factory=dict["UUID", "str"])
    disclosed: list[str] = field(default_factory=list[str])
    """Request ids of dossiers that were read."""
    failed: Counter[str] = field(default_factory=Counter[str])
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list[threading.Thread])

    def begin(self) -> None:
        """Send, from now on."""
        for act in (self._open, self._pull):
            for _ in range(THREADS):
                thread = threading.Thread(target=self._keep, args=(act,), daemon=True)
                thread.start()
                self._threads.append(thread)

    def until_enough(self) -> None:
        """Wait for more answers of each kind."""
        opened, pulled = len(self.acknowledged), len(self.disclosed)
        live.until(lambda: len(self.acknowledged) >= opened + ENOUGH and len(self.disclosed) >= pulled + ENOUGH)

    def end(self) -> None:
        """Send no more, and bring to its end what had no answer."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
        for key in set(self.sent) - set(self.acknowledged):
            self._send(key)

    def _keep(self, act: Callable[[], None]) -> None:
        while not self._stop.is_set():
            act()

    def _open(self) -> None:
        key = uuid4()
        self.sent[key] = str(next(_NUMBERS))
        while key not in self.acknowledged and not self._stop.is_set():
            self._try(lambda: self._send(key))

    def _send(self, key: UUID) -> None:
        new = NewCase(municipality=Municipality.UTRECHT, v_number=self.sent[key], functions=GUIDING)
        self.acknowledged[key] = (self.sent[key], self.cast.ngo.cases.open(new, key=key).value.id)

    def _pull(self) -> None:
        def pull() -> None:
            answer = self.cast.ngo.dossiers.read(self.dossier, purpose=Purpose.LEGAL_SCREENING)
            assert len(answer.value.sections) == len(SECTIONS)
            self.disclosed.append(str(answer.request_id))

        self._try(pull)

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except KetenbrugClientError as error:
            self.failed[type(error).__name__] += 1


@pytest.fixture
def load(running: Running) -> Iterator[Load]:
    """Load on a sandbox, that has a dossier to be read."""
    with Cast(running.base_url, running.issuer, running.credentials) as cast:
        case = play.open_case(cast, str(next(_NUMBERS)))
        for sections in play.split():
            play.consent(cast, case.id, Purpose.LEGAL_SCREENING, "ngo", sections)
        play.consent(cast, case.id, Purpose.LEGAL_SCREENING, "ind", [next(iter(SECTIONS))])
        request = cast.ngo.dossier_requests.request(play.request_dossier(cast, case.id)).value
        dossier = play.deliver(cast, request.id, SECTIONS, complete=True).dossier_id
        assert dossier is not None
        yield Load(cast, dossier)


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


def kill_the_database(running: Running) -> None:
    """PostgreSQL. The service is left alone, and must find it again."""
    running.cluster.kill()
    running.cluster.restart()


@pytest.mark.parametrize("blow", [kill_the_service, kill_the_database])
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

    assert load.failed or any(status >= 500 for _, status in load.cast.journal.calls), "the blow was felt"
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

    live.until(written)
    assert verifier.verify(to).checkpoint.size > len(final)
    _assert_promises_kept(load.cast, to)
    assert load.disclosed
    for request in load.disclosed:
        entry = entries[request]
        assert (entry["action"], entry["result"], entry["purpose"]) == ("dossiers.read", "permitted", "legal-screening")
