"""A content on its way in: sealed as it comes, and stored in parts that nobody can read until a document names them.

    (1) a key of its own, which exists only here until the document's row takes it in, sealed to the person
    (2) each part is a transaction of its own: no connection is held while the sender is slow
    (3) length, digest and kind are known when the last byte has come

A part holds 32 chunks of the stream; its head stays with the key. What breaks off leaves parts of no document: they go
at once if we live, and within the hour if we do not (`document_store.collect`).
"""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import uuid_utils.compat as uuid_utils

from api.crypto import stream
from api.dossiers import document_store as store
from api.dossiers.document_keys import Secret, context
from api.dossiers.kinds import Look

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable
    from uuid import UUID

    from api.dossiers.model import Announced, DocumentFacts
    from api.storage.unit import Unit

    Units = Callable[[], Unit]


@dataclass(frozen=True, slots=True)
class Taken:
    """A content that came whole and as announced."""

    upload: UUID
    length: int
    secret: Secret = field(repr=False)


class Upload:
    """One attempt."""

    def __init__(self, facts: DocumentFacts, units: Units) -> None:
        self.id: Final = uuid_utils.uuid7()
        self._facts: Final = facts
        self._units: Final = units
        self._key: Final = os.urandom(32)
        self._digest: Final[Any] = sha256()
        self._look: Final = Look(facts.media_type)
        self._length = 0

    async def take(self, blocks: AsyncIterable[bytes], announced: Announced) -> Taken | None:
        """Take it in; None when it is not what was announced."""
        place = context(self._facts.id, self._facts.request.situation.person, self.id)
        sealed = stream.seal(self._key, place, self._seen(blocks))
        head = await anext(sealed)
        held, number = bytearray(), 0
        async for block in sealed:
            held += block
            while len(held) >= store.PART:
                await self._store(number, bytes(held[: store.PART]))
                del held[: store.PART]
                number += 1
        if not self._is(announced):
            return None
        await self._store(number, bytes(held))
        return Taken(self.id, self._length, Secret(self._key, head, announced.digest))

    async def discard(self) -> None:
        """Leave nothing behind."""
        unit = self._units()
        try:
            await store.discard(unit, self.id)
            await unit.finish()
        except BaseException:
            await unit.abort()
            raise

    async def _seen(self, blocks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        async for block in blocks:
            self._length += len(block)
            self._digest.update(block)
            self._look.at(block)
            yield block

    def _is(self, announced: Announced) -> bool:
        whole = announced.length is None or announced.length == self._length
        return whole and hmac.compare_digest(self._digest.digest(), announced.digest) and self._look.fits

    async def _store(self, number: int, content: bytes) -> None:
        unit = self._units()
        try:
            await store.add_part(unit, self.id, number, content)
            await unit.finish()
        except BaseException:
            await unit.abort()
            raise
