"""Wire types of agreements (gegevensdelingsafspraak)."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints

from api.schemas.base import Day, Instant, Wire
from api.schemas.cases import OptionalDay
from api.vocabulary import AgreementKind, Municipality, Party


class NewAgreement(Wire):
    """A version of an agreement to take in: readable JSON that a data protection officer can compare."""

    document: dict[str, Any] = Field(description="As docs/agreements.md describes it, member by member.")


class NewSignature(Wire):
    """A party's signature of a version."""

    version: Annotated[int, Field(ge=1, le=10_000)]
    signature: Annotated[str, StringConstraints(max_length=4_000)] = Field(
        description="Detached JWS (RFC 7515 appendix F) over the canonical bytes of the document."
    )


class AgreementParty(Wire):
    """A party of a version, and whether its signature stands."""

    organisation_id: UUID
    slot: Party
    director: bool = Field(description="Regievoerder.")
    signed_at: Instant | None = None
    revoked_at: Instant | None = None


class Agreement(Wire):
    """A version of an agreement."""

    id: UUID
    version: int
    kind: AgreementKind
    municipality: Municipality
    valid_from_date: Day
    valid_until_date: OptionalDay = None
    digest: str = Field(description="SHA-256 of the canonical bytes that the parties sign, in hexadecimal.")
    document: dict[str, Any]
    parties: tuple[AgreementParty, ...]
