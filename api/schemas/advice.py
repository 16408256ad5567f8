"""Wire types of advice requests and advice (advies). Advice is no decision: it has no legal effect."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, TypeAdapter

from api.schemas.base import Instant, LongText, ShortText, VNumber, Wire
from api.schemas.cases import OptionalDay
from api.vocabulary import AdviceAnswer, Purpose


class NewAdviceRequest(Wire):
    """Ask IND, DT&V or AVIM for advice. The purpose tells which: residence, return or identity."""

    case_id: UUID
    addressee_id: UUID
    purpose: Literal["residence-advice", "return-advice", "identity-advice"]
    question: LongText
    screening_outcome_id: UUID | None = Field(
        default=None,
        description="The outcome that goes with the question: one of yours in this case, shared with the addressee.",
    )


class AdviceRequest(Wire):
    """An advice request (adviesvraag) as far as the caller may see it."""

    id: UUID
    case_id: UUID
    requester_id: UUID
    addressee_id: UUID
    purpose: Purpose
    requested_at: Instant
    due_date: OptionalDay = None
    overdue: bool
    question: LongText | None = None
    screening_outcome_id: UUID | None = None
    v_number: VNumber | None = None
    advice_id: UUID | None = None
    version: int


class AdviceRequestSummary(Wire):
    """An advice request in a list."""

    id: UUID
    case_id: UUID
    purpose: Purpose
    requested_at: Instant
    due_date: OptionalDay = None
    answered: bool


class ResidenceAdvice(Wire):
    """IND: the residence perspective (verblijfsperspectief)."""

    kind: Literal["residence"]
    perspective: Literal["none-seen", "possible", "likely"]
    routes: tuple[ShortText, ...] = Field(default=(), max_length=10)


class ReturnAdvice(Wire):
    """DT&V: the possibilities of return (terugkeermogelijkheden)."""

    kind: Literal["return"]
    possible: Literal["yes", "no", "with-cooperation", "unknown"]
    obstacles: tuple[ShortText, ...] = Field(default=(), max_length=10)


class IdentityAdvice(Wire):
    """AVIM: identity and nationality, with the source of each statement."""

    kind: Literal["identity"]
    established: Literal["established", "plausible", "not-established"]
    source: ShortText


Body = Annotated[ResidenceAdvice | ReturnAdvice | IdentityAdvice, Field(discriminator="kind")]


BODY: TypeAdapter[ResidenceAdvice | ReturnAdvice | IdentityAdvice] = TypeAdapter(Body)


class NewAdvice(Wire):
    """The answer to an advice request."""

    advice_request_id: UUID
    answer: AdviceAnswer
    summary: LongText = Field(description="In plain language: the person reads it.")
    body: Body | None = Field(default=None, description="Required when the answer is advice.")
    valid_until_date: OptionalDay = None


class Advice(Wire):
    """An advice (advies) as far as the caller may see it."""

    id: UUID
    advice_request_id: UUID
    case_id: UUID
    author_id: UUID
    answer: AdviceAnswer
    given_at: Instant
    summary: LongText
    body: Body | None = None
    valid_until_date: OptionalDay = None
