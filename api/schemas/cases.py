"""Wire types of cases (casus), assignments and admission checks."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field, WithJsonSchema

from api.schemas.base import Day, Instant, LongText, VNumber, Wire
from api.vocabulary import AdmissionResult, CareFunction, Criterion, CriterionAnswer, LeavingReason, Municipality

OptionalDay = Annotated[Day | None, WithJsonSchema({"type": ["string", "null"], "format": "date"})]


class NewCase(Wire):
    """A case to open."""

    municipality: Municipality
    v_number: VNumber | None = Field(default=None, description="May be absent at intake.")
    functions: tuple[CareFunction, ...] = Field(
        min_length=1, max_length=7, description="In which functions the opening organisation is assigned."
    )
    with_status: bool = Field(default=True, description="Whether the person has LVV status.")


class Assignment(Wire):
    """An organisation that is assigned to a case, in one function."""

    organisation_id: UUID
    function: CareFunction
    from_at: Instant


class NewAssignment(Wire):
    """An assignment to make."""

    organisation_id: UUID
    function: CareFunction


class Case(Wire):
    """A case (casus): one person's participation in one municipality."""

    id: UUID
    person_id: Annotated[
        UUID,
        Field(description="What your organisation knows the person (vreemdeling) by; others know them by another id."),
    ]
    municipality: Municipality
    v_number: VNumber | None
    with_status: bool
    opened_at: Instant
    closed_date: OptionalDay = None
    leaving_reason: LeavingReason | None = None
    assignments: tuple[Assignment, ...]
    version: int


class CaseSummary(Wire):
    """A case in a list: nothing sealed is opened for it."""

    id: UUID
    municipality: Municipality
    opened_at: Instant
    closed_date: OptionalDay = None


class CaseSearch(Wire):
    """Look up by V-number; never in a URL."""

    v_number: VNumber


class Closure(Wire):
    """The end of a case."""

    closed_date: Day
    leaving_reason: LeavingReason


class NewAdmissionCheck(Wire):
    """Ask IND whether the person belongs to the target group. No documents are exchanged."""

    case_id: UUID
    addressee_id: UUID = Field(description="The IND organisation that is asked.")


class CriterionFinding(Wire):
    """What IND answers on one criterion."""

    criterion: Criterion
    answer: CriterionAnswer


class AdmissionAnswers(Wire):
    """IND's answers, one per criterion; all of them."""

    findings: tuple[CriterionFinding, ...] = Field(min_length=len(Criterion), max_length=len(Criterion))


class AdmissionDecision(Wire):
    """How the municipality decides; an exception after discussion in the local case meeting (casusoverleg)."""

    result: AdmissionResult
    conditions: LongText | None = Field(default=None, description="Required for an admission by exception.")
    review_date: OptionalDay = None


class AdmissionCheck(Wire):
    """An admission check (toets op de doelgroep)."""

    id: UUID
    case_id: UUID
    asked_at: Instant
    answered_at: Instant | None = None
    findings: tuple[CriterionFinding, ...] | None = None
    result: AdmissionResult | None = None
    conditions: LongText | None = None
    review_date: OptionalDay = None
    decided_at: Instant | None = None
    v_number: VNumber | None = Field(default=None, description="Only to IND, that needs it to answer.")
    version: int
