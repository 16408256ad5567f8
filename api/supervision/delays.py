"""Delaying what a person gets to see of the log (uitstel van kennisgeving, UAVG 41), and having it reviewed.

A disclosure may be kept from the person it is about for a while, where telling would defeat what the law names. It is
the exception, so it is bounded on every side: on a ground of the law, with the number of a file; for one entry; for
180 days at most, and never beyond a year after the disclosure; reviewed by another person within 14 days, or it ends.
Each decision is an entry that auditors find. When it ends, the disclosure stands in the account as if nothing had been.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from api.audit import projection, proofs
from api.audit.entry import Stated, Thing
from api.disclosure import gate
from api.disclosure.permit import Refusal
from api.persons import delays
from api.persons.model import Delay
from api.supervision.admitting import admitted, reviewed
from api.vocabulary import Reason, Result

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from api.disclosure.call import Call
    from api.vocabulary import RestrictionGround, ReviewOutcome

MOST: Final = timedelta(days=180)
AFTER_DISCLOSURE: Final = timedelta(days=365)
_DELAY: Final = "disclosure-delay"
_ENTRY: Final = "audit-entry"


async def decide(call: Call, index: int, ground: RestrictionGround, reference: str, until: datetime) -> Delay | Refusal:
    """Keep an entry out of its person's account until then."""
    stated = Stated(ground, reference)
    found = next(iter(await proofs.entries(call.unit, index, index + 1)), None)
    if found is None:
        return gate.refuse(call, Thing(_ENTRY), Reason.NOT_VISIBLE, stated=stated)
    told, now = projection.of(found.leaf), call.unit.now
    thing = Thing(_ENTRY, projection.identity(found.leaf))
    discloses = told.result == Result.PERMITTED and told.categories is not None and told.at is not None
    latest = min(now + MOST, (told.at or now) + AFTER_DISCLOSURE)
    if (barred := gate.bar(call, thing)) is not None:
        return barred
    if not discloses or not now < until <= latest or await delays.stands(call.unit, index):
        return gate.refuse(call, thing, Reason.NOT_DELAYABLE, stated=stated)
    answer = gate.admit(call, thing, stated=stated)
    if isinstance(answer, Refusal):
        return answer
    made = Delay(call.made, index, ground, reference, call.caller.client_id, call.caller.person, now, until)
    await delays.add(call.unit, made)
    return made


async def review(call: Call, delay_id: UUID, outcome: ReviewOutcome, reference: str) -> Delay | Refusal:
    """Uphold or lift a delay, as another person than who decided on it."""
    by, stated = call.caller, Stated(outcome, reference)
    found = await delays.find(call.unit, delay_id, to_change=True)
    why = None if found is None else found.unreviewable(by.client_id, by.person, call.unit.now)
    answer = admitted(call, Thing(_DELAY, delay_id), found, why, stated=stated)
    if isinstance(answer, Refusal):
        return answer
    await delays.review(call.unit, delay_id, outcome, by.client_id, by.person)
    return reviewed(await delays.find(call.unit, delay_id))


async def read(call: Call, delay_id: UUID) -> Delay | Refusal:
    """One delay."""
    return admitted(call, Thing(_DELAY, delay_id), await delays.find(call.unit, delay_id))


async def listed(call: Call, before: UUID, most: int) -> Sequence[Delay] | Refusal:
    """All delays there were, newest first."""
    return admitted(call, Thing(_DELAY), await delays.listed(call.unit, before, most))
