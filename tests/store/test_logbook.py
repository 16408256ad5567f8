"""The log is delivered to a logbook: a receiver of OTLP over HTTP, which reads it with OpenTelemetry's own types."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import asyncpg
import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from api.audit import logbook
from api.audit.logbook import Logbook
from api.audit.views import Register
from api.errors import LogbookRefused, LogDamaged
from api.outbound import Fetcher, NotFetched
from api.storage.pool import Database
from tests.audit_store import APPEND, leaf, settle, tamper

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests import servers

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SETTLED = timedelta(seconds=60)
OLD = "2026-11-25T11:58:00.000000Z"
YOUNG = "2026-11-25T11:59:30.000000Z"
REGISTER = Register("https://register.example/activities", "https://ketenbrug.example/v1/organisations/")
LONG = 30.0


@dataclass
class Receiver:
    """An OTLP receiver. `answers` are given first, in their order; then everything is confirmed."""

    answers: list[tuple[int, bytes]] = field(default_factory=list["tuple[int, bytes]"])
    spans: list[Any] = field(default_factory=list[Any])
    """What was confirmed."""
    headers: list[dict[str, str]] = field(default_factory=list["dict[str, str]"])
    url: str = ""
    _arrived: threading.Condition = field(default_factory=threading.Condition)

    def take(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Read a request strictly: a member that OTLP does not know is a fault."""
        told = json.loads(body)
        for span in _spans(told):
            for name in ("traceId", "spanId", "parentSpanId"):
                if name in span:  # hex in OTLP's JSON, base64 in that of protobuf: the one difference
                    span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
        read = json_format.ParseDict(told, ExportTraceServiceRequest())
        self.headers.append(headers)
        status, answer = self.answers.pop(0) if self.answers else (200, b"{}")
        if status == 200 and b"rejected" not in answer:
            found = [span for each in read.resource_spans for scope in each.scope_spans for span in scope.spans]
            with self._arrived:
                self.spans += found
                self._arrived.notify_all()
        return status, answer

    async def has(self, subject: str) -> None:
        """Wait until it has a record about somebody."""

        def wait() -> None:
            with self._arrived:
                assert self._arrived.wait_for(lambda: subject in self.subjects(), LONG)

        await asyncio.to_thread(wait)

    def subjects(self) -> list[str]:
        """Whom the confirmed records are about, in their order; - for nobody."""
        return [
            next((each.value.string_value for each in span.attributes if each.key == "dpl.core.data_subject_id"), "-")
            for span in self.spans
        ]


def _spans(told: Any) -> list[dict[str, Any]]:
    return [span for each in told["resourceSpans"] for scope in each["scopeSpans"] for span in scope["spans"]]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with _served() as made:
        yield made


@contextmanager
def _served() -> Iterator[Receiver]:
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = made.take(body, {name.lower(): value for name, value in self.headers.items()})
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        made.url = f"http://127.0.0.1:{server.server_address[1]}/v1/traces"
        yield made
        server.shutdown()
        thread.join()


@pytest.fixture
async def pool(database: servers.Database) -> AsyncIterator[Database]:
    opened = await Database.open(database.work_url, size=4, wait=LONG)
    yield opened
    await opened.close()


def told(*persons: str, at: str = OLD, request: str | None = None, **members: Any) -> bytes:
    """The leaf of a request about these persons."""
    origin = {"zone": "public", "requestId": request or str(uuid4()), "traceId": "ab" * 16, "spanId": uuid4().hex[:16]}
    actor = {"organisation": str(uuid4()), "kind": "ngo", "client": "never-told", "person": "nor-this"}
    whom: dict[str, Any] = {"person": persons[0]} if len(persons) == 1 else {"persons": list(persons)}
    members = {"action": "dossiers.read", "result": "permitted", "id": str(uuid4())} | members
    return leaf(at=at, origin=origin, actor=actor, **(whom if persons else {}), **members)


async def log(connection: Any, *leaves: bytes) -> None:
    """Commit leaves, and put them into the tree."""
    await connection.executemany(APPEND, [(each,) for each in leaves])
    await settle(connection)


def book(pool: Database, receiver: Receiver, url: str = "", **more: Any) -> Logbook:
    post = Fetcher((receiver.url,), patience=LONG)
    return Logbook(pool, post, url or receiver.url, REGISTER, lambda: NOW, settled=SETTLED, **more)


async def cursor(connection: Any) -> int:
    found: int = await connection.fetchval("SELECT next FROM audit.delivery WHERE name = 'ldv'")
    return found


async def test_each_person_has_a_record_and_each_record_is_sent_once(
    pool: Database, connection: Any, receiver: Receiver
) -> None:
    """In the order of the log; what is about nobody, and what is no entry of ours, is passed by."""
    await log(connection, told("a"), told(), b"no json", told("b", "c"), leaf())
    logs = book(pool, receiver, headers={"Authorization": "Bearer for-the-logbook"})
    assert await logs.deliver() == 5
    assert receiver.subjects() == ["a", "-", "b", "c"]
    assert {span.trace_id.hex() for span in receiver.spans} == {"ab" * 16}
    assert [span.status.code for span in receiver.spans] == [1] * 4
    assert receiver.spans[0].start_time_unix_nano == 1_795_607_880 * 10**9
    _, parent, *children = receiver.spans
    assert {span.parent_span_id for span in children} == {parent.span_id}
    assert b"never-told" not in b"".join(span.SerializeToString() for span in receiver.spans)
    assert b"nor-this" not in b"".join(span.SerializeToString() for span in receiver.spans)
    (headers,) = receiver.headers
    assert (headers["content-type"], headers["authorization"]) == ("application/json", "Bearer for-the-logbook")
    assert (await cursor(connection), await logs.deliver()) == (5, 0)


