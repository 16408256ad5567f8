"""Load on a sandbox that is about to be killed: real clients in threads open cases and pull a dossier.

Who got no answer asks again with the same key, as any client would, until there is one. Every receipt that came is
kept.
"""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid4

from api.sandbox import cast as play
from api.sandbox.cast import GUIDING, SECTIONS, Cast
from api.schemas.cases import NewCase
from api.vocabulary import Municipality, Purpose
from clients.errors import KetenbrugClientError
from tests import live

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

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

    def until_enough(self, patience: float = live.PATIENCE) -> None:
        """Wait for more answers of each kind, for so many seconds at most."""
        opened, pulled = len(self.acknowledged), len(self.disclosed)
        live.until(
            lambda: len(self.acknowledged) >= opened + ENOUGH and len(self.disclosed) >= pulled + ENOUGH, patience
        )

    @property
    def felt(self) -> int:
        """How many requests came to nothing, also where the client tried again by itself and had its answer then."""
        return sum(self.failed.values()) + sum(
            status >= HTTPStatus.INTERNAL_SERVER_ERROR for _, status in self.cast.journal.calls
        )

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


@contextmanager
def ready(running: Running) -> Generator[Load]:
    """Load that can begin: there is a dossier to be read."""
    with Cast(running.base_url, running.issuer, running.credentials) as cast:
        case = play.open_case(cast, str(next(_NUMBERS)))
        for sections in play.split():
            play.consent(cast, case.id, Purpose.LEGAL_SCREENING, "ngo", sections)
        play.consent(cast, case.id, Purpose.LEGAL_SCREENING, "ind", [next(iter(SECTIONS))])
        request = cast.ngo.dossier_requests.request(play.request_dossier(cast, case.id)).value
        dossier = play.deliver(cast, request.id, SECTIONS, complete=True).dossier_id
        assert dossier is not None
        yield Load(cast, dossier)
