"""Signing what is sent, for evidence of who said it: a detached JWS over the digest of the body.

The form is that of the signing module of the NL API Design Rules (JAdES, mechanism HttpHeaders): `Digest` holds the
SHA-256 of the body, and what is signed is that header field. The algorithm is that of the key.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias, cast

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from clients import _keys
from clients.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clients._keys import KeySource

Native: TypeAlias = ECKey | OKPKey | RSAKey

SIG_D: Final = {"mId": "http://uri.etsi.org/19182/HttpHeaders", "pars": ["digest"]}

_KINDS: Final[Mapping[tuple[str, str], tuple[str, type[Native]]]] = {
    ("RSA", ""): ("PS256", RSAKey),
    ("EC", "P-256"): ("ES256", ECKey),
    ("OKP", "Ed25519"): ("Ed25519", OKPKey),
}
_MEMBERS: Final = ("kty", "crv", "x", "y", "n", "e", "d", "p", "q", "dp", "dq", "qi")
_LEAST: Final = 3_072


class PayloadSigner:
    """A private key that signs payloads. It shows itself in no repr and cannot be pickled."""

    __slots__ = ("_alg", "_key", "_kid")

    def __init__(self, jwk: Mapping[str, Any]) -> None:
        found = _KINDS.get((str(jwk.get("kty")), str(jwk.get("crv", ""))))
        if found is None or not isinstance(jwk.get("d"), str):
            raise Misconfigured("must be a private JWK: RSA, or of the curve P-256 or Ed25519", "payload key")
        self._alg: Final = found[0]
        needed = {name: jwk[name] for name in _MEMBERS if name in jwk}
        try:
            self._key: Final = found[1].import_key(cast("dict[str, str | list[str]]", needed))
        except (JoseError, ValueError, TypeError):
            raise Misconfigured("is not a well-formed JWK", "payload key") from None
        if isinstance(self._key, RSAKey) and self._key.raw_value.key_size < _LEAST:
            raise Misconfigured("an RSA key has 3072 bits or more", "payload key")
        named = jwk.get("kid")
        self._kid: Final = named if isinstance(named, str) else self._key.thumbprint()

    def __repr__(self) -> str:
        return f"<PayloadSigner {self._alg}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not pickled")

    def headers(self, body: bytes, now: float) -> dict[str, str]:
        """The two header fields that go with a body that is sent now."""
        digest = f"SHA-256={base64.b64encode(hashlib.sha256(body).digest()).decode()}"
        said = {
            "alg": self._alg,
            "kid": self._kid,
            "b64": False,
            "crit": ["b64", "sigD"],
            "sigD": SIG_D,
            "iat": int(now),
        }
        header = _b64(json.dumps(said, separators=(",", ":")).encode())
        signed = JWSRegistry.algorithms[self._alg].sign(f"{header}.digest: {digest}".encode(), self._key)
        return {"Digest": digest, "Payload-Signature": f"{header}..{_b64(signed)}"}


def load(source: KeySource | None) -> PayloadSigner | None:
    """The key that signs a client's payloads, where it has one. Raises `Misconfigured`."""
    if source is None:
        return None
    return PayloadSigner(_keys.read(Path(source)) if isinstance(source, str | Path) else source)


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
