"""The parent of all clients, and the constructors of the two kinds."""

from __future__ import annotations

import copy
import time
from typing import TYPE_CHECKING, Final, Generic

from clients import _keys, _opening, _payloads, _transport
from clients._commons import OrganisationsRoom, Statistics
from clients._core import Session, checked_person
from clients._drivers import Awaiting, Blocking
from clients._receipts import Receipts
from clients._rooms import D
from clients._sending import Keep, Retries, forget
from clients._tokens import Account
from clients.errors import Misconfigured

if TYPE_CHECKING:
    import ssl
    from collections.abc import Collection, Iterable
    from datetime import date
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from api.vocabulary import Scope
    from clients._drivers import AsyncTransport, Transport
    from clients._keys import KeySource
    from clients._opening import Opener
    from clients._payloads import PayloadSigner

TIMEOUT: Final = 35.0
"""Seconds; a little more than the server takes for one request, so that it is the server that says that it is late."""

RETRIES: Final = 2


class Client(Generic[D]):
    """A client of the exchange, at one base URL and for one registered client. Its repr shows no secret."""

    def __init__(self, driver: D) -> None:
        self._driver: D = driver

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    @property
    def renew_keys_by(self) -> date | None:
        """The day by which this client is to renew its keys; None while that is not near, or before the first call.

        The exchange says so from thirty days ahead, and `errors.KeysAreOld` warns of it. See `clients.renewal`.
        """
        return self._driver.session.renew_keys_by

    def acting(self, person: str) -> Self:
        """The same client, for another acting person: opaque, at most 64 visible ASCII characters, never a name.

        The two share token and connections; closing one closes both.
        """
        twin = copy.copy(self)
        twin._driver = self._driver.acting(checked_person(person))  # noqa: SLF001 - a copy of our own
        return twin

    def within(self, traceparent: str) -> Self:
        """The same client, in the trace of a W3C `traceparent`: that of the request on whose behalf it calls.

        Each request of it is a span of that trace, and its audit entry names it. Without, each call is a new trace.
        """
        twin = copy.copy(self)
        twin._driver = self._driver.within(traceparent)  # noqa: SLF001 - a copy of our own
        return twin


class Everybody(Client[D]):
    """What everybody can do: see who takes part in the exchange, and have receipts proven."""

    @property
    def organisations(self) -> OrganisationsRoom[D]:
        """The parties of the exchange."""
        return OrganisationsRoom(self._driver)

    @property
    def receipts(self) -> Receipts[D]:
        """Receipts of answers (kwitantie)."""
        return Receipts(self._driver)


class Exchanging(Everybody[D]):
    """What the parties of the exchange have in common, and those who oversee them: figures."""

    @property
    def statistics(self) -> Statistics[D]:
        """Figures (cijfers)."""
        return Statistics(self._driver)


