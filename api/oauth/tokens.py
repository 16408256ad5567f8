"""Access tokens (JWT profile, RFC 9068): of five minutes, for one audience, bound to a key (`cnf.jkt`, RFC 9449).

A token without `cnf` is worth nothing here, whatever its signature. What a token says of scopes is an upper bound: the
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

    from joserfc.jwk import ECKey

LIFETIME: Final = 300
"""Seconds."""

SKEW: Final = 10
"""Seconds by which `iat` and `nbf` may be ahead of us (FAPI 2.0 section 5.3.2.1). `exp` has no leeway."""

REMEMBERED: Final = 60
"""Seconds for which a verified token is remembered at most."""

_TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})
_SCOPES: Final = {str(scope): scope for scope in Scope}


@dataclass(frozen=True, slots=True)
class Token:
    """What a verified token says. `jkt` is the thumbprint of the key whose proof must come with it."""

    client_id: ClientId
    scopes: frozenset[Scope]
    jkt: str
    id: str = field(repr=False)
    expires_at: float


@dataclass(frozen=True, slots=True)
class Minted:
    """A new token: the text, which is a secret until it has left, and its id."""

    text: str = field(repr=False)
    id: str = field(repr=False)


class Issuer:
    """Mints and verifies with one P-256 key. Both ends of a token are here, so that they cannot drift apart."""

    __slots__ = ("_key", "_kid", "_most", "_remembered", "_ring", "audience", "url")

    def __init__(self, url: str, audience: str, key: ECKey, *, most: int = 10_000) -> None:
        """`most`: how many verified tokens are remembered; the least used are forgotten first."""
        self.url: Final = url
        self.audience: Final = audience
        self._key = key
        self._most = most
        # The key id is the thumbprint, whatever the file calls the key.
        self._kid = key.thumbprint()
        self._ring = jose.key_ring([key.as_dict(private=False) | {"kid": self._kid}])
        self._remembered: OrderedDict[bytes, tuple[float, Token]] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Issuer {self.url}>"

    def jwks(self) -> dict[str, Any]:
        """The public keys, as published (RFC 7517). The key id is the thumbprint (RFC 7638)."""
        return {"keys": [jwk | {"use": "sig", "alg": "ES256"} for jwk in self._ring.as_jwks()]}

    def mint(self, client_id: ClientId, scopes: frozenset[Scope], jkt: str, now: datetime) -> Minted:
        """Make a token for a proven client and the key that it proved."""
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
            "cnf": {"jkt": jkt},
        }
        return Minted(jose.sign({"alg": "ES256", "typ": "at+jwt", "kid": self._kid}, claims, self._key), token_id)

    def verify(self, text: str, now: datetime) -> Token:
        """Verify a token, or find that it was verified less than a minute ago. Raises `Unauthenticated`."""
        at, known = now.timestamp(), hashlib.sha256(text.encode()).digest()
        remembered = self._remembered.get(known)
        if remembered is not None and at < remembered[0]:
            self._remembered.move_to_end(known)
            return remembered[1]
        token = self._verify(text, at)
        self._remembered[known] = (min(at + REMEMBERED, token.expires_at), token)
        self._remembered.move_to_end(known)
        if len(self._remembered) > self._most:
            self._remembered.popitem(last=False)
        return token

    def _verify(self, text: str, at: float) -> Token:
        try:
            unverified = jose.peek(text)
            # (1) an access token and nothing else that we sign, with our algorithm and a key of ours
            header = unverified.header
            kid, kind = header.get("kid"), header.get("typ")
            key = self._ring.keys.get(kid) if isinstance(kid, str) else None
            if not isinstance(kind, str) or kind.lower() not in _TYPES or header.get("alg") != "ES256" or key is None:
                raise _refused()
            # (2) the signature
            claims = jose.verify(unverified, key)
        except jose.Unreadable:
            raise _refused() from None
        # (3) from us, for us (RFC 9068 section 4)
        if claims.get("iss") != self.url or claims.get("aud") not in (self.audience, [self.audience]):
            raise _refused()
        # (4) now
        expires = jose.seconds(claims.get("exp"))
        if expires is None or expires <= at or not _begun(claims, at):
            raise _refused()
        # (5) about one client, bound to one key
        return _token(claims, expires)


def _begun(claims: Mapping[str, Any], at: float) -> bool:
    issued, begins = jose.seconds(claims.get("iat")), jose.seconds(claims.get("nbf", 0))
    return issued is not None and begins is not None and max(issued, begins) <= at + SKEW


def _token(claims: Mapping[str, Any], expires: float) -> Token:
    client, token_id, scope = claims.get("client_id"), claims.get("jti"), claims.get("scope")
    confirmation: object = claims.get("cnf")
    jkt = cast("dict[str, object]", confirmation).get("jkt") if isinstance(confirmation, dict) else None
    if not (isinstance(client, str) and isinstance(token_id, str) and isinstance(scope, str) and isinstance(jkt, str)):
        raise _refused()
    if claims.get("sub") != client:
        raise _refused()
    # A scope that is no word of ours any more opens nothing.
    scopes = frozenset(_SCOPES[word] for word in scope.split(" ") if word in _SCOPES)
    return Token(ClientId(client), scopes, jkt, token_id, expires)


def _refused() -> Unauthenticated:
    return Unauthenticated(
        Reason.INVALID_TOKEN, "invalid_token", detail="ask for a new access token and send it with the DPoP scheme"
    )
