"""Reviewing emergencies (noodprocedure): each is looked at afterwards, by two people of supervision.

An emergency opens without a word of the person, so nothing of it stays unseen: its declaration is a signal, each
reading an entry, and both are judged within two working days. The two judge by themselves; where they differ, the
state says so, and what follows on that (the 72 hours of GDPR article 33 after a breach) is theirs, not the exchange's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import uuid_utils.compat as uuid_utils

from api.audit.entry import Stated, Thing
from api.cases.emergencies import store
from api.cases.emergencies.model import EmergencyReview
from api.disclosure import gate
from api.disclosure.permit import Refusal
from api.supervision.admitting import admitted, reviewed
from api.vocabulary import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from api.cases.emergencies.model import DeclaredEmergency
    from api.disclosure.call import Call
    from api.vocabulary import EmergencyId, EmergencyOutcome, PersonAlias, PersonId

_EMERGENCY: Final = "emergency"


async def review(
    call: Call, emergency_id: EmergencyId, outcome: EmergencyOutcome, reference: str
) -> DeclaredEmergency | Refusal:
    """Say what one found of an emergency that is over, as one of two people."""
    thing, stated, by = Thing(_EMERGENCY, emergency_id), Stated(outcome, reference), call.caller
    if by.person is None:
        return gate.refuse(call, thing, Reason.ACTOR_MISSING, stated=stated)
    await store.lock(call.unit, emergency_id)
    found = await store.find(call.unit, emergency_id)
    why = None if found is None else found.unreviewable(by.organisation.id, by.person, call.unit.now)
    answer = admitted(call, thing, found, why, whom=_whom(found), stated=stated)
    if isinstance(answer, Refusal):
        return answer
    said = EmergencyReview(by.organisation.id, by.person, outcome, reference, call.unit.now)
    await store.add_review(call.unit, uuid_utils.uuid7(), emergency_id, by.client_id, said)
    return reviewed(await store.find(call.unit, emergency_id))


async def read(call: Call, emergency_id: EmergencyId) -> DeclaredEmergency | Refusal:
    """One emergency."""
    found = await store.find(call.unit, emergency_id)
    return admitted(call, Thing(_EMERGENCY, emergency_id), found, whom=_whom(found))


async def listed(call: Call, before: UUID, most: int) -> Sequence[DeclaredEmergency] | Refusal:
    """All emergencies there were, newest first. The last of `most` is not shown, and so not named."""
    found = await store.listed(call.unit, before, most)
    return admitted(call, Thing(_EMERGENCY), found, whom=_whom(*found[: most - 1]))


def _whom(*found: DeclaredEmergency | None) -> Mapping[PersonId, PersonAlias]:
    return {who: alias for each in found if each is not None for who, alias in each.whom.items()}