class BlockingClient(Client[Blocking]):
    """A client whose methods block. It may be shared between threads.

    `base_url`: with the version, as in `https://ketenbrug.example/v1`. `issuer`: of the access tokens; everything else
    about it is read from its metadata (RFC 8414). `key`: a private JWK (P-256 or Ed25519), or the path of a file that
    holds one and that nobody else can read. `scope`: what the tokens are asked for. `acting_person`: who acts for the
    client, for the audit log. `retries`: how often a request is sent again. `timeout`: seconds for each of connecting,
    sending and receiving. `keep`: is given each `Audit-Receipt` that comes, as a `clients.receipts.Keeper` is.
    `opening_key`: the private JWK that answers are sealed to, or its file, where its public half is registered.
    `seal_posts`: what is posted, and contents of documents, are sealed to a key that the service publishes; given
    thumbprints, to one of those only.
    `payload_key`: the private JWK that signs outcomes and advice for evidence, or its file; with the `kid` of its
    registered public half, if that has one.
    `certificate`: a PEM file with the certificate by which the client is registered and its private key (RFC 8705);
    then `base_url` is of the address for certificates, and `key` any key, for proofs. `tls`: for certificates of your
    own; the other one is loaded into it. `transport`: sends in place of HTTP, and shows the certificate itself.
    """

    def __init__(
        self,
        base_url: str,
        *,
        issuer: str,
        client_id: str,
        key: KeySource,
        scope: str | Iterable[Scope],
        acting_person: str | None = None,
        retries: int = RETRIES,
        timeout: float = TIMEOUT,
        keep: Keep = forget,
        opening_key: KeySource | None = None,
        seal_posts: bool | Collection[str] = False,
        payload_key: KeySource | None = None,
        certificate: str | Path | None = None,
        tls: ssl.SSLContext | None = None,
        transport: Transport | None = None,
    ) -> None:
        session = _session(
            base_url,
            Account(issuer, client_id, _words(scope), certificate is not None),
            key,
            Retries(most=retries),
            keep,
            _opening.load(opening_key),
            _seals(seal_posts),
            _payloads.load(payload_key),
        )
        person = None if acting_person is None else checked_person(acting_person)
        if transport is None:
            tls = tls if certificate is None else _transport.showing(certificate, tls)
            transport = _transport.Http(timeout=timeout, tls=tls)
        super().__init__(Blocking(session, transport, person))

    def close(self) -> None:
        """Close every connection. The token is forgotten with the client."""
        self._driver.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class AwaitingClient(Client[Awaiting]):
    """A client whose methods are awaited, on one event loop. The arguments are those of `BlockingClient`."""

    def __init__(
        self,
        base_url: str,
        *,
        issuer: str,
        client_id: str,
        key: KeySource,
        scope: str | Iterable[Scope],
        acting_person: str | None = None,
        retries: int = RETRIES,
        timeout: float = TIMEOUT,
        keep: Keep = forget,
        opening_key: KeySource | None = None,
        seal_posts: bool | Collection[str] = False,
        payload_key: KeySource | None = None,
        certificate: str | Path | None = None,
        tls: ssl.SSLContext | None = None,
        transport: AsyncTransport | None = None,
    ) -> None:
        session = _session(
            base_url,
            Account(issuer, client_id, _words(scope), certificate is not None),
            key,
            Retries(most=retries),
            keep,
            _opening.load(opening_key),
            _seals(seal_posts),
            _payloads.load(payload_key),
        )
        person = None if acting_person is None else checked_person(acting_person)
        if transport is None:
            tls = tls if certificate is None else _transport.showing(certificate, tls)
            transport = _transport.AsyncHttp(timeout=timeout, tls=tls)
        super().__init__(Awaiting(session, transport, person))

    async def close(self) -> None:
        """Close every connection. The token is forgotten with the client."""
        await self._driver.transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()


def _session(
    base_url: str,
    account: Account,
    key: KeySource,
    retries: Retries,
    keep: Keep,
    opener: Opener | None,
    seals: frozenset[str] | None,
    payloads: PayloadSigner | None,
) -> Session:
    if retries.most < 0:
        raise Misconfigured("must be 0 or more", "retries")
    return Session(
        base_url,
        account,
        _keys.load(key),
        retries=retries,
        clock=time.time,
        keep=keep,
        opener=opener,
        seals=seals,
        payloads=payloads,
    )


def _seals(wanted: bool | Collection[str]) -> frozenset[str] | None:
    """The thumbprints that posts are sealed to, none for any; None for posts in the clear. Raises `Misconfigured`."""
    if isinstance(wanted, bool):
        return frozenset() if wanted else None
    if isinstance(wanted, str) or not wanted:
        raise Misconfigured("is true, or the thumbprints of the keys to trust", "seal_posts")
    return frozenset(wanted)


def _words(scope: str | Iterable[Scope]) -> str:
    words = scope if isinstance(scope, str) else " ".join(scope)
    if not words.split():
        raise Misconfigured("name at least one", "scope")
    return words
