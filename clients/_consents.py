"""Consents (toestemming), for the NGO that guides the person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.schemas.base import Page
from api.schemas.consents import Consent, ConsentReceipt, Invalidation, NewConsent, Reconfirmation, Withdrawal
from clients._messages import path
from clients._rooms import D, Room, creates, listing, operation, paged, reads

if TYPE_CHECKING:
    from uuid import UUID

    from clients._messages import Call
    from clients._rooms import Series
    from clients.answers import Answer


class Consents(Room[D]):
    """Consents (toestemming): what persons were asked, and answered."""

    @operation("consents.record")
    def record(self, new: NewConsent, *, key: UUID | None = None) -> Call[Consent]:
        """Write down what the person was asked and answered: yes or no. A no costs the person nothing."""
        return creates("consents", Consent, new, key)

    @listing("consents.list")
    def list(self, *, case_id: UUID, limit: int | None = None) -> Series[Page[Consent], Consent]:
        """The consents of a case, newest first; `limit` items at most a page."""
        return paged(reads("consents", Page[Consent], query=(("caseId", case_id), ("limit", limit))))

    @operation("consents.read")
    def read(self, consent_id: UUID, *, known: Answer[Consent] | None = None) -> Call[Consent]:
        """A consent and its events; the latest is its state."""
        return reads(path("consents", consent_id), Consent, known=known)

    @operation("consents.read-receipt")
    def receipt(self, consent_id: UUID) -> Call[ConsentReceipt]:
        """What the person gets in hand (ontvangstbewijs): readable, and signed."""
        return reads(path("consents", consent_id, "receipt"), ConsentReceipt)

    @operation("consents.reconfirm")
    def reconfirm(self, consent_id: UUID, reconfirmation: Reconfirmation, *, key: UUID | None = None) -> Call[Consent]:
        """Write down that the person still means a yes, with evidence as for a new one."""
        return creates(path("consents", consent_id, "reconfirmations"), Consent, reconfirmation, key)

    @operation("consents.invalidate")
    def invalidate(self, consent_id: UUID, invalidation: Invalidation, *, key: UUID | None = None) -> Call[Consent]:
        """Write down that a yes was recorded in error. A no is never undone so: ask again."""
        return creates(path("consents", consent_id, "invalidations"), Consent, invalidation, key)

    @operation("consents.withdraw")
    def withdraw(
        self, consent_id: UUID, withdrawal: Withdrawal | None = None, *, key: UUID | None = None
    ) -> Call[Consent]:
        """Take a consent back, for the person. It counts from the very next request, and needs no reason."""
        return creates(path("consents", consent_id, "withdrawals"), Consent, withdrawal or Withdrawal(), key)
