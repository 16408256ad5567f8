"""Access tokens of other issuers: a closed list, each with its keys, its audience and whom its clients stand for.

Identity is the pair of issuer and client: what another issuer calls `x` is nobody here unless the operator said which
registered client that is. What is demanded of a token is what is demanded of ours: JWT access token of RFC 9068, bound
to a key (`cnf.jkt`), for our audience, by an algorithm of ours. So the guard does not know whose token it was.

Keys are those of the issuer's own `jwks_uri` (`api.oauth.remote`). Without any, the request is turned away as one to be
repeated (503), never as if the token were bad.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from api.oauth import discovery, jose, tokens
from api.oauth.remote import Remote, taken

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from api.oauth.jose import PublicKey, Unverified
    from api.oauth.tokens import Issuer, Token
    from api.outbound import Fetcher
    from api.vocabulary import ClientId

_DISCOVERY: Final = (discovery.OAUTH, discovery.OPENID)


@dataclass(frozen=True, slots=True)
class Trust:
    """An issuer that the operator trusts. `clients`: ids there, and which registered client each of them is."""

    issuer: str
    audience: str
    clients: Mapping[str, ClientId]
    types: frozenset[str] = tokens.TYPES
    client_claim: str = "client_id"


class ExternalIssuer:
    """Verifies the tokens of one of them."""

    __slots__ = ("_fetcher", "_keys", "_remembered", "_remote", "_trust")

    def __init__(self, trust: Trust, fetcher: Fetcher) -> None:
        self._trust = trust
        self._fetcher = fetcher
        self._keys: Mapping[str, PublicKey] = {}
        self._remote = Remote("issuer", self._fetched)
        self._remembered = tokens.Remembered()

    async def verify(self, text: str, unverified: Unverified, now: datetime) -> Token:
        """Verify a token, or find that it was verified. Raises `Unauthenticated`, and `Unavailable` without keys."""
        at, known = now.timestamp(), hashlib.sha256(text.encode()).digest()
        named = unverified.header.get("kid")
        keys = await self._remote.find(named if isinstance(named, str) else "", at)
        if keys is not self._keys:
            self._keys = keys
            self._remembered.clear()
        if (token := self._remembered.find(known, at)) is not None:
            return token
        token = self._verified(unverified, at)
        self._remembered.keep(known, token, at)
        return token

    def _verified(self, unverified: Unverified, at: float) -> Token:
        header, trust = unverified.header, self._trust
        kind, kid = header.get("typ"), header.get("kid")
        key = self._keys.get(kid) if isinstance(kid, str) else None
        if not isinstance(kind, str) or kind.lower() not in trust.types or key is None:
            raise tokens.refused()
        try:
            claims = jose.verify(unverified, key)
        except jose.Unreadable:
            raise tokens.refused() from None
        token = tokens.held(claims, trust.issuer, trust.audience, at, client_claim=trust.client_claim)
        client = trust.clients.get(token.client_id)
        if client is None:
            raise tokens.refused()
        # Two issuers may give the same id to a token.
        return replace(token, client_id=client, id=f"{trust.issuer} {token.id}")

    async def _fetched(self) -> dict[str, PublicKey]:
        found = await discovery.metadata(self._fetcher, self._trust.issuer, _DISCOVERY)
        return taken(await self._fetcher.json(str(found["jwks_uri"])))


class Issuers:
    """Whose tokens are taken: our own, unless it is switched off, and those of the operator's list."""

    __slots__ = ("_others", "_own")

    def __init__(self, own: Issuer | None, others: Mapping[str, ExternalIssuer]) -> None:
        """`others`: by the exact `iss` of their tokens."""
        self._own = own
        self._others = others

    @property
    def urls(self) -> tuple[str, ...]:
        """Of each, our own first."""
        return (*(() if self._own is None else (self._own.url,)), *self._others)

    async def verify(self, text: str, now: datetime) -> Token:
        """Verify a token by its issuer. Raises `Unauthenticated` or `Unavailable`."""
        if self._others:
            try:
                unverified = jose.peek(text)
            except jose.Unreadable:
                raise tokens.refused() from None
            named: object = unverified.claims.get("iss")
            other = self._others.get(named) if isinstance(named, str) else None
            if other is not None:
                return await other.verify(text, unverified, now)
        if self._own is None:
            raise tokens.refused()
        return self._own.verify(text, now)
