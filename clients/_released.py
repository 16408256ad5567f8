"""Opening a file that was sealed to a client's own key while it comes: a JWE, a line feed, and a stream of chunks.

    JWE       to the client's key; holds the key of the stream, which is made for it alone
    stream    under that key (`clients._chunks`)

What is written on was authenticated; a file that was cut, or changed, is an error, at the latest at its end.
"""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag

from clients._chunks import CIPHER, HEADER, MEDIA_TYPE, SALT, SEALED, Chunks
from clients.errors import UnexpectedAnswer

if TYPE_CHECKING:
    from uuid import UUID

    from clients._messages import Sink
    from clients._opening import Opener

_OK: Final = 200
_PARTIAL: Final = 206
WITHIN: Final = "content"
"""The unit of a range of what is sealed: bytes of the file within."""
_LINE_MOST: Final = 4_096


class Receiver:
    """Where a file goes as it comes: opened if it is sealed, else as it is."""

    __slots__ = ("_document", "_into", "_opener", "_released", "_start")

    def __init__(self, into: Sink, opener: Opener | None, start: int = 0, document: UUID | None = None) -> None:
        """`start`: the place in the file from which on it is wanted. `document`: which it is to be."""
        self._into = into
        self._opener = opener
        self._start = start
        self._document = document
        self._released: _Released | None = None

    def begin(self, media_type: str, first: int | None) -> Sink:
        """An answer of this media type comes, which begins at a place in the file: what is before `start` is dropped.

        What is sealed says its place within. Raises `UnexpectedAnswer` when it is sealed and there is no key, or begins
        behind where it is wanted.
        """
        self._released = None
        if media_type != MEDIA_TYPE:
            if first is None or first > self._start:
                raise UnexpectedAnswer("the answer does not begin where it was asked", _PARTIAL)
            return _Behind(self._into, self._start - first)
        if self._opener is None:
            raise UnexpectedAnswer(
                "the file is sealed to a key that this client has not: give it as `opening_key`", _OK
            )
        self._released = _Released(self._into, self._opener, self._start, self._document)
        return self._released

    def end(self) -> None:
        """It came to its end. Raises `UnexpectedAnswer` when what came is not whole."""
        if self._released is not None:
            self._released.end()


class _Behind:
    """A sink that drops what comes first: so many bytes."""

    __slots__ = ("_into", "_left")

    def __init__(self, into: Sink, count: int) -> None:
        self._into = into
        self._left = count

    def write(self, data: bytes, /) -> object:
        """Take some more."""
        dropped = min(self._left, len(data))
        self._left -= dropped
        return self._into.write(data[dropped:])


class _Released:
    """A sealed file that is opened into a sink."""

    __slots__ = ("_chunks", "_document", "_held", "_into", "_line", "_number", "_opener", "_start")

    def __init__(self, into: Sink, opener: Opener, start: int, document: UUID | None) -> None:
        self._into = into
        self._opener = opener
        self._start = start
        self._document = None if document is None else str(document)
        self._held = bytearray()
        self._line: bytes | None = None
        self._chunks: Chunks | None = None
        self._number = 0

    def write(self, data: bytes, /) -> object:
        """Take some more, and write on what it completes."""
        self._held += data
        try:
            if self._chunks is None:
                self._begin()
            while self._chunks is not None and len(self._held) >= SEALED:
                self._into.write(self._open(bytes(self._held[:SEALED])))
                del self._held[:SEALED]
        except (ValueError, KeyError, TypeError, InvalidTag):
            raise _broken() from None
        return len(data)

    def end(self) -> None:
        """The last chunk is shorter than the others: without it, the file was cut."""
        try:
            self._into.write(self._open(bytes(self._held)))
        except (ValueError, InvalidTag):
            raise _broken() from None

    def _begin(self) -> None:
        if self._line is None:
            line, found, rest = bytes(self._held).partition(b"\n")
            if len(line) > _LINE_MOST:
                raise ValueError
            if not found:
                return
            self._line, self._held = line, bytearray(rest)
        if len(self._held) < HEADER:
            return
        told = json.loads(self._opener.open(self._line))
        key = urlsafe_b64decode(told["key"] + "=")
        before = self._start - int(told.get("start", 0))
        if told["cipher"] != CIPHER or told.get("documentId") != self._document or before < 0:
            raise ValueError
        self._into = _Behind(self._into, before)
        salt, commitment = bytes(self._held[:SALT]), bytes(self._held[SALT:HEADER])
        chunks = Chunks(key, salt, self._line)
        if not hmac.compare_digest(chunks.commitment, commitment):
            raise ValueError
        self._chunks = chunks
        del self._held[:HEADER]

    def _open(self, chunk: bytes) -> bytes:
        if self._chunks is None:
            raise ValueError
        text = self._chunks.open(self._number, chunk)
        self._number += 1
        return text


def _broken() -> UnexpectedAnswer:
    return UnexpectedAnswer("the sealed file is not whole, or is not for this client", _OK)
