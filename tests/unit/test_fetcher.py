"""What the server fetches, and what it refuses to be sent to (SSRF)."""

from __future__ import annotations

import asyncio
import gzip
import re
from typing import TYPE_CHECKING

import httpx
import pytest

from api import outbound
from api.outbound import Fetcher, NotFetched

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

URL = "https://idp.example/keys?x=1"
PUBLIC = "93.184.215.14"


class Elsewhere(httpx.AsyncBaseTransport):
    """What the network answers, and what it was asked."""

    def __init__(self, answer: httpx.Response | Exception | None = None) -> None:
        self.asked: list[httpx.Request] = []
        self._answer = answer or httpx.Response(200, json={"keys": []})

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer, or fail."""
        self.asked.append(request)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def fetcher(*addresses: str, there: httpx.AsyncBaseTransport | None = None, trusted: tuple[str, ...] = ()) -> Fetcher:
    async def resolve(_host: str, _port: int) -> list[str]:
        return list(addresses)

    return Fetcher(trusted, resolve=resolve, inner=there or Elsewhere())


async def refused(fetching: Fetcher, url: str = URL) -> str:
    with pytest.raises(NotFetched) as found:
        await fetching.json(url)
    return str(found.value)


async def test_the_connection_goes_to_the_address_that_was_looked_at() -> None:
    """Else a name that resolves differently a moment later would lead inside (DNS rebinding)."""
    there = Elsewhere()
    assert await fetcher(PUBLIC, there=there).json(URL) == {"keys": []}
    (request,) = there.asked
    assert str(request.url) == f"https://{PUBLIC}/keys?x=1"
    assert request.headers["host"] == "idp.example"
    assert request.headers["accept-encoding"] == "identity"
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", request.headers["traceparent"])
    assert request.extensions["sni_hostname"] == "idp.example", "the certificate is that of the name"


async def test_an_address_of_version_6_is_taken_too() -> None:
    there = Elsewhere()
    await fetcher("2606:2800:220:1::1", there=there).json("https://idp.example:8443/keys")
    assert str(there.asked[0].url) == "https://[2606:2800:220:1::1]:8443/keys"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104 - to be refused
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "2002:7f00:1::",
        "::7f00:1",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1",
        "fec0::1",
    ],
)
async def test_nothing_inside_is_asked(address: str) -> None:
    there = Elsewhere()
    assert await refused(fetcher(address, there=there)) == "the address is not a public one"
    assert await refused(fetcher(PUBLIC, address, there=there)) == "the address is not a public one"
    assert there.asked == []


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://idp.example/keys", "HTTPS is needed"),
        ("ftp://idp.example/keys", "this is no address"),
        ("file:///etc/passwd", "this is no address"),
        ("https://user@idp.example/", "this is no address"),
        ("https://idp.example:0/", "this is no address"),
        ("https://idp.example:x/", "this is no address"),
        ("https://[::1", "this is no address"),
        ("", "this is no address"),
    ],
)
async def test_only_https_without_tricks(url: str, why: str) -> None:
    assert await refused(fetcher(PUBLIC), url) == why


async def test_what_an_operator_named_may_be_inside() -> None:
    trusted = ("https://idp.internal",)
    there = Elsewhere()
    assert await fetcher("10.0.0.7", there=there, trusted=trusted).json("https://idp.internal/keys")
    assert await refused(fetcher("10.0.0.7", trusted=trusted), "https://other.internal/") == (
        "the address is not a public one"
    )
    assert await refused(fetcher("10.0.0.7", trusted=trusted), "https://idp.internal:8443/keys") == (
        "the address is not a public one"
    )


async def test_without_tls_only_this_machine() -> None:
    assert await fetcher("127.0.0.1", trusted=("http://localhost:9000",)).json("http://localhost:9000/keys")
    assert await refused(fetcher("10.0.0.1", trusted=("http://a.internal",)), "http://a.internal/") == "HTTPS is needed"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (httpx.Response(302, headers={"Location": "http://169.254.169.254/"}), "the answer is not 200"),
        (httpx.Response(500), "the answer is not 200"),
        (httpx.Response(200, content=b"x" * (outbound.SIZE_MOST + 1)), "the document is too large"),
        (httpx.Response(200, content=b"no json"), "the document is no JSON object"),
        (httpx.Response(200, json=[]), "the document is no JSON object"),
        (httpx.ConnectError("secret detail"), "it does not answer"),
        (OSError("secret detail"), "it does not answer"),
    ],
    ids=str,
)
async def test_whatever_comes_back_nothing_of_it_is_repeated(answer: httpx.Response | Exception, why: str) -> None:
    assert await refused(fetcher(PUBLIC, there=Elsewhere(answer))) == why


async def test_what_comes_packed_is_not_unpacked() -> None:
    """A few bytes may unpack to gigabytes, before anybody counts them."""
    packed = gzip.compress(b'{"keys": []}')
    sent = httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(packed))
    assert await refused(fetcher(PUBLIC, there=Elsewhere(sent))) == "the document is packed"


async def test_a_public_address_of_version_4_may_be_dressed() -> None:
    assert await fetcher(f"::ffff:{PUBLIC}").json(URL) == {"keys": []}


async def test_a_name_without_an_address() -> None:
    assert await refused(fetcher()) == "the name has no address"


async def test_somebody_who_drips_is_not_waited_for() -> None:
    class Dripping(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                yield b" "
                await asyncio.sleep(0.01)

    there = Elsewhere(httpx.Response(200, stream=Dripping()))
    made = Fetcher(resolve=_public, inner=there, patience=0.1)
    assert await refused(made) == "it took too long"


async def _public(_host: str, _port: int) -> list[str]:
    return [PUBLIC]


async def test_names_are_looked_up_where_this_machine_does() -> None:
    assert await refused(Fetcher(), "https://localhost:1/") == "the address is not a public one"
