"""What signs for the service: keys of ECDSA on P-256 (ES256), in a file or in a token that shows them to nobody.

    `Signer`     one key: its public half, and how it signs
    `Workshop`   where new keys are made, and where one that was made there is found again

A signer is found again by what was written down of it. A key of a file is the private JWK; a key of a token is the
public JWK and the label that it has there. So a file of keys (`api.oauth.signing`) may hold both: whoever moves from
the one to the other rotates once, and what the earlier keys signed goes on to hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey

from api.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

_HALF: Final = 32
_ECDSA: Final = ec.ECDSA(SHA256())


class KeyServiceAway(Unavailable):
    """A key service does not do what it is asked. `why` is a sentence for its operator, without a secret."""

    def __init__(self, why: str) -> None:
        super().__init__("key-service")
        self.why = why


class Signer(Protocol):
    """One key."""

    @property
    def jwk(self) -> Mapping[str, str]:
        """Its public half (RFC 7517): `crv`, `kty`, `x`, `y`."""
        ...

    @property
    def written(self) -> Mapping[str, Any]:
        """What is written down to find it again: members of a JSON object, `jwk` among them."""
        ...

    async def sign(self, content: bytes) -> bytes:
        """Sign with SHA-256: two numbers of 32 bytes (RFC 7518 section 3.4). Raises `KeyServiceAway`."""
        ...


class Workshop(Protocol):
    """Where keys are made and kept."""

    async def make(self) -> Signer:
        """Make a key. Raises `KeyServiceAway`."""
        ...

    def found(self, written: Mapping[str, Any]) -> Signer:
        """A key that does not stand in the file itself. Nothing is asked of anybody yet. Raises `ValueError`."""
        ...


class FileSigner:
    """A key that is in this process. A signature takes some 50 microseconds: it stays on the event loop."""

    __slots__ = ("_key",)

    def __init__(self, key: ECKey) -> None:
        self._key = key

    @classmethod
    def new(cls) -> FileSigner:
        """A new key."""
        return cls(ECKey.generate_key("P-256"))

    def __repr__(self) -> str:
        return "<FileSigner>"

    def __reduce__(self) -> str:
        raise TypeError("keys are not serialised")

    @property
    def jwk(self) -> Mapping[str, str]:
        """Its public half."""
        return public(self._key.as_dict(private=False))

    @property
    def written(self) -> Mapping[str, Any]:
        """The key itself."""
        return {"jwk": self._key.as_dict(private=True)}

    async def sign(self, content: bytes) -> bytes:
        """Sign here."""
        private = self._key.private_key
        assert private is not None  # noqa: S101 - `found_again` takes no other for a key of the file
        r, s = decode_dss_signature(private.sign(content, _ECDSA))
        return r.to_bytes(_HALF, "big") + s.to_bytes(_HALF, "big")


class _Elsewhere:
    """A key of a token, where no token was chosen: it can be published, and does not sign."""

    __slots__ = ("jwk", "written")

    def __init__(self, written: Mapping[str, Any]) -> None:
        self.written: Final = written
        self.jwk: Final = public(written["jwk"])

    async def sign(self, content: bytes) -> bytes:
        """Refuse."""
        del content
        raise KeyServiceAway("KETENBRUG_SIGNING_SERVICE: names no token, and that is where the key is that has to sign")


class FileWorkshop:
    """Keys in a file: made here, and written down whole."""

    __slots__ = ()

    async def make(self) -> Signer:
        """Make a key in this process."""
        return FileSigner.new()

    def found(self, written: Mapping[str, Any]) -> Signer:
        """A key that is in a token: it signs no more."""
        return _Elsewhere(written)


def found_again(written: Mapping[str, Any], workshop: Workshop) -> Signer:
    """The key of which this was written down. Raises `ValueError`, `KeyError` or `TypeError` when it is none."""
    return FileSigner(ECKey.import_key(dict(written["jwk"]))) if "d" in written["jwk"] else workshop.found(written)


def public(jwk: Mapping[str, Any]) -> dict[str, str]:
    """The public members of a key on P-256. Raises `ValueError` when it is none, `KeyError` without them."""
    members = {name: str(jwk[name]) for name in ("crv", "kty", "x", "y")}
    if (members["kty"], members["crv"]) != ("EC", "P-256"):
        raise ValueError
    return members


def holds(jwk: Mapping[str, str], content: bytes, signature: bytes) -> bool:
    """Tell whether a signature is by this key."""
    key = ECKey.import_key(dict(jwk)).public_key
    r, s = (int.from_bytes(half, "big") for half in (signature[:_HALF], signature[_HALF:]))
    try:
        key.verify(encode_dss_signature(r, s), content, _ECDSA)
    except InvalidSignature:
        return False
    return True


async def fault(signer: Signer, kid: str) -> str | None:
    """Have it sign. None when the signature holds, else a sentence that says what is wrong."""
    try:
        signature = await signer.sign(kid.encode())
    except KeyServiceAway as away:
        return f"signing key {kid}: {away.why}"
    return None if holds(signer.jwk, kid.encode(), signature) else f"signing key {kid}: it signs as another"
