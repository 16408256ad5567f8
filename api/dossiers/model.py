"""The values of dossiers and requests for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from api.cases import terms
from api.consent import emergency
from api.vocabulary import DocumentState, DossierRequestState, Purpose, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime
    from uuid import UUID

    from api.consent.model import Granted, Situation
    from api.principal import Organisation
    from api.vocabulary import (
        CaseId,
        DataCategory,
        DocumentId,
        DocumentType,
        DocumentWithdrawalReason,
        DossierId,
        DossierRequestId,
        MissingReason,
        OrganisationId,
        PersonAlias,
        PersonId,
        RequestRefusalReason,
    )

ENDED = frozenset({DossierRequestState.COMPLETE, DossierRequestState.REFUSED, DossierRequestState.CANCELLED})
RUNNING = frozenset(DossierRequestState) - ENDED


@dataclass(frozen=True, slots=True)
class NewRequest:
    """What an NGO asks of a supplier."""

    case_id: CaseId
    supplier_id: OrganisationId
    purpose: Purpose
    categories: frozenset[DataCategory]
    proportionality_note: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """A request without what is sealed, and the situation around it for whoever asks."""

    id: DossierRequestId
    case_id: CaseId
    requester: OrganisationId
    supplier: OrganisationId
    purpose: Purpose
    categories: frozenset[DataCategory]
    state: DossierRequestState
    requested_at: datetime
    working_days: int | None
    due_on: date | None
    ended_at: datetime | None
    refusal_reason: RequestRefusalReason | None
    missing: Mapping[DataCategory, MissingReason]
    dossier_id: DossierId | None
    version: int
    situation: Situation

    def open_to(self, caller: Organisation, purpose: Purpose | None, now: datetime) -> frozenset[DataCategory]:
        """The categories that a caller may ask of what was delivered; none: to it there is nothing at all.

        They are there for who asked for them and who supplied them, and in its emergency, as far as they save a life,
        for whoever cares for the person.
        """
        if caller.id in {self.requester, self.supplier}:
            return self.categories
        urgent = purpose is Purpose.EMERGENCY and emergency.carrying(self.situation, caller, now) is not None
        return self.categories & emergency.LIFE_SAVING if urgent else frozenset()

    def hindrance(self, categories: Sequence[DataCategory], agreed: frozenset[DataCategory]) -> Reason | None:
        """Why nothing of these may come from the supplier now; None when each was asked for, is agreed, and comes once.

        `agreed`: what is so today. An agreement that has ended takes nothing in, not even that nothing more will come.
        """
        if self.state not in RUNNING:
            return Reason.WRONG_STATE
        if len(categories) != len(set(categories)) or not self.categories.issuperset(categories):
            return Reason.NOT_ASKED
        return None if agreed and agreed.issuperset(categories) else Reason.NO_AGREEMENT

    def overdue(self, now: datetime) -> bool:
        """Whether the agreed delivery term was let pass; computed, never stored."""
        return terms.overdue(self.due_on, self.ended_at, now)


@dataclass(frozen=True, slots=True)
class Request:
    """A request as far as the caller may see it."""

    facts: RequestFacts
    overdue: bool
    v_number: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class RequestSummary:
    """A request in a list, with whom it is about for the log."""

    id: DossierRequestId
    case_id: CaseId
    state: DossierRequestState
    requested_at: datetime
    due_on: date | None
    overdue: bool
    person: PersonId
    alias: PersonAlias


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a dossier, opened."""

    category: DataCategory
    content: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a supplier delivers at once."""

    sections: tuple[Section, ...]
    complete: bool
    missing: Mapping[DataCategory, MissingReason]

    @property
    def categories(self) -> tuple[DataCategory, ...]:
        """Each that it says something of, also when it is told twice."""
        return (*(section.category for section in self.sections), *self.missing)


@dataclass(frozen=True, slots=True)
class DossierFacts:
    """A dossier without its contents: the request it answers, and which fields each section holds.

    `seals`: the digest of the seal over its sections, by row, as the log names it.
    """

    id: DossierId
    version: int
    complete: bool
    request: RequestFacts
    seals: Mapping[str, bytes]

    @property
    def situation(self) -> Situation:
        """What a decision needs."""
        return self.request.situation


@dataclass(frozen=True, slots=True)
class Dossier:
    """A dossier as far as the caller may see it."""

    facts: DossierFacts
    purpose: Purpose | None
    sections: tuple[Section, ...]
    withheld: Mapping[DataCategory, Reason]


@dataclass(frozen=True, slots=True)
class ManifestLine:
    """What became of one asked section; `fields` counts only for what the caller may open."""

    category: DataCategory
    status: str
    fields: int | None = None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be permitted and what withheld."""

    granted: Mapping[DataCategory, Granted | None]
    withheld: Mapping[DataCategory, Reason]


@dataclass(frozen=True, slots=True)
class NewDocument:
    """What a supplier announces: its title is about the person, and sealed."""

    category: DataCategory
    media_type: DocumentType
    title: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Announced:
    """What is said of a content before it comes: kind, length if told, SHA-256; and an HMAC of that, to be kept."""

    media_type: str
    length: int | None
    digest: bytes = field(repr=False)
    fingerprint: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class DocumentFacts:
    """A document of a dossier without what is sealed. `length`, `upload`, `fingerprint` once its content is there."""

    id: DocumentId
    dossier_id: DossierId
    category: DataCategory
    media_type: DocumentType
    added_at: datetime
    stored_at: datetime | None
    length: int | None
    upload: UUID | None
    fingerprint: bytes | None = field(repr=False)
    request: RequestFacts
    seals: Mapping[str, bytes]

    @property
    def state(self) -> DocumentState:
        """Where it stands."""
        return DocumentState.AWAITED if self.stored_at is None else DocumentState.STORED


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """That a document was taken back."""

    reason: DocumentWithdrawalReason
    withdrawn_at: datetime


@dataclass(frozen=True, slots=True)
class Listed:
    """A document in the list of its dossier, opened; of one that was withdrawn only that it was there."""

    id: DocumentId
    category: DataCategory
    media_type: DocumentType
    added_at: datetime
    stored_at: datetime | None
    length: int | None = None
    title: str | None = field(default=None, repr=False)
    withdrawal: Withdrawal | None = None

    @property
    def state(self) -> DocumentState:
        """Where it stands."""
        if self.withdrawal is not None:
            return DocumentState.WITHDRAWN
        return DocumentState.AWAITED if self.stored_at is None else DocumentState.STORED
