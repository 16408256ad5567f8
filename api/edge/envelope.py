"""The outermost ASGI layer: what holds for every answer, also for those that no route gave.

What a request goes through, in order:
(1) It gets a passage: our request id, its origin, the size of body it may have.
(2) Header fields and address within bounds, the address UTF-8 without NUL (431, 414, 400); `vouching` takes its fields.
(3) A HEAD is routed as its GET, and its answer loses the body (RFC 9110 section 9.3.2).
(4) The body is counted as it is read, whatever Content-Length says; beyond the bound 413.
(5) Until the answer starts, the app has `patience` seconds, more if its route says so; then it is cancelled, and 503.
(6) Every answer starts with the headers of `_carried`, and with the receipt of its entry if one was committed; the
    server does not name itself.
(7) An error that nobody caught is a 500 without text from inside. Its message may hold personal data: only its class
    and the lines of code are logged, beside the request id.
(8) However it ended, it is counted.

After an answer has started there is no second one: an error then ends the connection unfinished, which a client sees.
"""

from __future__ import annotations

import asyncio
import time
import traceback
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

import structlog
import uuid_utils
from starlette.requests import ClientDisconnect

from api import outbound, problems
from api.audit import receipt
from api.edge import metrics, passage, vouching
from api.edge.answers import ProblemResponse
from api.oauth.hop import Hop
from api.problems import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from api.edge.passage import Passage

    Zone = Callable[[str | None], str]

