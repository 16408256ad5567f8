"""Wire types of screening outcomes (screeningsuitkomst)."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from api.schemas.base import Day, Instant, LongText, ShortText, Wire
from api.vocabulary import NotExplainedReason, Perspective


class SharedOutcome(Wire):
    """What an authority may see: the way forward, the question to it, the next steps."""

    perspective: Perspective
    question: LongText | None = None
    next_steps: tuple[ShortText, ...] = Field(default=(), max_length=20)


class Explanation(Wire):
    """That the outcome was explained to the person, before it crosses to an authority."""

    explained_date: Day
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", description="BCP 47.")]
    explained_by: ShortText = Field(description="Role, not name.")
    reaction: Literal["understood", "contested"]


class NewScreeningOutcome(Wire):
    """The outcome of a legal screening (juridische screening). `legalAnalysis` never crosses to an authority."""

    case_id: UUID
    shared_outcome: SharedOutcome
    legal_analysis: LongText | None = Field(
        default=None, description="For NGOs and lawyers only, with a consent of its own."
    )
    explanations: tuple[Explanation, ...] = Field(default=(), max_length=20)
    not_explained_reason: NotExplainedReason | None = None
    addressee_ids: tuple[UUID, ...] = Field(
        default=(), max_length=10, description="Organisations that it is shared with."
    )


class ScreeningOutcome(Wire):
    """A screening outcome as far as the caller may see it."""

    id: UUID
    case_id: UUID
    author_id: UUID
    created_at: Instant
    shared_outcome: SharedOutcome | None = None
    legal_analysis: LongText | None = None
    explanations: tuple[Explanation, ...] = ()
    version: int


class ScreeningOutcomeSummary(Wire):
    """A screening outcome in a list."""

    id: UUID
    case_id: UUID
    created_at: Instant
