"""Who keeps the key-encryption keys (KEK). A wrapper wraps a person's key under one, bound to that person and version.

A KEK lives for an *epoch*. What is wrapped from now on is wrapped under the current one; former ones only unwrap, until
they are destroyed (`api.custody`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from api.errors import Undecryptable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

_NONCE: Final = 12
_TAG: Final = 16
KEY_BYTES: Final = 32


class WrappedKey(NamedTuple):
    """A row of the key table: whose key, which version, under which KEK, and the wrapped bytes."""

    person: UUID
    version: int
    kek: str
    wrapped: bytes


class KeyWrapper(Protocol):
    """What the vault needs of a key service."""

    async def wrap(self, person: UUID, version: int, key: bytes | bytearray) -> WrappedKey:
        """Wrap a key under the current KEK. Raises `Unavailable`."""
        ...

    async def unwrap(self, wrapped: Sequence[WrappedKey]) -> list[bytearray]:
        """Unwrap a batch, in order, into buffers that the caller overwrites.

        Raises `Undecryptable` or `Unavailable`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Ring:
    """The KEKs of a key file: which one is current, and all that are left."""

    current: str
    keks: Mapping[str, bytes] = field(repr=False)


class FileWrapper:
    """KEKs from a key file. AES-256-GCM binds a wrapped key to its person and version, so that a row cannot move.

    `follow` gives the ring anew when the file has changed: a process that runs during a rotation needs no restart.
    """

    __slots__ = ("_ciphers", "_current", "_follow")

    def __init__(self, kek: str, key: bytes, *, follow: Callable[[], Ring | None] | None = None) -> None:
        self._follow = follow
        self._hold(Ring(kek, {kek: key}))

    @classmethod
    def following(cls, follow: Callable[[], Ring | None]) -> FileWrapper:
        """A wrapper on a file that may be renewed. `follow` gives a ring at its first call."""
        ring = follow()
        if ring is None:
            raise AssertionError("a file that was never read has changed")
        made = cls(ring.current, ring.keks[ring.current], follow=follow)
        made._hold(ring)
        return made

    def __repr__(self) -> str:
        return f"<FileWrapper {self._current}>"

    def __reduce__(self) -> str:
        raise TypeError("keys are not serialised")

    async def current(self) -> str:
        """The KEK under which is wrapped from now on."""
        self._look()
        return self._current

    async def wrap(self, person: UUID, version: int, key: bytes | bytearray) -> WrappedKey:
        """Wrap under the current KEK."""
        self._look()
        nonce = os.urandom(_NONCE)
        sealed = self._ciphers[self._current].encrypt(nonce, key, context(person, version))
        return WrappedKey(person, version, self._current, nonce + sealed)

    async def unwrap(self, wrapped: Sequence[WrappedKey]) -> list[bytearray]:
        """Unwrap a batch; microseconds each, so it stays on the event loop. What ended in the file ends here."""
        self._look()
        return [self._unwrap(each) for each in wrapped]

    def _unwrap(self, wrapped: WrappedKey) -> bytearray:
        cipher = self._ciphers.get(wrapped.kek)
        if cipher is None or len(wrapped.wrapped) != _NONCE + KEY_BYTES + _TAG:
            raise Undecryptable
        key = bytearray(KEY_BYTES)
        try:
            cipher.decrypt_into(
                wrapped.wrapped[:_NONCE], wrapped.wrapped[_NONCE:], context(wrapped.person, wrapped.version), key
            )
        except InvalidTag:
            raise Undecryptable from None
        return key

    def _look(self) -> None:
        if self._follow is not None and (ring := self._follow()) is not None:
            self._hold(ring)

    def _hold(self, ring: Ring) -> None:
        self._current = ring.current
        self._ciphers = {kek: AESGCM(key) for kek, key in ring.keks.items()}


def context(person: UUID, version: int) -> bytes:
    """What a wrapped key is bound to."""
    return b"ketenbrug/person-key/1" + person.bytes + version.to_bytes(2, "big")
