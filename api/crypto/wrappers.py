"""Who keeps the key-encryption key (KEK). A wrapper wraps a person's key under it, bound to that person and version."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from api.errors import Undecryptable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

_NONCE: Final = 12


class WrappedKey(NamedTuple):
    """A row of the key table: whose key, which version, under which KEK, and the wrapped bytes."""

    person: UUID
    version: int
    kek: str
    wrapped: bytes


class KeyWrapper(Protocol):
    """What the vault needs of a key service."""

    async def wrap(self, person: UUID, version: int, key: bytes) -> WrappedKey:
        """Wrap a new key. Raises `Unavailable`."""
        ...

    async def unwrap(self, wrapped: Sequence[WrappedKey]) -> list[bytes]:
        """Unwrap a batch, in order. Raises `Undecryptable` or `Unavailable`."""
        ...


class FileWrapper:
    """A KEK from the key file. AES-256-GCM binds a wrapped key to its person and version, so that a row cannot move."""

    __slots__ = ("_cipher", "_kek")

    def __init__(self, kek: str, key: bytes) -> None:
        self._kek = kek
        self._cipher = AESGCM(key)

    def __repr__(self) -> str:
        return f"<FileWrapper {self._kek}>"

    def __reduce__(self) -> str:
        raise TypeError("keys are not serialised")

    async def wrap(self, person: UUID, version: int, key: bytes) -> WrappedKey:
        """Wrap under this KEK."""
        nonce = os.urandom(_NONCE)
        return WrappedKey(
            person, version, self._kek, nonce + self._cipher.encrypt(nonce, key, _context(person, version))
        )

    async def unwrap(self, wrapped: Sequence[WrappedKey]) -> list[bytes]:
        """Unwrap a batch; microseconds each, so it stays on the event loop."""
        return [self._unwrap(each) for each in wrapped]

    def _unwrap(self, wrapped: WrappedKey) -> bytes:
        if wrapped.kek != self._kek or len(wrapped.wrapped) <= _NONCE:
            raise Undecryptable
        nonce, sealed = wrapped.wrapped[:_NONCE], wrapped.wrapped[_NONCE:]
        try:
            return self._cipher.decrypt(nonce, sealed, _context(wrapped.person, wrapped.version))
        except InvalidTag:
            raise Undecryptable from None


def _context(person: UUID, version: int) -> bytes:
    return b"ketenbrug/person-key/1" + person.bytes + version.to_bytes(2, "big")
