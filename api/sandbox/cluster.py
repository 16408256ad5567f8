"""A PostgreSQL of our own under a given directory, for the sandbox, the demo and the tests. Never for production.

What holds:

1. **Nobody else gets in.** It listens on 127.0.0.1 alone, on a port of its own and on no socket file, and asks each
   connection for a random password. The passwords stand in `secrets.json`, which only its owner may read.
2. **It ends with us**, also when we are killed: see `api.sandbox.watchdog`. What was committed in a durable cluster is
   there when the directory is started again.
3. **One at a time.** `owner.lock` is held by the process that started the cluster, `server.lock` by the server and each
   process of it. A directory whose owner lives is refused; a server that is still on its way down is waited for.
4. **Nothing outside the directory is changed**, but for a temporary copy of the programs when the account that runs
   them cannot reach them. As root the server runs as `nobody`, and enters a directory that is closed to `nobody`
   through a descriptor that we opened (`/proc/self/fd/…`), so that the directory can stay closed.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import tempfile
import time
from typing import TYPE_CHECKING, Any, Final, Self

from api.errors import Misconfigured
from api.sandbox import databases, process

if TYPE_CHECKING:
    from pathlib import Path

    from api.sandbox import binaries

ALWAYS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # A statement or a key in an error's detail may hold personal data: the log gets neither.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
DURABLE: Final = {"fsync": "on", "full_page_writes": "on"}
FAST: Final = {
    # A crash of the server loses nothing; a crash of the machine may. Commits wait as they do in a durable cluster.
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
}

_STARTING: Final = 60.0
"""Seconds that recovery after a crash may take."""
_ATTEMPTS: Final = 5
_READINESS: Final = 7
"""The place of the line in `postmaster.pid` that says whether the server is ready."""
_HAS_OWN_LOCALE: Final = 17
_OWN_LOCALE: Final = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8")


class Cluster:
    """A running cluster. Leave the context, or call `stop`, to stop it; the data stay."""

    def __init__(self, place: process.Place, owned: int, *, durable: bool) -> None:
        self.directory: Final = place.directory
        self.durable: Final = durable
        self.port = 0
        self._place: Final = place
        self._data: Final = place.directory / "data"
        self._passwords: Final = _passwords(place.directory)
        self._owned: int | None = owned
        self._server: process.Watched | None = None

    @classmethod
    def start(cls, directory: Path, *, durable: bool, programs: binaries.Binaries | None = None) -> Self:
        """Start the cluster in a directory, made when it is not there. Blocks until it answers.

        `durable`: what is committed survives a crash of the machine; without, only a crash of the server. `programs`:
        others than those that `binaries` finds. Raises `Misconfigured` with a sentence that says what to do.
        """
        directory = directory.absolute()
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            owned = os.open(directory / "owner.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise Misconfigured((f"PostgreSQL cannot be kept under {directory}: {error.strerror}.",)) from error
        with contextlib.ExitStack() as undo:
            undo.callback(os.close, owned)
            if not process.locked(owned):
                raise Misconfigured((f"Another process uses the PostgreSQL under {directory}: stop it first.",))
            cluster = cls(process.Place.choose(directory, programs), owned, durable=durable)
            undo.pop_all()
        with contextlib.ExitStack() as undo:
            undo.callback(cluster.stop)
            if not cluster._data.exists():
                cluster._make()
            cluster._serve(None)
            members: dict[str, str] = {databases.Role.WORK: databases.Role.APPLICATION}
            databases.ensure_roles(cluster.superuser_url(), cluster._passwords, members)
            undo.pop_all()
        return cluster

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Cluster in {self.directory} on port {self.port}>"

    def url(self, role: databases.Role, database: str) -> str:
        """Where a role finds a database. Holds a password: never log it."""
        return f"postgresql://{role}:{self._passwords[role]}@127.0.0.1:{self.port}/{database}"

    def superuser_url(self, database: str = "postgres") -> str:
        """Where the superuser finds a database. Holds a password: never log it."""
        return self.url(databases.Role.SUPERUSER, database)

    def create(self, database: str, *, template: str | None = None) -> None:
        """Make a database that the owner role owns; a clone of `template` when one is given. Blocks."""
        databases.create(
            self.superuser_url(), database, databases.Role.OWNER, databases.Role.APPLICATION, template=template
        )

    def ensure(self, database: str) -> None:
        """Make a database unless it is there. Blocks."""
        if not databases.exists(self.superuser_url(), database):
            self.create(database)

    def drop(self, database: str) -> None:
        """Drop a database, whoever is connected to it. Blocks."""
        databases.drop(self.superuser_url(), database)

    @property
    def pid(self) -> int:
        """The process id of PostgreSQL's first process. Raises `Misconfigured` when it does not run."""
        status = self._status()
        if status is None:
            raise Misconfigured((f"The PostgreSQL under {self.directory} does not run.",))
        return int(status[0])

    def kill(self) -> None:
        """Kill the server as a crash would: for tests of what survives."""
        os.kill(self.pid, signal.SIGKILL)
        self._halt()

    def restart(self) -> None:
        """Start the server again where it was, on the same port, after `kill`."""
        self._halt()
        self._serve(self.port)

    def stop(self) -> None:
        """Stop the server and leave the directory to others. Does nothing when it is stopped already."""
        self._halt()
        if self._owned is not None:
            os.close(self._owned)
            self._owned = None

    def _make(self) -> None:
        """Run initdb beside the place of the data, and move the result there once it is whole."""
        fresh = self.directory / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        self._place.own(fresh)
        words = (
            f"--username={databases.Role.SUPERUSER}",
            "--pwfile=/dev/stdin",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-instructions",
            *(() if self.durable else ("--no-sync",)),
            *(_OWN_LOCALE if self._place.programs.major >= _HAS_OWN_LOCALE else ()),
        )
        with tempfile.TemporaryFile() as password, self._place.alone() as lock:
            password.write(self._passwords[databases.Role.SUPERUSER].encode())
            password.seek(0)
            # initdb opens its standard input by name, which on Linux needs the right to the file itself.
            self._place.own(password.fileno())
            making = process.run(self._place, "initdb", fresh, words, lock, password.fileno())
            try:
                code = making.wait()
            finally:
                making.stop()
        if code != 0:
            raise Misconfigured((f"initdb failed in {self.directory}: {self._place.last_words()}",))
        fresh.rename(self._data)

    def _serve(self, port: int | None) -> None:
        """Start the server on `port`, or on any free one, and wait until it answers."""
        for attempt in range(_ATTEMPTS):
            self.port = port or _free_port()
            settings = ALWAYS | (DURABLE if self.durable else FAST) | {"port": str(self.port)}
            with self._place.alone() as lock:
                # No process of an earlier server lives, since we hold its lock: its pid may be anybody's by now.
                (self._data / "postmaster.pid").unlink(missing_ok=True)
                words = [f"--{name}={value}" for name, value in settings.items()]
                self._server = process.run(self._place, "postgres", self._data, words, lock)
            if self._answers():
                return
            ending = self._place.last_words()
            self._halt()
            if port is not None or attempt == _ATTEMPTS - 1 or "Address already in use" not in ending:
                raise Misconfigured((f"PostgreSQL did not start in {self.directory}: {ending}",))

    def _answers(self) -> bool:
        """Wait until the server answers. False when it ended instead, or took too long."""
        until = time.monotonic() + _STARTING
        while self._server is not None and self._server.runs() and time.monotonic() < until:
            status = self._status()
            if status is not None and status[_READINESS].strip() == "ready":
                return True
            time.sleep(0.005)
        return False

    def _status(self) -> list[str] | None:
        """The lines of PostgreSQL's own status file, once they are all there."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return None
        return lines if len(lines) > _READINESS else None

    def _halt(self) -> None:
        """Stop the server, and wait until no process of it lives."""
        server, self._server = self._server, None
        if server is None:
            return
        if not server.stop() and (status := self._status()):
            # Linux has told the server that its watchdog is gone; another system has not.
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(status[0]), signal.SIGINT)
        with self._place.alone():
            pass


def _passwords(directory: Path) -> dict[str, str]:
    """One password for each role, made once, on disk before the cluster that takes them.

    A role of a later release than the directory gets its own when that release comes.
    """
    file = directory / "secrets.json"
    kept: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    if passwords := {role: secrets.token_urlsafe(24) for role in databases.Role if role not in kept}:
        fresh = file.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as writing:
            json.dump(kept | passwords, writing)
            writing.flush()
            os.fsync(writing.fileno())
        fresh.rename(file)
    return kept | passwords


def _free_port() -> int:
    with socket.socket() as asking:
        asking.bind(("127.0.0.1", 0))
        port: Any = asking.getsockname()[1]
        return int(port)
