"""The feed: what happened after a position, for the organisation that reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api import events
from api.audit.entry import Thing
from api.disclosure import gate
from api.disclosure.permit import Refusal

if TYPE_CHECKING:
    from api.disclosure.call import Call
    from api.events import Event, Position


async def feed(call: Call, after: Position, most: int) -> list[Event] | Refusal:
    """At most `most` events, oldest first. They hold no personal data, so that none is named in the entry."""
    found = await events.after(call.unit, call.caller.organisation.id, after, most)
    answer = gate.admit(call, Thing("event"))
    return answer if isinstance(answer, Refusal) else found
