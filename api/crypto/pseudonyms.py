"""Pseudonyms of persons, another for each organisation, so that two of them cannot join what they know by our ids.

    key       := HKDF-Expand-SHA-256(pseudonym key, "ketenbrug/pseudonym/1" | organisation (16), 32)
    pseudonym := AES-256 of the 16 bytes of the person's UUIDv4, again and again until the result is a UUIDv4

Repeating a permutation until it lands among the UUIDv4s is a permutation of these (cycle walking, Black and Rogaway
2002): nothing has to be stored, no two persons share a pseudonym, and whoever has the key can turn it back. One in 64
blocks is a UUIDv4. What is no UUIDv4 is nobody's pseudonym.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import CipherContext

_LABEL: Final = b"ketenbrug/pseudonym/1"
_KEY: Final = 32
_VERSION: Final = 4
_VARIANT: Final = 2
"""The bits 10, RFC 9562 section 4.1."""


class Pseudonyms:
    """Turns the id of a person into what one organisation knows them by, and back."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "<Pseudonyms>"

    def __reduce__(self) -> str:
        raise TypeError("keys are not serialised")

    def of(self, person: UUID, organisation: UUID) -> UUID:
        """What this organisation knows a person by. Raises `ValueError` for an id that is no UUIDv4."""
        if not _is_id(person):
            raise ValueError("persons have random ids")
        return _walked(self._cipher(organisation).encryptor(), person)

    def person(self, pseudonym: UUID, organisation: UUID) -> UUID | None:
        """Whom this organisation means. None when nobody could be meant; else there may be no such person."""
        return _walked(self._cipher(organisation).decryptor(), pseudonym) if _is_id(pseudonym) else None

    def _cipher(self, organisation: UUID) -> Cipher[ECB]:
        key = HKDFExpand(SHA256(), _KEY, _LABEL + organisation.bytes).derive(self._key)
        return Cipher(AES(key), ECB())  # noqa: S305 - one block, used as the permutation that it is


def _walked(turned: CipherContext, start: UUID) -> UUID:
    turn = turned.update
    found = turn(start.bytes)
    while not (found[6] >> 4 == _VERSION and found[8] >> 6 == _VARIANT):
        found = turn(found)
    return UUID(bytes=found)


def _is_id(value: UUID) -> bool:
    raw = value.bytes
    return raw[6] >> 4 == _VERSION and raw[8] >> 6 == _VARIANT
