"""Wire types of organisations."""

from __future__ import annotations

from uuid import UUID

from api.schemas.base import Wire
from api.vocabulary import Municipality, Party


class Organisation(Wire):
    """A party of the exchange (organisatie)."""

    id: UUID
    kind: Party
    name: str
    oin: str | None
    municipalities: tuple[Municipality, ...]
    designated: bool


class Organisations(Wire):
    """Every party of the exchange; a short list, never paged."""

    items: tuple[Organisation, ...]
