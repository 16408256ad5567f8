"""What opens the content of one document: stored in its row, sealed under the key of the person (`api.crypto.vault`).

So a new key of the person costs a row and no content, and whoever erases the person makes the content noise.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from api.vocabulary import DocumentId, PersonId


@dataclass(frozen=True, slots=True)
class Secret:
    """The key (32 bytes) and the head of the stream (salt, commitment), and the SHA-256 of the content."""

    key: bytes = field(repr=False)
    head: bytes = field(repr=False)
    digest: bytes = field(repr=False)

    def __reduce__(self) -> str:
        raise TypeError("keys are not serialised")

    def stored(self) -> dict[str, str]:
        """As it is sealed."""
        values = {"key": self.key, "head": self.head, "digest": self.digest}
        return {name: b64encode(value).decode() for name, value in values.items()}

    @classmethod
    def read(cls, stored: Mapping[str, str]) -> Secret:
        """As it was opened."""
        return cls(*(b64decode(stored[name]) for name in ("key", "head", "digest")))


def context(document: DocumentId, person: PersonId, upload: UUID) -> bytes:
    """The place that a stream is bound to: this attempt, of this document, of this person."""
    return b"ketenbrug/document/1" + document.bytes + person.bytes + upload.bytes
