"""A small service around the guard and the token endpoint, on a real database: what the HTTP tests of OAuth talk to."""

import asyncio
import hashlib
import json
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID, uuid4

import httpx
from fastapi import APIRouter, FastAPI, Request
from joserfc.jwk import ECKey

from api import errors
from api.audit import receipt
from api.audit.delay import MergeDelay
from api.consent.evidence import Texts
from api.consent.receipts import Signer
from api.crypto.blind import BlindIndex, OwnKeys
from api.crypto.inbox import InboxKeys
from api.crypto.mac import Mac
from api.crypto.pseudonyms import Pseudonyms
from api.crypto.wrappers import FileWrapper
from api.disclosure import authority
from api.edge import failures, routing, state
from api.edge.actor import may
from api.edge.envelope import Bounds, Envelope
from api.edge.routing import EdgeRoute
from api.edge.unit import UnitOfWork
from api.oauth import operator, registry
from api.oauth.client_keys import ClientKeys
from api.oauth.external import ExternalIssuer, Issuers
from api.oauth.hop import Hop
from api.oauth.limits import Limits, Quota, Quotas
from api.oauth.management import TokenManagement
from api.oauth.model import NewClient, NewOrganisation
from api.oauth.nonces import Nonces
from api.oauth.people.door import Door
from api.oauth.people.relying import Relying
from api.oauth.registry import Clients
from api.oauth.renewal import KeyRenewal
from api.oauth.server import TokenEndpoint
from api.oauth.signing import SigningKeys
from api.oauth.tokens import Issuer
from api.oauth.unproven import Tally
from api.outbound import Fetcher
from api.principal import Principal
from api.routes import oauth as oauth_routes
from api.routes import people as people_routes
from api.storage.pool import Database
from api.storage.statement import Bound
from api.vocabulary import ClientId, OrganisationId, Party, Reason, Scope
from tests import mtls_kit
from tests import oauth_kit as kit

HOP = Hop(keys=(hashlib.sha256(mtls_kit.HOP_KEY.encode()).digest(),), url=mtls_kit.URL)
RECEIPTS = receipt.Signer.from_seed("ketenbrug.example/log", 60, bytes(32))
REQUESTS = Quota("requests", 1_000, 60)
LOOKUPS = Quota("lookups", 1_000, 3_600)
SAME_PERSON = Quota("same-person", 1_000, 3_600)
TOKENS = Quota("tokens", 1_000, 60)
INTROSPECTIONS = Quota("introspections", 1_000, 60)
PROBE = f"{kit.ISSUER}/v1/probe"

probes = APIRouter(redirect_slashes=False, route_class=EdgeRoute)
Caller = Annotated[Principal, may(authority.READ_DOSSIER)]


@probes.get("/v1/probe")
async def probe(caller: Caller, unit: UnitOfWork) -> dict[str, Any]:
    """Say who was proven, and how much this unit carries: the guard's mark must be in it."""
    return {
        "client": caller.client_id,
        "organisation": caller.organisation.name,
        "designated": caller.organisation.designated,
        "scopes": sorted(caller.scopes),
        "person": caller.person,
        "trace": caller.origin.trace_id,
        "carried": len(unit._carried),
    }


@probes.post("/v1/probe")
async def write(caller: Caller, unit: UnitOfWork) -> dict[str, Any]:
    """Have an effect: a row that can be counted."""
    await unit.run(Bound("INSERT INTO oauth.seen VALUES ($1, $2)", (uuid4().bytes, unit.now)))
    return {"client": caller.client_id}


@probes.post("/v1/told")
async def told(caller: Caller, unit: UnitOfWork, body: dict[str, str]) -> dict[str, Any]:
    """Have an effect, and repeat what came in."""
    await write(caller, unit)
    return {"client": caller.client_id, "designated": caller.organisation.designated, "told": body}


@probes.get("/v1/search")
async def search(_caller: Annotated[Principal, may(authority.SEARCH_CASES)]) -> None:
    """Stand for an operation that looks persons up."""


@probes.get("/v1/refused")
async def refused(_caller: Caller) -> None:
    """Decide a "no"."""
    raise errors.Refused(Reason.PURPOSE_MISSING)


@probes.post("/v1/broken")
async def broken(caller: Caller, unit: UnitOfWork) -> None:
    """Have an effect and then fail."""
    await write(caller, unit)
    raise RuntimeError("a fault of ours")


@probes.post("/v1/input")
async def taken(caller: Caller, number: int) -> dict[str, Any]:
    """Take a number."""
    return {"client": caller.client_id, "number": number}


@probes.get("/v1/late")
async def late(_caller: Caller, request: Request) -> dict[str, Any]:
    """The first time, wait until the test says so, and then fail."""
    here: Held = request.app.state.held
    if not here.reached.is_set():
        here.reached.set()
        await here.go.wait()
        raise RuntimeError("a fault of ours")
    return {}


