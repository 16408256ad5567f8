"""Sealing what is posted to a key that the service publishes (JWE, RFC 7516), so that only the service reads it.

The keys are fetched from beside the API and kept for five minutes. The service lists those first that it likes best;
the first that is well-formed and trusted is taken. Where there is none, nothing is sent: never in the clear instead.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from pydantic import BaseModel, ValidationError

from clients import _tracing as tracing
from clients._messages import Alone, Request
from clients.errors import UnexpectedAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clients._messages import Flow
    from clients._sending import Sender
    from clients._tracing import Trace

Native: TypeAlias = ECKey | OKPKey | RSAKey

PATH: Final = "/.well-known/encryption-keys"
NOT_OPENED: Final = "not-sealed-to-us"
"""The problem of a post that the service could not open: its keys may have changed since."""

_CONTENT: Final = "A256GCM"
_KEPT: Final = 300
_STEP: Final = 256
_RSA_LEAST: Final = 3_072
_FIT: Final[Mapping[tuple[str, str, str], tuple[type[Native], str]]] = {
    ("ECDH-ES+A256KW", "OKP", "X25519"): (OKPKey, "application/jose"),
    ("ECDH-ES+A256KW", "EC", "P-256"): (ECKey, "application/jose"),
    ("RSA-OAEP-256", "RSA", ""): (RSAKey, "application/jose"),
    ("RSA-OAEP", "RSA", ""): (RSAKey, "application/jose+json"),
}


class _Published(BaseModel):
    keys: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Posted:
    """A body as it is sent. No repr shows it."""

    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SealingKey:
    """A public key of the service. `kid` is its thumbprint (RFC 7638), computed here."""

    algorithm: str
    media_type: str
    kid: str
    native: Native = field(repr=False)

    def seal(self, text: bytes) -> Posted:
        """Seal a JSON text, with spaces behind it: its length tells no more than a step."""
        text += b" " * (-len(text) % _STEP)
        header = {"alg": self.algorithm, "enc": _CONTENT, "typ": "JWE", "cty": "application/json", "kid": self.kid}
        sealed = jwe.encrypt_compact(header, text, self.native, algorithms=[self.algorithm, _CONTENT])
        return Posted(self.media_type, sealed.encode())


def taken(jwk: Mapping[str, object]) -> SealingKey | None:
    """A key as the service publishes it; None for one that is of no use: another kind, weak, under a false name."""
    kind = (str(jwk.get("alg")), str(jwk.get("kty")), str(jwk.get("crv", "")))
    if kind not in _FIT or jwk.get("use", "enc") != "enc":
        return None
    taker, media_type = _FIT[kind]
    members = {name: jwk[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in jwk}
    try:
        native = taker.import_key(cast("dict[str, str | list[str]]", members))
        if isinstance(native, RSAKey) and native.public_key.key_size < _RSA_LEAST:
            return None
        key = SealingKey(kind[0], media_type, native.thumbprint(), native)
        key.seal(b"")
    except (JoseError, ValueError, TypeError):
        return None
    return key if jwk.get("kid") == key.kid else None


class Sealer:
    """Owns the key that posts are sealed to. `trusted`: thumbprints of the only keys to take; empty for any."""

    __slots__ = ("_clock", "_key", "_sender", "_trusted", "_until", "_url")

    def __init__(self, base_url: str, trusted: frozenset[str], sender: Sender, clock: Callable[[], float]) -> None:
        self._url: Final = base_url.rpartition("/")[0] + PATH
        self._trusted: Final = trusted
        self._sender = sender
        self._clock = clock
        self._key: SealingKey | None = None
        self._until = 0.0

    def __repr__(self) -> str:
        return "<Sealer>"

    def current(self, trace: Trace, refused: SealingKey | None = None) -> Flow[SealingKey]:
        """A key that was published less than five minutes ago, and was read anew if the last one was `refused`.

        Raises `UnexpectedAnswer` where none is to be had.
        """
        key = self._fresh(refused)
        if key is None:
            yield Alone(self._renew(trace, refused))
            key = self._key
        if key is None:
            raise UnexpectedAnswer("the service publishes no key that posts may be sealed to", HTTPStatus.OK)
        return key

    def _fresh(self, refused: SealingKey | None) -> SealingKey | None:
        return self._key if self._key is not refused and self._clock() < self._until else None

    def _renew(self, trace: Trace, refused: SealingKey | None) -> Flow[None]:
        if self._fresh(refused) is not None:
            return
        self._key, asked = None, self._clock()
        headers = {"Accept": "application/json", tracing.HEADER: trace.child()}
        response = yield from self._sender.send(self._url, lambda _: Request("GET", self._url, headers))
        if response.status != HTTPStatus.OK:
            raise UnexpectedAnswer("the keys to seal posts to were not given", response.status)
        try:
            published = _Published.model_validate_json(response.content).keys
        except ValidationError:
            published = []
        found = [key for jwk in published if (key := taken(jwk)) is not None]
        self._key = next((key for key in found if not self._trusted or key.kid in self._trusted), None)
        self._until = asked + _KEPT
