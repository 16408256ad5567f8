"""The use cases of advice: ask for it, read the question, give it, read it alone or with the others of a case."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from api import events
from api.advice import request_store, store
from api.advice.model import ADVISES, BODY_KIND, Advice, Listed, Request
from api.audit.entry import Thing
from api.cases import situation, terms
from api.consent.model import Question, day_of
from api.disclosure import gate
from api.disclosure.permit import Refusal
from api.events import EventType
from api.evidence import store as evidence
from api.evidence.model import FIELDS
from api.vocabulary import AdviceAnswer, DataCategory, Party, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from api.advice.model import NewAdvice, NewRequest, RequestFacts, RequestSummary
    from api.disclosure.call import Call
    from api.evidence.model import Evidence
    from api.vocabulary import AdviceId, AdviceRequestId, CaseId, PersonAlias, PersonId, Purpose


async def request(call: Call, request_id: AdviceRequestId, new: NewRequest) -> Request | Refusal:
    """Ask an authority. The term comes from the agreement between the two."""
    thing = Thing("advice-request", request_id, 1)
    around = await situation.of_case(call, new.case_id, new.addressee)
    if around is None or not around.relation.functions:
        return gate.refuse(call, thing, Reason.NOT_VISIBLE)
    whom = {around.person: around.alias}
    if call.caller.organisation.kind is Party.NGO and not around.relation.guides:
        return gate.refuse(call, thing, Reason.WRONG_FUNCTION, whom)
    if around.closed:
        return gate.refuse(call, thing, Reason.WRONG_STATE, whom)
    if (why := await request_store.hindrance(call, new)) is not None:
        return gate.refuse(call, thing, why, {} if why is Reason.NOT_VISIBLE else whom)
    if ADVISES.get(new.purpose) is not around.supplier.kind:
        return gate.refuse(call, thing, Reason.WRONG_ADDRESSEE, whom)
    if not around.agreements:
        return gate.refuse(call, thing, Reason.NO_AGREEMENT, whom)
    answer = gate.admit(call, thing, persons=whom)
    if isinstance(answer, Refusal):
        return answer
    days = next((each.terms["advice"] for each in around.agreements if "advice" in each.terms), None)
    due = None if days is None else terms.due_on(day_of(call.unit.now), days)
    await request_store.add_request(call, request_id, around.person, new, days, due)
    events.tell(call.unit, new.addressee, EventType.ADVICE_REQUESTED, "advice-request", request_id)
    facts = await request_store.find_request(call, request_id)
    return _seen(call, _there(facts), new.question)


async def read_request(call: Call, request_id: AdviceRequestId, purpose: Purpose | None) -> Request | Refusal:
    """The requester reads its own question; the addressee reads what the gate lets cross."""
    facts = await request_store.find_request(call, request_id)
    thing = Thing("advice-request", request_id, None if facts is None else facts.version)
    caller = call.caller.organisation
    if facts is None or caller.id not in {facts.requester, facts.addressee}:
        answer = gate.ask(call, thing, Question(caller, purpose, frozenset()), None)
    elif facts.situation.relation.supplied:
        answer = gate.admit(call, thing, persons=_whom(facts), holdings=facts.situation.holdings)
    else:
        around = facts.situation.asked_for(facts.purpose, purpose)
        answer = gate.ask(call, thing, Question(caller, purpose, facts.asked), around, known=True)
    if isinstance(answer, Refusal) or facts is None:
        return gate.refusal(answer)
    return _seen(call, facts, *await request_store.open_request(answer, call, facts))


async def listed(call: Call, before: UUID, most: int) -> list[RequestSummary] | Refusal:
    """Requests that the caller made or was addressed in, newest first. The last of `most` is not shown."""
    found = await request_store.listed(call.unit, call.caller.organisation.id, before, most)
    answer = gate.admit(call, Thing("advice-request"), persons={each.person: each.alias for each in found[: most - 1]})
    return answer if isinstance(answer, Refusal) else found


async def give(call: Call, advice_id: AdviceId, new: NewAdvice) -> Advice | Refusal:
    """The addressee answers: advice with a body of its kind, no advice, or more information needed."""
    await request_store.lock(call.unit, new.request_id)
    facts = await request_store.find_request(call, new.request_id)
    thing = Thing("advice", advice_id)
    mine = call.caller.organisation
    if facts is None or facts.addressee != mine.id:
        return gate.refuse(call, thing, Reason.NOT_VISIBLE)
    if facts.answered_at is not None:
        return gate.refuse(call, thing, Reason.WRONG_STATE, _whom(facts))
    if not _complete(new, BODY_KIND.get(mine.kind)):
        return gate.refuse(call, thing, Reason.INCOMPLETE, _whom(facts))
    answer = gate.admit(call, thing, persons=_whom(facts))
    if isinstance(answer, Refusal):
        return answer
    await store.add_advice(call, advice_id, facts, new)
    await evidence.keep(call, advice_id, facts.situation.person)
    events.tell(call.unit, facts.requester, EventType.ADVICE_GIVEN, "advice", advice_id)
    given = await store.find_advice(call, advice_id)
    if given is None:
        raise AssertionError("what was just written is there")
    return Advice(given, new.summary, new.body)


async def read(call: Call, advice_id: AdviceId, purpose: Purpose | None) -> Advice | Refusal:
    """The author reads its own; the requester and those assigned read what the gate lets cross."""
    facts = await store.find_advice(call, advice_id)
    thing = Thing("advice", advice_id)
    question = Question(call.caller.organisation, purpose, frozenset({DataCategory.ADVICE}))
    if facts is None:
        answer = gate.ask(call, thing, question, None)
    elif (around := facts.situation).relation.supplied:
        answer = gate.admit(
            call, thing, persons={around.person: around.alias}, holdings=around.holdings, seals=facts.seals
        )
    else:
        answer = gate.ask(call, thing, question, around.asked_for(facts.purpose, purpose), seals=facts.seals)
    if isinstance(answer, Refusal) or facts is None:
        return gate.refusal(answer)
    (advice,) = await store.open_advice(answer, call, [facts])
    return advice


async def read_evidence(call: Call, advice_id: AdviceId, purpose: Purpose | None) -> Evidence | Refusal:
    """Who may read an advice may read the signed body that it was made of: it says the same and no more."""
    facts = await store.find_advice(call, advice_id)
    kept = None if facts is None else await evidence.find(call, advice_id)
    thing, held = Thing("advice", advice_id), {} if kept is None else {DataCategory.ADVICE: FIELDS}
    seals = None if kept is None else kept.seals
    around = None if facts is None else replace(facts.situation, holdings=held)
    if around is not None and around.relation.supplied:
        if kept is None:
            return gate.refuse(call, thing, Reason.NOT_VISIBLE)
        answer = gate.admit(call, thing, persons={around.person: around.alias}, holdings=held, seals=seals)
    else:
        question = Question(call.caller.organisation, purpose, frozenset({DataCategory.ADVICE}))
        asked = None if facts is None or around is None else around.asked_for(facts.purpose, purpose)
        answer = gate.ask(call, thing, question, asked, seals=seals)
    if isinstance(answer, Refusal) or kept is None:
        return gate.refusal(answer)
    return await evidence.open_payload(answer, call, kept)


async def listed_advice(
    call: Call, case_id: CaseId, purpose: Purpose | None, before: UUID, most: int
) -> Listed | Refusal:
    """The advice on a case that the caller may see for a purpose, newest first. The last of `most` is not opened."""
    found = [] if purpose is None else await store.listed(call, case_id, purpose, before, most)
    shown = found[: most - 1]
    question = Question(call.caller.organisation, purpose, frozenset({DataCategory.ADVICE}))
    rows = [gate.Row(each.situation.asked_for(each.purpose, purpose), each.seals) for each in shown]
    answer = gate.ask_all(call, Thing("advice"), question, rows)
    if isinstance(answer, Refusal):
        return answer
    return Listed(await store.open_advice(answer, call, shown), more=len(found) > len(shown))


def _complete(new: NewAdvice, kind: str | None) -> bool:
    if new.answer is not AdviceAnswer.ADVICE:
        return new.body is None
    return new.body is not None and new.body.get("kind") == kind


def _whom(facts: RequestFacts) -> Mapping[PersonId, PersonAlias]:
    return {facts.situation.person: facts.situation.alias}


def _seen(call: Call, facts: RequestFacts, question: str | None = None, v_number: str | None = None) -> Request:
    return Request(facts, facts.overdue(call.unit.now), question, v_number)


def _there(facts: RequestFacts | None) -> RequestFacts:
    if facts is None:
        raise AssertionError("what was just written is there")
    return facts
