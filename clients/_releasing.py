"""Sealing a content to a key that the service publishes, while it is sent: a JWE, a line feed, a stream of chunks.

    JWE       to the service's key: the key of the stream, made for it alone; kind and digest of the content, and the
              document that it is of, so that nobody in between can send it as another one
    stream    under that key (`clients._chunks`)

Each attempt to send has a release of its own. Only blocks of it are in memory.
"""

from __future__ import annotations

import json
import os
from base64 import urlsafe_b64encode
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from clients._chunks import CHUNK, CIPHER, MEDIA_TYPE, SALT, Chunks, sealed_length

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from clients._messages import Request
    from clients._sealing import SealingKey
    from clients.documents import Content

_IN_THE_CLEAR: Final = frozenset({"Content-Type", "Content-Length", "Content-Digest"})


def released(request: Request, key: SealingKey, content: Content, document: UUID | None) -> Request:
    """The request with its content as a release, and nothing said of the content but how long that is."""
    secret = os.urandom(32)
    told = {
        "cipher": CIPHER,
        "key": _base64(secret),
        "mediaType": str(content.media_type),
        "digest": _base64(content.digest),
        "documentId": str(document),
    }
    line = key.seal(json.dumps(told).encode()).content
    length = len(line) + 1 + sealed_length(content.length)
    headers = {name: value for name, value in request.headers.items() if name not in _IN_THE_CLEAR}
    headers |= {"Content-Type": MEDIA_TYPE, "Content-Length": str(length)}
    return replace(request, headers=headers, source=lambda: _sent(line, secret, content.blocks()))


def _sent(line: bytes, secret: bytes, blocks: Iterator[bytes]) -> Iterator[bytes]:
    salt = os.urandom(SALT)
    chunks = Chunks(secret, salt, line)
    yield line + b"\n" + salt + chunks.commitment
    held, number = bytearray(), 0
    for block in blocks:
        held += block
        while len(held) >= CHUNK:
            yield chunks.seal(number, bytes(held[:CHUNK]))
            del held[:CHUNK]
            number += 1
    yield chunks.seal(number, bytes(held))


def _base64(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()
