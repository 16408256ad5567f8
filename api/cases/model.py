"""The values of cases."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime

    from api.consent.model import Situation
    from api.vocabulary import (
        AdmissionCheckId,
        AdmissionResult,
        CareFunction,
        CaseId,
        Criterion,
        CriterionAnswer,
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
