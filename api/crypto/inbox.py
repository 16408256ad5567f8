"""The keys that posts are sealed to, over time, for each kind apart: next -> active -> retired -> gone.

    next      opens already, and nobody is told of it: every machine gets the file before anybody seals to the key
    active    published, and what others seal to
    retired   opens still: those who seal keep a published key for a while, and retry for a day
    gone      opens nothing; the next rotation takes it out of the file, so that what was sealed to it stays sealed

They stand beside the key file in a file of their own (`api.crypto.dated`), as later signing keys do. Without the file
there is no such key, and no post is sealed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from api.crypto import dated, jwe, secretfile
from api.crypto.dated import NEVER, Following, State
from api.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from api.crypto.jwe import Native, Recipient

STAYS: Final = 25 * 3_600
"""Seconds for which a key opens after its successor began: a retry with the same idempotency key may come for 24 hours,
and published keys are kept for five minutes."""

_WHAT: Final = "inbox keys"
_RSA_BITS: Final = 3_072


class Kind(StrEnum):
    """Which key, and with it which algorithm. In the order in which a sender should choose."""

    X25519 = "ECDH-X25519"
    P256 = "ECDH-P256"
    RSA_256 = "RSA-OAEP-256"
    RSA = "RSA-OAEP"


@dataclass(frozen=True, slots=True)
class InboxKey:
    """A private key, and the moment from which others are told of it, in seconds. Its id is its thumbprint."""

    kind: Kind
    begins: float
    native: Native = field(repr=False)
    public: Recipient

    def __reduce__(self) -> str:
        raise TypeError("keys are not serialised")

    @property
    def kid(self) -> str:
        """Its id (RFC 7638)."""
        return self.public.kid


@dataclass(frozen=True, slots=True)
class Inbox:
    """Every key of the file, in the order in which they begin."""

    keys: tuple[InboxKey, ...] = ()

    def states(self, at: float) -> list[tuple[InboxKey, State]]:
        """Each key with its state at a moment. Of each kind one at most is active."""
        return [(key, dated.state(key.begins, self._end(key), at, STAYS)) for key in self.keys]

    def published(self, at: float) -> list[dict[str, Any]]:
        """The public keys that others may seal to now (RFC 7517), those that we like best first."""
        active = [key for key, state in self.states(at) if state is State.ACTIVE]
        return [json.loads(key.public.jwk) for key in sorted(active, key=lambda key: list(Kind).index(key.kind))]

    def named(self, kid: object, algorithm: object, at: float) -> InboxKey | None:
        """The one key that opens what was sealed so. Without a `kid`: the active one, if one alone has the algorithm.

        The encryption module of the NL API Design Rules names no key.
        """
        found = [
            key
            for key, state in self.states(at)
            if key.public.algorithm == algorithm
            and (state is State.ACTIVE if kid is None else key.kid == kid and state is not State.GONE)
        ]
        return found[0] if len(found) == 1 else None

    def _end(self, key: InboxKey) -> float:
        return min(
            (each.begins for each in self.keys if each.kind is key.kind and each.begins > key.begins), default=NEVER
        )


class InboxKeys(Following[Inbox]):
    """The keys as they stand in the file, read anew when that changes."""

    __slots__ = ()

    def __init__(self, file: Path) -> None:
        """Read it, if it is there. Raises `Misconfigured`."""
        super().__init__(file, lambda: read(file), _WHAT)


def beside(key_file: Path) -> Path:
    """Where the keys are that belong to this key file."""
    return key_file.with_name(f"{key_file.name}.inbox")


def read(file: Path) -> Inbox:
    """The keys in the file, which need not exist. Raises `Misconfigured`."""
    content = dated.content(file, _WHAT, {"keys": []})
    try:
        kept: list[dict[str, Any]] = content["keys"]
        keys = [_key(Kind(each["kind"]), dated.moment(each["begins"]), each["jwk"]) for each in kept]
    except (JoseError, ValueError, KeyError, TypeError, Misconfigured):
        raise dated.damaged(file, _WHAT) from None
    return Inbox(tuple(sorted(keys, key=lambda key: key.begins)))


def rotate(
    file: Path,
    kind: Kind,
    now: datetime,
    begins: datetime,
    *,
    compromised: bool,
    like: Path,
    before: Callable[[], None] = dated.at_once,
) -> InboxKey:
    """Add a new key of this kind, and write the file anew, whole or not at all. Raises `Misconfigured`.

    What is gone is left out, and with `compromised` every earlier key of the kind. Else a later one is an
    error. `like`: the file whose owner gets this one. `before`: what is done once nothing stands against it, before
    anything is written; what it raises ends it.
    """
    at = now.timestamp()
    with secretfile.alone(file):
        inbox = read(file)
        if not compromised and any(key.kind is kind and key.begins >= begins.timestamp() for key in inbox.keys):
            raise Misconfigured((f"a later key of kind {kind} is there already: it begins first",))
        new = _key(kind, begins.timestamp(), _made(kind).as_dict(private=True))
        stay = [
            key for key, state in inbox.states(at) if state is not State.GONE and not (compromised and key.kind is kind)
        ]
        before()
        secretfile.replace(file, _written([*stay, new]), read, like=like)
    return new


def _made(kind: Kind) -> Native:
    if kind is Kind.X25519:
        return OKPKey.generate_key("X25519")
    return ECKey.generate_key("P-256") if kind is Kind.P256 else RSAKey.generate_key(_RSA_BITS)


_ALGORITHM: Final[dict[Kind, tuple[str, type[Native]]]] = {
    Kind.X25519: ("ECDH-ES+A256KW", OKPKey),
    Kind.P256: ("ECDH-ES+A256KW", ECKey),
    Kind.RSA_256: ("RSA-OAEP-256", RSAKey),
    Kind.RSA: ("RSA-OAEP", RSAKey),
}


def _key(kind: Kind, begins: float, private: dict[str, Any]) -> InboxKey:
    algorithm, taker = _ALGORITHM[kind]
    native = taker.import_key(private)
    public = jwe.recipient({**native.as_dict(private=False), "alg": algorithm, "kid": native.thumbprint()})
    return InboxKey(kind, begins, native, public)


def _written(keys: Sequence[InboxKey]) -> dict[str, Any]:
    return {
        "keys": [
            {"kind": key.kind, "begins": dated.written(key.begins), "jwk": key.native.as_dict(private=True)}
            for key in keys
        ]
    }
