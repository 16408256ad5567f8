"""The use cases of an admission check: asked before anything else, answered per criterion, decided by the municipality.

No documents are exchanged. The result is the municipality's; IND only answers, criterion by criterion.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from api import events
from api.audit.entry import Thing
from api.cases import admission_store as store
from api.cases import situation
from api.cases.model import AdmissionCheck
from api.consent.model import Question, Relation
from api.disclosure import gate
from api.disclosure.permit import Refusal
from api.events import EventType
from api.vocabulary import AdmissionResult, DataCategory, Party, Purpose, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from api.cases.model import AdmissionFacts, Finding
    from api.disclosure.call import Call
    from api.vocabulary import AdmissionCheckId, CaseId, OrganisationId, PersonAlias, PersonId


async def ask(
    call: Call, check_id: AdmissionCheckId, case_id: CaseId, addressee: OrganisationId
) -> AdmissionCheck | Refusal:
    """Ask IND. Whoever is assigned to the case may ask."""
    thing = Thing("admission-check", check_id, 1)
    around = await situation.of_case(call, case_id, addressee)
    if around is None or not around.relation.functions:
        return gate.refuse(call, thing, Reason.NOT_VISIBLE)
    if around.closed:
        return gate.refuse(call, thing, Reason.WRONG_STATE, {around.person: around.alias})
    if around.supplier.kind is not Party.IND or not around.agreements:
        return gate.refuse(call, thing, Reason.NO_AGREEMENT, {around.person: around.alias})
    answer = gate.admit(call, thing, persons={around.person: around.alias})
    if isinstance(answer, Refusal):
        return answer
    await store.add(call, check_id, case_id, around.person, addressee)
    events.tell(call.unit, addressee, EventType.ADMISSION_ASKED, "admission-check", check_id)
    return await _bare(call, check_id)


async def read(call: Call, check_id: AdmissionCheckId, purpose: Purpose | None) -> AdmissionCheck | Refusal:
    """IND reads whom it is asked about; the asker and the municipality read what IND answered."""
    facts = await store.find(call, check_id)
    thing = Thing("admission-check", check_id, None if facts is None else facts.version)
    caller = call.caller.organisation
    if facts is None or not _related(call, facts):
        return gate.refusal(gate.ask(call, thing, Question(caller, purpose, frozenset()), None))
    is_asked = _is_asked(call, facts)
    asked = frozenset({DataCategory.IDENTITY if is_asked else DataCategory.ADMISSION_FACTS})
    around = replace(facts.situation, relation=_relation(call, facts)).asked_for(Purpose.ADMISSION, purpose)
    bare = is_asked or facts.answered_at is None
    if not is_asked and bare:
        around = replace(around, holdings={})
    answer = gate.ask(call, thing, Question(caller, purpose, asked), around, known=bare)
    if isinstance(answer, Refusal):
        return answer
    decided = DataCategory.ADMISSION_FACTS in answer.categories
    return _seen(facts, *await store.open_check(answer, call, facts), decided=decided)


async def answer_all(call: Call, check_id: AdmissionCheckId, findings: Sequence[Finding]) -> AdmissionCheck | Refusal:
    """IND answers every criterion, once."""
    await store.lock(call, check_id)
    facts = await store.find(call, check_id)
    thing = Thing("admission-check", check_id, None if facts is None else facts.version)
    if facts is None or not _is_asked(call, facts):
        return gate.refuse(call, thing, Reason.NOT_VISIBLE)
    if facts.answered_at is not None:
        return gate.refuse(call, thing, Reason.WRONG_STATE, _whom(facts))
    if len({each.criterion for each in findings}) != len(findings):
        return gate.refuse(call, thing, Reason.INCOMPLETE, _whom(facts))
    answer = gate.admit(call, thing, persons=_whom(facts))
    if isinstance(answer, Refusal):
        return answer
    await store.answer(call, facts, findings)
    events.tell(call.unit, facts.asked_by, EventType.ADMISSION_ANSWERED, "admission-check", check_id)
    return await _bare(call, check_id)


async def decide(
    call: Call, check_id: AdmissionCheckId, result: AdmissionResult, conditions: str | None, review: date | None
) -> AdmissionCheck | Refusal:
    """The municipality decides. An admission by exception has conditions and a review date."""
    await store.lock(call, check_id)
    facts = await store.find(call, check_id)
    thing = Thing("admission-check", check_id, None if facts is None else facts.version)
    if facts is None or not _directs(call, facts):
        return gate.refuse(call, thing, Reason.NOT_VISIBLE)
    if facts.answered_at is None or facts.decided_at is not None:
        return gate.refuse(call, thing, Reason.WRONG_STATE, _whom(facts))
    if result is AdmissionResult.ADMITTED_BY_EXCEPTION and (conditions is None or review is None):
        return gate.refuse(call, thing, Reason.INCOMPLETE, _whom(facts))
    answer = gate.admit(call, thing, persons=_whom(facts))
    if isinstance(answer, Refusal):
        return answer
    await store.decide(call, facts, result, conditions, review)
    events.tell(call.unit, facts.asked_by, EventType.ADMISSION_DECIDED, "admission-check", check_id)
    return await _bare(call, check_id)


async def found(call: Call, check_id: AdmissionCheckId) -> AdmissionCheck | Refusal:
    """The check as it stands, for a party to it: what a repeated deed answers. Nothing is opened."""
    facts = await store.find(call, check_id)
    thing = Thing("admission-check", check_id, None if facts is None else facts.version)
    if facts is None or not _related(call, facts):
        return gate.refuse(call, thing, Reason.NOT_VISIBLE)
    answer = gate.admit(call, thing, persons=_whom(facts))
    return answer if isinstance(answer, Refusal) else _seen(facts, decided=_directs(call, facts))


def _is_asked(call: Call, facts: AdmissionFacts) -> bool:
    return facts.addressee == call.caller.organisation.id


def _directs(call: Call, facts: AdmissionFacts) -> bool:
    mine = call.caller.organisation
    return mine.kind is Party.MUNICIPALITY and facts.situation.municipality in mine.municipalities


def _related(call: Call, facts: AdmissionFacts) -> bool:
    return facts.situation.relation.any or _directs(call, facts)


def _relation(call: Call, facts: AdmissionFacts) -> Relation:
    """The municipality stands to the check as director, assigned or not."""
    return replace(facts.situation.relation, addressed=True) if _directs(call, facts) else facts.situation.relation


def _whom(facts: AdmissionFacts) -> Mapping[PersonId, PersonAlias]:
    return {facts.situation.person: facts.situation.alias}


async def _bare(call: Call, check_id: AdmissionCheckId) -> AdmissionCheck:
    """The check after a deed of the caller, nothing opened."""
    facts = await store.find(call, check_id)
    if facts is None:
        raise AssertionError("what was just written is there")
    return _seen(facts, decided=_directs(call, facts))


def _seen(
    facts: AdmissionFacts,
    findings: tuple[Finding, ...] | None = None,
    conditions: str | None = None,
    v_number: str | None = None,
    *,
    decided: bool = False,
) -> AdmissionCheck:
    """The check. How it was decided is shown to who decides, and to whom the facts of admission may go."""
    return AdmissionCheck(
        facts.id,
        facts.situation.case,
        facts.asked_at,
        facts.answered_at,
        findings,
        facts.result if decided else None,
        conditions,
        facts.review_date if decided else None,
        facts.decided_at if decided else None,
        v_number,
        facts.version,
    )
