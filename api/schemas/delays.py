"""Wire types of delays: what a person does not get to see yet (uitstel van kennisgeving, UAVG 41)."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from api.schemas.audit import Index, Reference
from api.schemas.base import Instant, Wire
from api.vocabulary import RestrictionGround, ReviewOutcome

Ground = Annotated[RestrictionGround, Field(description="UAVG 41(1) (beperkingsgrond). The motive stands in the file.")]


class NewDelay(Wire):
    """Keep one disclosure out of its person's account for a while."""

    index: Annotated[Index, Field(description="Place in the log of the entry that discloses.")]
    ground: Ground
    reference: Reference
    until_at: Annotated[Instant, Field(description="180 days from now at the latest, and a year after the disclosure.")]


class NewReview(Wire):
    """What another person decides about it (toetsing)."""

    outcome: ReviewOutcome
    reference: Reference


class Delay(Wire):
    """An entry that its person does not get to see yet (uitstel)."""

    id: UUID
    index: Index
    ground: Ground
    reference: Reference
    decided_by: Annotated[str | None, Field(description="Who decided, as the client said.")]
    decided_at: Instant
    until_at: Instant
    outcome: Annotated[ReviewOutcome | None, Field(description="None until another person has reviewed it.")]
    reviewed_at: Instant | None
    ends_at: Annotated[Instant, Field(description="When the person sees it: 14 days after, if nobody reviews it.")]
