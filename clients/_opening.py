"""Opening what was sealed to a client's own key (JWE, RFC 7516): no other key, no other algorithm, within a size.

The algorithm is the one that the key names in `alg`, as it was registered: what an answer says of itself chooses none.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias, cast

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from clients import _keys
from clients.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clients._keys import KeySource

Native: TypeAlias = ECKey | OKPKey | RSAKey

MEDIA_TYPES: Final = ("application/jose", "application/jose+json")
_CONTENT: Final = "A256GCM"
_MOST: Final = 64 * 1024 * 1024
_TAKERS: Final[Mapping[tuple[str, str], type[Native]]] = {
    ("RSA-OAEP", "RSA"): RSAKey,
    ("RSA-OAEP-256", "RSA"): RSAKey,
    ("ECDH-ES+A256KW", "EC"): ECKey,
    ("ECDH-ES+A256KW", "OKP"): OKPKey,
}
_MEMBERS: Final = ("kty", "crv", "x", "y", "n", "e", "d", "p", "q", "dp", "dq", "qi")


class _Registry(jwe.JWERegistry):
    max_ciphertext_length = _MOST


class Opener:
    """A private key that opens. It shows itself in no repr and cannot be pickled."""

    __slots__ = ("_alg", "_key", "_registry")

    def __init__(self, jwk: Mapping[str, Any]) -> None:
        self._alg: Final = str(jwk.get("alg"))
        taker = _TAKERS.get((self._alg, str(jwk.get("kty"))))
        if taker is None or not isinstance(jwk.get("d"), str):
            raise Misconfigured(
                "must be a private JWK with alg RSA-OAEP, RSA-OAEP-256 or ECDH-ES+A256KW", "opening key"
            )
        needed = {name: jwk[name] for name in _MEMBERS if name in jwk}
        try:
            self._key: Final = taker.import_key(cast("dict[str, str | list[str]]", needed))
        except (JoseError, ValueError, TypeError):
            raise Misconfigured("is not a well-formed JWK", "opening key") from None
        self._registry: Final = _Registry(algorithms=[self._alg, _CONTENT])

    def __repr__(self) -> str:
        return f"<Opener {self._alg}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not pickled")

    def open(self, sealed: bytes) -> bytes:
        """The text. Raises `ValueError`, whatever is wrong with it."""
        try:
            found = jwe.decrypt_compact(sealed, self._key, registry=self._registry)
        except (JoseError, ValueError, TypeError, LookupError, AttributeError):  # the library lets hostile headers out
            raise ValueError("not sealed to this key") from None
        return found.plaintext or b""


def load(source: KeySource | None) -> Opener | None:
    """The key that opens a client's answers, where it has one. Raises `Misconfigured`."""
    if source is None:
        return None
    return Opener(_keys.read(Path(source)) if isinstance(source, str | Path) else source)
