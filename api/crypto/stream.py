"""Documents as a stream of sealed chunks: C2SP chunked-encryption@v1, Cobblestone-256 (c2sp.org/chunked-encryption).

    stream := salt (24) | commitment (32) | chunk*    chunk := ciphertext of 16,384 bytes | tag (16)
    key (32), nonce (12), commitment (32) := HKDF-Expand-SHA-512(key, label | 0x00 | salt | context)

Chunk `n` is AES-256-GCM under `nonce XOR n`. The last chunk is shorter than the others, empty if need be: so a stream
that was cut is refused. The commitment binds a stream to one key. `context` binds it to its place, as an envelope is.

What is yielded was authenticated: a true beginning of the document, or the range that was asked. Raises `Undecryptable`
at the first chunk that is not as it was sealed; whoever serves it then ends the answer abnormally.
"""

from __future__ import annotations

import hmac
import os
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from api.errors import Undecryptable

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable

CHUNK: Final = 16_384
SEALED_CHUNK: Final = CHUNK + 16
HEADER: Final = 56
_KEY: Final = 32
_SALT: Final = 24
_LABEL: Final = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00"


class _Chunks:
    """The key of one stream: seals and opens its chunks by number."""

    __slots__ = ("_cipher", "_nonce", "commitment")

    def __init__(self, key: bytes | bytearray, salt: bytes, context: bytes) -> None:
        if len(key) != _KEY:
            raise Undecryptable
        made = HKDFExpand(SHA512(), 76, _LABEL + salt + context).derive(bytes(key))
        self._cipher: Final = AESGCM(made[:32])
        self._nonce: Final = int.from_bytes(made[32:44], "big")
        self.commitment: Final = made[44:]

    def seal(self, number: int, text: bytes | bytearray | memoryview) -> bytes:
        return self._cipher.encrypt(self._at(number), text, None)

    def open(self, number: int, sealed: bytes | bytearray | memoryview) -> bytes:
        try:
            return self._cipher.decrypt(self._at(number), sealed, None)
        except InvalidTag:
            raise Undecryptable from None

    def _at(self, number: int) -> bytes:
        return (self._nonce ^ number).to_bytes(12, "big")


def sealed_length(length: int) -> int:
    """How long the stream around a document of this length is."""
    whole, rest = divmod(length, CHUNK)
    return HEADER + whole * SEALED_CHUNK + rest + SEALED_CHUNK - CHUNK


def opened_length(sealed: int) -> int:
    """How long the document in a stream of this length is. Raises `Undecryptable` when no stream is so long."""
    whole, rest = divmod(sealed - HEADER, SEALED_CHUNK)
    if sealed < HEADER or rest < SEALED_CHUNK - CHUNK:
        raise Undecryptable
    return whole * CHUNK + rest - (SEALED_CHUNK - CHUNK)


async def seal(
    key: bytes | bytearray, context: bytes, blocks: AsyncIterable[bytes], *, salt: bytes | None = None
) -> AsyncIterator[bytes]:
    """Seal a document that comes in blocks of any size. `salt` is random unless a published vector gives it."""
    salt = os.urandom(_SALT) if salt is None else salt
    chunks = _Chunks(key, salt, context)
    yield salt + chunks.commitment
    held, number = bytearray(), 0
    async for block in blocks:
        held += block
        if count := len(held) // CHUNK:
            yield _each(chunks.seal, number, held, count, CHUNK)
            number += count
    yield chunks.seal(number, held)


async def open_all(key: bytes | bytearray, context: bytes, blocks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Open a stream that comes in blocks of any size."""
    held, number = bytearray(), 0
    chunks: _Chunks | None = None
    async for block in blocks:
        held += block
        if chunks is None and len(held) >= HEADER:
            chunks = _committed(key, context, bytes(held[:HEADER]))
            del held[:HEADER]
        if chunks is None:
            continue
        if count := len(held) // SEALED_CHUNK:
            yield _each(chunks.open, number, held, count, SEALED_CHUNK)
            number += count
    if chunks is None:
        raise Undecryptable
    yield chunks.open(number, held)


async def open_range(
    key: bytes | bytearray,
    context: bytes,
    read: Callable[[int, int], Awaitable[bytes]],
    start: int,
    stop: int,
) -> AsyncIterator[bytes]:
    """Open the bytes from `start` up to `stop` of the document; only the chunks that hold them are read.

    `read(at, length)` gives that many bytes of the stream, or fewer at its end.
    """
    chunks = _committed(key, context, await read(0, HEADER))
    for number in range(start // CHUNK, -(-stop // CHUNK)):
        text = chunks.open(number, await read(HEADER + number * SEALED_CHUNK, SEALED_CHUNK))
        first = number * CHUNK
        if len(text) < min(stop - first, CHUNK):
            raise Undecryptable
        yield text[max(start - first, 0) : stop - first]


def _each(act: Callable[[int, memoryview], bytes], number: int, held: bytearray, count: int, size: int) -> bytes:
    """Take so many whole chunks off what is held, and seal or open each."""
    with memoryview(held) as view:
        done = [act(number + at, view[at * size : (at + 1) * size]) for at in range(count)]
    del held[: count * size]
    return b"".join(done)


def _committed(key: bytes | bytearray, context: bytes, header: bytes) -> _Chunks:
    chunks = _Chunks(key, header[:_SALT], context)
    if not hmac.compare_digest(header[_SALT:], chunks.commitment):
        raise Undecryptable
    return chunks
