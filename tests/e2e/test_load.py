"""More than it can take, and a database that goes away: the service says so, in time, and comes back by itself."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import signal
import socket
import sys
import threading
import time
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from api.crypto import keyfile
from api.sandbox import furnishing
from api.sandbox.service import Service
from api.storage.pool import Database
from clients.auditor import AuditorClient
from clients.errors import Overloaded, ProblemError
from tests import exchange as world
from tests import live

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    from api.sandbox.members import Member
    from tests import servers

WORKERS: Final = 2
POOL: Final = 2
PATIENCE: Final = 3


class Door:
    """Stands between the service and its database. While it is shut, the database is gone."""

    def __init__(self, host: str, port: int) -> None:
        self._behind: Final = (host, port)
        self._open = True
        self._passing: list[socket.socket] = []
        self._listening: Final = socket.create_server(("127.0.0.1", 0))
        self.port: Final[int] = self._listening.getsockname()[1]
        threading.Thread(target=self._let_in, daemon=True).start()

    def shut(self) -> None:
        """Cut every connection, and let nobody in."""
        self._open = False
        for each in self._passing:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def open(self) -> None:
        """Let everybody in."""
        self._open = True

    def close(self) -> None:
        """Take it away."""
        self.shut()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _let_in(self) -> None:
        with suppress(OSError):
            while True:
                came, _ = self._listening.accept()
                if not self._open:
                    came.close()
                    continue
                behind = socket.create_connection(self._behind)
                self._passing += [came, behind]
                for one, other in ((came, behind), (behind, came)):
                    threading.Thread(target=_pass, args=(one, other), daemon=True).start()


def _pass(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while data := one.recv(65_536):
            other.sendall(data)
    for each in (one, other):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
    one.close()


class Served:
    """A service with a small pool behind a door."""

    def __init__(
        self,
        service: Service,
        issuer: str,
        door: Door,
        member: Member,
        owner: str,
        folder: Path,
        metrics_port: int,
    ) -> None:
        self.service: Final = service
        self.issuer: Final = issuer
        self.door: Final = door
        self.owner: Final = owner
        self.folder: Final = folder
        self.metrics_port: Final = metrics_port
        self._member: Final = member

    @property
    def port(self) -> int:
        """Of the service."""
        port = urlsplit(self.issuer).port
        assert port is not None
        return port

    @contextmanager
    def client(self) -> Generator[AuditorClient]:
        """A client that takes no for an answer."""
        with AuditorClient(
            f"{self.issuer}/v1",
            issuer=self.issuer,
            client_id=self._member.client_id,
            key=self._member.jwk,
            scope=self._member.part.scopes,
            retries=0,
        ) as made:
            yield made

    def ready(self) -> bool:
        """Whether it says that it can serve."""
        return self.get("/health/ready")[0] == 200

    def get(self, path: str) -> tuple[int, dict[str, str], Any]:
        """Status, headers and JSON of an answer."""
        return self.send("GET", path)

    def send(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], Any]:
        """Status, headers and JSON of an answer."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            content = answer.read()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, found, json.loads(content) if content else None

    @contextmanager
    def connected(self) -> Generator[socket.socket]:
        """A connection that says nothing by itself."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as made:
            yield made


async def _furnished(url: str) -> dict[str, Member]:
    database = await Database.open(url, size=1)
    try:
        return await furnishing.furnish(database, world.Clock()())
    finally:
        await database.close()


@pytest.fixture(scope="module")
def served(module_database: servers.Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("load")
    keyfile.create(folder / "keys")
    members = asyncio.run(_furnished(module_database.app_url))
    at, beside = urlsplit(module_database.app_url), urlsplit(module_database.work_url)
    port = live.free_port()
    issuer = f"http://127.0.0.1:{port}"
    with closing(Door(at.hostname or "127.0.0.1", at.port or 5432)) as door:
        behind = [
            urlunsplit(each._replace(netloc=f"{each.netloc.rpartition('@')[0]}@127.0.0.1:{door.port}"))
            for each in (at, beside)
        ]
        settings = {
            "database_url": behind[0],
            "work_database_url": behind[1],
            "key_file": folder / "keys",
            "log_guard": folder / "guard",
            "public_url": issuer,
            "port": port,
            "metrics_port": live.free_port(),
            "workers": WORKERS,
            "pool_size": POOL,
            "pool_wait": 0.3,
            "patience": PATIENCE,
        }
        with Service.start(live.environment(**settings), issuer, folder / "said") as service:
            yield Served(
                service,
                issuer,
                door,
                members["auditor"],
                module_database.superuser_url,
                folder,
                int(str(settings["metrics_port"])),
            )
    live.assert_gone(folder)


@contextmanager
def slow(url: str) -> Generator[None]:
    """Every request waits in its last statement, for as long as this holds."""
    loop = asyncio.new_event_loop()

    async def hold() -> asyncpg.Connection[asyncpg.Record]:
        connection = await asyncpg.connect(url)
        await connection.execute("BEGIN; LOCK TABLE oauth.seen IN ACCESS EXCLUSIVE MODE")
        return connection

    holding = loop.run_until_complete(hold())
    try:
        yield
    finally:
        loop.run_until_complete(holding.close())
        loop.close()


def at_once(count: int, act: Callable[[], object]) -> list[threading.Thread]:
    """Do it in that many threads."""
    threads = [threading.Thread(target=act, daemon=True) for _ in range(count)]
    for each in threads:
        each.start()
    return threads


def test_figures_of_all_processes_are_told_on_a_port_of_their_own(served: Served) -> None:
    """By operation and status; of who asked, and of whom it was about, nothing."""
    rows = 12
    with served.client() as client:
        for _ in range(rows):
            list(client.organisations.list())
    assert served.get("/metrics")[0] == 404

    with closing(http.client.HTTPConnection("127.0.0.1", served.metrics_port, timeout=30)) as connection:
        connection.request("GET", "/metrics")
        told = connection.getresponse().read().decode()
    line = r'^ketenbrug_answers_total\{operation="list_organisations",status="200"\} (\S+)$'
    counted = re.search(line, told, re.MULTILINE)
    assert counted is not None
    assert float(counted[1]) >= rows
    assert "ketenbrug_answer_seconds_bucket" in told


def test_when_the_pool_is_exhausted_the_answer_is_503_and_when_to_come_back(served: Served) -> None:
    """Nobody queues without end: those who have a connection go on, the others are told at once."""
    done: list[int] = []
    refused: list[Overloaded] = []
    with served.client() as client:
        list(client.organisations.list())

        def ask() -> None:
            try:
                list(client.organisations.list())
                done.append(200)
            except Overloaded as error:
                refused.append(error)

        with slow(served.owner):
            threads = at_once(WORKERS * POOL * 3, ask)
            live.until(lambda: len(refused) >= WORKERS * POOL)
            assert done == []
        for each in threads:
            each.join(30)

    assert {error.status for error in refused} == {503}
    assert "overloaded" in {error.slug for error in refused}
    assert all(error.retry_after is not None and error.retry_after >= 1 for error in refused)
    assert done


def test_a_database_that_is_gone_is_503_and_one_that_is_back_needs_no_restart(served: Served) -> None:
    """Without it nothing is disclosed, and nobody is told what lies behind. The worker goes on too."""
    with served.client() as client:
        before = client.audit.checkpoint().value.tree_size
        served.door.shut()

        with pytest.raises(Overloaded) as gone:
            list(client.organisations.list())
        assert (gone.value.status, gone.value.slug) == (503, "unavailable")
        assert gone.value.retry_after is not None
        status, headers, problem = served.get("/health/ready")
        assert (status, headers["content-type"]) == (503, "application/problem+json")
        assert "retry-after" in headers
        assert "127.0.0.1" not in problem["detail"]
        assert served.get("/health/live")[0] == 200

        served.door.open()
        live.until(served.ready)
        live.until(lambda: _answers(client))
        live.until(lambda: client.audit.checkpoint().value.tree_size > before)


def _answers(client: AuditorClient) -> bool:
    try:
        return len(list(client.organisations.list())) > 0
    except ProblemError:
        return False


@pytest.mark.parametrize("path", ["/v1/cases", "/oauth/token"])
def test_a_body_of_ten_megabytes_is_too_much(served: Served, path: str) -> None:
    """Said before anybody is proven: a flood needs no token."""
    kind = "application/json" if path.startswith("/v1") else "application/x-www-form-urlencoded"
    try:
        status, headers, problem = served.send("POST", path, b"a" * 10_000_000, Content_Type=kind)
    except (BrokenPipeError, ConnectionResetError):
        # The service stopped listening before all of it was sent: the client sees no answer then.
        status, headers, problem = served.send("POST", path, b"a" * 1_100_000, Content_Type=kind)
    assert status == 413
    assert headers["content-type"] == "application/problem+json"
    assert problem["type"].endswith("/payload-too-large")


def test_a_flood_of_headers_is_refused_while_it_comes(served: Served) -> None:
    with served.connected() as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: a\r\n")
        with suppress(ConnectionError):
            for number in range(2_000):
                connection.sendall(b"X-Flood-%d: %s\r\n" % (number, b"a" * 100))
        assert connection.recv(64).startswith(b"HTTP/1.1 431 ")


def test_a_body_that_does_not_come_is_waited_for_with_patience_and_not_for_ever(served: Served) -> None:
    began = time.monotonic()
    with served.connected() as connection:
        connection.sendall(
            b"POST /oauth/token HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n\r\ng"
        )
        answer = connection.recv(4_096)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert time.monotonic() - began > PATIENCE - 1


def test_those_who_are_slow_keep_nobody_from_being_served(served: Served) -> None:
    """A hundred connections with half a request each hold no connection to the database and no worker."""
    slow_ones = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(100)]
    try:
        for each in slow_ones:
            each.sendall(b"POST /oauth/token HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\nX-Slow: ")
        with served.client() as client:
            assert list(client.organisations.list())
    finally:
        for each in slow_ones:
            each.close()


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes under /proc")
def test_a_worker_that_is_killed_is_told_and_started_anew(served: Served) -> None:
    """Else nothing would be put into the log any more, and soon nothing disclosed."""

    def workers() -> set[int]:
        found = {int(line.split()[0]) for line in live.family(served.folder) if line.rstrip().endswith("--with-parent")}
        return found & set(live.children(served.service.pid))

    (killed,) = workers()
    os.kill(killed, signal.SIGKILL)
    live.until(lambda: len(workers() - {killed}) == 1)
    assert "event=worker-ended where=-9" in (served.folder / "said").read_text()


def test_what_it_said_of_all_this_holds_no_address_and_no_secret(served: Served) -> None:
    said = (served.folder / "said").read_text()
    assert "postgresql://" not in said
    assert "Traceback" not in said


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes under /proc")
def test_killed_outright_it_leaves_neither_server_processes_nor_worker(served: Served) -> None:
    """Last here: whoever holds the port of a dead service would serve on without anybody who looks after it."""
    assert len(live.children(served.service.pid)) > WORKERS
    os.kill(served.service.pid, signal.SIGKILL)
    live.assert_gone(served.folder)
    assert not live.listens(served.port)
