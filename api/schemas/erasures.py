"""Wire types of erasures (vergetelheid)."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from api.schemas.base import Instant, Wire
from api.vocabulary import ErasureGround


class NewErasure(Wire):
    """Erase the person of a case. It cannot be undone."""

    case_id: UUID = Field(description="Any case of the person; all of them lose their content.")
    ground: ErasureGround = Field(description="GDPR article 17(1).")


class Erasure(Wire):
    """Proof that a key was destroyed (bewijs van vernietiging). It does not say whose it was."""

    id: UUID
    erased_at: Instant
    ground: ErasureGround
    key_encryption_key: str = Field(
        description="Once the epoch of this key-encryption key ends, no backup opens either.",
        examples=["file-0a1b2c3d"],
    )
    key_version: int
    key_digest: str = Field(
        description="SHA-256 of the wrapped key that is gone, in hexadecimal: to be compared with an old key table.",
        pattern=r"^[0-9a-f]{64}$",
    )
