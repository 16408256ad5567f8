"""The use cases of a screening outcome: share it, read it, list one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api import events
from api.audit.entry import Thing
from api.cases import situation
from api.consent.model import Question
from api.disclosure import gate
from api.disclosure.permit import Refusal
from api.events import EventType
from api.evidence import store as evidence
from api.evidence.model import FIELDS
from api.oauth import registry
from api.screening import store
from api.screening.model import Outcome, holdings
from api.vocabulary import ADDRESSABLE, CareFunction, DataCategory, Party, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from api.disclosure.call import Call
    from api.evidence.model import Evidence
    from api.principal import Organisation
    from api.screening.model import NewOutcome, OutcomeSummary
    from api.vocabulary import CaseId, Purpose, ScreeningOutcomeId

_SCREENS = frozenset({CareFunction.LEGAL_SCREENING, CareFunction.COORDINATION})


async def share(call: Call, outcome_id: ScreeningOutcomeId, new: NewOutcome) -> Outcome | Refusal:
    """Record an outcome and address it: to an authority only after it was explained, or with a coded reason."""
    thing = Thing("screening-outcome", outcome_id, 1)
    mine = call.caller.organisation.id
    around = await situation.of_case(call, new.case_id, mine)
    if around is None or not around.relation.functions:
        return gate.refuse(call, thing, Reason.NOT_VISIBLE)
    whom = {around.person: around.alias}
    if around.closed:
        return gate.refuse(call, thing, Reason.WRONG_STATE, whom)
    if not around.relation.functions & _SCREENS:
        return gate.refuse(call, thing, Reason.WRONG_FUNCTION, whom)
    found = [await registry.find_organisation(call.unit, each) for each in sorted(new.addressees)]
    addressees = [each for each in found if each is not None and each.kind in ADDRESSABLE]
    if len(addressees) != len(found):
        return gate.refuse(call, thing, Reason.WRONG_ADDRESSEE, whom)
    to_authority = any(each.kind is not Party.NGO for each in addressees)
    if to_authority and not new.explanations and new.not_explained_reason is None:
        return gate.refuse(call, thing, Reason.NOT_EXPLAINED, whom)
    answer = gate.admit(call, thing, persons=whom)
    if isinstance(answer, Refusal):
        return answer
    await store.add(call, outcome_id, around.person, new)
    await evidence.keep(call, outcome_id, around.person)
    await _tell(call, outcome_id, new, addressees)
    return await _own(call, outcome_id, new)


async def read(call: Call, outcome_id: ScreeningOutcomeId, purpose: Purpose | None) -> Outcome | Refusal:
    """The author reads its own; others read what the gate lets cross."""
    facts = await store.find(call, outcome_id)
    thing = Thing("screening-outcome", outcome_id, None if facts is None else facts.version)
    around, caller = None if facts is None else facts.situation, call.caller.organisation
    if around is not None and around.relation.supplied:
        answer = gate.admit(call, thing, persons={around.person: around.alias}, holdings=around.holdings)
    else:
        asked = {DataCategory.SHARED_OUTCOME}
        if caller.kind is Party.NGO:
            asked.add(DataCategory.LEGAL_ANALYSIS)
        answer = gate.ask(call, thing, Question(caller, purpose, frozenset(asked)), around)
    if isinstance(answer, Refusal) or facts is None:
        return gate.refusal(answer)
    return await store.open_outcome(answer, call, facts)


async def read_evidence(call: Call, outcome_id: ScreeningOutcomeId) -> Evidence | Refusal:
    """The author alone reads the signed body: it holds the legal analysis and the addressees, for nobody else whole."""
    facts = await store.find(call, outcome_id)
    kept = None if facts is None else await evidence.find(call, outcome_id)
    thing = Thing("screening-outcome", outcome_id, None if facts is None else facts.version)
    if facts is None or kept is None or not (around := facts.situation).relation.supplied:
        return gate.refuse(call, thing, Reason.NOT_VISIBLE)
    held = dict.fromkeys(around.holdings, FIELDS)
    answer = gate.admit(call, thing, persons={around.person: around.alias}, holdings=held, seals=kept.seals)
    return answer if isinstance(answer, Refusal) else await evidence.open_payload(answer, call, kept)


async def listed(call: Call, case_id: CaseId, before: UUID, most: int) -> list[OutcomeSummary] | Refusal:
    """The caller's own outcomes of a case. The last of `most` is not shown."""
    found = await store.listed(call, case_id, before, most)
    persons = {each.person: each.alias for each in found[: most - 1]}
    answer = gate.admit(call, Thing("screening-outcome"), persons=persons)
    return answer if isinstance(answer, Refusal) else found


async def _tell(
    call: Call, outcome_id: ScreeningOutcomeId, new: NewOutcome, addressees: Iterable[Organisation]
) -> None:
    """Tell those who may see it today. To the others not even an event says that there is something."""
    mine, there = call.caller.organisation.id, holdings(analysis=new.analysis is not None)
    for each in addressees:
        towards = await situation.of_case(call, new.case_id, mine, recipient=each.id, addressed=True, holdings=there)
        if gate.may_hear(call, each, DataCategory.SHARED_OUTCOME, towards):
            events.tell(call.unit, each.id, EventType.OUTCOME_SHARED, "screening-outcome", outcome_id)


async def _own(call: Call, outcome_id: ScreeningOutcomeId, new: NewOutcome) -> Outcome:
    """The outcome that was just written: nothing needs to be opened to answer its author."""
    facts = await store.find(call, outcome_id)
    if facts is None:
        raise AssertionError("what was just written is there")
    return Outcome(facts, new.shared, new.analysis, new.explanations)
