"""A client that we did not write: keys, proofs, assertions and tokens made by hand with `cryptography` alone.

It can make what no library would: missing claims, wrong types, `alg: none`, foreign keys. It shares nothing with
`api.oauth`, so that a mistake there is not repeated here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

NOW: Final = 1_750_000_000
"""Seconds since the epoch: a fixed moment for pure tests."""

ISSUER: Final = "https://ketenbrug.test"
AUDIENCE: Final = f"{ISSUER}/v1"
TOKEN_URL: Final = f"{ISSUER}/oauth/token"
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
NONCE_KEY: Final = bytes(32)


class _Gone:
    """What is left out. It has a name, so that a test of it has one."""

    def __repr__(self) -> str:
        return "gone"


GONE: Final = _Gone()
"""A claim or header of this value is left out."""


def name(value: object) -> str:
    """What a test with this parameter is called: the same in every process, whatever keys each of them made."""
    return re.sub(r"[A-Za-z0-9_-]{11,}", "...", str(value))


def b64(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def number(value: int) -> str:
    """Base64urlUInt (RFC 7518 section 2)."""
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def without(values: dict[str, Any]) -> dict[str, Any]:
    """The values that are not `GONE`."""
    return {name: value for name, value in values.items() if value is not GONE}


@dataclass(frozen=True)
class Key:
    """A private key and how it signs."""

    alg: str
    native: Any = field(repr=False)

    @property
    def public(self) -> dict[str, Any]:
        """Its public JWK."""
        match self.native:
            case ec.EllipticCurvePrivateKey():
                numbers = self.native.public_key().public_numbers()
                size = (self.native.curve.key_size + 7) // 8
                curve = {"secp256r1": "P-256", "secp384r1": "P-384"}[self.native.curve.name]
                x, y = (b64(value.to_bytes(size, "big")) for value in (numbers.x, numbers.y))
                return {"kty": "EC", "crv": curve, "x": x, "y": y}
            case ed25519.Ed25519PrivateKey():
                return {"kty": "OKP", "crv": "Ed25519", "x": b64(self.native.public_key().public_bytes_raw())}
            case rsa.RSAPrivateKey():
                public = self.native.public_key().public_numbers()
                return {"kty": "RSA", "n": number(public.n), "e": number(public.e)}
        raise AssertionError(self.alg)

    @property
    def thumbprint(self) -> str:
        """RFC 7638."""
        return b64(hashlib.sha256(json.dumps(self.public, sort_keys=True, separators=(",", ":")).encode()).digest())

    def signature(self, text: bytes, alg: str) -> bytes:
        """Over `text`, by the named algorithm; nothing, when there is no such one or the key is not for it."""
        match alg, self.native:
            case "ES256", ec.EllipticCurvePrivateKey(curve=ec.SECP256R1()):
                r, s = decode_dss_signature(self.native.sign(text, ec.ECDSA(hashes.SHA256())))
                return r.to_bytes(32, "big") + s.to_bytes(32, "big")
            case "PS256", rsa.RSAPrivateKey():
                pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
                return bytes(self.native.sign(text, pss, hashes.SHA256()))
            case "RS256", rsa.RSAPrivateKey():
                return bytes(self.native.sign(text, padding.PKCS1v15(), hashes.SHA256()))
            case (("EdDSA" | "Ed25519"), ed25519.Ed25519PrivateKey()):
                return bytes(self.native.sign(text))
            case "HS256", _:
                return hmac.digest(json.dumps(self.public).encode(), text, "sha256")
            case _:
                return b""

    def jws(self, header: dict[str, Any], claims: Any, *, sign_as: str = "") -> str:
        """A compact JWS of anything."""
        shown = b64(json.dumps(without({"alg": self.alg} | header)).encode())
        body = claims if isinstance(claims, str) else b64(json.dumps(claims).encode())
        signature = self.signature(f"{shown}.{body}".encode(), sign_as or header.get("alg") or self.alg)
        return f"{shown}.{body}.{b64(signature)}"


@cache
def key(name: str) -> Key:
    """The key of this name, the same one each time. The name begins with es256, ps256, ed25519, rsa2048 or p384."""
    match name.partition("-")[0]:
        case "es256":
            return Key("ES256", ec.generate_private_key(ec.SECP256R1()))
        case "p384":
            return Key("ES384", ec.generate_private_key(ec.SECP384R1()))
        case "ed25519":
            return Key("Ed25519", ed25519.Ed25519PrivateKey.generate())
        case "ps256":
            return Key("PS256", rsa.generate_private_key(65537, 3072))
        case "rsa2048":
            return Key("PS256", rsa.generate_private_key(65537, 2048))
    raise AssertionError(name)


def proof(
    by: Key,
    method: str = "POST",
    url: str = TOKEN_URL,
    *,
    token: str | None = None,
    at: float = NOW,
    header: dict[str, Any] | None = None,
    **claims: Any,
) -> str:
    """A DPoP proof (RFC 9449 section 4.2). `header` and `claims` change or, with `GONE`, remove what is in it.

    Without a token it is for the token endpoint, with a nonce of the key `NONCE_KEY`.
    """
    said = {"jti": secrets.token_urlsafe(16), "htm": method, "htu": url, "iat": int(at)}
    if token is None:
        said["nonce"] = nonce(at)
    else:
        said["ath"] = b64(hashlib.sha256(token.encode()).digest())
    return by.jws({"typ": "dpop+jwt", "jwk": by.public} | (header or {}), without(said | claims))


def nonce(at: float = NOW, key: bytes = NONCE_KEY) -> str:
    """The nonce of the minute of `at`."""
    minute = (int(at) // 60).to_bytes(8, "big")
    return b64(hmac.digest(key, len(minute).to_bytes(4, "big") + minute, "sha256")[:16])


def assertion(by: Key, client_id: str, *, at: float = NOW, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A client assertion (RFC 7523 section 3)."""
    said = {
        "iss": client_id,
        "sub": client_id,
        "aud": ISSUER,
        "iat": int(at),
        "exp": int(at) + 60,
        "jti": secrets.token_urlsafe(16),
    }
    return by.jws({"typ": "JWT"} | (header or {}), without(said | claims))


def form(by: Key, client_id: str, scope: str, *, at: float = NOW, **claims: Any) -> dict[str, str]:
    """The parameters of a token request."""
    return {
        "grant_type": "client_credentials",
        "scope": scope,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion(by, client_id, at=at, **claims),
    }


def access_token(
    by: Key, *, kid: Any, jkt: str = "", at: float = NOW, header: dict[str, Any] | None = None, **claims: Any
) -> str:
    """An access token (RFC 9068), as if its key were the server's."""
    said = {
        "iss": ISSUER,
        "sub": "ngo-one",
        "aud": AUDIENCE,
        "client_id": "ngo-one",
        "azp": "ngo-one",
        "iat": int(at),
        "exp": int(at) + 300,
        "jti": secrets.token_urlsafe(16),
        "scope": "dossiers:read",
        "cnf": {"jkt": jkt or by.thumbprint},
    }
    return by.jws({"typ": "at+jwt", "kid": kid} | (header or {}), without(said | claims))
