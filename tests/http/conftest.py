"""The exchange that the tests of one file share. They keep out of each other's way: each opens cases of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests import exchange as world

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from tests import servers
    from tests.exchange import Exchange, Furnished


@pytest.fixture(scope="module")
def furnished_database(furnished: Furnished) -> Iterator[servers.Database]:
    """A furnished database for the tests of one file."""
    with furnished.clone() as database:
        yield database


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def exchange(
    furnished: Furnished, furnished_database: servers.Database, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Exchange]:
    """The whole service and every party, on a database of this file's own."""
    directory = tmp_path_factory.mktemp("exchange")
    async with world.running(furnished_database, directory, furnished.members) as running:
        yield running
        assert await running.untold() == set(), "a row was written, and the log does not name its seal"
