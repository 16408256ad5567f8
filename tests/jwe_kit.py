"""Keys that answers are sealed to, made once: RSA keys take a while."""

from __future__ import annotations

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
