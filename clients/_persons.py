"""Persons (vreemdeling): the account of what was disclosed of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.schemas.base import Page
from api.schemas.persons import Disclosure
from clients._messages import path
from clients._rooms import D, Room, listing, paged, reads

if TYPE_CHECKING:
    from uuid import UUID

    from clients._rooms import Series


class Persons(Room[D]):
    """Persons (vreemdeling) whom your organisation guides."""

    @listing("persons.list-disclosures")
    def disclosures(self, person_id: UUID, *, limit: int | None = None) -> Series[Page[Disclosure], Disclosure]:
        """Who saw what of a person's file, when and why (inzage in verstrekkingen), newest first."""
        return paged(reads(path("persons", person_id, "disclosures"), Page[Disclosure], query=(("limit", limit),)))
