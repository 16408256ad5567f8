"""The HTTP parser's own refusals, over real sockets: nothing reaches a caller without our headers."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import uvicorn

from api.edge import openapi
from api.edge.wire import Wire
from tests import edge_kit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Impatient(Wire):
    """Waits for a head no longer than a test does."""

    head_seconds = 0.2


@asynccontextmanager
async def serving(app: Any, protocol: type[Wire] = Wire) -> AsyncIterator[int]:
    """The port of a server in this process."""
    config = uvicorn.Config(
        app,
        port=0,
        http=protocol,
        loop="asyncio",
        lifespan="off",
        server_header=False,
        log_config=None,
        access_log=False,
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn tells it in no other way
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await running


async def said(port: int, *parts: bytes, pause: float = 0) -> tuple[int, dict[str, str], bytes]:
    """Send raw bytes; return status, fields and body of the first answer. Nothing at all is status 0."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        return await _answer(reader)
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    line = await asyncio.wait_for(reader.readline(), 60)
    if not line:
        return 0, {}, b""
    fields: dict[str, str] = {}
    while (field := (await reader.readline()).decode().strip()) != "":
        name, _, value = field.partition(": ")
        fields[name] = value
    return int(line.split()[1]), fields, await reader.readexactly(int(fields.get("content-length", 0)))


def assert_refused(answer: tuple[int, dict[str, str], bytes], status: int, slug: str) -> None:
    got, fields, body = answer
    assert got == status
    assert fields["content-type"] == "application/problem+json"
    assert fields["connection"] == "close"
    assert "server" not in fields
    assert {name: fields.get(name) for name in edge_kit.CARRIED} == edge_kit.CARRIED
    problem = orjson.loads(body)
    assert problem["type"].endswith(f"/problems/{slug}")
    assert problem["requestId"] == fields["request-id"]


@pytest.mark.parametrize(
    "raw",
    [
        b"nonsense\r\n\r\n",
        b"GET /v1/things HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n",
        b"POST /v1/things HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
        b"POST /v1/things HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_refused_with_a_problem(raw: bytes) -> None:
    """Also what a proxy could read differently: two lengths, a length and chunks (RFC 9112 section 6.1)."""
    async with serving(edge_kit.enclosed()) as port:
        assert_refused(await said(port, raw), 400, "invalid-input")


async def test_a_request_is_answered_with_our_headers_and_the_connection_stays() -> None:
    request = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    async with serving(edge_kit.enclosed()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(request)
            status, fields, body = await _answer(reader)
            assert (status, body) == (200, b'{"status":"live"}')
            assert fields["api-version"] == openapi.VERSION
            assert "server" not in fields
        writer.close()


async def test_a_head_without_end_is_refused_while_it_comes_in() -> None:
    """Uvicorn would keep it in memory for as long as it lasts."""
    async with serving(edge_kit.enclosed()) as port:
        start = b"GET /v1/things HTTP/1.1\r\nHost: x\r\nX-Long: "
        assert_refused(await said(port, start, *[b"x" * 8_192] * 4, pause=0.02), 431, "header-fields-too-large")


async def test_a_body_is_no_part_of_the_head() -> None:
    body = b"x" * 100_000
    head = (
        "POST /v1/raw HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nContent-Length: 100000\r\n\r\n"
    )
    async with serving(edge_kit.enclosed()) as port:
        status, _, answer = await said(port, head.encode(), body[:50_000], body[50_000:], pause=0.02)
    assert (status, answer) == (200, b'{"size":100000}')


async def test_a_head_that_takes_too_long_is_refused() -> None:
    async with serving(edge_kit.enclosed(), Impatient) as port:
        assert_refused(await said(port, b"GET /v1/things HTTP/1.1\r\nHost:", pause=0.4), 408, "request-timeout")


async def test_a_connection_that_says_nothing_is_closed() -> None:
    async with serving(edge_kit.enclosed(), Impatient) as port:
        assert await said(port) == (0, {}, b"")


async def test_a_slow_answer_is_not_a_slow_head() -> None:
    async with serving(edge_kit.enclosed(), Impatient) as port:
        status, *_ = await said(port, b"GET /v1/broken/slow?seconds=0.5 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert status == 204


async def test_only_an_enclosed_app_is_served() -> None:
    """A server without its envelope would answer without headers: it does not answer at all."""
    async with serving(edge_kit.demo()) as port:
        assert await said(port, b"nonsense\r\n\r\n") == (0, {}, b"")
