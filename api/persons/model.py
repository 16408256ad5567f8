"""Values of persons: who they are to the log and the vault, and what is left when one was erased."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from api.vocabulary import ErasureGround, PersonAlias, PersonId


@dataclass(frozen=True, slots=True)
class Person:
    """A person as the log and the vault know them."""

    id: PersonId
    alias: PersonAlias


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was destroyed, for whoever must show it. It does not say whose it was.

    `key_digest`: SHA-256 of the wrapped key that is gone. `kek`: the key-encryption key whose epoch must end before no
    backup holds it either.
    """

    id: UUID
    erased_at: datetime
    ground: ErasureGround
    kek: str
    key_version: int
    key_digest: bytes