@probes.get("/v1/slow")
async def slow(_caller: Caller, unit: UnitOfWork) -> None:
    """Take longer than anybody waits, in the database."""
    await unit.all(Bound("SELECT pg_sleep(4)", ()))


@probes.post("/v1/unguarded")
async def unguarded(unit: UnitOfWork) -> None:
    """Mark something as used, without a guard."""
    unit.mark(
        Bound("INSERT INTO oauth.seen VALUES ($1, $2)", (b"always the same", unit.now)), {"pk_seen": errors.Replayed}
    )


@dataclass
class Held:
    """How a test holds `/v1/late`."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)


def native(by: kit.Key) -> ECKey:
    """A P-256 key of a client, as the server has its own."""
    numbers = by.native.private_numbers()
    return ECKey.import_key({**by.public, "d": kit.b64(numbers.private_value.to_bytes(32, "big"))})


@dataclass
class Clock:
    """The clock of the service: it moves when a test says so."""

    now: datetime = field(default_factory=lambda: datetime.fromtimestamp(kit.NOW, UTC))

    def __call__(self) -> datetime:
        """What it shows."""
        return self.now

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


@dataclass
class World:
    """The service, who is registered with it, and a way to call it."""

    database: Database
    clock: Clock = field(default_factory=Clock)
    held: Held = field(default_factory=Held)
    patience: float = 20.0
    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256"))
    requests: Quota = REQUESTS
    lookups: Quota = LOOKUPS
    same_person: Quota = SAME_PERSON
    tokens: Quota = TOKENS
    introspections: Quota = INTROSPECTIONS
    others: dict[str, ExternalIssuer] = field(default_factory=dict)
    fetcher: Fetcher = field(default_factory=Fetcher)
    in_sandbox: bool = True

    def __post_init__(self) -> None:
        self.issuer = Issuer(kit.ISSUER, kit.AUDIENCE, SigningKeys(self.key))
        self.clients = Clients()
        self.unproven = Tally()
        app = FastAPI(redirect_slashes=False)
        routing.join(app, oauth_routes.router)
        routing.join(app, oauth_routes.resource)
        routing.join(app, probes)
        routing.join(app, people_routes.routes)
        failures.install(app)
        app.state.held = self.held
        self.inner = app
        self.use(self.database)
        bounds = Bounds(patience=self.patience)
        self.app = Envelope(
            app, base_url=kit.ISSUER, api_version="1.0.0", bounds=bounds, zone=lambda _: "test", hop=HOP
        )
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url=kit.ISSUER)

    def use(self, database: Database) -> None:
        """Let the service work on this database."""
        quotas = Quotas(self.requests, self.lookups, self.same_person, self.tokens, self.introspections)
        limits, keys = Limits(database, quotas), ClientKeys(self.fetcher)
        relying = Relying(self.issuer, kit.ISSUER, self.fetcher, self.clock)
        state.install(
            self.inner,
            state.State(
                database=database,
                clock=self.clock,
                issuer=self.issuer,
                issuers=Issuers(self.issuer, self.others),
                clients=self.clients,
                limits=limits,
                token_endpoint=TokenEndpoint(self.issuer, Nonces(Mac(kit.NONCE_KEY)), limits, keys, HOP.url),
                token_management=TokenManagement(self.issuer, limits, keys),
                key_renewal=KeyRenewal(self.issuer, limits, keys),
                door=Door(relying, limits, Mac(bytes(32)), Mac(bytes(32)), in_sandbox=self.in_sandbox),
                wrapper=FileWrapper("test", bytes(32)),
                inbox=InboxKeys(Path("no-such-file")),
                index=BlindIndex(OwnKeys({1: bytes(32)})),
                pseudonyms=Pseudonyms(bytes(32)),
                fingerprints=Mac(bytes(32)),
                texts=Texts(),
                receipts=Signer(self.issuer.key),
                log_receipts=RECEIPTS,
                delay=MergeDelay(math.inf, self.clock),
                unproven=self.unproven,
            ),
        )

    async def organisation(
        self, name: str = "an NGO", kind: Party = Party.NGO, oin: str | None = None
    ) -> OrganisationId:
        """Register an organisation."""
        new = NewOrganisation(OrganisationId(uuid4()), kind, name, oin)
        unit = self.database.unit(self.clock())
        await registry.register_organisation(unit, operator.local(), new)
        await unit.finish()
        return new.id

    async def client(
        self,
        by: kit.Key,
        client_id: str = "ngo-one",
        scopes: frozenset[Scope] = frozenset({Scope.DOSSIERS_READ, Scope.CASES_READ}),
        organisation: OrganisationId | None = None,
    ) -> ClientId:
        """Register a client unless it is there, of an organisation of its own if none is given."""
        unit = self.database.unit(self.clock())
        known = await registry.read(unit, ClientId(client_id))
        await unit.finish()
        if known is None:
            of = organisation or await self.organisation()
            new = NewClient(ClientId(client_id), of, (by.public,), scopes)
            await registry.register_client(unit, operator.local(), new)
            await unit.finish()
        return ClientId(client_id)

    async def disable(self, client_id: str) -> None:
        """Disable a client as another process would: this one is not told."""
        unit = self.database.unit(self.clock())
        await registry.disable_client(unit, operator.local(), ClientId(client_id))
        await unit.finish()

    @property
    def at(self) -> float:
        """The time, in seconds."""
        return self.clock.now.timestamp()

    async def ask(
        self,
        by: kit.Key,
        client_id: str = "ngo-one",
        scope: str = "dossiers:read",
        *,
        form: dict[str, str] | None = None,
        proof: str | None = None,
        **claims: Any,
    ) -> httpx.Response:
        """Ask for a token."""
        sent = form or kit.form(by, client_id, scope, at=self.at, **claims)
        return await self.http.post("/oauth/token", data=sent, headers={"DPoP": proof or kit.proof(by, at=self.at)})

    async def token(self, by: kit.Key, client_id: str = "ngo-one", scope: str = "dossiers:read") -> str:
        """A token that was issued."""
        answer = await self.ask(by, client_id, scope)
        assert answer.status_code == 200, answer.text
        text: str = answer.json()["access_token"]
        return text

    async def manage(self, path: str, token: str, by: kit.Key, client_id: str, /, **more: Any) -> httpx.Response:
        """Ask `/oauth/revoke` or `/oauth/introspect` about a token."""
        form = {
            "token": token,
            "client_assertion_type": kit.ASSERTION_TYPE,
            "client_assertion": kit.assertion(by, client_id, at=self.at),
        }
        return await self.http.post(path, data=form | more)

    def headers(self, by: kit.Key, token: str, method: str = "GET", url: str = PROBE, **claims: Any) -> dict[str, str]:
        """The two headers of a protected request."""
        made = kit.proof(by, method, url, token=token, at=self.at, **claims)
        return {"Authorization": f"DPoP {token}", "DPoP": made}

    async def call(
        self, by: kit.Key, token: str, method: str = "GET", path: str = "/v1/probe", **claims: Any
    ) -> httpx.Response:
        """Make a protected request."""
        headers = self.headers(by, token, method, kit.ISSUER + path.partition("?")[0], **claims)
        return await self.http.request(method, path, headers=headers)

    async def leaves(self) -> list[bytes]:
        """Every leaf, oldest first."""
        unit = self.database.unit(self.clock())
        rows = await unit.all(Bound("SELECT leaf FROM audit.entry ORDER BY id", ()))
        await unit.finish()
        return [row["leaf"] for row in rows]

    async def entries(self, action: str) -> list[dict[str, Any]]:
        """What the audit log says of an action, oldest first."""
        unit = self.database.unit(self.clock())
        rows = await unit.all(Bound("SELECT leaf FROM audit.entry", ()))
        await unit.finish()
        found = [json.loads(row["leaf"]) for row in rows]
        return sorted((leaf for leaf in found if leaf["action"] == action), key=lambda leaf: UUID(leaf["id"]))

    async def marks(self) -> int:
        """How many marks there are."""
        unit = self.database.unit(self.clock())
        row = await unit.one(Bound("SELECT count(*) AS n FROM oauth.seen", ()))
        await unit.finish()
        assert row is not None
        return int(row["n"])


class Disturbed(Database):
    """A database where something happens just before a chosen kind of statement is sent."""

    __slots__ = ("_at", "_happens")

    def __init__(self, database: Database, at: str, happens: Callable[[], Awaitable[None]]) -> None:
        super().__init__(database._pool, 2.0)
        self._at = at
        self._happens = happens

    async def acquire(self) -> Any:
        """A connection on which it happens."""
        return _Connection(await super().acquire(), self._at, self._happens)

    async def release(self, connection: Any) -> None:
        """Give it back."""
        await super().release(connection.real)


class _Connection:
    def __init__(self, real: Any, at: str, happens: Callable[[], Awaitable[None]]) -> None:
        self.real = real
        self._at = at
        self._happens = happens

    async def fetch(self, sql: str, *args: Any) -> Any:
        """Run it, after what happens."""
        if sql.startswith(self._at):
            await self._happens()
        return await self.real.fetch(sql, *args)

    async def execute(self, sql: str) -> Any:
        """Run it, after what happens."""
        if sql.startswith(self._at):
            await self._happens()
        return await self.real.execute(sql)

    def terminate(self) -> None:
        """Drop it."""
        self.real.terminate()


@asynccontextmanager
async def opened(url: str, *, patience: float = 20.0, size: int = 10, wait: float = 2.0) -> AsyncGenerator[World]:
    """A world on a database, for a while."""
    database = await Database.open(url, size=size, wait=wait)
    world = World(database, patience=patience)
    try:
        async with world.http:
            yield world
    finally:
        await database.close()
