"""What holds for every answer, whoever gave it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from api import outbound
from api.edge import enclosure, passage
from api.edge.envelope import Bounds
from tests import edge_kit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx
    from starlette.types import Message


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with edge_kit.client(edge_kit.enclosed()) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/things", 200),
        ("GET", f"/v1/things/{edge_kit.THING}", 200),
        ("POST", f"/v1/things/{edge_kit.THING}/endings", 204),
        ("GET", "/v1/nowhere", 404),
        ("GET", "/", 200),
        ("GET", "/docs", 200),
        ("GET", "/problems", 200),
        ("GET", "/health/live", 200),
        ("GET", "/v1/openapi.json", 200),
        ("GET", "/.well-known/security.txt", 200),
        ("DELETE", "/v1/things", 405),
        ("GET", "/v1/broken/unforeseen", 500),
        ("GET", "/v1/broken/stale", 401),
        ("GET", "/v1/broken/overloaded", 503),
        ("OPTIONS", "/v1/things", 405),
        ("BREW", "/v1/things", 405),
    ],
)
async def test_every_answer_carries_the_version_and_the_security_headers(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    """API Design Rules /core/version-header and /core/transport/security-headers."""
    answer = await client.request(method, path)
    assert answer.status_code == status
    edge_kit.assert_carried(answer)


async def test_a_request_id_is_ours_and_never_the_callers(client: httpx.AsyncClient) -> None:
    sent = "019a0000-0000-7000-8000-00000000cafe"
    answer = await client.get("/v1/things", headers={"Request-Id": sent, "X-Request-Id": sent})
    assert answer.headers["request-id"] != sent


async def test_what_is_unknown_is_not_found(client: httpx.AsyncClient) -> None:
    edge_kit.assert_problem(await client.get("/v1/nowhere"), 404, "not-found")


async def test_absent_and_not_yours_are_told_alike(client: httpx.AsyncClient) -> None:
    """The two differ in nothing but the request id."""
    absent = edge_kit.assert_problem(await client.get("/v1/nowhere"), 404, "not-found")
    foreign = edge_kit.assert_problem(await client.get(f"/v1/things/{UUID(int=5)}"), 404, "not-found")
    own = ("requestId", "instance")
    assert {k: v for k, v in absent.items() if k not in own} == {k: v for k, v in foreign.items() if k not in own}


async def test_a_refusal_tells_the_reason_and_the_next_step_of_each_category(client: httpx.AsyncClient) -> None:
    body = edge_kit.assert_problem(await client.get("/v1/broken/withheld"), 403, "not-permitted")
    (reason,) = body["reasons"]
    assert (reason["category"], reason["reason"]) == ("medical", "consent-withdrawn")
    assert reason["nextStep"].startswith("Work without")


async def test_a_method_that_is_not_there_names_every_one_that_is(client: httpx.AsyncClient) -> None:
    """RFC 9110 section 15.5.6; GET and POST of one address are two routes."""
    answer = await client.delete("/v1/things")
    edge_kit.assert_problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "GET, HEAD, POST"
    assert (await client.get(f"/v1/things/{edge_kit.THING}/endings")).headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/v1/things", f"/v1/things/{edge_kit.THING}", "/problems", "/health/live", "/v1/no"])
async def test_head_answers_as_get_does_without_a_body(client: httpx.AsyncClient, path: str) -> None:
    """RFC 9110 section 9.3.2: the same fields."""
    got, head = await client.get(path), await client.head(path)
    assert head.status_code == got.status_code
    assert head.content == b""
    own = {"request-id", "traceparent"}
    assert {k: v for k, v in head.headers.items() if k not in own} == {
        k: v for k, v in got.headers.items() if k not in own
    }


async def test_a_streamed_answer_to_head_has_no_body() -> None:
    parts = await edge_kit.speak(edge_kit.enclosed(), "/v1/broken/midway", method="HEAD")
    assert b"".join(part.get("body", b"") for part in parts) == b""


async def test_an_error_that_nobody_foresaw_tells_nothing(client: httpx.AsyncClient) -> None:
    """What an exception says may be personal data: it goes neither to the caller nor into the log."""
    with capture_logs() as logs:
        answer = await client.get("/v1/broken/unforeseen")
    body = edge_kit.assert_problem(answer, 500, "internal")
    assert "Canary" not in answer.text
    (line,) = logs
    assert (line["event"], line["kind"], line["request_id"]) == ("unhandled", "RuntimeError", body["requestId"])
    assert any("edge_kit.py" in frame for frame in line["where"])
    assert "Canary" not in str(line)


async def test_a_timeout_of_the_apps_own_is_not_a_late_answer(client: httpx.AsyncClient) -> None:
    edge_kit.assert_problem(await client.get("/v1/broken/timeout"), 500, "internal")


async def test_no_capacity_says_when_to_come_back(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/broken/overloaded")
    edge_kit.assert_problem(answer, 503, "overloaded")
    assert answer.headers["retry-after"] == "3"


async def test_a_slow_handler_is_stopped() -> None:
    async with edge_kit.client(edge_kit.enclosed(bounds=Bounds(patience=0.05))) as client:
        with capture_logs() as logs:
            answer = await client.get("/v1/broken/slow", params={"seconds": 5})
    edge_kit.assert_problem(answer, 503, "timed-out")
    assert answer.headers["retry-after"] == "5"
    assert logs[0]["event"] == "late"


async def test_patience_ends_when_the_answer_begins() -> None:
    """A document that streams for longer than a decision may take is not cut off."""

    async def slowly(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(0.1)
        await send({"type": "http.response.body", "body": b"whole"})

    envelope = edge_kit.enclosed(bounds=Bounds(patience=0.05))
    envelope.app = slowly
    async with edge_kit.client(envelope) as client:
        assert (await client.get("/v1/things")).content == b"whole"


async def test_an_answer_that_breaks_midway_is_not_completed() -> None:
    """A client must see that it has half of a document, and nobody may append a problem to it."""
    with capture_logs() as logs:
        sent = await edge_kit.speak(edge_kit.enclosed(), "/v1/broken/midway")
    assert [part["type"] for part in sent] == ["http.response.start", "http.response.body"]
    assert sent[-1] == {"type": "http.response.body", "body": b"half", "more_body": True}
    assert "Canary" not in str(logs)


async def test_a_caller_that_leaves_is_no_error() -> None:
    gone: list[Message] = [{"type": "http.disconnect"}]
    headers = [(b"content-type", b"application/json"), (b"content-length", b"10")]
    with capture_logs() as logs:
        await edge_kit.speak(edge_kit.enclosed(), "/v1/things", method="POST", headers=headers, messages=gone)
    assert logs == []


async def test_what_is_not_http_passes_unchanged() -> None:
    seen: list[str] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope["type"])

    envelope = edge_kit.enclosed()
    envelope.app = app
    stand_in: Any = None
    await envelope({"type": "lifespan"}, stand_in, stand_in)
    assert seen == ["lifespan"]


def test_a_zone_that_nobody_names_is_unknown() -> None:
    told = edge_kit.options()
    bare = enclosure.Options(about=told.about, cursors=told.cursors, security=told.security, ready={})
    assert bare.zone("10.1.2.3") == "unknown"


async def test_headers_beyond_the_bound_are_refused(client: httpx.AsyncClient) -> None:
    """RFC 6585 section 5: one field that is too large, and too many of them."""
    edge_kit.assert_problem(
        await client.get("/v1/things", headers={"X-Long": "x" * 17_000}), 431, "header-fields-too-large"
    )
    many = {f"X-{number}": "x" for number in range(101)}
    edge_kit.assert_problem(await client.get("/v1/things", headers=many), 431, "header-fields-too-large")


async def test_an_address_beyond_the_bound_is_refused(client: httpx.AsyncClient) -> None:
    edge_kit.assert_problem(await client.get("/v1/things?municipality=" + "x" * 9_000), 414, "uri-too-long")


@pytest.mark.parametrize(
    "path", ["/v1/things/%00", "/v1/things/%ff", "/v1/things?municipality=%00", "/v1/things?municipality=%ed%a0%80"]
)
async def test_an_address_is_utf_8_without_nul(path: str) -> None:
    """Lone surrogates and NUL would reach the database as something else, or not at all."""
    raw_path, _, query = path.partition("?")
    sent = await edge_kit.speak(edge_kit.enclosed(), raw_path, query=query.encode())
    assert sent[0]["status"] == 400
    assert b"unreadable" in sent[1]["body"]


async def test_an_address_may_be_any_language(client: httpx.AsyncClient) -> None:
    edge_kit.assert_problem(await client.get("/v1/things/%D8%B9%D9%84%DB%8C"), 400, "invalid-input")


@pytest.mark.parametrize("name", [b"content-type", b"purpose", b"idempotency-key", b"content-length"])
async def test_a_header_that_decides_is_sent_once(name: bytes) -> None:
    """Two readers could take two different ones."""
    sent = await edge_kit.speak(edge_kit.enclosed(), "/v1/things", headers=[(name, b"1"), (name, b"2")])
    assert sent[0]["status"] == 400
    assert name in sent[1]["body"]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", True),
        (b"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", True),
        (b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", False),
        (b"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", False),
        (b"00-00000000000000000000000000000000-b7ad6b7169203331-01", False),
        (b"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", False),
        (b"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", False),
        (b"\xff\xfe", False),
        (None, False),
    ],
)
def test_a_trace_goes_on_when_it_is_a_valid_one(sent: bytes | None, kept: bool) -> None:
    """W3C Trace Context: the caller's trace id, our span; anything else starts a new trace."""
    here = passage.begin({"method": "GET"}, edge_kit.BASE, "zone", sent, 1)
    assert (here.origin.trace_id == "0af7651916cd43dd8448eb211c80319c") is kept
    assert len(here.origin.trace_id) == 32
    assert len(here.origin.span_id) == 16
    assert here.origin.span_id != "b7ad6b7169203331"
    assert here.origin.parent_span_id == ("b7ad6b7169203331" if kept else None)
    flags = "01" if kept else "00"
    assert here.traceparent == f"00-{here.origin.trace_id}-{here.origin.span_id}-{flags}"


