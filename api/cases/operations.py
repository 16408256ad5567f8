"""The use cases of a case (casus): open, read, list, look up, assign, close."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import uuid_utils.compat as uuid_utils

from api import events
from api.audit.entry import Thing
from api.cases import store
from api.disclosure import gate
from api.disclosure.permit import Refusal
from api.events import EventType
from api.oauth import registry
from api.persons import store as persons
from api.vocabulary import CareFunction, DataCategory, Party, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from uuid import UUID

    from api.cases.model import Case, CaseFacts, CaseSummary
    from api.crypto.blind import Tags
    from api.disclosure.call import Call
    from api.vocabulary import CaseId, LeavingReason, Municipality, OrganisationId

_ASSIGNABLE = frozenset({Party.NGO, Party.MUNICIPALITY})


@dataclass(frozen=True, slots=True)
class NewCase:
    """What it takes to open a case."""

    municipality: Municipality
    v_number: str | None = field(repr=False)
    tags: Tags | None
    """Of the V-number: computed before anything is claimed, so that no connection waits for who has the key."""
    functions: frozenset[CareFunction]
    with_status: bool


async def open_case(call: Call, case_id: CaseId, new: NewCase) -> Case | Refusal:
    """Open a case. Whether the person was known here before makes no difference that the caller can see."""
    thing = Thing("case", case_id, 1)
    if new.municipality not in call.caller.organisation.municipalities:
        return gate.refuse(call, thing, Reason.WRONG_MUNICIPALITY)
    known, v_index = (None, None) if new.tags is None else await persons.find(call.unit, new.tags)
    person = known or persons.named()
    answer = gate.admit(call, thing, persons={person.id: person.alias}, holdings=_identity(has=bool(new.v_number)))
    if isinstance(answer, Refusal):
        return answer
    if known is None:
        await persons.add(call.unit, call.vault, person, new.v_number, v_index)
    by = call.caller.organisation.id
    await store.add(call.unit, case_id, person.id, new.municipality, by, with_status=new.with_status)
    for function in sorted(new.functions):
        await store.assign(call.unit, uuid_utils.uuid7(), case_id, by, function)
    facts = await _there(call, case_id)
    return await store.open_case(answer, call.unit, call.vault, facts)


async def read(call: Call, case_id: CaseId) -> Case | Refusal:
    """A case, for those assigned to it."""
    facts = await store.find(call.unit, case_id)
    thing = Thing("case", case_id, None if facts is None else facts.version)
    if facts is None or not facts.functions_of(call.caller.organisation.id):
        return gate.refuse(call, thing, Reason.NOT_VISIBLE)
    answer = gate.admit(call, thing, persons={facts.person: facts.alias}, holdings=_own_number(call, facts))
    if isinstance(answer, Refusal):
        return answer
    return await store.open_case(answer, call.unit, call.vault, facts)


async def listed(call: Call, before: UUID, most: int) -> list[CaseSummary] | Refusal:
    """Cases to which the caller is assigned, newest first. One entry names every person by alias.

    The last of `most` only tells that there is a next page: it is not shown, and so not named.
    """
    found = await store.listed(call.unit, call.caller.organisation.id, before, most)
    answer = gate.admit(call, Thing("case"), persons={each.person: each.alias for each in found[: most - 1]})
    return answer if isinstance(answer, Refusal) else found


async def search(call: Call, v_number: str) -> list[CaseSummary] | Refusal:
    """Cases of one person to which the caller is assigned; an empty list otherwise, whoever else knows the person."""
    tags = await call.index.of(v_number)
    await persons.look(call.unit, call.eye, tags)
    found = await store.of_v_number(call.unit, call.caller.organisation.id, tags)
    answer = gate.admit(call, Thing("case"), persons={each.person: each.alias for each in found})
    return answer if isinstance(answer, Refusal) else found


async def assign(call: Call, case_id: CaseId, organisation: OrganisationId, function: CareFunction) -> Case | Refusal:
    """Assign an organisation of this municipality in one function. Whoever coordinates the case may do so."""
    facts = await _coordinated(call, case_id)
    if isinstance(facts, Refusal):
        return facts
    thing = Thing("case", case_id, facts.version)
    assigned = await registry.find_organisation(call.unit, organisation)
    if assigned is None or assigned.kind not in _ASSIGNABLE or facts.municipality not in assigned.municipalities:
        return gate.refuse(call, thing, Reason.NOT_ASSIGNABLE, {facts.person: facts.alias})
    if facts.closed_date is not None or function in facts.functions_of(organisation):
        return gate.refuse(call, thing, Reason.WRONG_STATE, {facts.person: facts.alias})
    answer = gate.admit(call, thing, persons={facts.person: facts.alias}, holdings=_own_number(call, facts))
    if isinstance(answer, Refusal):
        return answer
    await store.assign(call.unit, uuid_utils.uuid7(), case_id, organisation, function)
    events.tell(call.unit, organisation, EventType.CASE_ASSIGNED, "case", case_id)
    return await store.open_case(answer, call.unit, call.vault, await _there(call, case_id))


async def close(
    call: Call, case_id: CaseId, on_date: date, why: LeavingReason, seen: frozenset[int] | None
) -> Case | Refusal:
    """End a case, as it was seen in one of these versions (None: any).

    Nobody is told by an event: an end by unknown destination must never reach AVIM or DT&V.
    """
    facts = await _coordinated(call, case_id)
    if isinstance(facts, Refusal):
        return facts
    thing = Thing("case", case_id, facts.version)
    if facts.closed_date is not None:
        return gate.refuse(call, thing, Reason.WRONG_STATE, {facts.person: facts.alias})
    if seen is not None and facts.version not in seen:
        return gate.refuse(call, thing, Reason.PRECONDITION_FAILED, {facts.person: facts.alias})
    answer = gate.admit(call, thing, persons={facts.person: facts.alias}, holdings=_own_number(call, facts))
    if isinstance(answer, Refusal):
        return answer
    await store.close(call.unit, case_id, on_date, why)
    return await store.open_case(answer, call.unit, call.vault, await _there(call, case_id))


async def _coordinated(call: Call, case_id: CaseId) -> CaseFacts | Refusal:
    """The case, locked, if the caller coordinates it."""
    await store.lock(call.unit, case_id)
    facts = await store.find(call.unit, case_id)
    thing = Thing("case", case_id, None if facts is None else facts.version)
    if facts is None or not (functions := facts.functions_of(call.caller.organisation.id)):
        return gate.refuse(call, thing, Reason.NOT_VISIBLE)
    if CareFunction.COORDINATION not in functions:
        return gate.refuse(call, thing, Reason.WRONG_FUNCTION, {facts.person: facts.alias})
    return facts


async def _there(call: Call, case_id: CaseId) -> CaseFacts:
    facts = await store.find(call.unit, case_id)
    if facts is None:
        raise AssertionError("what was just written is there")
    return facts


def _own_number(call: Call, facts: CaseFacts) -> Mapping[DataCategory, tuple[str, ...]]:
    """The V-number, to who brought it in. To others on the case it would cross: they ask for it as such."""
    return _identity(has=facts.has_v_number and facts.opened_by == call.caller.organisation.id)


def _identity(*, has: bool) -> Mapping[DataCategory, tuple[str, ...]]:
    return {DataCategory.IDENTITY: store.V_NUMBER_FIELD} if has else {}
