"""What several kinds of parties have in common: organisations, events, figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.schemas.events import Event, EventPage
from api.schemas.organisations import Organisation, Organisations
from api.schemas.statistics import Flow
from clients._messages import path
from clients._rooms import D, Room, Series, listing, operation, reads

if TYPE_CHECKING:
    from datetime import date

    from api.vocabulary import OutflowScheme
    from clients._messages import Call


class OrganisationsRoom(Room[D]):
    """Organisations (organisatie): the parties of the exchange."""

    @listing("organisations.list")
    def list(self) -> Series[Organisations, Organisation]:
        """Everybody who takes part, and who is designated under Aliens Act 2000 article 107(8)."""
        return Series(reads("organisations", Organisations), _organisations, _whole)


class Events(Room[D]):
    """The event feed: what happened for your organisation, without personal data."""

    @listing("events.read")
    def read(self, *, cursor: str | None = None, limit: int | None = None) -> Series[EventPage, Event]:
        """What happened after the cursor, oldest first, up to now. Nothing is ever missed.

        To come back later, go through `.pages()` and keep the cursor of the last page.
        """
        first = reads("events", EventPage, query=(("cursor", cursor), ("limit", limit)))
        return Series(first, _events, _further)


class Statistics(Room[D]):
    """Figures (cijfers): aggregates only."""

    @operation("statistics.flow")
    def flow(self, reference_date: date, *, scheme: OutflowScheme | None = None) -> Call[Flow]:
        """Inflow, occupancy and outflow (in- en uitstroom) per municipality, as of the end of a day.

        `scheme`: by which evaluation's classes a reason for leaving counts as lasting; that of 2020 when not said.
        """
        query = (("referenceDate", reference_date.isoformat()), ("scheme", scheme))
        return reads(path("statistics", "flow"), Flow, query=query)


def _organisations(whole: Organisations) -> tuple[Organisation, ...]:
    return whole.items


def _whole(_: Organisations) -> None:
    """A short list, never paged."""


def _events(page: EventPage) -> tuple[Event, ...]:
    return page.items


def _further(page: EventPage) -> str | None:
    """An empty page is the end, for now."""
    return page.cursor if page.items else None
