"""Wire types of consents (toestemming): what a person was asked, in which words, and what came of it."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints

from api.schemas.base import Instant, ShortText, Wire
from api.vocabulary import (
    CareFunction,
    ConsentEventKind,
    ConsentGiver,
    ConsentKind,
    DataCategory,
    InterpreterKind,
    Purpose,
    ReadingForm,
)

Opaque = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?$")]


class ConsentText(Wire):
    """Exactly which text was shown."""

    id: Opaque
    version: Annotated[int, Field(ge=1, le=10_000)]
    language: Language = Field(description="BCP 47, such as nl, ti or fa-AF.")
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="SHA-256 of the UTF-8 bytes of the text, in hexadecimal."
    )


class ConsentInterpreter(Wire):
    """Who interpreted (tolk): never by name."""

    kind: InterpreterKind
    language: Language
    number: Opaque | None = Field(default=None, description="In the register of sworn interpreters (Rbtv).")
    reason: ShortText | None = Field(default=None, description="Why a relative or fellow resident had to interpret.")


class ConsentEvidence(Wire):
    """How the text reached the person, and who was there. A yes needs all of it; a no needs only the text."""

    text: ConsentText
    reading: ReadingForm
    interpreter: ConsentInterpreter | None = None
    asked: Annotated[int, Field(ge=0, le=20)] = Field(
        default=0, description="Questions of the teach-back; three at least."
    )
    understood: Annotated[int, Field(ge=0, le=20)] = Field(
        default=0, description="How many answers showed understanding."
    )
    present: tuple[Opaque, ...] = Field(default=(), max_length=10, description="The acting persons, as opaque codes.")
    own_code: bool = Field(default=False, description="Whether the person entered their own code.")
    place: ShortText | None = None


class Superseded(Wire):
    """An earlier answer that a new one takes the place of, as it stood when you read it."""

    consent_id: UUID
    version: Annotated[int, Field(ge=1, le=1_000_000)] = Field(description="Its `version`, as you read it.")


class NewConsent(Wire):
    """What a person was asked, and answered. A no is a neutral, recorded outcome."""

    case_id: UUID
    kind: ConsentKind
    purpose: Purpose
    recipient_id: UUID = Field(description="The one organisation that may receive.")
    function: CareFunction | None = Field(default=None, description="In which function, for an NGO; absent for others.")
    categories: tuple[DataCategory, ...] = Field(min_length=1, max_length=len(DataCategory))
    given: bool = Field(description="The answer: yes or no.")
    given_by: ConsentGiver
    valid_until_at: Instant
    evidence: ConsentEvidence
    supersedes: tuple[Superseded, ...] = Field(
        default=(),
        max_length=20,
        description="Earlier answers to the same question that this one takes the place of; a yes names each no.",
    )


class Reconfirmation(Wire):
    """The person still means it (herbevestiging): with evidence as for a new yes."""

    valid_until_at: Instant
    evidence: ConsentEvidence


class Invalidation(Wire):
    """The record of a yes was made in error (ongeldigverklaring)."""

    reason: ShortText = Field(description="What went wrong with the record.")


class Withdrawal(Wire):
    """Taking a consent back (intrekking). It needs no reason and no evidence."""

    note: ShortText | None = None


class ConsentEvent(Wire):
    """Something that happened to a consent."""

    kind: ConsentEventKind
    at: Instant


class ConsentReceipt(Wire):
    """What the person gets in hand (ontvangstbewijs): readable, and signed."""

    receipt: dict[str, Any] = Field(description="In the shape of ISO/IEC TS 27560, with the terms of DPV.")
    jws: str = Field(description="The same, as a compact JWS by the key that the service publishes.")


class Consent(Wire):
    """A consent as it stands. Its state is its latest event, or that time or a later answer took its place."""

    id: UUID
    case_id: UUID
    kind: ConsentKind
    purpose: Purpose
    recipient_id: UUID
    function: CareFunction | None
    categories: tuple[DataCategory, ...]
    given_by: ConsentGiver
    state: ConsentEventKind
    valid_from_at: Instant
    valid_until_at: Instant
    events: tuple[ConsentEvent, ...]
    supersedes: tuple[Superseded, ...] = ()
    superseded_categories: tuple[DataCategory, ...] = Field(
        default=(), description="For which of its categories a later answer takes its place."
    )
    version: int
