"""Proof of possession (DPoP, RFC 9449): read by the token endpoint and by the guard of every other one, in one way.

A proof is never remembered as verified: it is verified on every request, and its `jti` is marked as used in the
database by the caller (`api.oauth.replay`), together with what the request does.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from api.errors import Unauthenticated
from api.oauth import jose
from api.vocabulary import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from api.oauth.jose import PublicKey
    from api.oauth.nonces import Nonces

LIFETIME: Final = 60
"""Seconds for which a proof is taken after its `iat`."""

SKEW: Final = 10
"""Seconds by which clocks may differ, either way."""

NONCE_WANTED: Final = "use_dpop_nonce"
"""The error that asks for a proof with the nonce that comes with the answer (RFC 9449 section 8)."""

_REMEMBERED: Final = LIFETIME + 2 * SKEW
_PORTS: Final = {"http": 80, "https": 443}
_JTI: Final = re.compile(r"[\x21-\x7e]{8,128}")
PERSON: Final = re.compile(r"[\x21-\x7e]{1,64}")
"""Who acts, as a client or an operator names them: opaque."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that holds. Not yet known: whether it was used before.

    `jkt`: thumbprint of the key. `forget_at`: when its `jti` need not be remembered any longer. `person`: the acting
    person (claim `acting_person`: opaque, at most 64 visible ASCII characters), asserted by the client.
    """

    jkt: str
    jti: str = field(repr=False)
    forget_at: datetime
    person: str | None


def challenge(error: str = "") -> str:
    """The value of `WWW-Authenticate` (RFC 9449 section 7.1). `error` is a word of ours, or empty: nothing was sent."""
    named = f', error="{error}"' if error else ""
    return f'DPoP algs="{" ".join(jose.ALGORITHMS)}"{named}'


def normal(url: str) -> str | None:
    """A URL as RFC 9449 section 4.3 compares it: without query and fragment, normalised by scheme and syntax.

    None when it is no http(s) URL, or has user information.
    """
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
    except ValueError:
        return None
    if scheme not in _PORTS or not host or "@" in parts.netloc:
        return None
    if ":" in host:
        host = f"[{host}]"
    shown = "" if port in {None, _PORTS[scheme]} else f":{port}"
    return f"{scheme}://{host}{shown}{parts.path or '/'}"


def verify(
    headers: Sequence[str],
    *,
    method: str,
    url: str,
    now: datetime,
    token: str | None = None,
    nonces: Nonces | None = None,
) -> Proof:
    """Verify the proof of one request. `url` is ours, from the configured base, never from the request's `Host`.

    `token` is the access token that came with it; None at the token endpoint. `nonces`: whose nonce it must hold; None
    where none is required. Raises `Unauthenticated`.
    """
    # The numbers are those of the list in RFC 9449 section 4.3.
    # (1) one header
    if len(headers) != 1:
        raise _refused("send exactly one DPoP header")
    # (2) and (4) to (7): one well-formed JWT, signed by the key in it
    key, claims = _signed(headers[0])
    # (3) the required claims, each of its kind
    jti, iat = claims.get("jti"), jose.seconds(claims.get("iat"))
    if not isinstance(jti, str) or not _JTI.fullmatch(jti):
        raise _refused("jti must be 8 to 128 visible ASCII characters")
    # (8) the method, (9) the URL
    if claims.get("htm") != method:
        raise _refused("htm is not the method of this request")
    htu = claims.get("htu")
    if not isinstance(htu, str) or normal(htu) != normal(url):
        raise _refused("htu is not the URL of this request, as this service is known to the outside")
    # (10) the nonce, where one is required
    if nonces is not None and not nonces.holds(claims.get("nonce"), now):
        raise Unauthenticated(Reason.INVALID_PROOF, NONCE_WANTED, detail="put the nonce of DPoP-Nonce into the proof")
    # (11) a proof is made for now
    at = now.timestamp()
    if iat is None or not at - LIFETIME - SKEW <= iat <= at + SKEW:
        raise _refused("iat is not the time of this request: check the clock")
    # (12) the token that the proof goes with
    if token is not None and not _is_digest(claims.get("ath"), token):
        raise _refused("ath is not the hash of the access token")
    return Proof(key.thumbprint, jti, datetime.fromtimestamp(iat + _REMEMBERED, UTC), _person(claims))


def _signed(header: str) -> tuple[PublicKey, dict[str, Any]]:
    try:
        unverified = jose.peek(header)
        # (4) the type, so that no other JWT of this key passes for a proof
        if unverified.header.get("typ") != "dpop+jwt":
            raise _refused("the typ of the proof must be dpop+jwt")
        # (5) an asymmetric algorithm of ours, (7) a public key, (6) the signature of that key
        key = jose.public_key(unverified.header.get("jwk"))
        return key, jose.verify(unverified, key)
    except jose.Unreadable as error:
        raise _refused(str(error)) from None


def _is_digest(value: object, token: str) -> bool:
    return isinstance(value, str) and hmac.compare_digest(value.encode(), jose.digest(token).encode())


def _person(claims: Mapping[str, Any]) -> str | None:
    person: object = claims.get("acting_person")
    if person is None:
        return None
    if not isinstance(person, str) or not PERSON.fullmatch(person):
        raise _refused("acting_person must be at most 64 visible ASCII characters")
    return person


def _refused(detail: str) -> Unauthenticated:
    return Unauthenticated(Reason.INVALID_PROOF, "invalid_dpop_proof", detail=detail)
