"""What crosses between the core and its drivers, and what a method says of the call that it makes. Values only.

A flow is a generator: it yields steps and is sent the response to each request, or None after any other step. Where no
response came, `ConnectionFailed` is thrown into it.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeAlias, TypeVar
from urllib.parse import quote, urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from uuid import UUID

    from api.vocabulary import Purpose
    from clients.answers import Answer
    from clients.documents import Content

T = TypeVar("T")


class Sink(Protocol):
    """A file, open for writing bytes."""

    def write(self, data: bytes, /) -> object:
        """Take some more."""
        ...


class Receives(Protocol):
    """Who takes an answer as it comes."""

    def begin(self, media_type: str, first: int | None) -> Sink:
        """Where what comes now goes. `first`: its place in the file; None when the answer does not tell."""
        ...


_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request. Headers and body hold tokens and personal data, so that no repr shows them.

    `into`: takes the body of a 200 or 206 as it comes, instead of the response.
    `source`: reads the body, from its beginning, where that is too large for `content`.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(default=b"", repr=False)
    into: Receives | None = field(default=None, repr=False)
    source: Callable[[], Iterator[bytes]] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response. The names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Alone:
    """Run this flow while no other flow of the same client is alone: how one token is fetched, once."""

    flow: Flow[None]


Step: TypeAlias = Request | Pause | Alone
Flow: TypeAlias = Generator[Step, Response | None, T]


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """What a method asks of the API. `parse` makes the value of the body; it raises `ValueError`.

    `key`: sent as `Idempotency-Key`, the same one with each retry. `known`: an earlier answer, to be had again if it
    has not changed. `version`: it is done only while the thing stands so. `safe`: it changes nothing, whatever its
    method. `into`: a file that the body goes into, of whatever media type; then it is not sent a second time.
    `signed`: its body can be signed for evidence.
    `content`: what is sent in place of a body. `document`: of which that is, or what comes. `start`: the place in the
    file from which on it is asked.
    """

    method: str
    path: str
    parse: Callable[[bytes], T] = field(repr=False)
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = field(default=None, repr=False)
    purpose: Purpose | None = None
    key: UUID | None = None
    known: Answer[T] | None = None
    version: int | None = None
    safe: bool = False
    into: Sink | None = field(default=None, repr=False)
    signed: bool = False
    content: Content | None = field(default=None, repr=False)
    document: UUID | None = None
    start: int = 0

    @property
    def replayable(self) -> bool:
        """Whether sending it twice has one effect at most."""
        return self.safe or self.key is not None

    @property
    def target(self) -> str:
        """Path and query, below the base URL."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path


def path(*segments: object) -> str:
    """A path below the base URL, each segment percent-encoded."""
    return "/".join(quote(str(segment), safe="") for segment in segments)


def origin(url: str) -> str:
    """Scheme, host and port of a URL: what a DPoP nonce belongs to (RFC 9449 section 8.2)."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def is_secure(url: str) -> bool:
    """Whether a URL is HTTPS, or HTTP that does not leave this machine; without user information or fragment."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    if not parts.hostname or "@" in parts.netloc or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
