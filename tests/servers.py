"""The PostgreSQL server that a test run uses, and the databases it makes there.

Without more said, an embedded one in a temporary folder. With `KETENBRUG_TEST_DATABASE_URL`, the server of that URL.
Its role must be a superuser and the name of its database must end in `_test`. So do all names that a run makes there,
roles included: roles are shared by all databases of a server, and an existing one must not change hands.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit, urlunsplit

from api.sandbox import databases
from api.sandbox.cluster import Cluster
from api.sandbox.databases import Role

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

SUFFIX: Final = "_test"

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder of a name of its own is made in it
_ROOM: Final = 4 * 2**30
"""Bytes: what a run's databases and their log stay far below."""


@dataclass(frozen=True, slots=True)
class Database:
    """A database of a test's own.

    `app_url` is what the service gets, `work_url` what its worker gets, `owner_url` what migrations get.
    """

    name: str
    app_role: str
    work_role: str
    owner_url: str = field(repr=False)
    app_url: str = field(repr=False)
    work_url: str = field(repr=False)
    superuser_url: str = field(repr=False)

    @property
    def roles(self) -> Mapping[str, str]:
        """Whom migrations give their rights."""
        return {"app_role": self.app_role, "work_role": self.work_role}


class Server(Protocol):
    """Where databases are made. `template` is the name of one to clone; without, the new one is empty."""

    def make(self, template: str | None = None) -> Database: ...  # noqa: D102

    def drop(self, database: Database) -> None: ...  # noqa: D102


class Embedded:
    """Databases in a cluster of our own."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def make(self, template: str | None = None) -> Database:
        """Make a database."""
        name = _fresh("t")
        self._cluster.create(name, template=template)
        return Database(
            name,
            Role.APPLICATION,
            Role.WORK,
            self._cluster.url(Role.OWNER, name),
            self._cluster.url(Role.APPLICATION, name),
            self._cluster.url(Role.WORK, name),
            self._cluster.superuser_url(name),
        )

    def drop(self, database: Database) -> None:
        """Drop it, whoever is connected."""
        self._cluster.drop(database.name)


class Given:
    """Databases and roles in a server that somebody gave."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._passwords = {
            _fresh(role): secrets.token_urlsafe(24) for role in (Role.OWNER, Role.APPLICATION, Role.WORK)
        }
        self._owner, self._application, self._work = self._passwords
        databases.ensure_roles(url, self._passwords, {self._work: self._application})

    def make(self, template: str | None = None) -> Database:
        """Make a database."""
        name = _fresh("t")
        databases.create(self._url, name, self._owner, self._application, template=template)
        return Database(
            name,
            self._application,
            self._work,
            self._as(self._owner, name),
            self._as(self._application, name),
            self._as(self._work, name),
            self._as(None, name),
        )

    def drop(self, database: Database) -> None:
        """Drop it, whoever is connected."""
        databases.drop(self._url, database.name)

    def leave(self) -> None:
        """Take the roles away."""
        databases.drop_roles(self._url, *self._passwords)

    def _as(self, role: str | None, database: str) -> str:
        parts = urlsplit(self._url)
        host = parts.netloc.rpartition("@")[2]
        netloc = f"{role}:{self._passwords[role]}@{host}" if role else parts.netloc
        return urlunsplit(parts._replace(netloc=netloc, path=f"/{database}"))


@contextmanager
def server(given: str | None) -> Generator[Server]:
    """Run a server for a test run, or use the one that is given."""
    if given is None:
        with (
            tempfile.TemporaryDirectory(prefix="ketenbrug-test-", dir=memory()) as folder,
            Cluster.start(Path(folder) / "postgres", durable=False) as cluster,
        ):
            yield Embedded(cluster)
        return
    lent = Given(given)
    try:
        yield lent
    finally:
        lent.leave()


def memory() -> Path | None:
    """Where files are in memory, if the machine has room for them: a clone is some 700, and a run makes hundreds.

    Measured: 55 ms for a clone instead of 180. Nothing of a test run needs to outlive a crash of the machine.
    """
    return _MEMORY if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM else None


@contextmanager
def database(of: Server, template: Database | None = None) -> Generator[Database]:
    """Make a database for a while."""
    made = of.make(template.name if template else None)
    try:
        yield made
    finally:
        of.drop(made)


@contextmanager
def migrated(of: Server) -> Generator[Database]:
    """Make a database with all tables of this release, to be cloned."""
    # Alembic is slow to import: a run of unit tests alone need not wait for it.
    from api.cli import migrate  # noqa: PLC0415

    with database(of) as template:
        migrate.upgrade(template.owner_url, **template.roles)
        yield template


def refusal(url: str) -> str | None:
    """Say why tests may not use this URL; None when they may."""
    name = urlsplit(url).path.removeprefix("/")
    if name.endswith(SUFFIX):
        return None
    return f"KETENBRUG_TEST_DATABASE_URL names the database `{name}`: tests only touch one whose name ends in {SUFFIX}."


def _fresh(stem: str) -> str:
    return f"{stem}_{secrets.token_hex(4)}{SUFFIX}"
