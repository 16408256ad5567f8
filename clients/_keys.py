"""A private key, and what it signs: who calls (RFC 7523), that it is them (RFC 9449), and agreements.

The algorithm is that of the key: ES256 for P-256, Ed25519 (RFC 9864; once called EdDSA) for Ed25519. The three
kinds cannot pass for each other, because of their `typ` (RFC 8725 section 3.11).
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias, cast

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from clients.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Mapping

KeySource: TypeAlias = "Mapping[str, Any] | str | Path"
"""A private JWK, or the path of a file that holds one."""

ASSERTION_LIFETIME: Final = 60
"""Seconds."""

_KINDS: Final[Mapping[tuple[str, str], tuple[str, type[ECKey | OKPKey], tuple[str, ...]]]] = {
    ("EC", "P-256"): ("ES256", ECKey, ("kty", "crv", "x", "y")),
    ("OKP", "Ed25519"): ("Ed25519", OKPKey, ("kty", "crv", "x")),
}
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_FILE_MOST: Final = 16_384


class Signer:
    """A private key. It shows itself in no repr and cannot be pickled."""

    __slots__ = ("_alg", "_key", "_kid", "_public")

    def __init__(self, jwk: Mapping[str, Any]) -> None:
        kind = (str(jwk.get("kty")), str(jwk.get("crv")))
        if kind not in _KINDS:
            raise Misconfigured("the key must be a JWK of the curve P-256 or Ed25519")
        alg, taker, members = _KINDS[kind]
        if not isinstance(jwk.get("d"), str):
            raise Misconfigured("the key must be a private JWK: the member d is missing")
        # Only what makes the key: `alg`, `use` and `key_ops` would bind the library to older names and to one use.
        needed = {name: jwk.get(name) for name in (*members, "d")}
        try:
            self._key = taker.import_key(cast("dict[str, str | list[str]]", needed))
        except (JoseError, ValueError, TypeError):
            raise Misconfigured("the key is not a well-formed JWK") from None
        self._alg: Final = alg
        self._public: Final = {name: jwk[name] for name in members}
        named = jwk.get("kid")
        self._kid: Final = named if isinstance(named, str) else self._key.thumbprint()

    def __repr__(self) -> str:
        return f"<Signer {self._alg}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not pickled")

    @property
    def thumbprint(self) -> str:
        """Of the public key (RFC 7638): what is compared by telephone."""
        return self._key.thumbprint()

    @property
    def public(self) -> dict[str, Any]:
        """The public JWK."""
        return {**self._public, "kid": self._kid}

    def assertion(self, client_id: str, issuer: str, now: float, **more: Any) -> str:  # noqa: ANN401 - JSON values
        """Who calls, for the issuer alone and for one minute (RFC 7523 section 3, FAPI 2.0 section 5.3.3.1)."""
        claims = {
            "iss": client_id,
            "sub": client_id,
            "aud": issuer,
            "jti": identifier(),
            "iat": int(now),
            "exp": int(now) + ASSERTION_LIFETIME,
            **more,
        }
        return self._sign({"alg": self._alg, "typ": "JWT", "kid": self._kid}, claims)

    def proof(
        self,
        method: str,
        url: str,
        now: float,
        *,
        nonce: str | None = None,
        token: str | None = None,
        person: str | None = None,
    ) -> str:
        """That this request is by the holder of the key (RFC 9449 section 4.2). Each proof is for one use.

        `url` loses its query. `person` is who acts for the client: opaque, at most 64 visible ASCII characters.
        """
        claims: dict[str, Any] = {
            "jti": identifier(),
            "htm": method,
            "htu": url.partition("?")[0],
            "iat": int(now),
        }
        if token is not None:
            claims["ath"] = _digest(token)
        if nonce is not None:
            claims["nonce"] = nonce
        if person is not None:
            claims["acting_person"] = person
        return self._sign({"alg": self._alg, "typ": "dpop+jwt", "jwk": self._public}, claims)

    def presence(self, client_id: str, issuer: str, now: float, jti: str) -> str:
        """That this key is there, for the assertion of this `jti` that names it as one of the client's keys."""
        claims = {"iss": client_id, "aud": issuer, "jti": jti, "iat": int(now)}
        return self._sign({"alg": self._alg, "typ": "ketenbrug-key-proof+jwt", "kid": self._kid}, claims)

    def detached(self, text: bytes) -> str:
        """That a party signs this agreement: a compact JWS of it, without the payload (RFC 7515 appendix F)."""
        whole = self._jws({"alg": self._alg, "typ": "ketenbrug-agreement+jws", "kid": self._kid}, text)
        header, _, signature = whole.split(".")
        return f"{header}..{signature}"

    def _sign(self, header: dict[str, Any], claims: dict[str, Any]) -> str:
        return self._jws(header, json.dumps(claims, separators=(",", ":")).encode())

    def _jws(self, header: dict[str, Any], payload: bytes) -> str:
        return jws.serialize_compact(header, payload, self._key, algorithms=[self._alg])


def identifier() -> str:
    """A new `jti`, of 128 bits."""
    return secrets.token_urlsafe(16)


def load(source: KeySource) -> Signer:
    """The key of a client. Raises `Misconfigured`, without the key or the contents of the file in its message."""
    return Signer(read(Path(source)) if isinstance(source, str | Path) else source)


def read(file: Path) -> dict[str, Any]:
    """The JWK in a file that nobody else can read. Raises `Misconfigured`."""
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            content = opened.read(_FILE_MOST)
    except OSError:
        raise Misconfigured("the key file cannot be read", str(file)) from None
    # Windows has no such bits; its access lists are the administrator's.
    if os.name == "posix" and mode & OTHERS:
        raise Misconfigured("the key file is open to group or world: give it the mode 0400", str(file))
    try:
        jwk: object = json.loads(content)
    except ValueError:
        jwk = None
    if not isinstance(jwk, dict):
        raise Misconfigured("the key file does not hold a JWK", str(file))
    return cast("dict[str, Any]", jwk)


def _digest(token: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode("ascii")).digest()).rstrip(b"=").decode()
