"""The values of cases."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from api.cases import terms
from api.consent.model import day_of
from api.vocabulary import EmergencyReviewState

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from api.consent.model import Situation
    from api.vocabulary import (
        AdmissionCheckId,
        AdmissionResult,
        CareFunction,
        CaseId,
        Criterion,
        CriterionAnswer,
        EmergencyId,
        EmergencyOutcome,
        EmergencyReason,
        LeavingReason,
        Municipality,
        OrganisationId,
        PersonAlias,
        PersonId,
    )


@dataclass(frozen=True, slots=True)
class Assignment:
    """An organisation assigned to a case in one function, from an instant on."""

    organisation_id: OrganisationId
    function: CareFunction
    from_at: datetime


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What is known of a case without opening anything."""

    id: CaseId
    person: PersonId
    alias: PersonAlias
    municipality: Municipality
    with_status: bool
    opened_by: OrganisationId
    opened_at: datetime
    closed_date: date | None
    leaving_reason: LeavingReason | None
    version: int
    assignments: tuple[Assignment, ...]
    has_v_number: bool

    def functions_of(self, organisation: OrganisationId) -> frozenset[CareFunction]:
        """In which functions an organisation is assigned now."""
        return frozenset(each.function for each in self.assignments if each.organisation_id == organisation)


@dataclass(frozen=True, slots=True)
class Case:
    """A case as its own parties see it."""

    id: CaseId
    person_id: PersonId
    municipality: Municipality
    v_number: str | None = field(repr=False)
    with_status: bool
    opened_at: datetime
    closed_date: date | None
    leaving_reason: LeavingReason | None
    assignments: tuple[Assignment, ...]
    version: int


@dataclass(frozen=True, slots=True)
class CaseSummary:
    """A case in a list, with whom it is about for the log."""

    id: CaseId
    person: PersonId
    alias: PersonAlias
    municipality: Municipality
    opened_at: datetime
    closed_date: date | None


@dataclass(frozen=True, slots=True)
class Finding:
    """What IND answers on one criterion."""

    criterion: Criterion
    answer: CriterionAnswer


@dataclass(frozen=True, slots=True)
class AdmissionFacts:
    """An admission check without what is sealed, and the situation of the caller around it."""

    id: AdmissionCheckId
    asked_by: OrganisationId
    addressee: OrganisationId
    asked_at: datetime
    answered_at: datetime | None
    result: AdmissionResult | None
    review_date: date | None
    decided_at: datetime | None
    version: int
    situation: Situation


@dataclass(frozen=True, slots=True)
class AdmissionCheck:
    """An admission check as far as the caller may see it."""

    id: AdmissionCheckId
    case_id: CaseId
    asked_at: datetime
    answered_at: datetime | None
    findings: tuple[Finding, ...] | None = field(repr=False)
    result: AdmissionResult | None
    conditions: str | None = field(repr=False)
    review_date: date | None
    decided_at: datetime | None
    v_number: str | None = field(repr=False)
    version: int


REVIEWERS: Final = 2
"""How many people of supervision look at an emergency."""
_REVIEW_DAYS: Final = 2
"""Working days within which they do."""


@dataclass(frozen=True, slots=True)
class EmergencyReview:
    """What one person of supervision found of an emergency, with the number of their file."""

    organisation: OrganisationId
    reviewer: str
    outcome: EmergencyOutcome
    reference: str
    reviewed_at: datetime


@dataclass(frozen=True, slots=True)
class Named:
    """What an emergency says of somebody: of whom it is, the number of the file of the NGO, who declared it."""

    person: PersonId
    alias: PersonAlias
    reference: str
    actor: str


@dataclass(frozen=True, slots=True)
class DeclaredEmergency:
    """An emergency (noodprocedure): who declared it, why, until when. Of who was erased nobody is named."""

    id: EmergencyId
    case_id: CaseId
    organisation: OrganisationId
    reason: EmergencyReason
    declared_at: datetime
    ends_at: datetime
    named: Named | None
    reviews: tuple[EmergencyReview, ...] = ()

    @property
    def whom(self) -> Mapping[PersonId, PersonAlias]:
        """Of whom it is, for the entry; nobody, once they were erased."""
        return {} if self.named is None else {self.named.person: self.named.alias}

    @property
    def due_on(self) -> date:
        """The last day of the term for its review."""
        return terms.due_on(day_of(self.declared_at), _REVIEW_DAYS)

    @property
    def state(self) -> EmergencyReviewState:
        """Where its review stands."""
        if len(self.reviews) < REVIEWERS:
            return EmergencyReviewState.OPEN
        agreed = len({each.outcome for each in self.reviews}) == 1
        return EmergencyReviewState.REVIEWED if agreed else EmergencyReviewState.DISPUTED

    def overdue(self, now: datetime) -> bool:
        """Whether the term for its review was let pass."""
        ended = None if self.state is EmergencyReviewState.OPEN else max(each.reviewed_at for each in self.reviews)
        return terms.overdue(self.due_on, ended, now)

    def reviewed_by(self, organisation: OrganisationId, reviewer: str) -> bool:
        """Whether this person has reviewed it."""
        return any((each.organisation, each.reviewer) == (organisation, reviewer) for each in self.reviews)
