"""The HTTP parser's own refusals: what is no request yet is answered like everything else.

`uvicorn.run(…, http="api.edge.wire:Wire")`. Beyond uvicorn's own protocol it
(1) answers bad framing with a problem and our headers, not with a line of text;
(2) bounds the head of a request while it comes in: uvicorn would keep header fields as long as they last;
(3) bounds the time a head may take: uvicorn would wait for ever on a connection that says nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api import problems
from api.edge.envelope import Envelope
from api.problems import Problem

if TYPE_CHECKING:
    import asyncio

HEAD_SECONDS: Final = 15.0
_FRAMING: Final = Problem(problems.INVALID_INPUT, "This is not HTTP/1.1 as RFC 9112 has it.")


class Wire(HttpToolsProtocol):
    """One connection. The app that it serves is an `Envelope`."""

    head_seconds = HEAD_SECONDS
    _in_head = False
    _taken = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """A connection that says nothing is closed in time."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is left behind."""
        self._forget_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count while a head is open; a head that is too long is refused before it is whole."""
        self._taken += len(data)
        super().data_received(data)
        if not self._in_head:
            self._taken = 0
        elif self._taken > self._envelope.bounds.headers + self._envelope.bounds.address:
            self._refuse(Problem(problems.HEADERS_TOO_LARGE))

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head = True
        self._await_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole: from here on the envelope looks after the request."""
        self._in_head = False
        self._forget_deadline()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's own words for it
        """Answer what could not be parsed."""
        self._refuse(_FRAMING)

    @property
    def _envelope(self) -> Envelope:
        """The app, under whatever uvicorn wraps around it."""
        return _unwrapped(self.app)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] # uvicorn's

    def _await_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.head_seconds, self._too_slow)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if self._in_head:
            self._refuse(Problem(problems.TIMED_OUT_READING))
        else:
            self.transport.close()

    def _refuse(self, problem: Problem) -> None:
        self._forget_deadline()
        self._in_head = False
        if not self.transport.is_closing():
            self.transport.write(self._envelope.refusal(problem))
            self.transport.close()


def _unwrapped(app: Any) -> Envelope:  # noqa: ANN401 - an ASGI app of any kind
    while not isinstance(app, Envelope):
        app = getattr(app, "app", None)
        if app is None:
            raise TypeError("serve what `enclosure.enclose` gives")
    return app
