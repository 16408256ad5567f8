"""A file to the recipient's eyes only: what streams, and is too large to be sealed whole (`api.crypto.jwe`).

    release := JWE | 0x0A | stream

The JWE, to the recipient's key, holds {"cipher", "key", "mediaType"} in JSON. Of a document also "documentId", so that
nobody in between can pass it off as another; where we send it "start", the place in the file at which it begins; where
we are the recipient "digest", the SHA-256 of the file. The stream is C2SP chunked-encryption (`api.crypto.stream`)
under that key, which is made for it alone; its context is the JWE, so that neither fits another.

Who opens it sees true beginnings only, and at the end whether it was whole.
"""

from __future__ import annotations

import os
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import orjson

from api.crypto import jwe, stream, unsealing
from api.errors import Undecryptable

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Mapping

    from api.crypto.inbox import Inbox
    from api.crypto.jwe import Recipient

MEDIA_TYPE: Final = "application/vnd.ketenbrug.sealed-stream"
CIPHER: Final = "c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM"
LINE_MOST: Final = 4_096
"""Bytes of the JWE in a release to us, at most."""

_B64_32: Final = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Release:
    """A release to us whose JWE was opened. `document`: the id of what it is sent for. `digest`: of all of the file."""

    media_type: str
    document: str
    digest: bytes = field(repr=False)
    key: bytes = field(repr=False)
    line: bytes = field(repr=False)

    def __reduce__(self) -> str:
        raise TypeError("keys are not serialised")

    def opened(self, blocks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """The file, of the stream behind the line. Raises `Undecryptable`, at the latest at its end."""
        return stream.open_all(self.key, self.line, blocks)


async def sealed(
    to: Recipient, blocks: AsyncIterable[bytes], media_type: str, says: Mapping[str, str | int] | None = None
) -> AsyncIterator[bytes]:
    """Seal a file of this media type that comes in blocks of any size. `says`: what else the JWE holds."""
    key = os.urandom(32)
    text = {"cipher": CIPHER, "key": urlsafe_b64encode(key).rstrip(b"=").decode(), "mediaType": media_type}
    opening = jwe.sealed(to, orjson.dumps({**text, **(says or {})}))
    yield opening + b"\n"
    async for part in stream.seal(key, opening, blocks):
        yield part


def received(line: bytes, inbox: Inbox, at: float) -> Release:
    """Open the JWE of a release to us. Raises `Undecryptable`."""
    try:
        told = orjson.loads(unsealing.opened(line, inbox, at))
        if told["cipher"] != CIPHER:
            raise Undecryptable
        key, digest = _bytes(told["key"]), _bytes(told["digest"])
        return Release(str(told["mediaType"]), str(told["documentId"]), digest, key, line)
    except (ValueError, KeyError, TypeError):
        raise Undecryptable from None


def _bytes(text: str) -> bytes:
    if _B64_32.fullmatch(text) is None:
        raise ValueError("32 bytes in base64url")
    return urlsafe_b64decode(text + "=")
