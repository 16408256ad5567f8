"""The use cases of a dossier request (dossierverzoek).

    requested ──► acknowledged ──► delivered (in part, several times) ──► complete
        │              │
        ├──────────────┴──► refused     by the supplier, with a reason
        └──────────────────► cancelled   by the requester

Each use case asks the gate once. A state that forbids it is a refusal, written down like any other. That a case has
ended is no such state to the supplier: refused then and only then, it would know that somebody left.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from api import events
from api.audit.entry import Thing
from api.cases import situation, terms
from api.cases import store as cases
from api.consent.model import Question, day_of
from api.disclosure import gate
from api.disclosure.permit import Refusal
from api.dossiers import request_store as store
from api.dossiers import store as dossiers
from api.dossiers.model import ENDED, RUNNING, Preview, Request
from api.events import EventType
from api.vocabulary import CHAIN, DataCategory, DossierRequestState, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from api.disclosure.call import Call
    from api.dossiers.model import Delivered, NewRequest, RequestFacts, RequestSummary
    from api.vocabulary import DossierRequestId, PersonAlias, PersonId, Purpose, RequestRefusalReason


async def request(call: Call, request_id: DossierRequestId, new: NewRequest) -> Request | Refusal:
    """Ask a party of the chain for what was agreed that it supplies. The delivery term comes from the agreement."""
    thing = Thing("dossier-request", request_id)
    around = await situation.of_case(call, new.case_id, new.supplier_id)
    if around is None or not around.relation.functions:
        return gate.refuse(call, thing, Reason.NOT_VISIBLE)
    whom = {around.person: around.alias}
    if not around.relation.guides:
        return gate.refuse(call, thing, Reason.WRONG_FUNCTION, whom)
    if around.closed:
        return gate.refuse(call, thing, Reason.WRONG_STATE, whom)
    if around.supplier.kind not in CHAIN:
        return gate.refuse(call, thing, Reason.WRONG_ADDRESSEE, whom)
    if not around.agreements:
        return gate.refuse(call, thing, Reason.NO_AGREEMENT, whom)
    ways = around.supplier.kind, call.caller.organisation.kind, new.purpose
    if not new.categories <= around.agreed(*ways):
        return gate.refuse(call, thing, Reason.WRONG_ADDRESSEE, whom)
    if not new.categories <= around.agreed(*ways, around.relation.functions):
        return gate.refuse(call, thing, Reason.WRONG_FUNCTION, whom)
    answer = gate.admit(call, thing, persons=whom)
    if isinstance(answer, Refusal):
        return answer
    days = next((agreement.terms["delivery"] for agreement in around.agreements if "delivery" in agreement.terms), None)
    due = None if days is None else terms.due_on(day_of(call.unit.now), days)
    await store.add(call, request_id, around.person, new, days, due)
    events.tell(call.unit, new.supplier_id, EventType.DOSSIER_REQUESTED, "dossier-request", request_id)
    return await _own(call, request_id)


async def preview(call: Call, new: NewRequest) -> Preview | Refusal:
    """What a request would get today, without disclosing anything."""
    around = await situation.of_case(call, new.case_id, new.supplier_id)
    if around is not None:
        around = replace(around, proportionality_note=new.proportionality_note is not None)
    question = Question(call.caller.organisation, new.purpose, new.categories)
    answer = gate.preview(call, Thing("case", new.case_id), question, around)
    return answer if isinstance(answer, Refusal) else Preview(answer.granted, answer.withheld)


async def read(call: Call, request_id: DossierRequestId, purpose: Purpose | None) -> Request | Refusal:
    """The requester reads its own request; the supplier reads one addressed to it, with the V-number it needs."""
    facts = await store.find_request(call, request_id)
    thing = Thing("dossier-request", request_id, None if facts is None else facts.version)
    caller = call.caller.organisation
    question = Question(caller, purpose, frozenset({DataCategory.IDENTITY}))
    if facts is None or caller.id not in {facts.requester, facts.supplier}:
        answer = gate.ask(call, thing, question, None)
    elif caller.id == facts.requester:
        answer = gate.admit(call, thing, persons=_whom(facts))
    else:
        # Once it has ended nobody needs to find the file any more.
        holdings = {} if facts.state in ENDED else {DataCategory.IDENTITY: cases.V_NUMBER_FIELD}
        towards = await situation.of_case(call, facts.case_id, facts.requester, addressed=True, holdings=holdings)
        around = None if towards is None else towards.asked_for(facts.purpose, purpose)
        answer = gate.ask(call, thing, question, around, known=True)
    if isinstance(answer, Refusal) or facts is None:
        return gate.refusal(answer)
    return _seen(call, facts, await cases.open_v_number(answer, call.unit, call.vault, facts.situation.person))


async def listed(call: Call, before: UUID, most: int) -> list[RequestSummary] | Refusal:
    """Requests that the caller made or was addressed in, newest first. The last of `most` is not shown."""
    found = await store.listed(call.unit, call.caller.organisation.id, before, most)
    answer = gate.admit(call, Thing("dossier-request"), persons={each.person: each.alias for each in found[: most - 1]})
    return answer if isinstance(answer, Refusal) else found


async def acknowledge(call: Call, request_id: DossierRequestId) -> Request | Refusal:
    """The supplier confirms that it received the request."""
    facts = await _held(call, request_id, frozenset({DossierRequestState.REQUESTED}), supplier=True)
    if isinstance(facts, Refusal):
        return facts
    await store.move(call, facts, DossierRequestState.ACKNOWLEDGED)
    events.tell(call.unit, facts.requester, EventType.DOSSIER_ACKNOWLEDGED, "dossier-request", request_id)
    return await _own(call, request_id)


async def refuse(call: Call, request_id: DossierRequestId, reason: RequestRefusalReason) -> Request | Refusal:
    """The supplier refuses, with a reason that the requester reads."""
    facts = await _held(
        call,
        request_id,
        frozenset({DossierRequestState.REQUESTED, DossierRequestState.ACKNOWLEDGED}),
        supplier=True,
    )
    if isinstance(facts, Refusal):
        return facts
    await store.move(call, facts, DossierRequestState.REFUSED, reason=reason)
    events.tell(call.unit, facts.requester, EventType.DOSSIER_REFUSED, "dossier-request", request_id)
    return await _own(call, request_id)


async def cancel(call: Call, request_id: DossierRequestId) -> Request | Refusal:
    """The requester takes its request back."""
    facts = await _held(call, request_id, RUNNING, supplier=False)
    if isinstance(facts, Refusal):
        return facts
    await store.move(call, facts, DossierRequestState.CANCELLED)
    events.tell(call.unit, facts.supplier, EventType.DOSSIER_CANCELLED, "dossier-request", request_id)
    return await _own(call, request_id)


async def deliver(call: Call, request_id: DossierRequestId, delivered: Delivered) -> Request | Refusal:
    """The supplier delivers, whole or in part. Only what was asked for, and is still agreed, is taken in."""
    facts = await _held(call, request_id, RUNNING, supplier=True, delivered=delivered)
    if isinstance(facts, Refusal):
        return facts
    await dossiers.deliver(call, facts, delivered)
    state = DossierRequestState.COMPLETE if delivered.complete else DossierRequestState.DELIVERED
    await store.move(call, facts, state, missing=delivered.missing)
    what = EventType.DOSSIER_COMPLETED if delivered.complete else EventType.DOSSIER_DELIVERED
    events.tell(call.unit, facts.requester, what, "dossier-request", request_id)
    return await _own(call, request_id)


async def found(call: Call, request_id: DossierRequestId) -> Request | Refusal:
    """The request as it stands, for a party to it: what a repeated deed answers. Nothing is opened."""
    facts = await store.find_request(call, request_id)
    thing = Thing("dossier-request", request_id, None if facts is None else facts.version)
    if facts is None or call.caller.organisation.id not in {facts.requester, facts.supplier}:
        return gate.refuse(call, thing, Reason.NOT_VISIBLE)
    answer = gate.admit(call, thing, persons=_whom(facts))
    return answer if isinstance(answer, Refusal) else _seen(call, facts)


async def _held(
    call: Call,
    request_id: DossierRequestId,
    states: frozenset[DossierRequestState],
    *,
    supplier: bool,
    delivered: Delivered | None = None,
) -> RequestFacts | Refusal:
    """The request, locked, if the caller may change it now; the gate has been asked either way."""
    await store.lock(call.unit, request_id)
    facts = await store.find_request(call, request_id)
    thing = Thing("dossier-request", request_id, None if facts is None else facts.version)
    if facts is None or call.caller.organisation.id != (facts.supplier if supplier else facts.requester):
        return gate.refuse(call, thing, Reason.NOT_VISIBLE)
    why = Reason.WRONG_STATE if facts.state not in states else None
    if why is None and delivered is not None:
        why = facts.hindrance(delivered.categories, await store.agreed(call, facts))
    if why is not None:
        return gate.refuse(call, thing, why, _whom(facts))
    answer = gate.admit(call, thing, persons=_whom(facts))
    return answer if isinstance(answer, Refusal) else facts


def _whom(facts: RequestFacts) -> Mapping[PersonId, PersonAlias]:
    return {facts.situation.person: facts.situation.alias}


def _seen(call: Call, facts: RequestFacts, v_number: str | None = None) -> Request:
    return Request(facts, facts.overdue(call.unit.now), v_number)


async def _own(call: Call, request_id: DossierRequestId) -> Request:
    """The request after a deed of the caller, read in the same transaction."""
    facts = await store.find_request(call, request_id)
    if facts is None:
        raise AssertionError("what was just written is there")
    return _seen(call, facts)
