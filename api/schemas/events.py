"""Wire types of the event feed: thin, no personal data."""

from __future__ import annotations

from uuid import UUID

from api.schemas.base import Instant, Wire


class Event(Wire):
    """Something that happened, for the organisation that reads. Fetch the subject to learn more."""

    id: UUID
    type: str
    subject_type: str
    subject_id: UUID
    recorded_at: Instant


class EventPage(Wire):
    """What happened after the cursor, oldest first. Keep `cursor` and come back with it: nothing is ever missed."""

    items: tuple[Event, ...]
    cursor: str
