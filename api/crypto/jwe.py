"""Answers to the recipient's eyes only: JWE (RFC 7516) to the public key that the client registered for it.

    profile   `alg` of the key             key                        media type
    nlgov     RSA-OAEP                     RSA, 3072 bits at least    application/jose+json
    modern    RSA-OAEP-256                 the same                   application/jose
    modern    ECDH-ES+A256KW               P-256, or X25519           application/jose

The algorithm is the one that the registered key names, exactly: nothing in a request chooses it. The content is always
A256GCM, the form compact. `nlgov` is the encryption module of the NL API Design Rules (API-mod-encryption 1.0.2), which
asks for the first algorithm and for that media type; its RSA-OAEP is with SHA-1, so take another where you can.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import orjson
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from api.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Mapping

Native: TypeAlias = ECKey | OKPKey | RSAKey

CONTENT: Final = "A256GCM"
COMPACT: Final = "application/jose"
NLGOV: Final = "application/jose+json"

_ECDH: Final = "ECDH-ES+A256KW"
_MEMBERS: Final = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}
_TAKERS: Final[dict[str, type[Native]]] = {"EC": ECKey, "OKP": OKPKey, "RSA": RSAKey}
_FIT: Final = {
    ("RSA-OAEP", "RSA", ""): NLGOV,
    ("RSA-OAEP-256", "RSA", ""): COMPACT,
    (_ECDH, "EC", "P-256"): COMPACT,
    (_ECDH, "OKP", "X25519"): COMPACT,
}
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_MODULUS: Final = re.compile(r"[A-Za-z0-9_-]{512,1024}")
_RSA_LEAST: Final = 3_072
_SMALL: Final = "an RSA key has 3072 bits at least and the exponent 65537"


@dataclass(frozen=True, slots=True)
class Recipient:
    """A public key that answers are sealed to. `jwk`: what is stored of it."""

    algorithm: str
    media_type: str
    kid: str
    native: Native = field(repr=False)
    jwk: str = field(repr=False)


def recipient(offered: Mapping[str, object]) -> Recipient:
    """Take a key that a client wants to have answers sealed to. Raises `Misconfigured`, with what is wrong with it."""
    if offered.keys() & _PRIVATE:
        raise _unfit("it is a private key, which must never be sent: make a new one")
    kind, algorithm = str(offered.get("kty")), str(offered.get("alg"))
    media_type = _FIT.get((algorithm, kind, str(offered.get("crv", ""))))
    if media_type is None:
        raise _unfit("alg is RSA-OAEP or RSA-OAEP-256 with kty RSA, or ECDH-ES+A256KW with crv P-256 or X25519")
    if offered.get("use", "enc") != "enc":
        raise _unfit("use is enc")
    values = {name: offered.get(name) for name in _MEMBERS[kind]}
    if kind == "RSA" and not (_MODULUS.fullmatch(str(values["n"])) and values["e"] == "AQAB"):
        raise _unfit(_SMALL)
    try:
        native: Native = _TAKERS[kind].import_key(cast("dict[str, str | list[str]]", values))
        # Of the number itself: zeros before a small one make its text as long as that of another.
        if isinstance(native, RSAKey) and native.public_key.key_size < _RSA_LEAST:
            raise _unfit(_SMALL)
        named = offered.get("kid")
        kid = named if isinstance(named, str) else native.thumbprint()
        taken = {**values, "alg": algorithm, "kid": kid, "use": "enc"}
        made = Recipient(algorithm, media_type, kid, native, orjson.dumps(taken, option=orjson.OPT_SORT_KEYS).decode())
        sealed(made, b"")
    except (JoseError, ValueError, TypeError):
        raise _unfit("it is not well-formed") from None
    return made


@lru_cache(maxsize=1024)
def stored(jwk: str) -> Recipient:
    """A key that was taken before, as it was stored."""
    taken: dict[str, Any] = orjson.loads(jwk)
    return recipient(taken)


def sealed(to: Recipient, text: bytes, content: str = "application/json") -> bytes:
    """Seal a text of this media type to its recipient."""
    header = {"alg": to.algorithm, "enc": CONTENT, "typ": "JWE", "cty": content, "kid": to.kid}
    return jwe.encrypt_compact(header, text, to.native, algorithms=[to.algorithm, CONTENT]).encode()


def _unfit(why: str) -> Misconfigured:
    return Misconfigured((f"the encryption key: {why}",))
