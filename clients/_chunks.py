"""The stream of a file that is sealed as it goes: C2SP chunked-encryption@v1, Cobblestone-256.

    stream := salt (24) | commitment (32) | chunk*    chunk := ciphertext of 16,384 bytes, the last of fewer | tag (16)

Its context is the JWE that holds its key.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

MEDIA_TYPE: Final = "application/vnd.ketenbrug.sealed-stream"
CIPHER: Final = "c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM"
CHUNK: Final = 16_384
SEALED: Final = CHUNK + 16
SALT: Final = 24
HEADER: Final = 56


class Chunks:
    """The key of one stream. `commitment` binds the stream to it."""

    __slots__ = ("_cipher", "_nonce", "commitment")

    def __init__(self, key: bytes, salt: bytes, jwe: bytes) -> None:
        made = HKDFExpand(SHA512(), 76, CIPHER.encode() + b"\0" + salt + jwe).derive(key)
        self._cipher: Final = AESGCM(made[:32])
        self._nonce: Final = int.from_bytes(made[32:44], "big")
        self.commitment: Final = made[44:]

    def seal(self, number: int, text: bytes) -> bytes:
        """A chunk."""
        return self._cipher.encrypt(self._at(number), text, None)

    def open(self, number: int, sealed: bytes) -> bytes:
        """What is in a chunk. Raises `InvalidTag`."""
        return self._cipher.decrypt(self._at(number), sealed, None)

    def _at(self, number: int) -> bytes:
        return (self._nonce ^ number).to_bytes(12, "big")


def sealed_length(length: int) -> int:
    """How long the stream of a file of this length is."""
    whole, rest = divmod(length, CHUNK)
    return HEADER + whole * SEALED + rest + SEALED - CHUNK
