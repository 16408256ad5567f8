"""How tests of the store reach their database: as `ketenbrug work`, which does all that the application does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from api.storage.pool import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests import servers


@pytest.fixture
async def connection(database: servers.Database) -> AsyncIterator[Any]:
    """A connection."""
    made: Any = await asyncpg.connect(database.work_url)
    yield made
    await made.close()


@pytest.fixture
async def pool(database: servers.Database) -> AsyncIterator[Database]:
    """The pool of a process."""
    opened = await Database.open(database.work_url, size=8)
    yield opened
    await opened.close()
