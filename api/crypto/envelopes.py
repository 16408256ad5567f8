"""The envelope: one value sealed to the place where it lives.

    envelope        := header | nonce (12) | ciphertext | tag (16)
    header          := 0xE1 | algorithm (1) | key version (2, big endian)
    associated data := header | "ketenbrug/field/1" | lp(table) | lp(column) | person (16) | row (16)

`lp` is a two-byte big-endian length and the bytes, so that ("ab", "c") is not ("a", "bc"). Algorithm 1 is AES-256-GCM
(NIST SP 800-38D) with a random 96-bit nonce; a person's key seals far fewer values than its bound of 2^32.

Compatibility: a version of this format stays readable for ever; a change gets a new first byte or algorithm number.
Golden envelopes in the tests hold this.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from api.errors import Undecryptable
from api.storage.base import ENVELOPE_LEAST, ENVELOPE_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

AES_256_GCM: Final = 1
_HEADER: Final = 4
_NONCE: Final = 12


@lru_cache(maxsize=1024)
def _place(table: str, column: str) -> bytes:
    parts = (table.encode(), column.encode())
    return b"ketenbrug/field/1" + b"".join(len(part).to_bytes(2, "big") + part for part in parts)


class PersonKeys:
    """The unwrapped keys of one person, by version, for the length of one request."""

    __slots__ = ("_ciphers", "_current", "_person")

    def __init__(self, person: UUID, keys: Mapping[int, bytes]) -> None:
        self._person = person.bytes
        self._current = max(keys)
        self._ciphers = {version: AESGCM(key) for version, key in keys.items()}

    def __repr__(self) -> str:
        return "<PersonKeys>"

    def __reduce__(self) -> str:
        raise TypeError("keys are not serialised")

    def seal(self, plaintext: bytes, table: str, column: str, row: UUID) -> bytes:
        """Seal a value to its place with the newest key."""
        header = bytes((ENVELOPE_VERSION, AES_256_GCM)) + self._current.to_bytes(2, "big")
        nonce = os.urandom(_NONCE)
        place = header + _place(table, column) + self._person + row.bytes
        return header + nonce + self._ciphers[self._current].encrypt(nonce, plaintext, place)

    def open(self, envelope: bytes, table: str, column: str, row: UUID) -> bytes:
        """Open a value that was sealed to exactly this place. Raises `Undecryptable`, whatever the cause."""
        if len(envelope) < ENVELOPE_LEAST or envelope[0] != ENVELOPE_VERSION or envelope[1] != AES_256_GCM:
            raise Undecryptable
        cipher = self._ciphers.get(int.from_bytes(envelope[2:_HEADER], "big"))
        if cipher is None:
            raise Undecryptable
        place = envelope[:_HEADER] + _place(table, column) + self._person + row.bytes
        try:
            return cipher.decrypt(envelope[_HEADER : _HEADER + _NONCE], envelope[_HEADER + _NONCE :], place)
        except InvalidTag:
            raise Undecryptable from None
