"""Dossier requests and dossiers, for those who ask (NGOs) and for who supplies (the IND, as agreements are now).

The types say when a purpose is needed: whenever data crosses organisations, and not for what is one's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.schemas.base import Page
from api.schemas.dossiers import (
    Delivery,
    Dossier,
    DossierRequest,
    DossierRequestSummary,
    Manifest,
    NewDossierRequest,
    Preview,
    RequestRefusal,
)
from clients._messages import path
from clients._rooms import D, Room, asks, creates, listing, operation, paged, reads

if TYPE_CHECKING:
    from uuid import UUID

    from api.vocabulary import Purpose
    from clients._messages import Call
    from clients._rooms import Series
    from clients.answers import Answer


class DossierRequests(Room[D]):
    """Dossier requests (dossierverzoek)."""

    @listing("dossier-requests.list")
    def list(self, *, limit: int | None = None) -> Series[Page[DossierRequestSummary], DossierRequestSummary]:
        """The requests that you made or that were addressed to you, newest first; `limit` items at most a page."""
        return paged(reads("dossier-requests", Page[DossierRequestSummary], query=(("limit", limit),)))


class OwnDossierRequests(DossierRequests[D]):
    """Dossier requests, for the NGO that makes them."""

    @operation("dossier-requests.request")
    def request(self, new: NewDossierRequest, *, key: UUID | None = None) -> Call[DossierRequest]:
        """Ask for a dossier whom it was agreed with; with the note of Aliens Act 2000 article 107(10)."""
        return creates("dossier-requests", DossierRequest, new, key)

    @operation("dossier-requests.preview")
    def preview(self, new: NewDossierRequest) -> Call[Preview]:
        """What a request would get today, per section, and what to do about the rest. Discloses nothing; is logged."""
        return asks(path("dossier-requests", "_preview"), Preview, new, purpose=new.purpose)

    @operation("dossier-requests.read")
    def read(
        self, request_id: UUID, *, purpose: Purpose | None = None, known: Answer[DossierRequest] | None = None
    ) -> Call[DossierRequest]:
        """A request of yours: its state, its term, and the dossier once something is delivered."""
        return reads(path("dossier-requests", request_id), DossierRequest, purpose=purpose, known=known)

    @operation("dossier-requests.cancel")
    def cancel(self, request_id: UUID, *, key: UUID | None = None) -> Call[DossierRequest]:
        """Take a request back."""
        return creates(path("dossier-requests", request_id, "cancellations"), DossierRequest, key=key)


class AddressedDossierRequests(DossierRequests[D]):
    """Dossier requests, for who is asked."""

    @operation("dossier-requests.read")
    def read(
        self, request_id: UUID, *, purpose: Purpose, known: Answer[DossierRequest] | None = None
    ) -> Call[DossierRequest]:
        """A request that was addressed to you, with the V-number that you need to find the file."""
        return reads(path("dossier-requests", request_id), DossierRequest, purpose=purpose, known=known)

    @operation("dossier-requests.acknowledge")
    def acknowledge(self, request_id: UUID, *, key: UUID | None = None) -> Call[DossierRequest]:
        """Confirm receipt (ontvangstbevestiging)."""
        return creates(path("dossier-requests", request_id, "acknowledgements"), DossierRequest, key=key)

    @operation("dossier-requests.refuse")
    def refuse(self, request_id: UUID, refusal: RequestRefusal, *, key: UUID | None = None) -> Call[DossierRequest]:
        """Refuse, with a reason that the requester reads."""
        return creates(path("dossier-requests", request_id, "refusals"), DossierRequest, refusal, key)

    @operation("dossier-requests.deliver")
    def deliver(self, request_id: UUID, delivery: Delivery, *, key: UUID | None = None) -> Call[DossierRequest]:
        """Deliver sections (rubrieken), whole or in part. No facial images, no fingerprints, no BSN."""
        return creates(path("dossier-requests", request_id, "deliveries"), DossierRequest, delivery, key)


class ReceivedDossiers(Room[D]):
    """Dossiers, for the NGO that receives them. In an emergency name who reads: `client.acting(...)`."""

    @operation("dossiers.read")
    def read(self, dossier_id: UUID, *, purpose: Purpose, known: Answer[Dossier] | None = None) -> Call[Dossier]:
        """The sections that you may see, and the others with the reason and the next step."""
        return reads(path("dossiers", dossier_id), Dossier, purpose=purpose, known=known)

    @operation("dossiers.read-manifest")
    def manifest(self, dossier_id: UUID, *, purpose: Purpose) -> Call[Manifest]:
        """What was asked, delivered and withheld (leveringsoverzicht), without any content."""
        return reads(path("dossiers", dossier_id, "manifest"), Manifest, purpose=purpose)


class SuppliedDossiers(Room[D]):
    """Dossiers, for who supplied them, and so declares no purpose."""

    @operation("dossiers.read")
    def read(
        self, dossier_id: UUID, *, purpose: Purpose | None = None, known: Answer[Dossier] | None = None
    ) -> Call[Dossier]:
        """The sections that you supplied."""
        return reads(path("dossiers", dossier_id), Dossier, purpose=purpose, known=known)

    @operation("dossiers.read-manifest")
    def manifest(self, dossier_id: UUID, *, purpose: Purpose | None = None) -> Call[Manifest]:
        """What was asked and what you delivered (leveringsoverzicht), without any content."""
        return reads(path("dossiers", dossier_id, "manifest"), Manifest, purpose=purpose)
