"""The database as a command reaches it: what it does is committed as a whole, and what is refused is let go at once.

A unit that nobody ends keeps its connection, and whoever closes the database would wait for it for seconds.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from api import settings
from api.storage.pool import Database

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from datetime import datetime

    from api.storage.unit import Unit


@asynccontextmanager
async def opened(url: str) -> AsyncGenerator[Database]:
    """The database, for as long as the context lasts."""
    database = await Database.open(url, size=1)
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def within(database: Database, now: datetime | None = None) -> AsyncGenerator[Unit]:
    """A unit of work on it, of this moment unless another is given."""
    unit = database.unit(now or settings.now())
    try:
        yield unit
        await unit.finish()
    except BaseException:
        await unit.abort()
        raise


@asynccontextmanager
async def of(url: str) -> AsyncGenerator[Unit]:
    """The one unit of work of a command."""
    async with opened(url) as database, within(database) as unit:
        yield unit
