"""A content on its way out: opened as it is read, some parts at a time, each on a connection that is borrowed anew.

What leaves was authenticated, in its place: a part that is gone, changed, or another's ends it (`Undecryptable`), and
so does the erasure of the person meanwhile. Whoever serves it then breaks the answer off.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from api.crypto import stream
from api.dossiers import document_store as store
from api.dossiers.document_keys import context
from api.errors import Undecryptable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from api.dossiers.document_keys import Secret
    from api.dossiers.model import DocumentFacts
    from api.dossiers.uploads import Units
    from api.vocabulary import DocumentType

_AT_ONCE: Final = 16 * stream.CHUNK
"""Bytes that leave in one piece."""


@dataclass(frozen=True, slots=True)
class Content:
    """A content that may be read now: by whom, and that it was, is written down."""

    facts: DocumentFacts
    upload: UUID
    length: int
    secret: Secret = field(repr=False)

    @property
    def kind(self) -> DocumentType:
        """What it is."""
        return self.facts.media_type

    async def read(self, units: Units, start: int, stop: int) -> AsyncIterator[bytes]:
        """The bytes from `start` up to `stop`. Raises `Undecryptable`."""
        place = context(self.facts.id, self.facts.request.situation.person, self.upload)
        parts = _Parts(self, units)
        held = bytearray()
        async for text in stream.open_range(self.secret.key, place, parts.read, start, stop):
            held += text
            if len(held) >= _AT_ONCE:
                yield bytes(held)
                held.clear()
        if held:
            yield bytes(held)


class _Parts:
    """The stream by position; the part that was read last is kept."""

    __slots__ = ("_content", "_kept", "_number", "_units")

    def __init__(self, content: Content, units: Units) -> None:
        self._content: Final = content
        self._units: Final = units
        self._number = -1
        self._kept = b""

    async def read(self, at: int, length: int) -> bytes:
        """So many bytes of the stream: its head, or a chunk. Chunks do not lie across parts."""
        if at < stream.HEADER:
            return self._content.secret.head
        number, begin = divmod(at - stream.HEADER, store.PART)
        if number != self._number:
            self._kept, self._number = await self._part(number), number
        return self._kept[begin : begin + length]

    async def _part(self, number: int) -> bytes:
        unit = self._units()
        try:
            found = await store.part(unit, self._content.facts.id, self._content.upload, number)
        finally:
            await unit.finish()
        if found is None:
            raise Undecryptable
        return found
