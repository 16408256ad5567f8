"""However the process that started a PostgreSQL ends, the PostgreSQL ends too, and what it acknowledged is there."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

import api
from api.sandbox import binaries
from api.sandbox.cluster import Cluster

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE: Final = 60.0
"""Seconds that a server may take to go."""

PACKAGES: Final = [sysconfig.get_path("purelib"), str(Path(api.__file__).parents[1])]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes under /proc")

# The child says where its server is, then waits for its end. A forked grandchild keeps every file of it open.
CHILD: Final = """
import asyncio, os, pathlib, signal, sys, threading
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # a run under nohup hands its own down,
signal.signal(signal.SIGINT, signal.default_int_handler)  # and one in the background of a script this one
import asyncpg
from api.sandbox.cluster import Cluster

def start(into):
    into.append(Cluster.start(pathlib.Path(sys.argv[1]), durable=True))

started = []
worker = threading.Thread(target=start, args=(started,))
worker.start()
worker.join()  # the thread that started it is gone by now, and the server must not be
cluster = started[0]

async def write():
    connection = await asyncpg.connect(cluster.superuser_url())
    await connection.execute("DROP TABLE IF EXISTS kept")
    await connection.execute("CREATE TABLE kept (n int)")
    await connection.execute("INSERT INTO kept VALUES (1)")
    await connection.close()

asyncio.run(write())
if "fork" in sys.argv and os.fork() == 0:
    signal.pause()
print(cluster.pid, flush=True)
if "raise" in sys.argv:
    raise SystemExit("an error of the child")
if "leave" in sys.argv:
    with cluster:
        sys.exit(0)
signal.pause()
"""
COUNT: Final = """
import asyncio, pathlib, sys, asyncpg
from api.sandbox.cluster import Cluster

async def count(url):
    connection = await asyncpg.connect(url)
    print(await connection.fetchval("SELECT count(*) FROM kept"))
    await connection.close()

with Cluster.start(pathlib.Path(sys.argv[1]), durable=True) as cluster:
    asyncio.run(count(cluster.superuser_url()))
"""


@dataclass(frozen=True)
class Runner:
    """Who runs the child, with which Python, in which folder. The folder is used by one test after the other."""

    account: binaries.Account
    python: str
    folder: Path


def pythons(who: binaries.Account) -> Iterator[str]:
    """Interpreters of our version that this account can run with our packages; ours may be closed (/root/.pyenv)."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        with contextlib.suppress(OSError):
            if (
                who.run((python, "-c", f"import sys; sys.path += {PACKAGES}; import api.sandbox.cluster")).returncode
                == 0
            ):
                yield python


@pytest.fixture(scope="module", params=["ourselves", "an ordinary user"] if os.geteuid() == 0 else ["ourselves"])
def runner(request: pytest.FixtureRequest) -> Iterator[Runner]:
    """Whoever runs the tests; as root also somebody who is not root."""
    who = binaries.account() if request.param == "an ordinary user" else binaries.Account(request.param)
    python = next(pythons(who), None)
    if python is None:
        pytest.skip("this checkout, or every Python of its version, is closed to other accounts")
    with tempfile.TemporaryDirectory(prefix="ketenbrug-orphans-") as folder:
        if who.ids:
            os.chown(folder, *who.ids)
        yield Runner(who, python, Path(folder))


def child(runner: Runner, program: str, *words: str) -> subprocess.Popen[str]:
    uid, gid = runner.account.ids or (None, None)
    return subprocess.Popen(  # noqa: S603 - our own words
        (runner.python, "-c", program, str(runner.folder / "postgres"), *words),
        env=binaries.ENVIRONMENT | {"PYTHONPATH": os.pathsep.join(PACKAGES)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        user=uid,
        group=gid,
        extra_groups=None if uid is None else (),
        start_new_session=True,
    )


def living(folder: Path) -> list[str]:
    """Every process that works in the cluster's folder, or was told of it: servers, their children, watchdogs."""
    found: list[str] = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            at = str((process / "cwd").readlink()) if words else ""
        except OSError:
            continue
        if at.startswith(str(folder)) or ("watchdog" in words and str(folder) in words):
            found.append(f"{process.name} {words}")
    return found


def assert_gone(folder: Path) -> None:
    until = time.monotonic() + PATIENCE
    while living(folder) and time.monotonic() < until:
        time.sleep(0.05)
    assert living(folder) == []


def started(runner: Runner, *words: str) -> tuple[subprocess.Popen[str], int]:
    """The child, once its server runs, and the server's process id."""
    process = child(runner, CHILD, *words)
    assert process.stdout is not None
    assert process.stderr is not None
    line = process.stdout.readline()
    assert line, process.stderr.read()
    assert living(runner.folder)
    return process, int(line)


def ended(process: subprocess.Popen[str]) -> None:
    """Wait for its end; one that does not come must not fail every test after this one."""
    try:
        process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise


def count(runner: Runner) -> int:
    out, err = child(runner, COUNT).communicate(timeout=60)
    assert out, err
    return int(out)


@pytest.mark.parametrize("blow", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_the_server_goes_when_the_process_that_started_it_is_killed(runner: Runner, blow: signal.Signals) -> None:
    """And the directory can be started again at once, with all that was committed."""
    process, _ = started(runner)
    process.send_signal(blow)
    ended(process)
    assert count(runner) == 1
    assert_gone(runner.folder)


@pytest.mark.parametrize("way", ["leave", "raise"])
def test_the_server_goes_with_the_end_of_the_program(runner: Runner, way: str) -> None:
    """Also when nobody stopped it, as after an error outside the context."""
    process, _ = started(runner, way)
    ended(process)
    assert_gone(runner.folder)
    assert count(runner) == 1


def test_the_server_goes_while_a_forked_child_of_its_owner_lives_on(runner: Runner) -> None:
    """The fork holds the lifeline open; the owner's end is seen nevertheless."""
    process, _ = started(runner, "fork")
    process.kill()
    process.wait()
    try:
        until = time.monotonic() + PATIENCE
        while any("postgres" in line for line in living(runner.folder)) and time.monotonic() < until:
            time.sleep(0.05)
        assert not any("watchdog" in line or "bin/postgres" in line for line in living(runner.folder))
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        ended(process)


def test_the_server_goes_when_its_watchdog_is_killed(runner: Runner) -> None:
    """Linux tells it; its owner lives and can start it again."""
    process, server = started(runner)
    watchdog = int(Path(f"/proc/{server}/stat").read_text().split()[3])
    os.kill(watchdog, signal.SIGKILL)
    assert_gone(runner.folder)
    process.kill()
    ended(process)
    assert count(runner) == 1


def test_everything_killed_at_once_leaves_a_directory_that_starts(runner: Runner) -> None:
    """As after a power cut: a stale process id in the directory stops nobody."""
    process, server = started(runner)
    watchdog = int(Path(f"/proc/{server}/stat").read_text().split()[3])
    for pid in (process.pid, watchdog, server):
        os.kill(pid, signal.SIGKILL)
    ended(process)
    assert count(runner) == 1
    assert_gone(runner.folder)


def test_a_crash_of_the_server_loses_nothing_and_it_comes_back_on_its_port() -> None:
    with tempfile.TemporaryDirectory() as folder, Cluster.start(Path(folder), durable=True) as cluster:
        cluster.ensure("ketenbrug")
        port, first = cluster.port, cluster.pid
        cluster.kill()
        cluster.restart()
        assert cluster.port == port
        assert cluster.pid != first
        cluster.drop("ketenbrug")
    assert_gone(Path(folder))
