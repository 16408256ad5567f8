"""The values of screening outcomes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from api.vocabulary import DataCategory

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from api.consent.model import Situation
    from api.vocabulary import CaseId, NotExplainedReason, OrganisationId, PersonAlias, PersonId, ScreeningOutcomeId

SHARED_FIELDS: Final = ("explanations", "nextSteps", "perspective", "question")
ANALYSIS_FIELDS: Final = ("legalAnalysis",)


@dataclass(frozen=True, slots=True)
class NewOutcome:
    """An outcome to share. `shared` and `explanations` are JSON values in wire names, as they will be read."""

    case_id: CaseId
    shared: Mapping[str, Any] = field(repr=False)
    analysis: str | None = field(repr=False)
    explanations: tuple[Mapping[str, Any], ...] = field(repr=False)
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
    shared: Mapping[str, Any] | None = field(repr=False)
    analysis: str | None = field(repr=False)
    explanations: tuple[Mapping[str, Any], ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class OutcomeSummary:
    """An outcome in a list, with whom it is about for the log."""

    id: ScreeningOutcomeId
    case_id: CaseId
    created_at: datetime
    person: PersonId
    alias: PersonAlias


def holdings(*, analysis: bool) -> Mapping[DataCategory, tuple[str, ...]]:
    """Which fields an outcome holds, by category."""
    there = {DataCategory.SHARED_OUTCOME: SHARED_FIELDS}
    return there | {DataCategory.LEGAL_ANALYSIS: ANALYSIS_FIELDS} if analysis else there
