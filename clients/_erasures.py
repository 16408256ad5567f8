"""Erasures (vergetelheid), for the operator and for auditors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.schemas.erasures import Erasure, NewErasure
from clients._messages import path
from clients._rooms import D, Room, creates, operation, reads

if TYPE_CHECKING:
    from uuid import UUID

    from clients._messages import Call
    from clients.answers import Answer


class ReadErasures(Room[D]):
    """Proofs of erasure, for auditors."""

    @operation("erasures.read")
    def read(self, erasure_id: UUID, *, known: Answer[Erasure] | None = None) -> Call[Erasure]:
        """Proof that a key was destroyed. It does not say whose it was."""
        return reads(path("erasures", erasure_id), Erasure, known=known)


class Erasures(ReadErasures[D]):
    """Erasures, for the operator."""

    @operation("erasures.erase")
    def erase(self, new: NewErasure, *, key: UUID | None = None) -> Call[Erasure]:
        """Destroy the key of the person of a case, for good."""
        return creates("erasures", Erasure, new, key)
