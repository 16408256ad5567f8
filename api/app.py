"""The only place where things are put together.

from_environment   the app as `ketenbrug serve` runs it, one per worker
create_app         the app of given settings, keys and clock; a database that is given is not closed here
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from fastapi import FastAPI

from api import settings as configuration
from api.audit import receipt
from api.audit.delay import MergeDelay
from api.cases import terms
from api.consent.evidence import Texts
from api.consent.model import day_of
from api.consent.receipts import Signer
from api.crypto import inbox, inbox_log, keyfile, memory, signing_choice, vault
from api.crypto.mac import Mac
from api.crypto.pseudonyms import Pseudonyms
from api.custody import opening
from api.edge import enclosure, openapi, passage, routing, state
from api.edge.envelope import Bounds
from api.edge.well_known import SecurityContact
from api.errors import Unavailable
from api.oauth import signing_log
from api.oauth.client_keys import ClientKeys
from api.oauth.external import ExternalIssuer, Issuers, Trust
from api.oauth.limits import Limits, Quota, Quotas
from api.oauth.management import TokenManagement
from api.oauth.nonces import Nonces
from api.oauth.people import door
from api.oauth.people.relying import Relying
from api.oauth.registry import Clients
from api.oauth.renewal import KeyRenewal
from api.oauth.server import TokenEndpoint
from api.oauth.signing import SigningKeys
from api.oauth.tokens import Issuer
from api.oauth.unproven import Tally
from api.outbound import Fetcher
from api.persons import standing as indexed
from api.routes import (
    admission,
    advice,
    agreements,
    audit,
    audit_delays,
    audit_emergencies,
    audit_exports,
    audit_identities,
    audit_signals,
    cases,
    consents,
    documents,
    dossier_requests,
    dossiers,
    emergencies,
    erasures,
    events,
    log,
    oauth,
    organisations,
    people,
    persons,
    screening_outcomes,
    statistics,
)
from api.storage import standing
from api.storage.pool import Database
from api.vocabulary import ClientId

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from datetime import datetime

    from starlette.types import Lifespan

    from api.crypto.keyfile import KeyFile
    from api.crypto.signers import Workshop
    from api.custody.opening import Keepers
    from api.edge.envelope import Envelope
    from api.settings import Settings
    from api.storage.unit import Unit

ROUTES: Final = (
    cases.routes,
    admission.routes,
    consents.routes,
    agreements.routes,
    organisations.routes,
    erasures.routes,
    dossier_requests.routes,
    dossiers.routes,
    emergencies.routes,
    documents.routes,
    screening_outcomes.routes,
    advice.routes,
    persons.routes,
    events.routes,
    statistics.routes,
    audit.routes,
    audit_delays.routes,
    audit_emergencies.routes,
    audit_exports.routes,
    audit_identities.routes,
    audit_signals.routes,
)

PUBLISHED_AT: Final = "https://ketenbrug.example"
"""Where the checked-in description says that the API is; a server says its own address."""

_HOPELESS: Final = 600.0
"""Seconds that an entry may wait for its place in the log before no load balancer should send anybody here."""


def from_environment() -> Envelope:
    """The app of this process's environment. Raises `Misconfigured`."""
    found = configuration.serving()
    memory.keep()
    return create_app(found, keyfile.load(found.key_file))


def create_app(settings: Settings, keys: KeyFile, *, clock: Callable[[], datetime] = configuration.now) -> Envelope:
    """The app of these settings and keys. Its lifespan opens and closes the database."""
    readiness = _Readiness(clock)
    options = _options(settings, keys, clock, readiness)
    app = enclosure.application(options, lifespan=_lifespan(settings, keys, clock, readiness))
    routing.join(app, oauth.resource)
    routing.join(app, log.routes)
    routing.join(app, people.routes)
    if settings.embedded_issuer:
        routing.join(app, oauth.router)
    for routes in ROUTES:
        routing.join(app, routes, openapi.BASE)
    return enclosure.enclose(app, options)


def described() -> FastAPI:
    """The app without keys, settings or database: for its description only. It cannot serve."""
    app = FastAPI(redirect_slashes=False)
    for routes in ROUTES:
        routing.join(app, routes, openapi.BASE)
    openapi.install(app, openapi.About(PUBLISHED_AT))
    return app


