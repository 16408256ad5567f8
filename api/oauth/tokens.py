"""Access tokens (JWT profile, RFC 9068): of five minutes, for one audience, bound to a key (`cnf.jkt`, RFC 9449).

A token without `cnf.jkt` is worth nothing here, whatever its signature. That of a client which proved itself by a
certificate is bound to that too (`cnf.x5t#S256`, RFC 8705). What a token says of scopes is an upper bound: the
guard cuts it down to what the client holds at this moment.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from api.errors import Unauthenticated
from api.oauth import jose
from api.vocabulary import ClientId, Reason, Scope

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from api.oauth.signing import Schedule, SigningKey, SigningKeys

LIFETIME: Final = 300
"""Seconds."""

SKEW: Final = 10
"""Seconds by which `iat` and `nbf` may be ahead of us (FAPI 2.0 section 5.3.2.1). `exp` has no leeway."""

REMEMBERED: Final = 60
"""Seconds for which a verified token is remembered at most."""

TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})
"""Values of `typ`, in lower case (RFC 9068 section 4)."""

X5T: Final = "x5t#S256"
"""The member of `cnf` that names a certificate (RFC 8705 section 3.1)."""

_SCOPES: Final = {str(scope): scope for scope in Scope}


@dataclass(frozen=True, slots=True)
class Token:
    """What a verified token says.

    `jkt`: thumbprint of the key whose proof must come with it. `x5t`: of the certificate that must, when there is one.
    """

    client_id: ClientId
    scopes: frozenset[Scope]
    jkt: str
    id: str = field(repr=False)
    expires_at: float
    x5t: str | None = None

    @property
    def confirmation(self) -> dict[str, str]:
        """What it is bound to, as it says so itself (RFC 7800)."""
        return _confirmation(self.jkt, self.x5t)


@dataclass(frozen=True, slots=True)
class Minted:
    """A new token: the text, which is a secret until it has left, and its id."""

    text: str = field(repr=False)
    id: str = field(repr=False)


class Issuer:
    """Mints and verifies with our keys. Both ends of a token are here, so that they cannot drift apart."""

    __slots__ = ("_keys", "_remembered", "_schedule", "audience", "url")

    def __init__(self, url: str, audience: str, keys: SigningKeys, *, most: int = 10_000) -> None:
        """`most`: how many verified tokens are remembered; the least used are forgotten first."""
        self.url: Final = url
        self.audience: Final = audience
        self._keys = keys
        self._schedule: Schedule | None = None
        self._remembered = Remembered(most)

    def __repr__(self) -> str:
        return f"<Issuer {self.url}>"

    def jwks(self, now: datetime) -> dict[str, Any]:
        """The public keys, as published (RFC 7517)."""
        return {"keys": self._standing(now.timestamp()).published()}

    def key(self, now: datetime) -> SigningKey:
        """The key that signs."""
        at = now.timestamp()
        return self._standing(at).active(at)

    def schedule(self, now: datetime) -> Schedule:
        """Every key, as it stands."""
        return self._standing(now.timestamp())

    async def mint(
        self, client_id: ClientId, scopes: frozenset[Scope], jkt: str, now: datetime, x5t: str | None = None
    ) -> Minted:
        """Make a token for a proven client, the key that it proved, and the certificate if it proved itself by one.

        Raises `Unavailable`, and then there is none.
        """
        at, token_id = int(now.timestamp()), secrets.token_urlsafe(16)
        claims = {
            "iss": self.url,
            "sub": client_id,
            "aud": self.audience,
            "client_id": client_id,
            "azp": client_id,  # NL GOV profile; RFC 9068 says client_id
            "iat": at,
            "exp": at + LIFETIME,
            "jti": token_id,
            "scope": " ".join(sorted(scopes)),
            "cnf": _confirmation(jkt, x5t),
        }
        return Minted(await self.key(now).sign("at+jwt", claims), token_id)

    def verify(self, text: str, now: datetime) -> Token:
        """Verify a token, or find that it was verified less than a minute ago. Raises `Unauthenticated`."""
        at, known = now.timestamp(), hashlib.sha256(text.encode()).digest()
        schedule = self._standing(at)
        if (remembered := self._remembered.find(known, at)) is not None:
            return remembered
        token = self._verify(text, schedule, at)
        self._remembered.keep(known, token, at)
        return token

    def _standing(self, at: float) -> Schedule:
        """The keys as they stand. What was verified with keys that changed since is forgotten."""
        schedule = self._keys.at(at)
        if schedule is not self._schedule:
            self._schedule = schedule
            self._remembered.clear()
        return schedule

    def _verify(self, text: str, schedule: Schedule, at: float) -> Token:
        try:
            unverified = jose.peek(text)
            # (1) an access token and nothing else that we sign, with our algorithm and a key of ours
            header = unverified.header
            kind, key = header.get("typ"), schedule.accepted(header.get("kid"), at)
            if not isinstance(kind, str) or kind.lower() not in TYPES or header.get("alg") != "ES256" or key is None:
                raise refused()
            # (2) the signature
            claims = jose.verify(unverified, key)
        except jose.Unreadable:
            raise refused() from None
        return held(claims, self.url, self.audience, at)


class Remembered:
    """Tokens that were verified, each for a minute at most; the least used are forgotten first."""

    __slots__ = ("_most", "_tokens")

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._tokens: OrderedDict[bytes, tuple[float, Token]] = OrderedDict()

    def find(self, known: bytes, at: float) -> Token | None:
        """The token of this digest, if it is remembered at this moment."""
        remembered = self._tokens.get(known)
        if remembered is None or at >= remembered[0]:
            return None
        self._tokens.move_to_end(known)
        return remembered[1]

    def keep(self, known: bytes, token: Token, at: float) -> None:
        """Remember it."""
        self._tokens[known] = (min(at + REMEMBERED, token.expires_at), token)
        self._tokens.move_to_end(known)
        if len(self._tokens) > self._most:
            self._tokens.popitem(last=False)

    def clear(self) -> None:
        """Forget all of them."""
        self._tokens.clear()


def held(claims: Mapping[str, Any], issuer: str, audience: str, at: float, *, client_claim: str = "client_id") -> Token:
    """Hold the claims of a token whose signature is verified to RFC 9068 section 4. Raises `Unauthenticated`."""
    # (3) from this issuer, for us
    if claims.get("iss") != issuer or claims.get("aud") not in (audience, [audience]):
        raise refused()
    # (4) now
    expires = jose.seconds(claims.get("exp"))
    if expires is None or expires <= at or not _begun(claims, at):
        raise refused()
    # (5) about one client, bound to one key
    return _token(claims, client_claim, expires)


def _begun(claims: Mapping[str, Any], at: float) -> bool:
    issued, begins = jose.seconds(claims.get("iat")), jose.seconds(claims.get("nbf", 0))
    return issued is not None and begins is not None and max(issued, begins) <= at + SKEW


def _token(claims: Mapping[str, Any], client_claim: str, expires: float) -> Token:
    client, token_id, scope = claims.get(client_claim), claims.get("jti"), claims.get("scope")
    confirmation: object = claims.get("cnf")
    bound = cast("dict[str, object]", confirmation) if isinstance(confirmation, dict) else {}
    jkt = bound.get("jkt")
    if not (isinstance(client, str) and isinstance(token_id, str) and isinstance(scope, str) and isinstance(jkt, str)):
        raise refused()
    x5t = bound.get(X5T)
    if X5T in bound and not isinstance(x5t, str):
        raise refused()
    if claims.get("sub") != client:
        raise refused()
    # A scope that is no word of ours any more opens nothing.
    scopes = frozenset(_SCOPES[word] for word in scope.split(" ") if word in _SCOPES)
    return Token(ClientId(client), scopes, jkt, token_id, expires, x5t if isinstance(x5t, str) else None)


def _confirmation(jkt: str, x5t: str | None) -> dict[str, str]:
    return {"jkt": jkt} if x5t is None else {"jkt": jkt, X5T: x5t}


def refused() -> Unauthenticated:
    """Say that a token does not hold: the same for every cause."""
    return Unauthenticated(
        Reason.INVALID_TOKEN, "invalid_token", detail="ask for a new access token and send it with the DPoP scheme"
    )
