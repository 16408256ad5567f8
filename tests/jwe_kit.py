"""Keys that answers are sealed to, made once: RSA keys take a while."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import cache
from typing import Any, Final

from joserfc.jwk import ECKey, OKPKey, RSAKey

KINDS: Final = {
    "nlgov": ("RSA-OAEP", "application/jose+json"),
    "rsa-256": ("RSA-OAEP-256", "application/jose"),
    "p-256": ("ECDH-ES+A256KW", "application/jose"),
    "x25519": ("ECDH-ES+A256KW", "application/jose"),
}
"""The algorithm and the media type of each kind."""


@cache
def _native(kind: str) -> ECKey | OKPKey | RSAKey:
    if kind == "p-256":
        return ECKey.generate_key("P-256")
    if kind == "x25519":
        return OKPKey.generate_key("X25519")
    return RSAKey.generate_key(3_072)


def private(kind: str) -> dict[str, Any]:
    """What the client keeps."""
    return {**_native(kind).as_dict(private=True), "alg": KINDS[kind][0], "use": "enc", "kid": kind}


def public(kind: str) -> dict[str, Any]:
    """What the operator registers."""
    return {**_native(kind).as_dict(private=False), "alg": KINDS[kind][0], "use": "enc", "kid": kind}


def with_zeros(jwk: dict[str, Any]) -> dict[str, Any]:
    """The same RSA key, with zeros before its modulus until that is as long as one of 3072 bits."""
    modulus = urlsafe_b64decode(jwk["n"] + "==")
    return jwk | {"n": urlsafe_b64encode(modulus.rjust(3_072 // 8, b"\0")).decode()}
