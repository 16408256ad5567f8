"""Both drivers, against the small exchange over ASGI and over a loopback socket."""

from __future__ import annotations

import asyncio
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
import pytest
from cryptography.hazmat.primitives import serialization

from api.schemas.cases import CaseSearch, NewCase
from api.vocabulary import CareFunction, Municipality, Purpose, Scope
from clients._transport import AsyncHttp, showing
from clients.errors import ConnectionFailed, KeysAreOld, Misconfigured, NotFound
from clients.ngo import AsyncNgoClient, NgoClient
from tests import mtls_kit
from tests.clients_kit import CASE, CASE_ID, CLIENT_ID, ORIGIN, Asgi, Exchange, private_jwk, problem, reply, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clients._messages import Request, Response

ORGANISATION: dict[str, Any] = {
    "id": str(UUID(int=9)),
    "kind": "ind",
    "name": "IND",
    "oin": "00000099000000000001",
    "municipalities": [],
    "designated": False,
}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
NEW = NewCase(municipality=Municipality.UTRECHT, functions=(CareFunction.COORDINATION,))


def summary(number: int) -> dict[str, Any]:
    """A case in a list."""
    return {"id": str(UUID(int=number)), "municipality": "utrecht", "openedAt": "2026-11-24T10:00:00Z"}


@pytest.fixture
def exchange() -> Exchange:
    """A small exchange with one case, and a list of three in two pages."""
    import time  # noqa: PLC0415 - the clients' own clock

    return Exchange(
        now=time.time(),
        answers={
            ("GET", f"cases/{CASE_ID}"): reply(200, CASE, etag='"etag-one"', request_id="r-1"),
            ("POST", "cases"): reply(201, CASE),
            ("GET", "cases?limit=2"): reply(200, {"items": [summary(1), summary(2)], "nextCursor": "c 2"}),
            ("GET", "cases?limit=2&cursor=c+2"): reply(200, {"items": [summary(3)]}),
            ("GET", "organisations"): reply(200, {"items": [ORGANISATION]}),
            ("POST", "cases/_search"): reply(200, {"items": [summary(1)]}),
        },
    )


@pytest.fixture
def origin(exchange: Exchange) -> Iterator[str]:
    """The small exchange on a socket."""
    with served(exchange) as place:
        yield place


def blocking(exchange: Exchange, **more: Any) -> NgoClient:
    """A blocking client."""
    return NgoClient(
        f"{exchange.origin}/v1",
        issuer=exchange.issuer,
        client_id=CLIENT_ID,
        key=exchange.jwk,
        scope=[Scope.CASES_READ, Scope.CASES_WRITE],
        **more,
    )


def awaiting(exchange: Exchange, **more: Any) -> AsyncNgoClient:
    """An awaiting client, over ASGI unless the exchange is on a socket."""
    if exchange.origin == ORIGIN:
        more["transport"] = AsyncHttp(timeout=5, inner=httpx.ASGITransport(Asgi(exchange)))
    return AsyncNgoClient(
        f"{exchange.origin}/v1",
        issuer=exchange.issuer,
        client_id=CLIENT_ID,
        key=exchange.jwk,
        scope="cases:read cases:write",
        **more,
    )


@pytest.mark.usefixtures("origin")
def test_a_blocking_client_speaks_over_a_socket(exchange: Exchange) -> None:
    with blocking(exchange, acting_person="worker-7") as client:
        read = client.cases.read(CASE_ID)
        assert (read.value.id, read.etag, read.request_id) == (CASE_ID, '"etag-one"', "r-1")
        assert client.cases.open(NEW).status == 201
        assert [each.id.int for each in client.cases.list(limit=2)] == [1, 2, 3]
        assert [len(page.value.items) for page in client.cases.list(limit=2).pages()] == [2, 1]
        assert [each.id.int for each in client.cases.search(CaseSearch(v_number="0000000042"))] == [1]
        assert [each.name for each in client.organisations.list()] == ["IND"]
        with pytest.raises(NotFound):
            client.dossiers.read(CASE_ID, purpose=Purpose.LEGAL_SCREENING)
    assert exchange.issued == ["token-1"]
    assert exchange.proofs[-1]["acting_person"] == "worker-7"
    assert exchange.asked[-1].headers["User-Agent"] == "ketenbrug-clients"


@pytest.mark.usefixtures("origin")
async def test_an_awaiting_client_speaks_over_a_socket(exchange: Exchange) -> None:
    async with awaiting(exchange) as client:
        assert (await client.cases.read(CASE_ID)).value.id == CASE_ID