_CACHE: Final = b"cache-control"
_RECEIPT: Final = receipt.HEADER.lower().encode()
_CSP: Final = b"content-security-policy"
_UNREADABLE: Final = InputError("path", "", "unreadable", "The address is percent-encoded UTF-8 without NUL.")
_SINGLE: Final = frozenset({b"content-length", b"content-type", b"idempotency-key", b"purpose"})
_FRAMES: Final = 5
_NO_HOP: Final = Hop()
_LATE: Final = Problem(problems.TIMED_OUT, headers=(("Retry-After", "5"),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much one request may be. Bytes and seconds."""

    body: int = 1024 * 1024
    headers: int = 16 * 1024
    header_count: int = 100
    address: int = 8 * 1024
    patience: float = 30.0


class Envelope:
    """The ASGI app to serve. `app` is what it encloses; `zone` names the network zone of a peer's address."""

    def __init__(
        self, app: ASGIApp, *, base_url: str, api_version: str, bounds: Bounds, zone: Zone, hop: Hop = _NO_HOP
    ) -> None:
        self.app = app
        self._hop = hop
        self._base_url = base_url
        self.bounds = bounds
        self._zone = zone
        self._carried = _carried(api_version)
        self._ours = frozenset(
            {name for name, _ in self._carried} | {b"server", b"request-id", b"traceparent", _RECEIPT}
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; lifespan and websocket pass unchanged."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        inner = dict(scope)
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        peer = scope.get("client")
        here = passage.begin(  # (1)
            inner,
            self._base_url,
            self._zone(peer[0] if peer else None),
            next((value for name, value in headers if name == b"traceparent"), None),
            self.bounds.body,
        )
        crossing = _Crossing(here, receive, send, self._dress)
        caused = outbound.CAUSE.set(here.traceparent)
        began = time.perf_counter()
        try:
            problem = vouching.take(self._hop, inner, here) or self._unreadable(scope, headers)  # (2)
            if problem is not None:
                await crossing.answer(inner, problem)
                return
            if here.method == "HEAD":  # (3)
                inner["method"] = "GET"
            crossing.declared = _declared(headers)
            await self._run(inner, crossing)
        finally:
            outbound.CAUSE.reset(caused)
            metrics.answered(inner, crossing.status, time.perf_counter() - began)  # (8)

    def refusal(self, problem: Problem) -> bytes:
        """A whole HTTP/1.1 answer that ends the connection, for what never became a request (`api.edge.wire`)."""
        request_id = str(uuid_utils.uuid7())
        body = problem.body(self._base_url, request_id)
        status = HTTPStatus(problem.type.status)
        fields = (
            *self._carried,
            (b"request-id", request_id.encode()),
            (b"content-type", problems.MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        )
        head = b"".join(name + b": " + value + b"\r\n" for name, value in fields)
        return f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() + head + b"\r\n" + body

    async def _run(self, scope: Scope, crossing: _Crossing) -> None:
        patience = asyncio.timeout(self.bounds.patience)  # (5)
        try:
            async with patience:
                crossing.patience = patience
                try:
                    await self.app(scope, crossing.receive, crossing.send)
                finally:
                    crossing.patience = None
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001 - (7) the last one to catch anything
            late = isinstance(error, TimeoutError) and patience.expired()
            _tell(crossing.here, error, late=late)
            await crossing.answer(scope, _LATE if late else Problem(problems.INTERNAL))
        if crossing.overrun:
            await crossing.answer(scope, Problem(problems.PAYLOAD_TOO_LARGE))

    def _unreadable(self, scope: Scope, headers: list[tuple[bytes, bytes]]) -> Problem | None:
        size = sum([len(name) + len(value) + 4 for name, value in headers])
        if size > self.bounds.headers or len(headers) > self.bounds.header_count:
            return Problem(problems.HEADERS_TOO_LARGE)
        raw_path = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogateescape")
        query = scope["query_string"]
        if len(raw_path) + len(query) > self.bounds.address:
            return Problem(problems.URI_TOO_LONG)
        if not (_readable(raw_path) and _readable(query)):
            return Problem(problems.INVALID_INPUT, errors=(_UNREADABLE,))
        names = [name for name, _ in headers if name in _SINGLE]
        if len(names) != len(set(names)):
            return Problem(problems.INVALID_INPUT, errors=_repeated(names))
        return None

    def _dress(self, headers: list[tuple[bytes, bytes]], here: Passage) -> list[tuple[bytes, bytes]]:  # (6)
        kept = [pair for pair in headers if pair[0] not in self._ours or _own(pair)]
        own = {name for name, _ in kept}
        kept.extend(pair for pair in self._carried if pair[0] not in own)
        kept.extend(here.told)
        kept.append((b"request-id", here.request_id.encode()))
        kept.append((b"traceparent", here.traceparent.encode()))
        if here.receipts is not None:
            kept.append((_RECEIPT, here.receipts.encode()))
        return kept


class _Crossing:
    """The two directions of one request: what is read is counted, what is sent is dressed."""

    __slots__ = (
        "_began",
        "_dress",
        "_quiet",
        "_receive",
        "_send",
        "_taken",
        "declared",
        "here",
        "overrun",
        "patience",
        "status",
    )

    def __init__(
        self,
        here: Passage,
        receive: Receive,
        send: Send,
        dress: Callable[[list[tuple[bytes, bytes]], Passage], list[tuple[bytes, bytes]]],
    ) -> None:
        self.here = here
        self._receive = receive
        self._send = send
        self._dress = dress
        self._taken = 0
        self._quiet = here.method == "HEAD"
        self.declared = 0
        self.overrun = False
        self.status: int | None = None
        self.patience: asyncio.Timeout | None = None
        self._began = asyncio.get_running_loop().time()

    async def receive(self) -> Message:  # (4)
        """The next part of the body. Beyond the bound it stops the reader, and remembers it should nobody listen."""
        if self.here.patience is not None and self.patience is not None and not self.patience.expired():
            self.patience.reschedule(self._began + self.here.patience)
        if self.declared <= self.here.max_body:
            message = await self._receive()
            self._taken += len(message.get("body", b""))
            if self._taken <= self.here.max_body:
                return message
        self.overrun = True
        raise problems.Stopped(Problem(problems.PAYLOAD_TOO_LARGE))

    async def send(self, message: Message) -> None:
        """What the app answers; nothing if the body was too large, so that 413 is the one answer to that."""
        if self.overrun and not self.started:
            return
        await self._pass(message)

    @property
    def started(self) -> bool:
        """Whether an answer has started."""
        return self.status is not None

    async def answer(self, scope: Scope, problem: Problem) -> None:
        """Answer in the app's place, if no answer has started."""
        if not self.started:
            await ProblemResponse(problem)(scope, self._receive, self._pass)

    async def _pass(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self.patience is not None and not self.patience.expired():
                self.patience.reschedule(None)
            message = {**message, "headers": self._dress(list(message["headers"]), self.here)}
        elif self._quiet and message["type"] == "http.response.body":
            if message.get("more_body", False):
                return
            message = {"type": "http.response.body"}
        await self._send(message)


def _carried(api_version: str) -> tuple[tuple[bytes, bytes], ...]:
    """NL API Design Rules /core/version-header and /core/transport/security-headers."""
    return (
        (b"api-version", api_version.encode()),
        (_CACHE, b"no-store"),
        (_CSP, b"default-src 'none'; frame-ancestors 'none'"),
        (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", b"no-referrer"),
    )


def _own(pair: tuple[bytes, bytes]) -> bool:
    """What an answer may say itself: the policy of a page, and that keys and metadata may be kept by anybody."""
    name, value = pair
    return name == _CSP or (name == _CACHE and value.startswith(b"public"))


def _readable(raw: bytes) -> bool:
    """Whether it decodes to UTF-8 text without NUL."""
    if b"%" not in raw and raw.isascii():
        return b"\0" not in raw
    try:
        return "\0" not in unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        return False


def _repeated(names: list[bytes]) -> tuple[InputError, ...]:
    twice = sorted({name.decode() for name in names if names.count(name) > 1})
    return tuple(InputError("header", name, "repeated", "This header is sent once.") for name in twice)


def _declared(headers: list[tuple[bytes, bytes]]) -> int:
    value = next((value for name, value in headers if name == b"content-length"), b"0")
    return int(value) if value.isdigit() else 0


def _tell(here: Passage, error: BaseException, *, late: bool) -> None:
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    where = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
    structlog.get_logger("ketenbrug.edge").error(
        "late" if late else "unhandled",
        request_id=here.request_id,
        kind=type(error).__name__,
        where=where,
    )
