"""A whole exchange on this machine: PostgreSQL, the service and its worker, a population, members, agreements.

    with Running.start(directory, port=0, people=1095, workers=1) as sandbox:
        with Cast(sandbox.base_url, sandbox.issuer, sandbox.credentials) as cast: …

Everything that it starts ends with it, also when it is killed: the service reads its end from a pipe that closes.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from api import settings
from api.crypto import inbox, keyfile
from api.crypto.blind import BlindIndex, OwnKeys
from api.crypto.inbox import Kind
from api.crypto.wrappers import FileWrapper
from api.errors import Misconfigured
from api.oauth import operator, registry
from api.sandbox import databases, importer, population, service
from api.sandbox.cast import Credentials
from api.sandbox.cluster import Cluster
from api.sandbox.databases import Role
from api.sandbox.furnishing import furnish
from api.sandbox.service import Service
from api.storage.pool import Database

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from api.sandbox.members import Member

NAME: Final = "ketenbrug_sandbox"
LOG: Final = "sandbox.ketenbrug.example/log"
"""The name of its log, whatever port it is served at."""

DESCRIPTION: Final = "sandbox.json"
"""The file that tells others that it is ready, and how to call it."""


@dataclass
class Running:
    """A sandbox that runs."""

    directory: Path
    base_url: str
    issuer: str
    credentials: dict[str, Credentials] = field(repr=False)
    environment: dict[str, str] = field(repr=False)
    cluster: Cluster
    service: Service
    _stack: ExitStack = field(repr=False)

    @classmethod
    def start(
        cls,
        directory: Path,
        *,
        port: int = 0,
        people: int | None = None,
        workers: int = 1,
        said: Path | None = None,
        more: Mapping[str, str] | None = None,
    ) -> Self:
        """Start everything under `directory`, new or where it was left. Raises `Misconfigured`.

        `port`: 0 for any. `people`: those of the evaluation when not told. `said`: where the service's output goes.
        `more`: what else the service is told, as its environment.
        """
        chosen = service.port(port)
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with ExitStack() as stack:
            cluster = stack.enter_context(Cluster.start(directory / "postgres", durable=True))
            # Nobody else has the directory now. Whoever waits for this file must not find that of an earlier run.
            (directory / DESCRIPTION).unlink(missing_ok=True)
            credentials, keys = directory / "credentials.json", directory / "keys"
            if not credentials.exists():
                _begin_anew(cluster, directory)
            _migrate(cluster.url(Role.OWNER, NAME))
            if not keys.exists():
                keyfile.create(keys)
                _take_sealed_posts(keys)
            kept = _furnished(credentials, cluster.url(Role.APPLICATION, NAME), keys, people)
            issuer = f"http://127.0.0.1:{chosen}"
            environment = _environment(cluster, keys, issuer, chosen, workers) | dict(more or {})
            running = stack.enter_context(Service.start(environment, issuer, said))
            return cls(
                directory,
                f"{issuer}/v1",
                issuer,
                kept,
                environment,
                cluster,
                running,
                stack.pop_all(),
            )

    @property
    def database_url(self) -> str:
        """The database, as its owner finds it."""
        return self.cluster.url(Role.OWNER, NAME)

    @property
    def application_url(self) -> str:
        """The same, as the service does."""
        return self.cluster.url(Role.APPLICATION, NAME)

    @property
    def work_url(self) -> str:
        """The same, as `ketenbrug work` does."""
        return self.cluster.url(Role.WORK, NAME)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the service, then the database. The directory stays, and can be started again."""
        self._stack.close()


def _take_sealed_posts(keys: Path) -> None:
    """Make a key that posts may be sealed to for each of the two profiles."""
    for kind in (Kind.X25519, Kind.RSA):
        now = settings.now()
        inbox.rotate(inbox.beside(keys), kind, now, now, compromised=False, like=keys)


def _begin_anew(cluster: Cluster, directory: Path) -> None:
    """Make the database. The credentials are written last: without them nobody can use one that is there already."""
    for each in ("samples.json", "guard"):
        (directory / each).unlink(missing_ok=True)
    if databases.exists(cluster.superuser_url(), NAME):
        cluster.drop(NAME)
    cluster.create(NAME)


def _migrate(owner: str) -> None:
    """Bring the database to this release, by the command that operators use."""
    environment = _inherited() | {"KETENBRUG_DATABASE_URL": owner}
    command = [*service.COMMAND, "migrate"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own
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
            FileWrapper(keys.ring.current, keys.ring.keks[keys.ring.current]),
            BlindIndex(OwnKeys(keys.blind_index)),
            population.people(people),
            hosts,
        )
        return made
    finally:
        await database.close()


_RATES: Final = ("REQUESTS", "LOOKUPS", "SAME_PERSON", "TOKENS", "INTROSPECTIONS")


def _environment(cluster: Cluster, keys: Path, issuer: str, port: int, workers: int) -> dict[str, str]:
    """What the service is told."""
    return _inherited() | {
        "KETENBRUG_DATABASE_URL": cluster.url(Role.APPLICATION, NAME),
        "KETENBRUG_WORK_DATABASE_URL": cluster.url(Role.WORK, NAME),
        "KETENBRUG_KEY_FILE": str(keys),
        "KETENBRUG_PUBLIC_URL": issuer,
        "KETENBRUG_PORT": str(port),
        "KETENBRUG_WORKERS": str(workers),
        "KETENBRUG_SANDBOX": "true",
        "KETENBRUG_LOG_ORIGIN": LOG,
        "KETENBRUG_LOG_GUARD": str(keys.with_name("guard")),
        # Whoever tries things out here, or measures, is not to be stopped.
        **{f"KETENBRUG_RATE_{each}": "10000000" for each in _RATES},
    }


def _inherited() -> dict[str, str]:
    """What a child process inherits: nothing that could name another database."""
    environment = os.environ  # noqa: TID251 - where processes are started
    return {name: value for name, value in environment.items() if not name.startswith("KETENBRUG_")}