async def test_an_awaiting_client_speaks_over_asgi(exchange: Exchange) -> None:
    async with awaiting(exchange, acting_person="worker-7") as client:
        read = await client.cases.read(CASE_ID)
        assert (read.value.id, read.etag, read.request_id) == (CASE_ID, '"etag-one"', "r-1")
        assert (await client.cases.open(NEW)).status == 201
        assert [each.id.int async for each in client.cases.list(limit=2)] == [1, 2, 3]
        assert [len(page.value.items) async for page in client.cases.list(limit=2).pages()] == [2, 1]
        with pytest.raises(NotFound):
            await client.dossiers.read(CASE_ID, purpose=Purpose.LEGAL_SCREENING)
    assert exchange.issued == ["token-1"]
    assert exchange.proofs[-1]["acting_person"] == "worker-7"


@pytest.mark.usefixtures("origin")
def test_threads_that_need_a_token_at_once_fetch_one(exchange: Exchange) -> None:
    """Single flight: whoever comes second uses what the first fetched."""
    together = threading.Barrier(8)

    def read(client: NgoClient) -> int:
        together.wait(5)
        return client.cases.read(CASE_ID).status

    with blocking(exchange) as client, ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, [client] * 8)) == [200] * 8
    assert exchange.issued == ["token-1"]


async def test_tasks_that_need_a_token_at_once_fetch_one(exchange: Exchange) -> None:
    async with awaiting(exchange) as client:
        answers = await asyncio.gather(*(client.cases.read(CASE_ID) for _ in range(8)))
    assert [each.status for each in answers] == [200] * 8
    assert exchange.issued == ["token-1"]


async def test_a_task_that_is_cancelled_while_it_fetches_a_token_does_not_stop_the_others(exchange: Exchange) -> None:
    inner = _Stalling(httpx.ASGITransport(Asgi(exchange)))
    async with awaiting(exchange) as client:
        stalled = _over(exchange, AsyncHttp(timeout=5, inner=inner))
        first = asyncio.create_task(stalled.cases.read(CASE_ID))
        await inner.reached.wait()
        second = asyncio.create_task(stalled.cases.read(CASE_ID))
        await asyncio.sleep(0)
        first.cancel()
        inner.go.set()
        assert (await second).status == 200
        with pytest.raises(asyncio.CancelledError):
            await first
        await stalled.close()
        assert (await client.cases.read(CASE_ID)).status == 200


@pytest.mark.usefixtures("origin")
def test_a_connection_that_breaks_is_tried_again_by_the_blocking_client(exchange: Exchange) -> None:
    exchange.next_api.append(ConnectionFailed("broken"))
    with blocking(exchange, retries=1) as client:
        assert client.cases.open(NEW).status == 201
    assert len({each.headers["Idempotency-Key"] for each in exchange.api_requests()}) == 1
    assert len(exchange.api_requests()) == 2


async def test_an_answer_to_try_again_is_obeyed_by_the_awaiting_client(exchange: Exchange) -> None:
    exchange.next_api.append(problem(503, "overloaded", headers={"retry-after": "0"}))
    async with awaiting(exchange) as client:
        assert (await client.cases.read(CASE_ID)).status == 200
    assert len(exchange.api_requests()) == 2


def test_a_certificate_is_loaded_with_its_key_from_a_file_of_ones_own(tmp_path: Path) -> None:
    """What is no such file is said at once; a password is never asked for at a terminal."""
    made, file = mtls_kit.certificate("ours"), tmp_path / "client.pem"
    file.write_text(made.pem + made.key_pem)
    file.chmod(0o400)
    given = ssl.create_default_context(cadata=mtls_kit.authority().root.pem)
    assert showing(file, given) is given
    assert showing(str(file), None).verify_mode is ssl.CERT_REQUIRED
    client = NgoClient(
        "https://a.test/v1", issuer="https://a.test", client_id="x", key=private_jwk(), scope="y", certificate=file
    )
    client.close()
    locked = made.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
    ).decode()
    wrong = ((made.pem, 0o400), (made.pem + locked, 0o400), ("", 0o400), (made.pem + made.key_pem, 0o440))
    for number, (content, mode) in enumerate(wrong):
        bad = tmp_path / str(number)
        bad.write_text(content)
        bad.chmod(mode)
        with pytest.raises(Misconfigured):
            showing(bad, None)
    with pytest.raises(Misconfigured):
        showing(tmp_path / "absent", None)


def test_where_nobody_listens_the_blocking_client_says_so(exchange: Exchange) -> None:
    exchange.origin = "http://127.0.0.1:9"
    with blocking(exchange, retries=0) as client, pytest.raises(ConnectionFailed, match="refused") as caught:
        client.cases.read(CASE_ID)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


async def test_where_nobody_listens_the_awaiting_client_says_so(exchange: Exchange) -> None:
    exchange.origin = "http://127.0.0.1:9"
    async with awaiting(exchange, retries=0) as client:
        with pytest.raises(ConnectionFailed, match="refused") as caught:
            await client.cases.read(CASE_ID)
    assert caught.value.__context__ is None


def test_an_acting_person_shares_token_and_connections(exchange: Exchange) -> None:
    client = blocking(exchange, transport=_Direct(exchange))
    client.cases.read(CASE_ID)
    twin = client.acting("worker-8")
    twin.cases.read(CASE_ID)
    client.cases.read(CASE_ID)
    assert type(twin) is NgoClient
    assert [each.get("acting_person") for each in exchange.proofs] == [None, None, "worker-8", None]
    assert exchange.issued == ["token-1"]
    twin.close()


