"""The content of a document, to be sent: what is said of it, and how to read it, as often as it has to be sent."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

    from api.vocabulary import DocumentType

_BLOCK: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Content:
    """A content. `digest` is its SHA-256; `blocks` reads it from the beginning."""

    media_type: DocumentType
    length: int
    digest: bytes = field(repr=False)
    blocks: Callable[[], Iterator[bytes]] = field(repr=False)

    @classmethod
    def of(cls, content: bytes, media_type: DocumentType) -> Self:
        """A content that is at hand."""
        return cls(media_type, len(content), sha256(content).digest(), lambda: iter((content,)))

    @classmethod
    def of_file(cls, file: Path | str, media_type: DocumentType) -> Self:
        """The content of a file, which is read once now, and again when it is sent; never whole into memory."""
        path, digest, length = Path(file), sha256(), 0
        for block in _blocks(path):
            digest.update(block)
            length += len(block)
        return cls(media_type, length, digest.digest(), lambda: _blocks(path))

    def headers(self) -> tuple[tuple[str, str], ...]:
        """What is said of it in the head of the request (RFC 9530)."""
        return (
            ("Content-Type", str(self.media_type)),
            ("Content-Length", str(self.length)),
            ("Content-Digest", f"sha-256=:{b64encode(self.digest).decode()}:"),
        )


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block
