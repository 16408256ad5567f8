"""Keys of persons over time, in tests: the custodian's side of a running exchange."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from api.cli import migrate
from api.crypto.choice import Choice, Kind
from api.custody import epochs, inspection, opening, renewal
from api.oauth import operator
from api.persons import reindexing
from api.storage.pool import Database

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from pathlib import Path
    from uuid import UUID

    from api.custody.custodian import Custodian
    from api.custody.inspection import Inspection
    from api.custody.opening import Keepers
    from api.storage.unit import Unit
    from tests import servers
    from tests.exchange import Exchange


async def _at_once(_seconds: float) -> None:
    await asyncio.sleep(0.001)


@dataclass
class Custody:
    """The operator at the key file of an exchange, connected as the owner of its database."""

    exchange: Exchange
    database: Database
    path: Path
    kept: Keepers
    told: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    def units(self) -> Unit:
        """A unit as the owner."""
        return self.database.unit(self.exchange.clock())

    def keys(self) -> Custodian:
        """The key file, or the key service."""
        return self.kept.keys

    async def rotate_kek(self) -> str:
        """`ketenbrug keys rotate-kek`."""
        return await epochs.rotate(self.units, self.keys(), operator.local(), self._progress)

    async def destroy(self, kek: str) -> None:
        """`ketenbrug keys destroy-epoch`."""
        await epochs.destroy(self.units, self.keys(), operator.local(), kek)

    async def rotate_dek(self) -> int:
        """`ketenbrug keys rotate-dek`."""
        return await renewal.rotate(self.units, self.keys(), operator.local(), self._progress)

    async def rotate_index(self, wait: Callable[[float], Awaitable[None]] = _at_once) -> int:
        """`ketenbrug keys rotate-index`; mostly there is no time to wait."""
        kept = self.kept
        return await reindexing.rotate(
            self.units, kept.keys, kept.index, kept.index_keys, operator.local(), self._progress, wait=wait
        )

    async def check(self) -> Inspection:
        """`ketenbrug keys check --rows`."""
        return await inspection.inspect(self.units, self.keys(), operator.local(), self._progress)

    async def rows(self, sql: str, *args: Any) -> list[Any]:
        """What the owner reads, or does."""
        async with self.database.connection() as connection:
            found: list[Any] = await connection.fetch(sql, *args)
        return found

    async def astray(self) -> list[UUID]:
        """Whom `ketenbrug keys check --rows` does not find."""
        return await reindexing.astray(self.units, self.kept.keys, self.kept.index)

    def _progress(self, done: int, left: int) -> None:
        self.told.append((done, left))


@asynccontextmanager
async def custody(
    exchange: Exchange, own: servers.Database, path: Path, chosen: Choice | None = None
) -> AsyncGenerator[Custody]:
    """Take custody, of a key file or of the key service that was chosen beside it."""
    migrate.gather()
    database = await Database.open(own.owner_url, size=2)
    try:
        async with opening.keepers(path, chosen or Choice(Kind.FILE, "")) as kept:
            yield Custody(exchange, database, path, kept)
    finally:
        await database.close()
