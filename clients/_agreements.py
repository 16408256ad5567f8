"""Agreements (gegevensdelingsafspraak), for those who read, sign and add them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.schemas.agreements import Agreement, NewAgreement, NewSignature
from api.schemas.base import Page
from clients._messages import path
from clients._rooms import D, Room, creates, listing, operation, paged, reads

if TYPE_CHECKING:
    from uuid import UUID

    from clients._messages import Call
    from clients._rooms import Series
    from clients.answers import Answer


class ReadAgreements(Room[D]):
    """Agreements, for everybody."""

    @listing("agreements.list")
    def list(self) -> Series[Page[Agreement], Agreement]:
        """The latest version of each agreement, with who signed it."""
        return paged(reads("agreements", Page[Agreement]))

    @operation("agreements.read")
    def read(
        self, agreement_id: UUID, *, version: int | None = None, known: Answer[Agreement] | None = None
    ) -> Call[Agreement]:
        """A version of an agreement: the latest when none is named."""
        return reads(path("agreements", agreement_id), Agreement, query=(("version", version),), known=known)


class SignedAgreements(ReadAgreements[D]):
    """Agreements, for those who can be party."""

    @operation("agreements.sign")
    def sign(self, agreement_id: UUID, new: NewSignature, *, key: UUID | None = None) -> Call[Agreement]:
        """Sign a version for your organisation. `clients.signing` makes the signature."""
        return creates(path("agreements", agreement_id, "signatures"), Agreement, new, key)


class AddedAgreements(ReadAgreements[D]):
    """Agreements, for the operator."""

    @operation("agreements.add")
    def add(self, new: NewAgreement, *, key: UUID | None = None) -> Call[Agreement]:
        """Take in a version. It is in force between the parties that sign it."""
        return creates("agreements", Agreement, new, key)


class DirectedAgreements(SignedAgreements[D], AddedAgreements[D]):
    """Agreements, for municipalities: they bring them in and sign them."""
