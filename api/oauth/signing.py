"""The keys that sign access tokens, over time: next -> active -> retired -> gone.

    next      published, so that whoever caches our keys has it before it signs
    active    signs
    retired   signs no longer; tokens that it signed hold to their end
    gone      no token that it signed holds

It stays published, because receipts of consents that it signed are kept for years; unless it leaked: then nothing that
it signed proves anything.

The first key is in the key file. Those that came after stand beside it in a file of their own (`api.crypto.dated`). A
key that was made in a token of PKCS#11 stands there with its public half only (`api.crypto.signers`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from joserfc.errors import JoseError

from api.crypto import dated, secretfile, signers
from api.crypto.dated import EVER, NEVER, Following, State
from api.crypto.signers import FileSigner, FileWorkshop
from api.errors import Misconfigured
from api.oauth import jose

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from joserfc.jwk import ECKey

    from api.crypto.signers import Signer, Workshop
    from api.oauth.jose import PublicKey

AHEAD_LEAST: Final = 600
"""Seconds for which a key is published before it signs, at least: our keys may be cached for 300."""

STAYS: Final = 330
"""Seconds for which a key is accepted after its successor began: the life of a token, the skew, and some more."""

_WHAT: Final = "signing keys"
_IN_FILES: Final = FileWorkshop()


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A P-256 key and the moment from which it signs, in seconds. Its id is its thumbprint (RFC 7638)."""

    begins: float
    signer: Signer = field(repr=False)
    public: PublicKey

    @classmethod
    def by(cls, signer: Signer, begins: float = EVER) -> SigningKey:
        """The key of this signer, from this moment."""
        return cls(begins, signer, jose.public_key(dict(signer.jwk)))

    @classmethod
    def of(cls, native: ECKey, begins: float = EVER) -> SigningKey:
        """This key, which is in this process, from this moment."""
        return cls.by(FileSigner(native), begins)

    @property
    def kid(self) -> str:
        """Its id."""
        return self.public.thumbprint

    async def sign(self, kind: str, claims: Mapping[str, Any]) -> str:
        """Sign claims as a compact JWS (ES256) of this `typ`. Raises `KeyServiceAway`."""
        return await jose.signed({"alg": "ES256", "typ": kind, "kid": self.kid}, claims, self.signer.sign)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Every key, in the order in which they begin; the first has always begun. `lost`: ids of those that leaked."""

    keys: tuple[SigningKey, ...]
    lost: frozenset[str] = frozenset()

    def states(self, at: float) -> list[tuple[SigningKey, State]]:
        """Each key with its state at a moment. One of them is active."""
        standing = [key for key in self.keys if key.kid not in self.lost]
        ends = [*(after.begins for _, after in pairwise(standing)), NEVER]
        found = [(key, State.GONE) for key in self.keys if key.kid in self.lost]
        # The first that stands has begun, whatever a clock says: one key is always active.
        starts = [EVER, *(key.begins for key in standing[1:])]
        found += [
            (key, dated.state(begin, end, at, STAYS)) for key, begin, end in zip(standing, starts, ends, strict=True)
        ]
        return found

    def active(self, at: float) -> SigningKey:
        """The key that signs."""
        (found,) = (key for key, state in self.states(at) if state is State.ACTIVE)
        return found

    def accepted(self, kid: object, at: float) -> PublicKey | None:
        """The key of this id, if what it signed may hold."""
        for key, state in self.states(at):
            if key.kid == kid and state in {State.ACTIVE, State.RETIRED}:
                return key.public
        return None

    async def faults(self, at: float, *, ahead: bool = False) -> tuple[str, ...]:
        """Why the key that signs does not, in sentences: it is tried. `ahead`: also the one that is to sign next."""
        tried = {State.ACTIVE, State.NEXT} if ahead else {State.ACTIVE}
        found = [await signers.fault(key.signer, key.kid) for key, state in self.states(at) if state in tried]
        return tuple(each for each in found if each is not None)

    async def hold(self, at: float) -> None:
        """Raise `Misconfigured` when the key that signs does not."""
        if found := await self.faults(at):
            raise Misconfigured(found)

    def published(self) -> list[dict[str, Any]]:
        """The public keys that others need (RFC 7517). Old ones signed receipts of consents too; none leaked."""
        return [_described(key) for key in self.keys if key.kid not in self.lost]


def _described(key: SigningKey) -> dict[str, Any]:
    return {**key.signer.jwk, "kid": key.kid, "use": "sig", "alg": "ES256"}


class SigningKeys(Following[Schedule]):
    """The schedule as it stands in the file, read anew when that changes. Without a file, the first key alone."""

    __slots__ = ()

    def __init__(self, first: ECKey, file: Path | None = None, workshop: Workshop = _IN_FILES) -> None:
        """Read it. Raises `Misconfigured`."""
        super().__init__(file, lambda: read(first, file, workshop), _WHAT)


def read(first: ECKey, file: Path | None, workshop: Workshop = _IN_FILES) -> Schedule:
    """The schedule of a key file's first key and the file beside it, which need not exist. Raises `Misconfigured`."""
    content = dated.content(file, _WHAT, {"keys": [], "lost": []})
    try:
        later = [_found(each, workshop) for each in content["keys"]]
        lost = frozenset(str(each) for each in content["lost"])
    except (JoseError, jose.Unreadable, ValueError, KeyError, TypeError):
        raise dated.damaged(file, _WHAT) from None
    keys = (SigningKey.of(first), *sorted(later, key=lambda key: key.begins))
    if all(key.kid in lost for key in keys):
        raise dated.damaged(file, _WHAT)
    return Schedule(keys, lost)


def _found(written: Mapping[str, Any], workshop: Workshop) -> SigningKey:
    return SigningKey.by(signers.found_again(written, workshop), dated.moment(written["begins"]))


def _in_file() -> Signer:
    return FileSigner.new()


def rotate(
    first: ECKey,
    file: Path,
    begins: datetime,
    *,
    compromised: bool,
    like: Path | None = None,
    before: Callable[[], None] = dated.at_once,
    make: Callable[[], Signer] = _in_file,
) -> SigningKey:
    """Add a new key that signs from this moment, and write the file anew, whole or not at all. Raises `Misconfigured`.

    `compromised`: nothing that the present keys signed holds any longer. Else a key that is still to begin is an error.
    `like`: the file whose owner gets this one when it is new. `before`: what is done once nothing stands against it,
    before anything is made or written; what it raises ends it. `make`: makes the key. One that was made in a token and
    then not written down here signs nothing.
    """
    at = begins.timestamp()
    with secretfile.alone(file):
        schedule = read(first, file)
        if not compromised and any(key.begins >= at for key in schedule.keys):
            raise Misconfigured(("a later key is published already: it begins first",))
        lost = {key.kid for key in schedule.keys} if compromised else schedule.lost
        before()
        new = SigningKey.by(make(), at)
        written = _written([*schedule.keys[1:], new], sorted(lost))
        secretfile.replace(file, written, lambda fresh: read(first, fresh), like=like)
    return new


def _written(keys: Sequence[SigningKey], lost: Sequence[str]) -> dict[str, Any]:
    return {
        "keys": [{"begins": dated.written(key.begins), **key.signer.written} for key in keys],
        "lost": list(lost),
    }
