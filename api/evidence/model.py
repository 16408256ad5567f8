"""The values of evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

FIELDS: Final = ("signedPayload",)
"""What the log calls it, in each category that the body may hold something of."""


@dataclass(frozen=True, slots=True)
class Kept:
    """That there is evidence of a thing. `seals`: the digest of its seal, by row, as the log names it."""

    id: UUID
    seals: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Evidence:
    """A body as it came, and the signature over it, with the public key that was registered then (a JWK)."""

    body: str = field(repr=False)
    digest: str = field(repr=False)
    signature: str = field(repr=False)
    key: Mapping[str, str]
    signed_at: datetime
