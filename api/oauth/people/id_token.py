"""What must hold of an ID token (OpenID Connect Core 1.0 section 3.1.3.7). Pure.

Authlib's `CodeIDToken` is not used for it: it takes a token for several audiences, has no bound on `iat`, and leaves
the nonce out where none is expected. Algorithms and limits are those of everything here (`api.oauth.jose`), so RS256
does not hold.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from api.oauth import jose
from api.oauth.tokens import SKEW

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.oauth.jose import PublicKey, Unverified

OLDEST: Final = 600
"""Seconds ago that it may have been made: it comes fresh from the token endpoint."""

_SUBJECT: Final = re.compile(r"[\x20-\x7e]{1,255}")
_TYPES: Final = (None, "JWT", "jwt")


@dataclass(frozen=True, slots=True)
class Expected:
    """What the sign-in that it answers expects of it."""

    issuer: str
    client_id: str
    nonce: str
    since: float
    """Not before then somebody proved to the provider who they are (`auth_time`)."""


def verify(unverified: Unverified, keys: Mapping[str, PublicKey], expected: Expected, at: float) -> dict[str, Any]:
    """The claims, once all of it holds. Raises `jose.Unreadable`."""
    header = unverified.header
    # (1) an ID token: no access token, logout token or assertion, which say what they are
    kid = header.get("kid")
    key = keys.get(kid) if isinstance(kid, str) else next(iter(keys.values())) if len(keys) == 1 else None
    if header.get("typ") not in _TYPES or key is None:
        raise jose.Unreadable("no ID token of a key of its issuer")
    # (2) the signature
    claims = jose.verify(unverified, key)
    # (3) from this issuer, for us alone
    if claims.get("iss") != expected.issuer or claims.get("aud") not in (expected.client_id, [expected.client_id]):
        raise jose.Unreadable("the token is of another issuer, or not for us")
    if claims.get("azp", expected.client_id) != expected.client_id:
        raise jose.Unreadable("the token was made for another party")
    # (4) now
    issued, expires = jose.seconds(claims.get("iat")), jose.seconds(claims.get("exp"))
    if issued is None or expires is None or expires <= at or not at - OLDEST <= issued <= at + SKEW:
        raise jose.Unreadable("the token is not of this moment")
    proved = jose.seconds(claims.get("auth_time"))
    if proved is None or proved < expected.since - SKEW:
        raise jose.Unreadable("the provider asked too long ago who it is")
    # (5) for this sign-in and no other
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), expected.nonce.encode()):
        raise jose.Unreadable("the token answers another sign-in")
    # (6) about somebody
    subject = claims.get("sub")
    if not isinstance(subject, str) or not _SUBJECT.fullmatch(subject):
        raise jose.Unreadable("the token is about nobody")
    return claims
