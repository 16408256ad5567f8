"""The whole service on a database of its own, with every party of the exchange as its real client, in one process.

`Furnished` is a database with the sandbox's members and agreements, made once for a run and cloned in some 50 ms.
"""

from __future__ import annotations

import math
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import httpx
import orjson

from api.app import create_app
from api.cli import migrate
from api.consent import agreements
from api.crypto import keyfile
from api.crypto.rows import SealedRow, SealedSet, digest, named
from api.sandbox import agreements as shipped
from api.sandbox import members as registering
from api.sandbox.furnishing import furnish
from api.sandbox.members import Part
from api.settings import Settings
from api.storage.pool import Database
from api.vocabulary import AgreementId, Municipality, OrganisationId, Party, Scope
from clients import _transport, receipts
from clients.auditor import AsyncAuditorClient
from clients.chain import AsyncChainClient
from clients.municipality import AsyncMunicipalityClient
from clients.ngo import AsyncNgoClient
from clients.operator import AsyncOperatorClient
from tests import servers
from tests.actor import Actor

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Mapping
    from pathlib import Path

    from api.crypto.keyfile import KeyFile
    from api.edge.envelope import Envelope
    from api.sandbox.members import Member
    from api.storage.unit import Unit
    from clients._parts import AwaitingClient

BASE: Final = "http://127.0.0.1:9"
"""Nobody listens there: requests go to the app without a socket."""

EVERYWHERE: Final = frozenset(Municipality)


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
    auditor: AsyncAuditorClient
    operator: AsyncOperatorClient
    http: httpx.AsyncClient
    key_file: Path
    _actors: dict[str, Actor] = field(default_factory=dict[str, Actor])

    def actor(self, key: str) -> Actor:
        """A member that speaks HTTP by hand, on the clock of the service."""
        if key not in self._actors:
            self._actors[key] = Actor.of(self.http, self.clock, BASE, self.members[key])
        return self._actors[key]

    def id_of(self, key: str) -> OrganisationId:
        """The organisation of a member."""
        return self.members[key].organisation_id

    async def join(
        self,
        key: str,
        kind: Party,
        *,
        scopes: frozenset[Scope] = frozenset(Scope),
        municipalities: frozenset[Municipality] = EVERYWHERE,
        designated: bool = False,
    ) -> Actor:
        """Register one more organisation, party to no agreement, with a client of these scopes."""
        if key not in self.members:
            oin = f"00000099{len(self.members) + 500:012}"
            part = Part(key, kind, f"Stichting {key}", oin, municipalities, scopes, designated)
            unit = self.unit()
            self.members[key] = await registering.register(unit, part)
            await unit.finish()
        return self.actor(key)

    @contextmanager
    def later(self, ahead: timedelta) -> Generator[None]:
        """Let time pass, for a while. Real clients live in real time: use actors."""
        self.clock.ahead += ahead
        try:
            yield
        finally:
            self.clock.ahead -= ahead

    def unit(self) -> Unit:
        """A unit of work of the test's own."""
        return self.database.unit(self.clock())

    async def revoke(self, municipality: Municipality, key: str) -> None:
        """A party takes its signature back from what is agreed in a municipality today."""
        unit = self.unit()
        (document,) = (each for each in shipped.documents("2026") if each["municipality"] == municipality)
        which = AgreementId(UUID(document["id"]))
        await agreements.revoke(unit, which, document["version"], self.id_of(key))
        await unit.finish()

    async def forget_signing_key(self, key: str) -> None:
        """A party has no key to sign agreements with any more."""
        async with self.database.connection() as connection:
            await connection.execute("UPDATE oauth.organisation SET signing_jwks = NULL WHERE id = $1", self.id_of(key))

    async def rows(self, sql: str, *args: Any) -> list[Any]:
        """What the application may read in its database."""
        async with self.database.connection() as connection:
            found: list[Any] = await connection.fetch(sql, *args)
        return found

    async def leaves(self) -> list[bytes]:
        """Every leaf of the log, oldest first."""
        return [row["leaf"] for row in await self.rows("SELECT leaf FROM audit.entry ORDER BY id")]

    async def entries(self, action: str) -> list[dict[str, Any]]:
        """What the log holds of an action, oldest first."""
        return [entry for leaf in await self.leaves() if (entry := orjson.loads(leaf))["action"] == action]

    async def entry(self, request_id: str | None) -> dict[str, Any]:
        """The one entry of a request."""
        (entry,) = await self.entries_of(request_id)
        return entry

    async def untold(self) -> set[str]:
        """The sealed rows whose seal is not the one that the log named last."""
        told: dict[str, str] = {}
        for leaf in await self.leaves():
            told |= orjson.loads(leaf).get("seals", {})
        tables = [each for each in migrate.gather().sorted_tables if each.info.keys() & {SealedRow, SealedSet}]
        there = {
            named(table, row["id"]): digest(row["seal"]).hex()
            for table in tables
            for row in await self.rows(f"SELECT id, seal FROM {table.fullname}")  # noqa: S608 - ours
        }
        return {row for row, seal in there.items() if told.get(row) != seal}

    async def is_promised(self, answer: httpx.Response, entries: int = 1) -> bool:
        """Whether the receipts of an answer are for the entries of its request, which are so many."""
        published = (await self.http.get("/.well-known/audit-receipts")).json()
        given = answer.headers["audit-receipt"].split(", ")
        promised = [receipts.read(each, published["receiptKey"]).leaf_hash for each in given]
        leaves = await self._leaves_of(answer.headers["request-id"])
        return len(leaves) == entries and promised == [sha256(b"\x00" + each).digest() for each in leaves]

    async def entries_of(self, request_id: str | None) -> list[dict[str, Any]]:
        """The entries of a request, oldest first: one, unless it failed when it had been permitted."""
        return [orjson.loads(leaf) for leaf in await self._leaves_of(request_id)]

    async def _leaves_of(self, request_id: str | None) -> list[bytes]:
        found = await self.rows(
            "SELECT leaf FROM audit.entry WHERE position($1::bytea IN leaf) > 0 ORDER BY id",
            f'"requestId":"{request_id}"'.encode(),
        )
        return [row["leaf"] for row in found]