async def test_what_a_request_causes_elsewhere_is_in_its_trace_and_nothing_else_is() -> None:
    """A span of its own for each call (W3C Trace Context), also of what runs beside it; afterwards nothing is left."""
    seen: list[str] = []
    here: list[passage.Passage] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        here.append(passage.of(scope))
        seen.append(outbound.traceparent())
        seen.append(await asyncio.create_task(_calls()))

    async def _calls() -> str:
        return outbound.traceparent()

    envelope = edge_kit.enclosed()
    envelope.app = app
    await edge_kit.speak(envelope, "/")
    spans = [each.split("-") for each in seen]
    assert {(trace, flags) for _, trace, _, flags in spans} == {(here[0].origin.trace_id, "00")}
    assert len({here[0].origin.span_id, *(span for _, _, span, _ in spans)}) == 3
    assert outbound.traceparent().split("-")[1] not in {here[0].origin.trace_id, outbound.traceparent().split("-")[1]}


async def test_the_zone_of_a_peer_is_told_and_not_its_address() -> None:
    seen: list[passage.Passage] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(passage.of(scope))

    for peer in (["10.1.2.3", 50_000], None):
        envelope = edge_kit.enclosed()
        envelope.app = app
        await edge_kit.speak(envelope, "/", client=peer)
    assert [here.origin.zone for here in seen] == ["zone of 10.1.2.3", "zone of None"]
