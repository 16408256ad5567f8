"""What a browser holds: 32 random bytes. From them, and only from them, come all that goes with a session.

    digest      SHA-256: what the database knows it by
    form token  HMAC: what a form of our page sends back, so that it was our page (ASVS 5.0 3.5.1)
    seal        AES-256-GCM under a key of one use: the name of the person

Whoever reads or copies the database can neither act as anybody nor learn who was there.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from api.crypto.mac import Mac
from api.errors import Undecryptable

if TYPE_CHECKING:
    from uuid import UUID

_BYTES: Final = 32
_TEXT: Final = 43
_NONCE: Final = 12
_FORM: Final = b"ketenbrug/people/form/1"
_SEAL: Final = b"ketenbrug/people/seal/1"


class Ticket:
    """One of them. It does not show itself."""

    __slots__ = ("_raw",)

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def __repr__(self) -> str:
        return "<Ticket>"

    def __reduce__(self) -> str:
        raise TypeError("keys are not serialised")

    @classmethod
    def fresh(cls) -> Ticket:
        """A new one."""
        return cls(secrets.token_bytes(_BYTES))

    @classmethod
    def read(cls, text: str) -> Ticket | None:
        """The ticket of a cookie or a link; None for what is none."""
        raw = unpacked(text) if len(text) == _TEXT else None
        return None if raw is None or len(raw) != _BYTES else cls(raw)

    def reveal(self) -> str:
        """The text for the cookie or the link: a secret."""
        return packed(self._raw)

    @property
    def digest(self) -> bytes:
        """What the database knows it by."""
        return hashlib.sha256(self._raw).digest()

    @property
    def form_token(self) -> str:
        """What our forms send back."""
        return packed(Mac(self._raw).tag(_FORM))

    def has_sent(self, form_token: str) -> bool:
        """Whether a form of a page for this ticket sent this, in constant time."""
        return hmac.compare_digest(self.form_token.encode(), form_token.encode())

    def seal(self, text: bytes, session: UUID) -> bytes:
        """Seal what the session remembers to this session."""
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(self._key).encrypt(nonce, text, session.bytes)

    def open(self, sealed: bytes, session: UUID) -> bytes:
        """Open it. Raises `Undecryptable`."""
        try:
            return AESGCM(self._key).decrypt(sealed[:_NONCE], sealed[_NONCE:], session.bytes)
        except (InvalidTag, ValueError):
            raise Undecryptable from None

    @property
    def _key(self) -> bytes:
        return Mac(self._raw).tag(_SEAL)


def packed(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unpacked(text: str) -> bytes | None:
    """The bytes of base64url in its one form; None for anything else."""
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    return raw if packed(raw) == text else None
