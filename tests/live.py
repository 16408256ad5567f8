"""Whole processes: a sandbox as a command, whatever it started, and clients of it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from api import settings
from api.audit import export as exports
from api.errors import NotExportable
from api.sandbox.cast import Cast, Credentials
from api.storage.pool import Database
from clients import verifier

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

COMMAND: Final = (sys.executable, "-m", "api.cli")
PRODUCTION: Final = "postgresql://production:never-to-be-shown@127.0.0.1:1/production"
"""A database that no sandbox may touch. Nobody listens there, so that whoever tries fails."""

PATIENCE: Final = 60.0
"""Seconds that processes may take to go. Machines that run tests are busy."""
STARTING: Final = 120.0


def environment(**given: object) -> dict[str, str]:
    """What a command gets: ours, without any setting of the service but these (`database_url=…`, or `TMPDIR=…`)."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("KETENBRUG_")}  # noqa: TID251
    return ours | {name if name.isupper() else f"KETENBRUG_{name.upper()}": str(value) for name, value in given.items()}


def command(*words: str, **given: object) -> subprocess.CompletedProcess[str]:
    """Run `ketenbrug` with these words, to its end."""
    return subprocess.run(  # noqa: S603 - our own words
        (*COMMAND, *words),
        env=environment(**given),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=STARTING,
    )


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
        return found


def listens(port: int) -> bool:
    """Whether anybody listens on a port of 127.0.0.1."""
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def family(directory: Path) -> list[str]:
    """Every process that works in a directory, or was told of it: servers, workers, PostgreSQL, watchdogs."""
    told, here, found = str(directory).encode(), str(directory), list[str]()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes()
            known = told in words or told in (process / "environ").read_bytes()
            at = str((process / "cwd").readlink())
        except OSError:
            continue
        if words and int(process.name) != os.getpid() and (known or at.startswith(here)):
            found.append(f"{process.name} {words.replace(bytes(1), b' ').decode(errors='replace')}")
    return found


def assert_gone(directory: Path) -> None:
    """Wait until no process of a directory lives."""
    until = time.monotonic() + PATIENCE
    while family(directory) and time.monotonic() < until:
        time.sleep(0.1)
    assert family(directory) == []


def until(holds: Callable[[], bool], patience: float = PATIENCE) -> None:
    """Wait until something holds, for so many seconds at most."""
    limit = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < limit, "it does not come to hold"
        time.sleep(0.1)


def children(pid: int) -> list[int]:
    """The processes that a process started, in whichever of its threads, and that live."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return [int(each) for thread in threads for each in (thread / "children").read_text().split()]


def export(url: str, to: Path) -> list[dict[str, Any]]:
    """Write the log as it was signed last, as an operator would, and read its entries. None before it has begun."""

    async def write() -> None:
        database = await Database.open(url, size=1)
        unit = database.unit(settings.now())
        try:
            await exports.write(unit, to)
        finally:
            await unit.finish()
            await database.close()

    try:
        asyncio.run(write())
    except NotExportable:
        return []  # the worker starts beside the service, which does not wait for it
    return [dict(each.content) for each in verifier.story(to)]


class Sandbox:
    """`ketenbrug sandbox` on a directory: it can be started again there."""

    def __init__(self, directory: Path, *words: str) -> None:
        self.directory: Final = directory
        self.port: Final = free_port()
        self._words: Final = words
        self._process: subprocess.Popen[bytes] | None = None
        self.said: Final = directory.with_suffix(".log")

    @property
    def runs(self) -> bool:
        """Whether it does."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of the command itself."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until it says that it is ready."""
        stale = self._written()
        words = ("sandbox", "--dir", str(self.directory), "--port", str(self.port), *self._words)
        with self.said.open("ab") as said:
            self._process = subprocess.Popen(  # noqa: S603 - our own words
                (*COMMAND, *words),
                env=environment(database_url=PRODUCTION),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
        until = time.monotonic() + STARTING
        while self._written() in {None, stale}:
            assert self.runs, self.said.read_text()
            assert time.monotonic() < until, self.said.read_text()
            time.sleep(0.1)

    def _written(self) -> int | None:
        """When its description was written; None while there is none."""
        try:
            return (self.directory / "sandbox.json").stat().st_mtime_ns
        except FileNotFoundError:
            return None

    def end(self, blow: signal.Signals = signal.SIGTERM) -> int:
        """Send it a signal, and wait for its end. Returns its exit code."""
        assert self._process is not None
        self._process.send_signal(blow)
        return self.wait()

    def wait(self) -> int:
        """Wait for its end. Returns its exit code."""
        assert self._process is not None
        return self._process.wait(timeout=60)

    def description(self) -> dict[str, Any]:
        """What it tells others."""
        described: dict[str, Any] = json.loads((self.directory / "sandbox.json").read_text())
        return described

    @contextmanager
    def cast(self) -> Generator[Cast]:
        """Every party's client."""
        told = self.description()
        credentials = {
            key: Credentials(each["clientId"], UUID(each["organisation"]), each["scope"], each["jwk"])
            for key, each in told["clients"].items()
        }
        with Cast(told["baseUrl"], told["issuer"], credentials) as cast:
            yield cast
