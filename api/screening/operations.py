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
from api.oauth import registry
from api.screening import store
from api.screening.model import Outcome
from api.vocabulary import ADDRESSABLE, CareFunction, DataCategory, Party, Reason

if TYPE_CHECKING:
    from uuid import UUID

    from api.disclosure.call import Call
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
    if not around.relation.functions & _SCREENS:
        return gate.refuse(call, thing, Reason.WRONG_FUNCTION, whom)
    addressees = [await registry.find_organisation(call.unit, each) for each in sorted(new.addressees)]
    if any(each is None or each.kind not in ADDRESSABLE for each in addressees):
        return gate.refuse(call, thing, Reason.WRONG_ADDRESSEE, whom)
    to_authority = any(each is not None and each.kind is not Party.NGO for each in addressees)
    if to_authority and not new.explanations and new.not_explained_reason is None:
        return gate.refuse(call, thing, Reason.NOT_EXPLAINED, whom)
    answer = gate.admit(call, thing, persons=whom)
    if isinstance(answer, Refusal):
        return answer
    await store.add(call, outcome_id, around.person, new)
    for addressee in sorted(new.addressees):
        events.tell(call.unit, addressee, EventType.OUTCOME_SHARED, "screening-outcome", outcome_id)
    return await _own(call, outcome_id, new)


async def read(call: Call, outcome_id: ScreeningOutcomeId, purpose: Purpose | None) -> Outcome | Refusal:
    """The author reads its own; others read what the gate lets cross."""
    facts = await store.find(call, outcome_id)
    thing = Thing("screening-outcome", outcome_id, None if facts is None else facts.version)
    if facts is None or not facts.situation.relation.any:
        return gate.refuse(call, thing, Reason.NOT_VISIBLE)
    around, caller = facts.situation, call.caller.organisation
    whom = {around.person: around.alias}
    if around.relation.supplied:
        answer = gate.admit(call, thing, persons=whom, holdings=around.holdings)
    elif purpose is None:
        return gate.refuse(call, thing, Reason.PURPOSE_MISSING, whom)
    else:
        asked = {DataCategory.SHARED_OUTCOME}
        if caller.kind is Party.NGO:
            asked.add(DataCategory.LEGAL_ANALYSIS)
        answer = gate.ask(call, thing, Question(caller, purpose, frozenset(asked)), around)
    return answer if isinstance(answer, Refusal) else await store.open_outcome(answer, call, facts)


async def listed(call: Call, case_id: CaseId, before: UUID, most: int) -> list[OutcomeSummary] | Refusal:
    """The caller's own outcomes of a case. The last of `most` is not shown."""
    found = await store.listed(call, case_id, before, most)
    persons = {each.person: each.alias for each in found[: most - 1]}
    answer = gate.admit(call, Thing("screening-outcome"), persons=persons)
    return answer if isinstance(answer, Refusal) else found


async def _own(call: Call, outcome_id: ScreeningOutcomeId, new: NewOutcome) -> Outcome:
    """The outcome that was just written: nothing needs to be opened to answer its author."""
    facts = await store.find(call, outcome_id)
    if facts is None:
        raise AssertionError("what was just written is there")
    return Outcome(facts, new.shared, new.analysis, new.explanations)
