"""The values of screening outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from api.vocabulary import DataCategory

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from api.consent.model import Situation
    from api.vocabulary import CaseId, NotExplainedReason, OrganisationId, ScreeningOutcomeId

SHARED_FIELDS: Final = ("explanations", "nextSteps", "perspective", "question")
ANALYSIS_FIELDS: Final = ("legalAnalysis",)


@dataclass(frozen=True, slots=True)
class NewOutcome:
    """An outcome to share. `shared` and `explanations` are JSON values in wire names, as they will be read."""

    case_id: CaseId
    shared: Mapping[str, Any]
    analysis: str | None
    explanations: tuple[Mapping[str, Any], ...]
    not_explained_reason: NotExplainedReason | None
    addressees: frozenset[OrganisationId]


@dataclass(frozen=True, slots=True)
class OutcomeFacts:
    """An outcome without what is sealed, and the situation of the caller around it."""

    id: ScreeningOutcomeId
    author: OrganisationId
    created_at: datetime
    version: int
    situation: Situation


@dataclass(frozen=True, slots=True)
class Outcome:
    """An outcome as far as the caller may see it."""

    facts: OutcomeFacts
    shared: Mapping[str, Any] | None
    analysis: str | None
    explanations: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class OutcomeSummary:
    """An outcome in a list."""

    id: ScreeningOutcomeId
    case_id: CaseId
    created_at: datetime


def holdings(*, analysis: bool) -> Mapping[DataCategory, tuple[str, ...]]:
    """Which fields an outcome holds, by category."""
    there = {DataCategory.SHARED_OUTCOME: SHARED_FIELDS}
    return there | {DataCategory.LEGAL_ANALYSIS: ANALYSIS_FIELDS} if analysis else there
