"""Wire types of persons: the account of disclosures."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from api.schemas.audit import Index
from api.schemas.base import Instant, Wire


class ConsentAtThatTime(Wire):
    """A consent that carried a disclosure (toestemming), in the version that it had then."""

    id: UUID
    version: int


class Disclosure(Wire):
    """One access to a person's file (verstrekking). What was in it is not repeated here."""

    index: Index
    disclosed_at: Instant | None
    action: Annotated[str, Field(description="The operation.", examples=["dossiers.read"])]
    organisation_id: UUID | None
    organisation_name: Annotated[str | None, Field(description="Who saw it.", examples=["IND (sandbox)"])]
    purpose: Annotated[str | None, Field(description="Why (doel), as declared; none where a party read its own.")]
    grounds: Annotated[tuple[str, ...], Field(description="On which legal ground (grondslag).")]
    consents: tuple[ConsentAtThatTime, ...]
    categories: Annotated[tuple[str, ...], Field(description="What was shown (gegevenscategorie).")]
    shown: Annotated[
        bool, Field(description="False when showing it failed after it was written down: then nothing left.")
    ]