def parts(
    settings: Settings,
    keys: KeyFile,
    clock: Callable[[], datetime],
    database: Database,
    kept: Keepers,
    workshop: Workshop,
    delay: MergeDelay,
) -> state.State:
    """What requests share."""
    issuer = Issuer(settings.issuer, settings.audience, SigningKeys(keys.token, settings.signing_file, workshop))
    near = [each.issuer for each in settings.issuers if each.own_network]
    limits, client_keys = Limits(database, _quotas(settings)), ClientKeys(Fetcher(settings.client_key_origins))
    relying = Relying(issuer, settings.public_url, Fetcher((*settings.client_key_origins, *near)), clock)
    return state.State(
        database=database,
        clock=clock,
        issuer=issuer,
        issuers=_issuers(settings, issuer),
        clients=Clients(),
        limits=limits,
        token_endpoint=TokenEndpoint(issuer, Nonces(Mac(keys.nonce)), limits, client_keys, settings.mtls_url),
        token_management=TokenManagement(issuer, limits, client_keys),
        key_renewal=KeyRenewal(issuer, limits, client_keys),
        door=door.of(relying, limits, keys, in_sandbox=settings.sandbox),
        wrapper=kept.keys,
        inbox=inbox.InboxKeys(inbox.beside(keys.path)),
        index=kept.index,
        pseudonyms=Pseudonyms(keys.pseudonym),
        fingerprints=Mac(keys.idempotency),
        texts=Texts(unreviewed_too=settings.sandbox),
        receipts=Signer(issuer.key),
        log_receipts=receipt.Signer.from_seed(settings.origin, settings.merge_delay, keys.receipt),
        delay=delay,
        unproven=Tally(),
    )


def _quotas(settings: Settings) -> Quotas:
    return Quotas(
        requests=Quota("requests", settings.rate_requests, 60),
        lookups=Quota("lookups", settings.rate_lookups, 3_600),
        same_person=Quota("same-person", settings.rate_same_person, 3_600),
        tokens=Quota("tokens", settings.rate_tokens, 60),
        introspections=Quota("introspections", settings.rate_introspections, 60),
    )


def _issuers(settings: Settings, own: Issuer) -> Issuers:
    others: dict[str, ExternalIssuer] = {}
    for each in settings.issuers:
        clients = {there: ClientId(here) for there, here in each.clients.items()}
        types = frozenset(kind.lower() for kind in each.token_types)
        trust = Trust(each.issuer, each.audience or settings.audience, clients, types, each.client_claim)
        others[each.issuer] = ExternalIssuer(trust, Fetcher([each.issuer] if each.own_network else []))
    return Issuers(own if settings.embedded_issuer else None, others)


class _Readiness:
    """What must hold for the service to be ready. A check costs one statement at most, by primary key or index."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self.made: state.State | None = None

    async def tables(self) -> None:
        """Raise unless the database answers and is of this release."""
        async with self._unit() as (unit, _):
            if await standing.stale(unit):
                raise Unavailable("tables")

    async def keys(self) -> None:
        """Raise unless what is sealed here opens, everybody is found, and later keys are the newest, and sign."""
        async with self._unit() as (unit, made):
            await vault.probe(unit, made.wrapper)
            await indexed.probe(unit, made.index)
            await signing_log.hold(unit, schedule := made.issuer.schedule(unit.now))
            await inbox_log.hold(unit, made.inbox.at(unit.now.timestamp()))
        await schedule.hold(unit.now.timestamp())

    async def log(self) -> None:
        """Raise when the log is behind beyond hope. Before that requests are refused, but an auditor may still ask."""
        if self.made is None:
            raise Unavailable("database")
        if self.made.delay.seconds > _HOPELESS:
            raise Unavailable("log")

    @asynccontextmanager
    async def _unit(self) -> AsyncGenerator[tuple[Unit, state.State]]:
        if self.made is None:
            raise Unavailable("database")
        unit = self.made.database.unit(self._clock())
        try:
            yield unit, self.made
        finally:
            await unit.finish()


def _lifespan(
    settings: Settings, keys: KeyFile, clock: Callable[[], datetime], readiness: _Readiness
) -> Lifespan[FastAPI]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        database = await Database.open(
            settings.database_url.get_secret_value(), size=settings.pool_size, wait=settings.pool_wait
        )
        terms.due_on(day_of(clock()), 1)  # the first look at the holidays of a year takes half a second
        delay = MergeDelay(settings.merge_bound, clock)
        async with (
            opening.keepers(keys.path, settings.custody) as kept,
            signing_choice.opened(settings) as workshop,
        ):
            made = parts(settings, keys, clock, database, kept, workshop, delay)
            state.install(app, made.watching(settings.honey))
            readiness.made = made  # its probe opens whatever is newest, and rings nothing
            background = (
                asyncio.create_task(delay.watch(database)),
                asyncio.create_task(made.unproven.keep(database, clock)),
            )
            try:
                yield
            finally:
                readiness.made = None
                for task in background:
                    task.cancel()
                await asyncio.wait(background)
                await database.close()

    return lifespan


def _options(
    settings: Settings, keys: KeyFile, clock: Callable[[], datetime], readiness: _Readiness
) -> enclosure.Options:
    return enclosure.Options(
        about=openapi.About(settings.public_url),
        cursors=Mac(keys.cursor),
        security=_security(settings, clock() + timedelta(days=180)),
        ready={"tables": readiness.tables, "keys": readiness.keys, "log": readiness.log},
        bounds=Bounds(body=settings.body_limit, patience=settings.patience),
        zone=passage.zone,
        hop=settings.hop(),
    )


def _security(settings: Settings, expires: datetime) -> SecurityContact | None:
    contact = settings.security_contact
    return SecurityContact(contact, settings.security_policy, expires) if contact else None
