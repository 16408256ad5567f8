"""A file to the recipient's eyes only: what streams, and is too large to be sealed whole (`api.crypto.jwe`).

    release := JWE | 0x0A | stream

The JWE, to the recipient's key, holds {"cipher", "key", "mediaType"} in JSON. The stream is C2SP chunked-encryption
(`api.crypto.stream`) under that key, which is made for it alone; its context is the JWE, so that neither fits another.

Who opens it sees true beginnings only, and at the end whether it was whole.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Final

import orjson

from api.crypto import jwe, stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator

    from api.crypto.jwe import Recipient

MEDIA_TYPE: Final = "application/vnd.ketenbrug.sealed-stream"
CIPHER: Final = "c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM"


async def sealed(to: Recipient, blocks: AsyncIterable[bytes], media_type: str) -> AsyncIterator[bytes]:
    """Seal a file of this media type that comes in blocks of any size."""
    key = os.urandom(32)
    text = {"cipher": CIPHER, "key": urlsafe_b64encode(key).rstrip(b"=").decode(), "mediaType": media_type}
    opening = jwe.sealed(to, orjson.dumps(text))
    yield opening + b"\n"
    async for part in stream.seal(key, opening, blocks):
        yield part
