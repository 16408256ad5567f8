"""What every test may ask for: a PostgreSQL of its own. And what no test gets: a production setting, or the network."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, settings

from tests import servers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.exchange import Furnished

DATABASE_URL: Final = "KETENBRUG_TEST_DATABASE_URL"
FOR_TESTS: Final = {DATABASE_URL, "KETENBRUG_ADR_RULESET", "KETENBRUG_VECTORS"}


_ALLOCATIONS: Final = 20_000
"""How many between two searches for garbage; Python's own 700 is for programs that keep little."""

_KEPT: Final = pytest.StashKey[Path]()
"""The folder of a run whose files are in memory."""


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a database that is not for tests, forget every setting of the service, and close the network."""
    if (url := os.environ.get(DATABASE_URL)) and (refusal := servers.refusal(url)):  # noqa: TID251 - a run begins here
        raise pytest.UsageError(refusal)
    forget_settings()
    sys.addaudithook(_loopback_only)
    # All that a run collects stays to its end: nobody need look through it for garbage, and seldom through the rest.
    gc.disable()
    gc.set_threshold(_ALLOCATIONS)
    # A worker of pytest-xdist is told its folder by the one that started it.
    if config.option.basetemp is None and (memory := servers.memory()):
        config.stash[_KEPT] = Path(tempfile.mkdtemp(prefix="ketenbrug-tests-", dir=memory))
        config.option.basetemp = config.stash[_KEPT] / "run"
    # Every run looks at the same examples, so that none fails for what another left; `search` looks further.
    slow = [HealthCheck.too_slow]
    settings.register_profile(
        "same", max_examples=60, derandomize=True, deadline=None, database=None, suppress_health_check=slow
    )
    settings.register_profile("search", max_examples=2_000, deadline=None, suppress_health_check=slow)
    settings.register_profile("fuzz", max_examples=2_500, deadline=None, database=None, suppress_health_check=slow)
    settings.load_profile("same")


def pytest_collection_finish() -> None:
    """From here on there is garbage."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of few tests first: theirs start programs and take minutes, and at the end nobody waits for one of them."""
    tests = Counter(item.path for item in items)
    items.sort(key=lambda item: tests[item.path])


def forget_settings() -> None:
    """So that no test can touch what an operator's shell points at."""
    environment = os.environ  # noqa: TID251 - a run begins here
    for name in list(environment):
        if name.startswith("KETENBRUG_") and name not in FOR_TESTS:
            del environment[name]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Give the memory back."""
    if kept := config.stash.get(_KEPT, None):
        shutil.rmtree(kept, ignore_errors=True)


def _loopback_only(event: str, args: tuple[Any, ...]) -> None:
    if event != "socket.connect" or not isinstance(args[1], tuple):
        return
    host = str(args[1][0])
    if host not in {"::1", "localhost"} and not host.startswith("127."):
        raise PermissionError("a test may reach nothing but this machine", host)


@pytest.fixture(scope="session")
def cluster() -> Iterator[servers.Server]:
    """One PostgreSQL server for the run. A test that wants to kill one starts its own `Cluster`."""
    given = os.environ.get(DATABASE_URL)  # noqa: TID251 - a run begins here
    with servers.server(given or None) as running:
        yield running


@pytest.fixture(scope="session")
def template(cluster: servers.Server) -> Iterator[servers.Database]:
    """A database with all tables and no rows, to be cloned. Nobody may stay connected to it."""
    with servers.migrated(cluster) as made:
        yield made


@pytest.fixture
def database(cluster: servers.Server, template: servers.Database) -> Iterator[servers.Database]:
    """A fresh database with all tables for one test: some 50 ms."""
    with servers.database(cluster, template) as made:
        yield made


@pytest.fixture(scope="module")
def module_database(cluster: servers.Server, template: servers.Database) -> Iterator[servers.Database]:
    """A fresh database with all tables for the tests of one file, which keep out of each other's way."""
    with servers.database(cluster, template) as made:
        yield made


@pytest.fixture(scope="session")
def furnished(cluster: servers.Server, template: servers.Database) -> Iterator[Furnished]:
    """A database with the sandbox's members and agreements, to be cloned. Nobody may stay connected to it."""
    # As above: it imports the whole house, and the clients too.
    from tests import exchange  # noqa: PLC0415

    with servers.database(cluster, template) as made:
        yield asyncio.run(exchange.furnished(cluster, made))


@pytest.fixture
def empty_database(cluster: servers.Server) -> Iterator[servers.Database]:
    """A database without anything, for migrations."""
    with servers.database(cluster) as made:
        yield made
