"""The only server module that makes HTTP calls.

No redirect is followed, no proxy of the environment is asked, an answer has a size, and every call has an end.

`Outbound` calls peers whose addresses are configuration of the operator. `Fetcher` reads small JSON documents at
addresses that a document of somebody else may have named, and sends what is about persons, so it holds a guard against
being sent where it must not go (SSRF): HTTPS, no user information, and every address that the name resolves to is
public. Then the connection goes to the address that was looked at, so that a name that resolves differently a moment
later leads nowhere. An operator may name origins of the own network: for these alone private addresses are taken, and
HTTP on loopback.
"""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import socket
import ssl
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast
from urllib.parse import urlsplit

import httpx
import orjson

from api.errors import KetenbrugError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Self
    from urllib.parse import SplitResult

    Resolve = Callable[[str, int], Awaitable[list[str]]]

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

SIZE_MOST: Final = 64 * 1024
"""Bytes of an answer."""
FETCH_PATIENCE: Final = 5.0
"""Seconds for one document: requests wait for it."""

_PATIENCE: Final = 10.0
"""Seconds that a call to a peer may take in all."""
_PORTS: Final = {"https": 443, "http": 80}
_OK: Final = 200
_AS_IT_IS: Final = {"Accept-Encoding": "identity"}
"""Nothing is unpacked here: a few bytes may unpack to gigabytes, before anybody counts them."""
_GLOBAL: Final = ipaddress.IPv6Network("2000::/3")
"""Global unicast, as far as IANA has given it out. Beyond it are prefixes that lead to IPv4 addresses (RFC 6052,
RFC 2765, RFC 4291 section 2.5.5) and addresses within a site; `ipaddress` calls some of them global."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    media_type: str
    body: bytes
    etag: str = ""


CAUSE: Final[ContextVar[str | None]] = ContextVar("cause", default=None)
"""The `traceparent` of the request on whose behalf calls are made; None in the background."""


def traceparent() -> str:
    """What a call says of its trace (W3C Trace Context): a span of its own, in the trace of its cause or a new one."""
    cause = (CAUSE.get() or f"00-{secrets.token_hex(16)}--00").split("-")
    return f"00-{cause[1]}-{secrets.token_hex(8)}-{cause[3]}"


class Outbound:
    """Calls that share connections. Leave the context to close them.

    `authorities`: a file of certificates to trust in place of the machine's. `inner` stands in place of the network.
    `most`: bytes of an answer.
    """

    def __init__(
        self,
        *,
        patience: float = _PATIENCE,
        authorities: Path | None = None,
        inner: httpx.AsyncBaseTransport | None = None,
        most: int = SIZE_MOST,
    ) -> None:
        self._patience = patience
        self._most = most
        self._client = httpx.AsyncClient(
            headers=_AS_IT_IS,
            timeout=patience,
            follow_redirects=False,
            trust_env=False,
            transport=inner,
            verify=True if authorities is None else ssl.create_default_context(cafile=authorities),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def post(self, url: str, body: bytes) -> Answer:
        """Send bytes. Raises `Unavailable` when no whole answer comes in time."""
        return await self.send("POST", url, body)

    async def send(self, method: str, url: str, body: bytes | None = None, **headers: str) -> Answer:
        """Send bytes, or ask. Raises `Unavailable` when no whole answer comes in time."""
        call = self._client.stream(method, url, content=body, headers=headers | {"traceparent": traceparent()})
        try:
            async with asyncio.timeout(self._patience), call as answer:
                told = bytearray()
                async for part in answer.aiter_raw():
                    told += part
                    if len(told) > self._most:
                        raise Unavailable("peer")
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise Unavailable("peer") from error
        return Answer(
            answer.status_code,
            answer.headers.get("Content-Type", ""),
            bytes(told),
            answer.headers.get("ETag", ""),
        )


class NotFetched(KetenbrugError):
    """There is no document. The text is a sentence of ours, without anything of what was answered."""


class Fetcher:
    """Fetches documents. `trusted`: origins (`scheme://host:port`) of the own network, which an operator named."""

    __slots__ = ("_inner", "_patience", "_resolve", "_trusted")

    def __init__(
        self,
        trusted: Iterable[str] = (),
        *,
        resolve: Resolve | None = None,
        inner: httpx.AsyncBaseTransport | None = None,
        patience: float = FETCH_PATIENCE,
    ) -> None:
        """`resolve` and `inner` stand in place of name service and network. `patience`: seconds for all of it."""
        self._patience = patience
        self._trusted: Final = frozenset(origin(each) for each in trusted)
        self._resolve = resolve or _resolved
        self._inner = inner

    async def json(self, url: str) -> dict[str, Any]:
        """The JSON object at an address. Raises `NotFetched`."""
        answer = await self._asked("GET", url, b"", {})
        if answer.status != _OK:
            raise NotFetched("the answer is not 200")
        return _object(answer.body)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send bytes. Raises `NotFetched` when no whole answer comes in time, or none may be asked for there."""
        return await self._asked("POST", url, body, headers)

    async def _asked(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        try:
            async with asyncio.timeout(self._patience):
                parts = _parts(url)
                return await self._answer(method, parts, await self._looked_at(parts), body, headers)
        except TimeoutError:
            raise NotFetched("it took too long") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError):
            raise NotFetched("it does not answer") from None

    async def _looked_at(self, parts: SplitResult) -> str:
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        is_trusted = origin(parts.geturl()) in self._trusted
        found = [ipaddress.ip_address(each) for each in await self._resolve(host, port)]
        if not found:
            raise NotFetched("the name has no address")
        if not is_trusted and not all(_is_public(each) for each in found):
            raise NotFetched("the address is not a public one")
        if parts.scheme == "http" and not (is_trusted and all(each.is_loopback for each in found)):
            raise NotFetched("HTTPS is needed")
        return str(found[0])

    async def _answer(
        self, method: str, parts: SplitResult, address: str, sent: bytes, headers: Mapping[str, str]
    ) -> Answer:
        target = f"[{address}]" if ":" in address else address
        port = parts.port or _PORTS[parts.scheme]
        url = parts._replace(netloc=f"{target}:{port}", fragment="").geturl()
        client = httpx.AsyncClient(
            transport=self._inner, timeout=self._patience, verify=_tls(), follow_redirects=False, trust_env=False
        )
        async with (
            client,
            client.stream(
                method,
                url,
                content=sent or None,
                headers={**headers, **_AS_IT_IS, "Host": parts.netloc, "traceparent": traceparent()},
                extensions={"sni_hostname": parts.hostname or ""},
            ) as answer,
        ):
            if "Content-Encoding" in answer.headers:
                raise NotFetched("the document is packed")
            body = bytearray()
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > SIZE_MOST:
                    raise NotFetched("the document is too large")
            return Answer(answer.status_code, answer.headers.get("Content-Type", ""), bytes(body))


@cache
def _tls() -> ssl.SSLContext:
    """Whom the machine trusts, read once for all: that takes longer than many a fetch."""
    return ssl.create_default_context()


def origin(url: str) -> str:
    """Scheme, host and port of an address."""
    parts = _parts(url)
    return f"{parts.scheme}://{parts.hostname}:{parts.port or _PORTS[parts.scheme]}"


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise NotFetched("this is no address") from None
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc or port == 0:
        raise NotFetched("this is no address")
    return parts


def _is_public(address: Address) -> bool:
    """Global unicast, also where an IPv4 address is dressed as an IPv6 one."""
    mapped = address.ipv4_mapped or address.sixtofour if isinstance(address, ipaddress.IPv6Address) else None
    if mapped is not None:
        address = mapped
    elif isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL:
        return False
    return address.is_global and not address.is_multicast


def _object(body: bytes) -> dict[str, Any]:
    try:
        value: object = orjson.loads(body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise NotFetched("the document is no JSON object")
    return cast("dict[str, Any]", value)


async def _resolved(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(each[4][0]) for each in found]


def loopback(host: str) -> bool:
    """Tell whether a host is this machine, by its name or address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
