"""The values of agreements as they are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from api.vocabulary import AgreementId, AgreementKind, Municipality, OrganisationId, Party


@dataclass(frozen=True, slots=True)
class PartyState:
    """A party of a version, and whether its signature stands."""

    organisation_id: OrganisationId
    slot: Party
    director: bool
    signed_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class AgreementVersion:
    """A version of an agreement, whole: `digest` is the SHA-256 of the canonical bytes that the parties sign."""

    id: AgreementId
    version: int
    kind: AgreementKind
    municipality: Municipality
    valid_from: date
    valid_until: date | None
    digest: bytes
    document: Mapping[str, Any]
    parties: tuple[PartyState, ...]
