"""The server's calls to others: whole and in time, or not at all."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from api.errors import Unavailable
from api.outbound import Outbound

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def peer(status: int, body: bytes, **headers: str) -> Iterator[str]:
    """A server that answers this to every POST."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status if self.headers["Accept-Encoding"] == "identity" else 406)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


async def test_an_answer_comes_back_as_it_is() -> None:
    with peer(409, b"7\n", **{"Content-Type": "text/x.tlog.size"}) as url:
        async with Outbound() as outbound:
            answer = await outbound.post(url, b"old 0\n")
    assert (answer.status, answer.media_type, answer.body) == (409, "text/x.tlog.size", b"7\n")


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with peer(307, b"", Location="http://127.0.0.1:9/elsewhere") as url:
        async with Outbound() as outbound:
            assert (await outbound.post(url, b"")).status == 307


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "nowhere", "ftp://127.0.0.1/", "http://[x/"])
async def test_who_cannot_be_reached_is_unavailable(url: str) -> None:
    async with Outbound() as outbound:
        with pytest.raises(Unavailable):
            await outbound.post(url, b"")


async def test_an_answer_that_is_too_large_or_broken_off_is_none() -> None:
    for body, headers in ((bytes(65_537), {}), (b"x", {"Content-Length": "9"})):
        with peer(200, body, **headers) as url:
            async with Outbound() as outbound:
                with pytest.raises(Unavailable):
                    await outbound.post(url, b"")
