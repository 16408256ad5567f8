"""What tests here share: a sandbox whose parts may be killed, and a service on a database of one test's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from api.crypto import keyfile
from api.sandbox.running import Running
from tests import exchange as world
from tests import live
from tests.custody_kit import custody

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator
    from pathlib import Path

    from tests import servers
    from tests.custody_kit import Custody
    from tests.exchange import Exchange, Furnished


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """PostgreSQL, the service and its worker, without a population; what they say stands beside them in `said`."""
    folder, figures = tmp_path_factory.mktemp("running"), {"KETENBRUG_METRICS_PORT": str(live.free_port())}
    with Running.start(folder / "sandbox", people=0, said=folder / "said", more=figures) as made:
        yield made


@pytest.fixture
def own(furnished: Furnished) -> Iterator[servers.Database]:
    """A furnished database of one test's own, to be damaged."""
    with furnished.clone() as database:
        yield database


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The key file."""
    keyfile.create(tmp_path / "keys")
    return tmp_path / "keys"


@pytest_asyncio.fixture
async def exchange(furnished: Furnished, own: servers.Database, path: Path, tmp_path: Path) -> AsyncGenerator[Exchange]:
    """The service on that database, with that key file."""
    async with world.running(own, tmp_path, furnished.members, keyfile.load(path)) as running:
        yield running


@pytest_asyncio.fixture
async def custodian(exchange: Exchange, own: servers.Database, path: Path) -> AsyncGenerator[Custody]:
    """The operator at the key file."""
    async with custody(exchange, own, path) as taken:
        yield taken
