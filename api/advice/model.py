"""The values of advice requests and advice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from api.cases import terms
from api.vocabulary import DataCategory, Party, Purpose

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from api.consent.model import Situation
    from api.vocabulary import (
        AdviceAnswer,
        AdviceId,
        AdviceRequestId,
        CaseId,
        OrganisationId,
        PersonAlias,
        PersonId,
        ScreeningOutcomeId,
    )

ADVISES: Final = {
    Purpose.RESIDENCE_ADVICE: Party.IND,
    Purpose.RETURN_ADVICE: Party.DTV,
    Purpose.IDENTITY_ADVICE: Party.AVIM,
}
"""Who advises on what."""

BODY_KIND: Final = {Party.IND: "residence", Party.DTV: "return", Party.AVIM: "identity"}


@dataclass(frozen=True, slots=True)
class NewRequest:
    """A question to an authority."""

    case_id: CaseId
    addressee: OrganisationId
    purpose: Purpose
    question: str = field(repr=False)
    outcome_id: ScreeningOutcomeId | None


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """A request without what is sealed, and the situation of the caller around it."""

    id: AdviceRequestId
    requester: OrganisationId
    addressee: OrganisationId
    purpose: Purpose
    outcome_id: ScreeningOutcomeId | None
    requested_at: datetime
    due_on: date | None
    answered_at: datetime | None
    advice_id: AdviceId | None
    version: int
    situation: Situation

    @property
    def question_category(self) -> DataCategory:
        """Which category the question belongs to: AVIM is asked on identity alone."""
        if self.purpose is Purpose.IDENTITY_ADVICE:
            return DataCategory.IDENTITY
        return DataCategory.SHARED_OUTCOME

    @property
    def asked(self) -> frozenset[DataCategory]:
        """Which categories the addressee is to see: what the question belongs to, and whom it is about."""
        return frozenset({self.question_category, DataCategory.IDENTITY})

    def overdue(self, now: datetime) -> bool:
        """Whether the agreed term was let pass; computed, never stored."""
        return terms.overdue(self.due_on, self.answered_at, now)


@dataclass(frozen=True, slots=True)
class Request:
    """A request as far as the caller may see it."""

    facts: RequestFacts
    overdue: bool
    question: str | None = field(default=None, repr=False)
    v_number: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class RequestSummary:
    """A request in a list, with whom it is about for the log."""

    id: AdviceRequestId
    case_id: CaseId
    purpose: Purpose
    requested_at: datetime
    due_on: date | None
    answered: bool
    person: PersonId
    alias: PersonAlias


@dataclass(frozen=True, slots=True)
class NewAdvice:
    """An answer to a request. `body` is a JSON value in wire names; None when there is no advice."""

    request_id: AdviceRequestId
    answer: AdviceAnswer
    summary: str = field(repr=False)
    body: Mapping[str, Any] | None = field(repr=False)
    valid_until: date | None


@dataclass(frozen=True, slots=True)
class AdviceFacts:
    """An advice without what is sealed, and the situation of the caller around it.

    `seals`: the digest of its seal, by row, as the log names it.
    """

    id: AdviceId
    request_id: AdviceRequestId
    author: OrganisationId
    requester: OrganisationId
    purpose: Purpose
    answer: AdviceAnswer
    valid_until: date | None
    given_at: datetime
    situation: Situation
    seals: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Advice:
    """An advice as far as the caller may see it."""

    facts: AdviceFacts
    summary: str = field(repr=False)
    body: Mapping[str, Any] | None = field(repr=False)


class Listed(NamedTuple):
    """A page of advice that the caller may see, and whether there is more."""

    rows: list[Advice]
    more: bool
