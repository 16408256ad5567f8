"""The transports over HTTP/1.1, and the only module that imports the HTTP library.

A pool of connections for each client; redirects are not followed; cookies, proxies and certificates come from nowhere
but the arguments. No exception of the library leaves this module: its requests hold tokens.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx

from clients._keys import OTHERS
from clients._messages import Response
from clients.errors import ConnectionFailed, Misconfigured

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from clients._messages import Request

_CONNECT_MOST: Final = 5.0
_LIMITS: Final = httpx.Limits(max_connections=20, max_keepalive_connections=10, keepalive_expiry=30.0)
_CAUSES: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (ssl.SSLCertVerificationError, "certificate"),
    (ssl.SSLError, "tls"),
    (socket.gaierror, "name"),
    (ConnectionRefusedError, "refused"),
    (httpx.TimeoutException, "timeout"),
)
_FILES: Final = frozenset({HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT})
_RANGE: Final = re.compile(r"bytes (\d{1,15})-", re.ASCII)
_USER_AGENT: Final = "ketenbrug-clients"


class Http:
    """Blocking. `timeout`: seconds for each of connecting (at most 5), sending, receiving and waiting for the pool.

    `inner` sends in place of the network: a proxy, or in tests an application.
    """

    __slots__ = ("_http",)

    def __init__(
        self, *, timeout: float, tls: ssl.SSLContext | None = None, inner: httpx.BaseTransport | None = None
    ) -> None:
        self._http = httpx.Client(transport=inner, **_settings(timeout, tls))

    def send(self, request: Request) -> Response:
        """The response, read to its end. Raises `ConnectionFailed`."""
        try:
            content = request.content if request.source is None else request.source()
            with self._http.stream(**_asked(request), content=content) as came:
                if request.into is not None and came.status_code in _FILES:
                    into = request.into.begin(came.headers.get("content-type", ""), _first(came))
                    for part in came.iter_bytes():
                        into.write(part)
                    return _response(came, b"")
                return _response(came, came.read())
        except httpx.RequestError as error:
            failure = _kind(error)
        raise ConnectionFailed(failure)

    def close(self) -> None:
        """Close every connection."""
        self._http.close()


class AsyncHttp:
    """Awaiting. As `Http`."""

    __slots__ = ("_http",)

    def __init__(
        self, *, timeout: float, tls: ssl.SSLContext | None = None, inner: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._http = httpx.AsyncClient(transport=inner, **_settings(timeout, tls))

    async def send(self, request: Request) -> Response:
        """The response, read to its end. Raises `ConnectionFailed`."""
        try:
            content = request.content if request.source is None else _awaiting(request.source())
            async with self._http.stream(**_asked(request), content=content) as came:
                if request.into is not None and came.status_code in _FILES:
                    into = request.into.begin(came.headers.get("content-type", ""), _first(came))
                    async for part in came.aiter_bytes():
                        into.write(part)
                    return _response(came, b"")
                return _response(came, await came.aread())
        except httpx.RequestError as error:
            failure = _kind(error)
        raise ConnectionFailed(failure)

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()


def showing(certificate: str | Path, tls: ssl.SSLContext | None) -> ssl.SSLContext:
    """A context that shows the certificate of a PEM file, which holds its private key too. Raises `Misconfigured`.

    `tls`: the context into which it is loaded; a new one when there is none.
    """
    context = httpx.create_ssl_context(trust_env=False) if tls is None else tls
    file = Path(certificate)
    try:
        if os.name == "posix" and file.stat().st_mode & OTHERS:
            raise Misconfigured("the file is open to group or world: give it the mode 0400", str(file))
        context.load_cert_chain(file, password=lambda: "")  # else it would ask at the terminal
    except (OSError, ValueError):
        raise Misconfigured(
            "it must hold a certificate and its private key (PEM, without password)", str(file)
        ) from None
    return context


def _kind(error: BaseException) -> str:
    """A word for the failure. Its text stays here: it may tell what was sent."""
    found: BaseException | None = error
    while found is not None:
        for cause, word in _CAUSES:
            if isinstance(found, cause):
                return word
        found = found.__cause__ or found.__context__
    return type(error).__name__


def _settings(timeout: float, tls: ssl.SSLContext | None) -> dict[str, Any]:
    return {
        "timeout": httpx.Timeout(timeout, connect=min(timeout, _CONNECT_MOST)),
        "verify": True if tls is None else tls,
        "limits": _LIMITS,
        "headers": {"User-Agent": _USER_AGENT},
        "follow_redirects": False,
        "trust_env": False,
    }


def _asked(request: Request) -> dict[str, Any]:
    return {
        "method": request.method,
        "url": request.url,
        "headers": dict(request.headers),
    }


def _first(came: httpx.Response) -> int | None:
    """The place in the file of what comes (RFC 9110 section 14.4)."""
    if came.status_code == HTTPStatus.OK:
        return 0
    told = _RANGE.match(came.headers.get("content-range", ""))
    return None if told is None else int(told[1])


async def _awaiting(blocks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The same blocks; each is read while nothing else runs, which is shorter than to hand it over."""
    for block in blocks:
        yield block


def _response(came: httpx.Response, content: bytes) -> Response:
    return Response(came.status_code, {name.lower(): value for name, value in came.headers.items()}, content)
