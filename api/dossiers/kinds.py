"""Whether a content begins as one of its kind does. It is looked at as it comes, and not kept.

A name and a `Content-Type` are what somebody says. What is sent as a PDF and is none is not taken in; this is no search
for malware, which is the reader's.
"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Final

from api.vocabulary import DocumentType

if TYPE_CHECKING:
    from collections.abc import Mapping

_BEGINNINGS: Final[Mapping[DocumentType, tuple[bytes, ...]]] = {
    DocumentType.PDF: (b"%PDF-",),
    DocumentType.JPEG: (b"\xff\xd8\xff",),
    DocumentType.PNG: (b"\x89PNG\r\n\x1a\n",),
    DocumentType.TIFF: (b"II*\x00", b"MM\x00*"),
}
_LOOKED_AT: Final = 8


class Look:
    """Looks at one content. A text is UTF-8 without NUL from its beginning to its end."""

    __slots__ = ("_decoder", "_head", "_kind", "_legible")

    def __init__(self, kind: DocumentType) -> None:
        self._kind: Final = kind
        self._head = b""
        self._legible = True
        self._decoder: Final = codecs.getincrementaldecoder("utf-8")()

    def at(self, block: bytes) -> None:
        """Look at what comes next."""
        self._head += block[: _LOOKED_AT - len(self._head)]
        if self._kind is DocumentType.TEXT and self._legible:
            self._legible = self._reads(block, final=False)

    @property
    def fits(self) -> bool:
        """Whether all of it, now that it ended, is of its kind; of nothing at all there is no kind."""
        if self._kind is DocumentType.TEXT:
            return bool(self._head) and self._legible and self._reads(b"", final=True)
        return self._head.startswith(_BEGINNINGS[self._kind])

    def _reads(self, block: bytes, *, final: bool) -> bool:
        try:
            self._decoder.decode(block, final)
        except UnicodeDecodeError:
            return False
        return b"\x00" not in block
