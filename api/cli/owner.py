"""What is done as the owner of the database, and how a change of a file of keys is written down."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from api import settings
from api.cli import migrate
from api.custody import custodian
from api.oauth import operator
from api.storage.pool import Database

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from api.custody.custodian import Units
    from api.storage.unit import Unit

T = TypeVar("T")


def run(work: Callable[[Units], Awaitable[T]]) -> T:
    """Do it on the database of the settings. Raises `Misconfigured`."""
    migrate.gather()  # what is sealed is declared beside each table
    url = settings.database()

    async def opened() -> T:
        database = await Database.open(url, size=2)

        def units() -> Unit:
            return database.unit(settings.now())

        try:
            return await work(units)
        finally:
            await database.close()

    return asyncio.run(opened())


def noting(action: str, kind: str, *, refused: str | None = None) -> Callable[[], None]:
    """Write it down before it happens: the key is in a file, so that no transaction holds both."""

    async def noted(units: Units) -> None:
        unit = units()
        custodian.write_down(unit, operator.local(), action, kind, refused=refused)
        await unit.finish()

    return lambda: run(noted)


def moment(begins: float) -> str:
    """When a key begins, in words."""
    return "the beginning" if begins < 0 else datetime.fromtimestamp(begins, UTC).isoformat(timespec="seconds")
