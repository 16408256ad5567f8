"""The values of emergencies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from api.cases import terms
from api.consent.model import day_of
from api.vocabulary import EmergencyReviewState, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from api.vocabulary import (
        CaseId,
        EmergencyId,
        EmergencyOutcome,
        EmergencyReason,
        OrganisationId,
        PersonAlias,
        PersonId,
    )

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

    def unreviewable(self, organisation: OrganisationId, reviewer: str, now: datetime) -> Reason | None:
        """Why this person cannot review it now; None when they can: it is over, two do, and nobody twice."""
        if self.ends_at > now:
            return Reason.WRONG_STATE
        said = any((each.organisation, each.reviewer) == (organisation, reviewer) for each in self.reviews)
        return Reason.OWN_REVIEW if said or len(self.reviews) == REVIEWERS else None
