"""The whole service on a database of its own, with every party of the exchange as its real client, in one process."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import httpx

from api.app import create_app
from api.crypto import keyfile
from api.sandbox.furnishing import furnish
from api.settings import Settings
from api.storage.pool import Database
from clients import _transport
from clients.chain import AsyncChainClient
from clients.municipality import AsyncMunicipalityClient
from clients.ngo import AsyncNgoClient
from clients.operator import AsyncOperatorClient

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from api.edge.envelope import Envelope
    from api.sandbox.members import Member
    from clients._parts import AwaitingClient
    from tests import servers

BASE: Final = "http://127.0.0.1:9"
"""Nobody listens there: requests go to the app without a socket."""


@dataclass
class Clock:
    """The clock of the service: real time, and what a test adds to it."""

    ahead: timedelta = field(default_factory=timedelta)

    def __call__(self) -> datetime:
        """What it shows."""
        return datetime.now(UTC) + self.ahead  # noqa: TID251 - the tokens of real clients are of real time


@dataclass
class Exchange:
    """What tests hold: the app, its clock, its database, and who takes part."""

    app: Envelope
    clock: Clock
    members: dict[str, Member]
    database: Database
    ngo: AsyncNgoClient
    other_ngo: AsyncNgoClient
    ind: AsyncChainClient
    dtv: AsyncChainClient
    avim: AsyncChainClient
    municipality: AsyncMunicipalityClient
    auditor: Any
    operator: AsyncOperatorClient
    http: httpx.AsyncClient

    async def entries(self, action: str) -> list[dict[str, Any]]:
        """What the log holds of an action, oldest first."""
        async with self.database.connection() as connection:
            rows = await connection.fetch(
                "SELECT convert_from(leaf, 'UTF8')::jsonb AS entry FROM audit.entry ORDER BY id"
            )
        return [row["entry"] for row in rows if row["entry"]["action"] == action]


@asynccontextmanager
async def running(database: servers.Database, tmp_path: Path) -> AsyncGenerator[Exchange]:
    """The service, furnished and up."""
    path = tmp_path / "keys"
    keyfile.create(path)
    settings = Settings(database_url=database.app_url, key_file=path, public_url=BASE, sandbox=True)  # type: ignore[arg-type]
    clock = Clock()
    app = create_app(settings, keyfile.load(path), clock=clock)
    async with AsyncExitStack() as stack:
        pool = await Database.open(database.app_url, size=4)
        stack.push_async_callback(pool.close)
        members = await furnish(pool, clock())
        await stack.enter_async_context(app.app.router.lifespan_context(app.app))
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        http = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url=BASE))

        async def client(kind: type[AwaitingClient], key: str) -> Any:
            member = members[key]
            made = kind(
                f"{BASE}/v1",
                issuer=BASE,
                client_id=member.client_id,
                key=member.jwk,
                scope=member.part.scopes,
                retries=0,
                transport=_transport.AsyncHttp(timeout=30, inner=httpx.ASGITransport(app=app)),
            )
            return await stack.enter_async_context(made)

        yield Exchange(
            app,
            clock,
            members,
            pool,
            ngo=await client(AsyncNgoClient, "ngo"),
            other_ngo=await client(AsyncNgoClient, "otherNgo"),
            ind=await client(AsyncChainClient, "ind"),
            dtv=await client(AsyncChainClient, "dtv"),
            avim=await client(AsyncChainClient, "avim"),
            municipality=await client(AsyncMunicipalityClient, "municipality"),
            auditor=None,
            operator=await client(AsyncOperatorClient, "operator"),
            http=http,
        )
