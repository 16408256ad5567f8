"""The only door to JOSE (RFC 7515, 7517, 7518, 8037, 9864): one list of algorithms, one list of limits, strict keys.

Algorithms are those of FAPI 2.0 section 5.4. "EdDSA" and "Ed25519" are two names of one algorithm (RFC 9864). RSA keys
have 3072 bits at least (OWASP ASVS 5.0 11.2.3). A key is what its public members say and nothing else: `alg`, `use` and
`key_ops` of a foreign JWK are dropped, because they would decide for us which algorithm a key serves.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import orjson
from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from api.errors import KetenbrugError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

Native: TypeAlias = ECKey | RSAKey | OKPKey

ALGORITHMS: Final = ("ES256", "PS256", "EdDSA", "Ed25519")
"""As our metadata and challenges name them."""

HEADER_MOST: Final = 2_048
PAYLOAD_MOST: Final = 8_192
SIGNATURE_MOST: Final = 1_024
"""Characters of each part, as sent. joserfc's own 512 for the header would refuse every proof with an RSA key."""

RSA_LEAST: Final = 3_072
RSA_MOST: Final = 6_144
"""Bits."""

_COMPACT: Final = re.compile(
    rf"([A-Za-z0-9_-]{{2,{HEADER_MOST}}})\.([A-Za-z0-9_-]{{2,{PAYLOAD_MOST}}})\.([A-Za-z0-9_-]{{2,{SIGNATURE_MOST}}})"
)
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_MEMBERS: Final = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}
_CURVES: Final = {"EC": "P-256", "OKP": "Ed25519"}
_TAKERS: Final[dict[str, type[Native]]] = {"EC": ECKey, "OKP": OKPKey, "RSA": RSAKey}
_COORDINATE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_RSA: Final = f"an RSA key has {RSA_LEAST} to {RSA_MOST} bits and the exponent 65537"
_MODULUS: Final = re.compile(r"[A-Za-z0-9_-]{512,1024}")


class Unreadable(KetenbrugError):
    """Not a JWS or a key that we take. The message is a sentence of ours: nothing of the input is in it."""


class _AllowList(jws.JWSRegistry):
    """joserfc's registry with our algorithms only. Limits are held by `peek`, before anything is decoded."""

    def get_alg(self, name: str) -> Any:  # noqa: ANN401 - joserfc does not export the type
        """The algorithm of a name of ours, without joserfc's warning that one of the names is deprecated."""
        if name not in ALGORITHMS:
            raise UnsupportedAlgorithmError
        return self.algorithms["Ed25519" if name == "EdDSA" else name]


_REGISTRY: Final = _AllowList(strict_check_header=False)


@dataclass(frozen=True, slots=True)
class Unverified:
    """What a JWS says of itself: good for choosing a key, a client or an issuer, and for nothing else."""

    header: dict[str, Any]
    claims: dict[str, Any]
    parts: tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key that we take, with its RFC 7638 thumbprint (SHA-256, base64url)."""

    native: Native
    thumbprint: str

    @property
    def jwk(self) -> dict[str, Any]:
        """Its public members."""
        return {name: self.native[name] for name in _MEMBERS[self.native.key_type]}


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of one client, by key id."""

    keys: Mapping[str, PublicKey]

    @property
    def thumbprints(self) -> frozenset[str]:
        """Of each key (RFC 7638)."""
        return frozenset(key.thumbprint for key in self.keys.values())

    @property
    def digest(self) -> bytes | None:
        """SHA-256 of the sorted thumbprints, with a space between them: what the log names the keys by."""
        return hashlib.sha256(" ".join(sorted(self.thumbprints)).encode()).digest() if self.keys else None

    def choose(self, header: Mapping[str, Any]) -> PublicKey:
        """The key that a header means: the one it names, or the only one there is. Raises `Unreadable`."""
        named = header.get("kid")
        key = self.keys.get(named) if isinstance(named, str) else None
        if key is None and len(self.keys) == 1:
            (key,) = self.keys.values()
        if key is None:
            raise Unreadable("the header names no registered key")
        return key

    def as_jwks(self) -> list[dict[str, Any]]:
        """The public members of each key and its id: what may be stored and published."""
        return [key.jwk | {"kid": kid} for kid, key in self.keys.items()]


def peek(text: str) -> Unverified:
    """Decode a compact JWS whose payload is a JSON object, without verifying it. Raises `Unreadable`."""
    parts = _COMPACT.fullmatch(text)
    if parts is None:
        raise Unreadable("not a compact JWS, or too long")
    header, payload, signature = parts.groups()
    return Unverified(_object(header), _object(payload), (header, payload, signature))


def verify(unverified: Unverified, key: PublicKey) -> dict[str, Any]:
    """The claims, once the signature is found to be of this key, with an algorithm of ours. Raises `Unreadable`."""
    header, payload, signature = unverified.parts
    if unverified.header.keys() & {"crit", "b64"}:
        raise Unreadable("the header is not one that we take")
    check(unverified.header.get("alg"), key, header, payload.encode(), signature)
    return unverified.claims