@dataclass(frozen=True)
class Furnished:
    """A database with members and agreements, to be cloned; nobody stays connected to it."""

    server: servers.Server
    template: servers.Database
    members: Mapping[str, Member]

    @contextmanager
    def clone(self) -> Generator[servers.Database]:
        """A database like it, for a while."""
        with servers.database(self.server, self.template) as made:
            yield made


async def furnished(server: servers.Server, template: servers.Database) -> Furnished:
    """Furnish a database that has its tables."""
    pool = await Database.open(template.app_url, size=1)
    try:
        return Furnished(server, template, await furnish(pool, Clock()()))
    finally:
        await pool.close()


@asynccontextmanager
async def running(
    database: servers.Database,
    tmp_path: Path,
    members: Mapping[str, Member] | None = None,
    keys: KeyFile | None = None,
    **settings: Any,
) -> AsyncGenerator[Exchange]:
    """The service, furnished unless its members are given, and up."""
    if keys is None:
        path = tmp_path / "keys"
        keyfile.create(path)
        keys = keyfile.load(path)
    # Nobody sequences here: the log is behind, and its clock is wherever a test puts it.
    usual = {"public_url": BASE, "sandbox": True, "pool_wait": 20.0, "merge_bound": math.inf}
    given: dict[str, Any] = usual | settings
    clock = Clock()
    app = create_app(Settings(database_url=database.app_url, **given), keys, clock=clock)
    async with AsyncExitStack() as stack:
        pool = await Database.open(database.work_url, size=4)  # as `ketenbrug work`; the service has its own
        stack.push_async_callback(pool.close)
        taking_part = dict(members) if members is not None else await furnish(pool, clock())
        inner: Any = app.app
        await stack.enter_async_context(inner.router.lifespan_context(inner))
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        http = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url=BASE))

        async def client(kind: type[AwaitingClient], key: str) -> Any:
            member = taking_part[key]
            made = kind(
                f"{BASE}/v1",
                issuer=BASE,
                client_id=member.client_id,
                key=member.jwk,
                scope=member.part.scopes,
                retries=0,
                transport=_transport.AsyncHttp(
                    timeout=30, inner=httpx.ASGITransport(app=app, raise_app_exceptions=False)
                ),
            )
            return await stack.enter_async_context(made)

        yield Exchange(
            app,
            clock,
            taking_part,
            pool,
            ngo=await client(AsyncNgoClient, "ngo"),
            other_ngo=await client(AsyncNgoClient, "otherNgo"),
            ind=await client(AsyncChainClient, "ind"),
            dtv=await client(AsyncChainClient, "dtv"),
            avim=await client(AsyncChainClient, "avim"),
            municipality=await client(AsyncMunicipalityClient, "municipality"),
            auditor=await client(AsyncAuditorClient, "auditor"),
            operator=await client(AsyncOperatorClient, "operator"),
            http=http,
            key_file=keys.path,
        )


def today() -> date:
    """The day of a test."""
    return Clock()().date()
