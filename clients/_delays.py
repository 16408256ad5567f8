"""Delays (uitstel van kennisgeving, UAVG 41), for auditors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.schemas.base import Page
from api.schemas.delays import Delay, NewDelay, NewReview
from clients._messages import path
from clients._rooms import D, Room, creates, listing, operation, paged, reads

if TYPE_CHECKING:
    from uuid import UUID

    from clients._messages import Call
    from clients._rooms import Series
    from clients.answers import Answer


class Delays(Room[D]):
    """What a person does not get to see yet."""

    @operation("audit.delay-disclosure")
    def decide(self, new: NewDelay, *, key: UUID | None = None) -> Call[Delay]:
        """Keep one disclosure out of its person's account. Another person reviews it within 14 days, or it ends."""
        return creates(path("audit", "delays"), Delay, new, key)

    @operation("audit.review-delay")
    def review(self, delay_id: UUID, new: NewReview, *, key: UUID | None = None) -> Call[Delay]:
        """Uphold a delay, or lift it at once: by another person than who decided."""
        return creates(path("audit", "delays", delay_id, "reviews"), Delay, new, key)

    @operation("audit.read-delay")
    def read(self, delay_id: UUID, *, known: Answer[Delay] | None = None) -> Call[Delay]:
        """One delay."""
        return reads(path("audit", "delays", delay_id), Delay, known=known)

    @listing("audit.list-delays")
    def list(self, *, limit: int | None = None) -> Series[Page[Delay], Delay]:
        """All delays there were, newest first."""
        return paged(reads(path("audit", "delays"), Page[Delay], query=(("limit", limit),)))
