"""Receipts of answers (kwitantie): what was promised is proven. `clients.receipts` reads and checks them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.schemas.audit import AuditProof
from clients._messages import path
from clients._rooms import D, Room, operation, reads

if TYPE_CHECKING:
    from clients._messages import Call


class Receipts(Room[D]):
    """Receipts of answers (kwitantie)."""

    @operation("audit.prove-receipt")
    def prove(self, hashed: str) -> Call[AuditProof]:
        """The proof that the entry of an answer is in the log; `hashed` is the one of its receipt.

        `NotFound`: it is in no tree that was signed. After the receipt's `due` that is a broken promise: ask for the
        log, and hold it against your receipts with `clients.receipts.broken`.
        """
        return reads(path("audit", "receipts", hashed, "proof"), AuditProof)