def test_each_request_is_a_span_of_the_trace_that_it_is_made_for(exchange: Exchange) -> None:
    """Also the requests for its token. A call that is made for nothing is a trace by itself."""
    client = blocking(exchange, transport=_Direct(exchange))
    traces = [
        (client.within(PARENT).acting("worker-8"), {TRACE}),
        (client, None),
        (client, None),
    ]
    seen = list[str]()
    for caller, expected in traces:
        before = len(exchange.asked)
        caller.cases.read(CASE_ID)
        sent = [request.headers["traceparent"].split("-") for request in exchange.asked[before:]]
        assert len({span for _, _, span, _ in sent}) == len(sent)
        ids = {trace for _, trace, _, _ in sent}
        assert len(ids) == 1
        assert expected is None or ids == expected
        seen += ids
    assert len(set(seen)) == 3


async def test_an_awaiting_client_traces_too(exchange: Exchange) -> None:
    async with awaiting(exchange) as client:
        await client.within(PARENT).cases.read(CASE_ID)
    assert {httpx.Headers(each.headers)["traceparent"].split("-")[1] for each in exchange.asked} == {TRACE}


async def test_an_awaiting_client_acts_for_persons_too(exchange: Exchange) -> None:
    async with awaiting(exchange) as client:
        await client.acting("worker-8").cases.read(CASE_ID)
    assert exchange.proofs[-1]["acting_person"] == "worker-8"


@pytest.mark.parametrize("person", ["", "Fatima El Amrani", "x" * 65, "wörker", "a\n"])
def test_an_acting_person_is_opaque(exchange: Exchange, person: str) -> None:
    """At most 64 visible ASCII characters; what is refused is not repeated."""
    for attempt in (
        lambda: blocking(exchange, acting_person=person),
        lambda: blocking(exchange, transport=_Direct(exchange)).acting(person),
        lambda: awaiting(exchange, acting_person=person),
    ):
        with pytest.raises(Misconfigured) as caught:
            attempt()
        assert not person or person not in str(caught.value)


@pytest.mark.parametrize("wrong", [{"scope": " "}, {"scope": []}, {"retries": -1}])
def test_a_client_that_cannot_work_is_not_made(exchange: Exchange, wrong: dict[str, Any]) -> None:
    given: dict[str, Any] = {"issuer": ORIGIN, "client_id": CLIENT_ID, "key": exchange.jwk, "scope": "cases:read"}
    for kind in (NgoClient, AsyncNgoClient):
        with pytest.raises(Misconfigured):
            kind(f"{ORIGIN}/v1", **(given | wrong))


async def test_nothing_that_a_client_holds_shows_a_secret_or_personal_data(exchange: Exchange) -> None:
    """A repr ends up in logs and error reports."""
    client = blocking(exchange, transport=_Direct(exchange), acting_person="worker-7")
    answer = client.cases.read(CASE_ID)
    driver = client._driver
    shown = " ".join(
        repr(each)
        for each in (
            *(client, client.cases, client.cases.list(), type(client.cases).read, driver, driver.session),
            *(driver.session._tokens, driver.session._tokens._token, driver.session._sender, driver.session._signer),
            *(answer, answer.value, *exchange.asked, client.cases.list()._series.first),
            *(exchange.answers["GET", f"cases/{CASE_ID}"], awaiting(exchange)),
        )
    )
    for secret in ("token-1", exchange.jwk["d"], "0000000042", "eyJ", "etag-one"):
        assert secret not in shown
    assert "<NgoClient>" in shown


def _over(exchange: Exchange, transport: AsyncHttp) -> AsyncNgoClient:
    return AsyncNgoClient(
        f"{exchange.origin}/v1",
        issuer=exchange.issuer,
        client_id=CLIENT_ID,
        key=exchange.jwk,
        scope="cases:read",
        transport=transport,
    )


class _Stalling(httpx.AsyncBaseTransport):
    """Stalls the first request until it is let go."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner
        self.reached = asyncio.Event()
        self.go = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.reached.set()
        await self.go.wait()
        return await self.inner.handle_async_request(request)


class _Direct:
    """A transport without HTTP."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def send(self, request: Request, /) -> Response:
        return self._exchange.answer(request)

    def close(self) -> None:
        """Nothing to close."""


async def test_both_kinds_of_client_show_the_day_by_which_to_renew_their_keys(exchange: Exchange) -> None:
    exchange.renew_by = "2026-12-01"
    async with awaiting(exchange) as client:
        assert client.renew_keys_by is None
        with pytest.warns(KeysAreOld):
            await client.cases.read(CASE_ID)
        assert client.acting("worker-7").renew_keys_by == date(2026, 12, 1)
    assert blocking(exchange).renew_keys_by is None
