"""The use case of figures: the flow of tables S.1 and S.2."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from api.audit.entry import Thing
from api.consent.model import AMSTERDAM
from api.disclosure import gate
from api.disclosure.permit import Refusal
from api.statistics import figures, model, store
from api.statistics.schemes import SCHEMES
from api.vocabulary import OutflowScheme

if TYPE_CHECKING:
    from api.disclosure.call import Call
    from api.statistics.model import Flow


async def flow(
    call: Call, reference_date: date, scheme: OutflowScheme = OutflowScheme.EVALUATION_2020
) -> Flow | Refusal:
    """The figures as of the end of a day in Dutch time, as far as the caller's kind of organisation gets them."""
    answer = gate.admit(call, Thing("statistics"))
    if isinstance(answer, Refusal):
        return answer
    profile = model.profile_of(call.caller.organisation.kind)
    day = model.as_of(reference_date, call.unit.now.astimezone(AMSTERDAM).date(), profile)
    reported = await store.reported(call.unit, day)
    counts = await store.counts(call.unit, day, _end_of(day), call.eye.planted)
    return figures.flow(day, SCHEMES[scheme], profile, counts, reported)


def _end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time.min, AMSTERDAM)
