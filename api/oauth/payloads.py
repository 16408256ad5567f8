"""A signature over the body of a request, kept as evidence: what the signing module of the NL API Design Rules asks.

    Digest: SHA-256=BASE64(SHA-256(body))                                            RFC 3230, RFC 5843
    Payload-Signature: BASE64URL(header) ".." BASE64URL(signature)                   RFC 7515 appendix F
    signed: BASE64URL(header) "." "digest: " and the value of Digest as it was sent  ETSI TS 119 182-1, 5.2.8.2

The header has, once each and nothing beside them:

    alg         of the key: PS256, ES256, Ed25519 or EdDSA
    kid         of a key that is registered for the payloads of this client; no other key is ever looked for
    b64         false (RFC 7797; JAdES asks for it with this sigD)
    sigD        {"mId": "http://uri.etsi.org/19182/HttpHeaders", "pars": ["digest"]}
    iat         when it was signed; or else sigT, the same as JAdES wrote it before its version 1.2.1
    crit        b64, sigD, and sigT where it is there; iat may be named too
    typ         may be "jose"
    x5t#S256    may name a certificate. It is not looked at: the key is registered, by two operators

The registered key stands for the certificate, which makes it less than a JAdES baseline signature. `crit` and `sigD`
keep it apart from whatever else a key signs for us: those verifiers take neither.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast

from api.audit.entry import Signed
from api.oauth import dpop, jose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.oauth.jose import KeyRing, PublicKey

HEADER: Final = "Payload-Signature"
DIGEST: Final = "Digest"
LIFETIME: Final = 300
"""Seconds for which a signature is taken after it was made: long enough for a retry that sends the same bytes."""

SIG_D: Final[dict[str, Any]] = {"mId": "http://uri.etsi.org/19182/HttpHeaders", "pars": ["digest"]}

_DETACHED: Final = re.compile(rf"([A-Za-z0-9_-]{{2,{jose.HEADER_MOST}}})\.\.([A-Za-z0-9_-]{{2,{jose.SIGNATURE_MOST}}})")
_DIGEST: Final = re.compile(r"(SHA-256|SHA-512)=([A-Za-z0-9+/]{43}=|[A-Za-z0-9+/]{86}==)", re.IGNORECASE)
_HASHES: Final = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}
_NEEDED: Final = frozenset({"alg", "kid", "b64", "sigD", "crit"})
_TIMES: Final = frozenset({"iat", "sigT"})
_KNOWN: Final = _NEEDED | _TIMES | {"typ", "x5t#S256"}
_TYPES: Final = ("jose", "JOSE", "application/jose")
_NUMBER_MOST: Final = 20
_SIG_T: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


@dataclass(frozen=True, slots=True)
class SignedPayload:
    """A body whose signature holds, with what is needed to show that to somebody else.

    `digest`: the value of the field Digest. `key`: the registered key that made it. `signed_at`: as the signer says.
    """

    body: bytes = field(repr=False)
    digest: str = field(repr=False)
    signature: str = field(repr=False)
    key: PublicKey
    signed_at: datetime

    @property
    def told(self) -> Signed:
        """What the log says of it. A digest of the signature, never of the body: a short body could be guessed."""
        return Signed(self.key.thumbprint, hashlib.sha256(self.signature.encode()).digest())


def verified(
    signatures: Sequence[str], digests: Sequence[str], body: bytes, keys: KeyRing, now: datetime
) -> SignedPayload:
    """What was signed. `signatures`, `digests`: the values of each header field that came of that name.

    Raises `jose.Unreadable`, with a sentence that says what is wrong.
    """
    # (1) one of each: signing module, /signing/payload
    if len(signatures) != 1 or len(digests) != 1:
        raise jose.Unreadable("send one Payload-Signature and one Digest")
    (signature,), (digest,) = signatures, digests
    parts = _DETACHED.fullmatch(signature)
    if parts is None:
        raise jose.Unreadable("Payload-Signature is not a detached JWS, or too long")
    # (2) the digest is of the bytes that came
    _check_digest(digest, body)
    # (3) the header says this form, and nothing that is not understood
    header = _header(parts[1])
    _check_form(header)
    # (4) made for now
    signed_at = _signed_at(header, now)
    # (5) by a registered key, (6) with its algorithm, over the digest
    key = _registered(keys, header["kid"])
    jose.check(header["alg"], key, parts[1], f"digest: {digest}".encode(), parts[2])
    return SignedPayload(body, digest, signature, key, signed_at)


def _check_digest(value: str, body: bytes) -> None:
    parts = _DIGEST.fullmatch(value)
    if parts is None:
        raise jose.Unreadable("Digest is one SHA-256 or SHA-512 of the body, in base64 (RFC 3230)")
    made = base64.b64encode(_HASHES[parts[1].lower()](body).digest())
    if not hmac.compare_digest(made, parts[2].encode()):
        raise jose.Unreadable("Digest is not that of the body as it came")


def _header(part: str) -> dict[str, Any]:
    try:
        header: object = _DECODER.decode(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode())
    except (ValueError, RecursionError):
        raise jose.Unreadable("the header is not base64url of JSON with each member once") from None
    if not isinstance(header, dict):
        raise jose.Unreadable("the header is not a JSON object")
    return cast("dict[str, Any]", header)


def _check_form(header: dict[str, Any]) -> None:
    if not _NEEDED <= header.keys() <= _KNOWN:
        raise jose.Unreadable("the header has alg, kid, b64, sigD, crit and iat or sigT; beside them typ and x5t#S256")
    if header["b64"] is not False:
        raise jose.Unreadable("b64 must be false")
    if header["sigD"] != SIG_D:
        raise jose.Unreadable("sigD must be the mechanism HttpHeaders over digest alone")
    if header.get("typ", "jose") not in _TYPES:
        raise jose.Unreadable("typ must be jose, or left out")
    listed: object = header["crit"]
    named = cast("list[object]", listed) if isinstance(listed, list) else []
    words = {each for each in named if isinstance(each, str)}
    needed = {"b64", "sigD"} | ({"sigT"} & header.keys())
    if len(words) != len(named) or not needed <= words <= needed | ({"iat"} & header.keys()):
        raise jose.Unreadable("crit must name b64 and sigD, and sigT where it is there, each once")


def _signed_at(header: dict[str, Any], now: datetime) -> datetime:
    if len(header.keys() & _TIMES) != 1:
        raise jose.Unreadable("the header says once when it was signed: iat, or sigT")
    seconds = jose.seconds(header["iat"]) if "iat" in header else _of_sig_t(header["sigT"])
    at = now.timestamp()
    if seconds is None or not at - LIFETIME - dpop.SKEW <= seconds <= at + dpop.SKEW:
        raise jose.Unreadable("it was not signed within the last five minutes: check the clock, and sign anew")
    return datetime.fromtimestamp(seconds, UTC)


def _of_sig_t(value: object) -> float | None:
    """An instant as JAdES writes it (clause 5.2.1): UTC, whole seconds."""
    if not isinstance(value, str) or not _SIG_T.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value).timestamp()
    except ValueError:
        return None


def _registered(keys: KeyRing, kid: object) -> PublicKey:
    key = keys.keys.get(kid) if isinstance(kid, str) else None
    if key is None:
        raise jose.Unreadable("kid names no key that is registered for the payloads of this client")
    return key


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a member is repeated")
    return value


def _number(text: str) -> float:
    if len(text) > _NUMBER_MOST:
        raise ValueError("no number of seconds is that long")
    return float(text)


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_number, parse_float=_number, parse_constant=_number
)
