"""The use cases of an emergency (noodprocedure): an NGO that cares for a person declares it, and may end it.

    declared ──► over      by itself after a day, or earlier by the organisation that declared it

While it lasts, whatever saves a life in the dossiers of the case is there for that organisation, for the purpose
`emergency` (`consent.decision`, step 7). It is not prolonged: who still needs it says so again. Every declaration
rings at the auditor's, and two people look at it afterwards (`api.supervision.emergencies`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from api.audit.entry import Thing
from api.cases import situation
from api.cases.emergencies import store
from api.consent import emergency
from api.disclosure import gate
from api.disclosure.permit import Refusal
from api.persons import store as persons
from api.vocabulary import EmergencyId, Reason

if TYPE_CHECKING:
    from api.cases.emergencies.model import DeclaredEmergency, Named
    from api.consent.model import Situation
    from api.disclosure.call import Call
    from api.vocabulary import CaseId, DossierId, EmergencyReason

LASTS: Final = timedelta(hours=24)
_EMERGENCY: Final = "emergency"


@dataclass(frozen=True, slots=True)
class Declared:
    """An emergency, and while it carries, the dossiers of the case that can be asked in it."""

    facts: DeclaredEmergency
    named: Named
    dossiers: tuple[DossierId, ...]


class _Own(NamedTuple):
    """An emergency of the caller, whom it names, and the case around it."""

    facts: DeclaredEmergency
    named: Named
    around: Situation


async def declare(call: Call, case_id: CaseId, reason: EmergencyReason, reference: str) -> Declared | Refusal:
    """Declare that the person of a case cannot consent, while their life is in danger."""
    thing, by = Thing(_EMERGENCY, call.made), call.caller
    if by.person is None:
        return gate.refuse(call, thing, Reason.ACTOR_MISSING)
    who = await persons.of_case(call.unit, case_id)
    if who is not None:
        await persons.lock(call.unit, who.id)  # two who declare take turns, and the person may be about to be erased
    around = await situation.of_case(call, case_id, by.organisation.id)
    if around is None or not around.relation.functions:
        return gate.refuse(call, thing, Reason.NOT_VISIBLE)
    whom, now = {around.person: around.alias}, call.unit.now
    if not emergency.cares(around.relation):
        return gate.refuse(call, thing, Reason.WRONG_FUNCTION, whom)
    if around.closed:
        return gate.refuse(call, thing, Reason.WRONG_STATE, whom)
    if around.emergency is not None and around.emergency.lasts(now):
        return gate.refuse(call, thing, Reason.EMERGENCY_STANDS, whom)
    answer = gate.admit(call, thing, persons=whom, cause=str(reason))
    if isinstance(answer, Refusal):
        return answer
    await store.add(call, case_id, reason, reference, now + LASTS)
    return await _there(call, EmergencyId(call.made))


async def end(call: Call, emergency_id: EmergencyId) -> Declared | Refusal:
    """End an emergency before its time. Of one that is over it is true already."""
    own, thing = await _own(call, emergency_id), Thing(_EMERGENCY, emergency_id)
    if own is None:
        return gate.refuse(call, thing, Reason.NOT_VISIBLE)
    answer = gate.admit(call, thing, persons=own.facts.whom)
    if isinstance(answer, Refusal):
        return answer
    await store.end(call.unit, emergency_id)
    return await _there(call, emergency_id)


async def read(call: Call, emergency_id: EmergencyId) -> Declared | Refusal:
    """An emergency, for the organisation that declared it."""
    own, thing = await _own(call, emergency_id), Thing(_EMERGENCY, emergency_id)
    if own is None:
        return gate.refuse(call, thing, Reason.NOT_VISIBLE)
    answer = gate.admit(call, thing, persons=own.facts.whom)
    return answer if isinstance(answer, Refusal) else await _seen(call, own)


async def _own(call: Call, emergency_id: EmergencyId) -> _Own | None:
    """An emergency that the caller declared, of who was not erased since."""
    found, mine = await store.find(call.unit, emergency_id), call.caller.organisation.id
    if found is None or found.named is None or found.organisation != mine:
        return None
    around = await situation.of_case(call, found.case_id, mine)
    return None if around is None else _Own(found, found.named, around)


async def _seen(call: Call, own: _Own) -> Declared:
    urgent = emergency.carrying(own.around, call.caller.organisation, call.unit.now)
    carries = urgent is not None and urgent.id == own.facts.id
    return Declared(own.facts, own.named, await store.dossiers(call.unit, own.facts.case_id) if carries else ())


async def _there(call: Call, emergency_id: EmergencyId) -> Declared:
    own = await _own(call, emergency_id)
    if own is None:
        raise AssertionError("what was just written is there")
    return await _seen(call, own)
