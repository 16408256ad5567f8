"""The envelope: one value sealed to the place where it lives.

    envelope        := header | nonce (12) | ciphertext | tag (16)
    header          := 0xE1 | algorithm (1) | key version (2, big endian)
    associated data := header | "ketenbrug/field/1" | lp(table) | lp(column) | person (16) | row (16)

`lp` is a two-byte big-endian length and the bytes, so that ("ab", "c") is not ("a", "bc"). Algorithm 1 is AES-256-GCM
(NIST SP 800-38D) with a random 96-bit nonce; a person's key seals far fewer values than its bound of 2^32. One more
key is derived from the person's, for row seals (`api.crypto.rows`): HMAC-SHA-256(key, "ketenbrug/seal/1").

What is sealed is JSON, padded (`api.crypto.padding`): the length of an envelope tells no more than a step.

Compatibility: a version of this format stays readable for ever; a change gets a new first byte or algorithm number.
Golden envelopes in the tests hold this.
"""

from __future__ import annotations

import hmac
import os
import struct
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from api.crypto import rows
from api.errors import Undecryptable
from api.storage.base import ENVELOPE_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any
    from uuid import UUID

AES_256_GCM: Final = 1
_FORMAT: Final = bytes((ENVELOPE_VERSION, AES_256_GCM))
_HEADER: Final = 4
_NONCE: Final = 12
_BODY: Final = _HEADER + _NONCE
_SEAL_VERSION: Final = 2
_SEAL_KEPT: Final = 30


class _Places(dict[str, bytes]):
    """Associated data of the columns of a table up to what changes from row to row: made once, then looked up."""

    __slots__ = ("_before",)

    def __init__(self, header: bytes, table: str) -> None:
        super().__init__()
        self._before = header + b"ketenbrug/field/1" + _sized(table)

    def __missing__(self, column: str) -> bytes:
        place = self[column] = self._before + _sized(column)
        return place


_places: Final = lru_cache(maxsize=1024)(_Places)


@lru_cache(maxsize=256)
def _cut(count: int) -> Callable[[bytes], tuple[bytes, ...]]:
    """What cuts random bytes into so many nonces at once."""
    return struct.Struct(f"{_NONCE}s" * count).unpack


def _sized(name: str) -> bytes:
    part = name.encode()
    return len(part).to_bytes(2, "big") + part


def _header(version: int) -> bytes:
    return _FORMAT + version.to_bytes(2, "big")


class PersonKeys:
    """The unwrapped keys of one person, by version, for the length of one request.

    It takes the keys over: each buffer is overwritten once its ciphers are made. What those hold is freed, and cleared
    by OpenSSL, with this object.
    """

    __slots__ = ("_ciphers", "_current", "_person", "_seals")

    def __init__(self, person: UUID, keys: Mapping[int, bytearray]) -> None:
        self._person = person.bytes
        self._current = max(keys)
        self._ciphers = {_header(version): AESGCM(key) for version, key in keys.items()}
        self._seals = {version: hmac.digest(key, b"ketenbrug/seal/1", "sha256") for version, key in keys.items()}
        for key in keys.values():
            key[:] = bytes(len(key))

    def __repr__(self) -> str:
        return "<PersonKeys>"

    def __reduce__(self) -> str:
        raise TypeError("keys are not serialised")

    def seal(self, values: Mapping[str, bytes], table: str, row: UUID) -> dict[str, bytes]:
        """Seal values to the columns that they are named for, with the newest key."""
        header, tail = _header(self._current), self._person + row.bytes
        encrypt, places = self._ciphers[header].encrypt, _places(header, table)
        nonces = _cut(len(values))(os.urandom(_NONCE * len(values)))
        return {
            column: header + nonce + encrypt(nonce, value, places[column] + tail)
            for column, value, nonce in zip(values, values.values(), nonces, strict=True)
        }

    def open(self, envelopes: Mapping[str, bytes], table: str, row: UUID) -> dict[str, bytes]:
        """Open values that were sealed to exactly these columns. Raises `Undecryptable`, whatever the cause."""
        tail, header, opened = self._person + row.bytes, b"", dict[str, bytes]()
        places, decrypt = _Places(header, table), self._ciphers[_header(self._current)].decrypt
        try:
            for column, sealed in envelopes.items():
                if sealed[:_HEADER] != header:  # seldom but for the first: a row is sealed with one key
                    header = sealed[:_HEADER]
                    places, decrypt = _places(header, table), self._ciphers[header].decrypt
                opened[column] = decrypt(sealed[_HEADER:_BODY], sealed[_BODY:], places[column] + tail)
        except (InvalidTag, KeyError, ValueError):  # what is too short for a nonce is the last of these
            raise Undecryptable from None
        return opened

    def seal_row(self, table: str, row: UUID, bound: Mapping[str, Any], traces: Mapping[str, bytes | None]) -> bytes:
        """The seal over a row (`api.crypto.rows`) with the newest key."""
        return self._seal(self._current, table, row, bound, traces)

    def check_row(
        self, seal: bytes | None, table: str, row: UUID, bound: Mapping[str, Any], traces: Mapping[str, bytes | None]
    ) -> None:
        """Refuse a row that is not as it was sealed. Raises `Undecryptable`."""
        version = int.from_bytes((seal or b"")[:_SEAL_VERSION], "big")
        if version not in self._seals or seal is None:
            raise Undecryptable
        if not hmac.compare_digest(seal, self._seal(version, table, row, bound, traces)):
            raise Undecryptable

    def _seal(
        self, version: int, table: str, row: UUID, bound: Mapping[str, Any], traces: Mapping[str, bytes | None]
    ) -> bytes:
        text = rows.message(table, row, self._person, bound, traces)
        return version.to_bytes(_SEAL_VERSION, "big") + hmac.digest(self._seals[version], text, "sha256")[:_SEAL_KEPT]