@pytest.mark.parametrize(
    ("status", "answer"),
    [(503, b""), (400, b"{}"), (302, b""), (200, b'{"partialSuccess": {"rejectedSpans": "1"}}')],
)
async def test_what_is_not_confirmed_is_sent_again(
    pool: Database, connection: Any, receiver: Receiver, status: int, answer: bytes
) -> None:
    """By whoever comes next, with the same spans; and nothing after it goes first."""
    await log(connection, told("a", "b"), told("c"))
    receiver.answers.append((status, answer))
    with pytest.raises(LogbookRefused, match=str(status)):
        await book(pool, receiver).deliver()
    assert (await cursor(connection), receiver.subjects()) == (0, [])
    assert await book(pool, receiver).deliver() == 2
    assert receiver.subjects() == ["-", "a", "b", "c"]


@pytest.mark.parametrize("answer", [b"", b"[]", b'{"partialSuccess": {"errorMessage": "a warning"}}'])
async def test_an_answer_of_200_that_rejects_nothing_confirms(
    pool: Database, connection: Any, receiver: Receiver, answer: bytes
) -> None:
    await log(connection, told("a"))
    receiver.answers.append((200, answer))
    assert await book(pool, receiver).deliver() == 1


async def test_an_entry_waits_until_its_request_can_fail_no_more(
    pool: Database, connection: Any, receiver: Receiver
) -> None:
    """So that its record tells how it ended. Nothing behind it overtakes it."""
    request = str(uuid4())
    await log(connection, told("a", request=request), told("b", at=YOUNG), told("c"))
    await log(connection, told(request=request, result="failed"))
    assert await book(pool, receiver).deliver() == 1
    assert receiver.subjects() == ["a"]
    assert receiver.spans[0].status.code == 2
    assert await book(pool, receiver).deliver() == 0


async def test_a_page_about_many_is_sent_whole_and_by_itself(
    pool: Database, connection: Any, receiver: Receiver
) -> None:
    many = [str(number) for number in range(logbook.RECORDS)]
    await log(connection, told("a"), told(*many), told("b"))
    assert [await book(pool, receiver).deliver() for _ in range(4)] == [1, 1, 1, 0]
    assert receiver.subjects() == ["a", "-", *many, "b"]


async def test_an_entry_that_is_not_there_stays_the_next_to_be_sent(
    pool: Database, connection: Any, receiver: Receiver, database: servers.Database
) -> None:
    """It is told each time. What is past its term is not sent, and not waited for."""
    await log(connection, told("a"), told("b"), *(told("c") for _ in range(255)))
    gone = "DELETE FROM audit.entry WHERE id IN (SELECT entry_id FROM audit.leaf WHERE index {})"
    await tamper(database, gone.format("= 1"))
    for _ in range(2):
        with pytest.raises(LogDamaged, match="entry 1 is not there"):
            await book(pool, receiver).deliver()
    assert (await cursor(connection), receiver.subjects()) == (0, [])
    await tamper(database, "INSERT INTO audit.retention VALUES (256, now())")
    await tamper(database, gone.format("< 256"))
    assert await book(pool, receiver).deliver() == 257
    assert receiver.subjects() == ["c"]


async def test_of_two_that_deliver_at_once_neither_moves_the_cursor_back(
    pool: Database, connection: Any, receiver: Receiver
) -> None:
    await log(connection, told("a"))
    logs = book(pool, receiver)
    assert await logs.deliver() == 1
    await logs._advance(0, 7)
    assert await cursor(connection) == 1


async def test_nothing_is_sent_where_a_name_server_leads_inside(
    pool: Database, connection: Any, receiver: Receiver
) -> None:
    """Only what the operator named as the own network is there."""
    await log(connection, told("a"))
    for url in (receiver.url.replace("/v1", ":9/v1"), "http://10.0.0.1/v1/traces", "https://localhost:1/v1/traces"):
        with pytest.raises(NotFetched):
            await book(pool, receiver, url).deliver()
    assert await cursor(connection) == 0


async def test_one_delivers_until_it_dies_and_faults_are_told(
    pool: Database, connection: Any, database: servers.Database, receiver: Receiver
) -> None:
    """The other waits for the lock. Whoever loses the session of the lock is told, and takes it again, or another."""
    await log(connection, told("a"))
    receiver.answers += [(503, b""), (503, b"")]
    heard: asyncio.Queue[Exception] = asyncio.Queue()
    running = [
        asyncio.create_task(logbook.run(pool, book(pool, receiver), heard.put_nowait, every=0.01, longest=0.02))
        for _ in range(2)
    ]
    async with asyncio.timeout(LONG):
        assert [type(await heard.get()) for _ in range(2)] == [LogbookRefused] * 2
        await receiver.has("a")
        superuser: Any = await asyncpg.connect(database.superuser_url)
        await superuser.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        )
        await superuser.close()
        assert await heard.get() is not None
        await log(connection, told("b"))
        await receiver.has("b")
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
