"""A whole exchange on this machine: PostgreSQL, the service and its worker, a population, members, agreements.

    with Running.start(directory, port=0, people=1095, workers=1) as sandbox:
        with Cast(sandbox.base_url, sandbox.issuer, sandbox.credentials) as cast: …

Everything that it starts ends with it, also when it is killed: the service reads its end from a pipe that closes.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from api import settings
from api.cases import store as cases
from api.crypto import keyfile
from api.crypto.blind import BlindIndex
from api.crypto.wrappers import FileWrapper
from api.errors import Misconfigured
from api.oauth import operator, registry
from api.sandbox import importer, population
from api.sandbox.cast import Credentials
from api.sandbox.cluster import Cluster
from api.sandbox.databases import Role
from api.sandbox.furnishing import furnish
from api.storage.pool import Database
from api.vocabulary import CaseId

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from api.sandbox.members import Member

NAME: Final = "ketenbrug_sandbox"
_STARTING: Final = 60.0
_STOPPING: Final = 30.0


@dataclass
class Running:
    """A sandbox that runs. `database_url` is its owner's; the service uses another role."""

    directory: Path
    base_url: str
    issuer: str
    database_url: str = field(repr=False)
    application_url: str = field(repr=False)
    credentials: dict[str, Credentials] = field(repr=False)
    environment: dict[str, str] = field(repr=False)
    _stack: ExitStack = field(repr=False)

    @classmethod
    def start(cls, directory: Path, *, port: int = 0, people: int | None = None, workers: int = 1) -> Self:
        """Start everything under `directory`, new or where it was left. Raises `Misconfigured`."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with ExitStack() as stack:
            cluster = stack.enter_context(Cluster.start(directory / "postgres", durable=True))
            cluster.ensure(NAME)
            owner, application = cluster.url(Role.OWNER, NAME), cluster.url(Role.APPLICATION, NAME)
            _migrate(owner)
            keys = directory / "keys"
            if not keys.exists():
                keyfile.create(keys)
            credentials = _furnished(directory / "credentials.json", application, keys, people)
            chosen = port or _free_port()
            issuer = f"http://127.0.0.1:{chosen}"
            environment = _environment(application, keys, issuer, chosen, workers)
            stack.enter_context(_service(environment, issuer))
            return cls(
                directory,
                f"{issuer}/v1",
                issuer,
                owner,
                application,
                credentials,
                environment,
                stack.pop_all(),
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def person_of(self, case_id: UUID) -> str:
        """The id of the person whom a case is about: no API tells it."""

        async def ask() -> str:
            database = await Database.open(self.application_url, size=1)
            try:
                facts = await cases.find(database.unit(settings.now()), CaseId(case_id))
            finally:
                await database.close()
            return "" if facts is None else str(facts.person)

        return asyncio.run(ask())

    def stop(self) -> None:
        """Stop the service, then the database. The directory stays, and can be started again."""
        self._stack.close()


def _migrate(owner: str) -> None:
    """Bring the database to this release, by the command that operators use."""
    environment = _inherited() | {"KETENBRUG_DATABASE_URL": owner}
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", "migrate"], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Misconfigured((f"the database could not be migrated: {done.stderr.strip()[-500:]}",))


def _furnished(path: Path, url: str, keys: Path, people: int | None) -> dict[str, Credentials]:
    """The members' credentials: as kept from an earlier start, or of members that are registered now."""
    if not path.exists():
        made = asyncio.run(
            _populate(url, keyfile.load(keys), population.EVALUATED_PEOPLE if people is None else people)
        )
        content = json.dumps({key: member.published() for key, member in made.items()})
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(content)
    kept: dict[str, dict[str, Any]] = json.loads(path.read_text())
    return {
        key: Credentials(each["clientId"], UUID(each["organisation"]), each["scope"], each["jwk"])
        for key, each in kept.items()
    }


async def _populate(url: str, keys: keyfile.KeyFile, people: int) -> dict[str, Member]:
    database = await Database.open(url, size=2)
    try:
        made = await furnish(database, settings.now())
        unit = database.unit(settings.now())
        hosts = importer.Hosts(
            {
                municipality: member.organisation_id
                for member in made.values()
                if member.part.key.startswith("municipality")
                for municipality in member.part.municipalities
            },
            await registry.find_organisation(unit, made["ngo"].organisation_id),
        )
        await importer.load(
            unit,
            operator.local(),
            FileWrapper(keys.kek_id, keys.kek),
            BlindIndex(keys.blind_index),
            population.people(people),
            hosts,
        )
        return made
    finally:
        await database.close()


def _environment(url: str, keys: Path, issuer: str, port: int, workers: int) -> dict[str, str]:
    """What the service is told."""
    return _inherited() | {
        "KETENBRUG_DATABASE_URL": url,
        "KETENBRUG_KEY_FILE": str(keys),
        "KETENBRUG_PUBLIC_URL": issuer,
        "KETENBRUG_PORT": str(port),
        "KETENBRUG_WORKERS": str(workers),
        "KETENBRUG_SANDBOX": "true",
    }


def _inherited() -> dict[str, str]:
    """What a child process inherits: nothing that could name another database."""
    environment = os.environ  # noqa: TID251 - where processes are started
    return {name: value for name, value in environment.items() if not name.startswith("KETENBRUG_")}


@contextmanager
def _service(environment: dict[str, str], issuer: str) -> Generator[None]:
    command = [sys.executable, "-m", "api.cli", "serve", "--with-parent"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)  # noqa: S603 - our own command
    try:
        _await_ready(child, issuer)
        yield
    finally:
        child.terminate()
        try:
            child.wait(timeout=_STOPPING)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _await_ready(child: subprocess.Popen[bytes], issuer: str) -> None:
    until = time.monotonic() + _STARTING
    while time.monotonic() < until:
        if child.poll() is not None:
            raise Misconfigured(("the service did not start: see what it said above",))
        try:
            with urllib.request.urlopen(f"{issuer}/health/ready", timeout=2) as answer:  # noqa: S310 - our own loopback
                if answer.status == 200:  # noqa: PLR2004 - HTTP
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise Misconfigured((f"the service was not ready within {_STARTING:.0f} seconds",))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
