"""Emergencies (noodprocedure): for an NGO that cares for a person, and for who reviews them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.schemas.base import Page
from api.schemas.emergencies import Emergency, NewEmergency, NewEmergencyReview, SupervisedEmergency
from clients._messages import path
from clients._rooms import D, Room, creates, listing, operation, paged, reads

if TYPE_CHECKING:
    from uuid import UUID

    from clients._messages import Call
    from clients._rooms import Series
    from clients.answers import Answer


class Emergencies(Room[D]):
    """Emergencies that your organisation declares.

    Name who acts, here and at each reading in it: `worker = client.acting(...)`, and then all of it as `worker`.
    """

    @operation("emergencies.declare")
    def declare(self, new: NewEmergency, *, key: UUID | None = None) -> Call[Emergency]:
        """Declare one, for 24 hours. Then read its dossiers with `purpose=Purpose.EMERGENCY`."""
        return creates("emergencies", Emergency, new, key)

    @operation("emergencies.end")
    def end(self, emergency_id: UUID, *, key: UUID | None = None) -> Call[Emergency]:
        """End one before its time. One that is over stays as it ended."""
        return creates(path("emergencies", emergency_id, "endings"), Emergency, key=key)

    @operation("emergencies.read")
    def read(self, emergency_id: UUID, *, known: Answer[Emergency] | None = None) -> Call[Emergency]:
        """One that your organisation declared."""
        return reads(path("emergencies", emergency_id), Emergency, known=known)


class SupervisedEmergencies(Room[D]):
    """Emergencies, for who reviews them."""

    @operation("audit.review-emergency")
    def review(
        self, emergency_id: UUID, new: NewEmergencyReview, *, key: UUID | None = None
    ) -> Call[SupervisedEmergency]:
        """Say what you found of one that is over, as one of two people. Name who acts: `client.acting(...)`."""
        return creates(path("audit", "emergencies", emergency_id, "reviews"), SupervisedEmergency, new, key)

    @operation("audit.read-emergency")
    def read(
        self, emergency_id: UUID, *, known: Answer[SupervisedEmergency] | None = None
    ) -> Call[SupervisedEmergency]:
        """One of them."""
        return reads(path("audit", "emergencies", emergency_id), SupervisedEmergency, known=known)

    @listing("audit.list-emergencies")
    def list(self, *, limit: int | None = None) -> Series[Page[SupervisedEmergency], SupervisedEmergency]:
        """All there were, newest first, with where their review stands."""
        return paged(reads(path("audit", "emergencies"), Page[SupervisedEmergency], query=(("limit", limit),)))