def check(alg: object, key: PublicKey, header: str, payload: bytes, signature: str) -> None:
    """Refuse a signature that is not of this key by this algorithm of ours, over header and payload as they are given.

    `header` and `signature` are base64url; `payload` too, or bare where `b64` is false (RFC 7797). What else the header
    says is for the caller to hold. Raises `Unreadable`.
    """
    if not isinstance(alg, str):
        raise Unreadable("the header is not one that we take")
    signed = jws.CompactSignature({"alg": alg}, b"")
    signed.segments.update({"header": header.encode(), "payload": payload, "signature": signature.encode()})
    try:
        holds = jws.validate_compact(signed, key.native, registry=_REGISTRY)
    except (JoseError, ValueError):
        raise Unreadable("the algorithm is not allowed, or does not fit the key") from None
    if not holds:
        raise Unreadable("the signature does not hold")


def sign(header: Mapping[str, Any], claims: Mapping[str, Any], key: Native) -> str:
    """Sign claims as a compact JWS."""
    return jws.serialize_compact(dict(header), orjson.dumps(claims), key, registry=_REGISTRY)


async def signed(header: Mapping[str, Any], claims: Mapping[str, Any], by: Callable[[bytes], Awaitable[bytes]]) -> str:
    """Sign claims as a compact JWS with a key that may be elsewhere: `by` signs what RFC 7515 section 5.1 says."""
    content = f"{_part(orjson.dumps(header))}.{_part(orjson.dumps(claims))}"
    return f"{content}.{_part(await by(content.encode()))}"


def public_key(jwk: object) -> PublicKey:
    """Take a JWK. Raises `Unreadable` for private or symmetric keys, other curves, and RSA below 3072 bits."""
    if not isinstance(jwk, dict):
        raise Unreadable("a JWK is a JSON object")
    members = cast("dict[str, object]", jwk)
    if members.keys() & _PRIVATE:
        raise Unreadable("a private or symmetric key must never be sent")
    kind = members.get("kty")
    if not isinstance(kind, str) or kind not in _MEMBERS:
        raise Unreadable("the key type must be EC, OKP or RSA")
    values = [members.get(name) for name in _MEMBERS[kind]]
    if not all(isinstance(value, str) and len(value) <= SIGNATURE_MOST for value in values):
        raise Unreadable("the key lacks a member")
    return _imported(kind, cast("tuple[str, ...]", tuple(values)))


def key_ring(jwks: Sequence[object]) -> KeyRing:
    """Take the keys of a client. A key without a `kid` gets its thumbprint. Raises `Unreadable`."""
    keys: dict[str, PublicKey] = {}
    for jwk in jwks:
        key = public_key(jwk)
        named = cast("dict[str, object]", jwk).get("kid", key.thumbprint)
        if not isinstance(named, str) or named in keys:
            raise Unreadable("each key needs a key id (kid) of its own")
        keys[named] = key
    if not keys:
        raise Unreadable("a client needs a public key")
    return KeyRing(keys)


def digest(text: str) -> str:
    """Base64url SHA-256 of a token (`ath`, RFC 9449 section 4.2)."""
    return _part(hashlib.sha256(text.encode()).digest())


def seconds(value: object) -> float | None:
    """A NumericDate (RFC 7519 section 2) as seconds, or None when it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value)


def _part(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _object(part: str) -> dict[str, Any]:
    try:
        value: object = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError:
        raise Unreadable("not base64url of JSON") from None
    if not isinstance(value, dict):
        raise Unreadable("not a JSON object")
    return cast("dict[str, Any]", value)


@lru_cache(maxsize=4096)
def _imported(kind: str, values: tuple[str, ...]) -> PublicKey:
    jwk = dict(zip(_MEMBERS[kind], values, strict=True))
    if kind == "RSA":
        _check_rsa(jwk)
    elif jwk["crv"] != _CURVES[kind] or not all(_COORDINATE.fullmatch(jwk[name]) for name in ("x", "y") if name in jwk):
        raise Unreadable("the curve must be P-256 or Ed25519")
    taker: type[Native] = _TAKERS[kind]
    try:
        key = taker.import_key(cast("dict[str, str | list[str]]", jwk))
        return PublicKey(key, key.thumbprint())
    except (JoseError, ValueError):
        raise Unreadable("the key is not one of its kind") from None


def _check_rsa(jwk: Mapping[str, str]) -> None:
    """Hold the size and the one form of a number (RFC 7518 section 2), before the library warns of small keys."""
    if not _MODULUS.fullmatch(jwk["n"]) or jwk["e"] != "AQAB":
        raise Unreadable(_RSA)
    octets = base64.urlsafe_b64decode(jwk["n"] + "=" * (-len(jwk["n"]) % 4))
    if octets[0] == 0 or int.from_bytes(octets, "big").bit_length() < RSA_LEAST:
        raise Unreadable(_RSA)
