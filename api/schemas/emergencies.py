"""Wire types of emergencies (noodprocedure): what an NGO declares, and what two people of supervision find of it."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from api.schemas.audit import Reference
from api.schemas.base import Day, Instant, Wire
from api.vocabulary import EmergencyOutcome, EmergencyReason, EmergencyReviewState

Why = Annotated[EmergencyReason, Field(description="Why the person cannot consent (aanleiding). No text beside it.")]
File = Annotated[Reference, Field(description="Number of your own file (kenmerk), where the rest stands.")]
By = Annotated[str, Field(description="Who declared it, as the client said.")]
End = Annotated[Instant, Field(description="24 hours after it was declared, or earlier where it was ended.")]


class NewEmergency(Wire):
    """Declare that the person of a case cannot consent, while their life is in danger."""

    case_id: UUID
    reason: Why
    reference: File


class Emergency(Wire):
    """An emergency (noodprocedure) that your organisation declared."""

    id: UUID
    case_id: UUID
    reason: Why
    reference: File
    declared_by: By
    declared_at: Instant
    ends_at: End
    dossier_ids: Annotated[
        tuple[UUID, ...],
        Field(description="The dossiers of the case, while it lasts: `Purpose: emergency` opens what saves a life."),
    ]


class NewEmergencyReview(Wire):
    """What one person of supervision found (toetsing)."""

    outcome: EmergencyOutcome
    reference: Reference


class EmergencyReview(Wire):
    """What one of the two found."""

    outcome: EmergencyOutcome
    reference: Reference
    reviewed_by: Annotated[str, Field(description="Who found it, as the client said.")]
    reviewed_at: Instant


class SupervisedEmergency(Wire):
    """An emergency (noodprocedure) and its review. Of whom it is, its entries tell, by alias."""

    id: UUID
    organisation_id: Annotated[UUID, Field(description="Which NGO declared it.")]
    case_id: UUID
    reason: Why
    reference: Annotated[
        Reference | None, Field(description="Number of the file of the NGO. None once the person was erased.")
    ]
    declared_by: Annotated[
        str | None,
        Field(description="Who declared it, as the client said. None likewise: the log has it, for its term."),
    ]
    declared_at: Instant
    ends_at: End
    state: Annotated[EmergencyReviewState, Field(description="Of the review: `disputed` where the two do not agree.")]
    due_date: Annotated[Day, Field(description="Last day of the term for both reviews: two working days.")]
    overdue: Annotated[bool, Field(description="Whether that term was let pass; computed.")]
    reviews: tuple[EmergencyReview, ...]
