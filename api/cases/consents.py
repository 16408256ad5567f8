"""The use cases of a person's consents in a case: record a yes or a no, read, list, re-confirm, take back, correct.

Only an NGO that guides the person comes near: to everybody else a consent is as absent, so that no one who decides
about the bed learns of a refusal.

Where a row that nobody's answer made puts an answer aside, nothing is shown and no yes is taken in: it could rest on a
no that is hidden. What takes a yes away goes on all the same. Either way whoever runs the service is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import uuid_utils.compat as uuid_utils

from api.audit.entry import Thing
from api.cases import situation
from api.consent import ledger, receipts, standing
from api.consent.model import Objection
from api.disclosure import gate
from api.disclosure.permit import Refusal
from api.errors import Undecryptable
from api.oauth import registry
from api.persons import store as persons
from api.vocabulary import Party, Reason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime
    from typing import TypeAlias
    from uuid import UUID

    from api.consent.evidence import Evidence, Texts
    from api.consent.ledger import Noted
    from api.consent.model import Situation
    from api.consent.record import ConsentFacts, NewConsent
    from api.disclosure.call import Call
    from api.principal import Organisation
    from api.vocabulary import CaseId, ConsentId, PersonId

    Deed: TypeAlias = Callable[[], Awaitable[Noted | Objection]]
    Making: TypeAlias = Callable[[PersonId, Organisation], NewConsent]


async def record(
    call: Call,
    consent_id: ConsentId,
    case_id: CaseId,
    recipient: Organisation | None,
    new: Making,
    texts: Texts,
) -> ConsentFacts | Refusal:
    """Write down what the person answered. `new` makes the record once it is known whom it is about."""
    thing = Thing("consent", consent_id, 1)
    around = await _guided(call, case_id)
    if around is None:
        return gate.refuse(call, thing, Reason.NOT_VISIBLE)
    whom = {around.person: around.alias}
    if (barred := gate.bar(call, thing)) is not None:
        return barred
    if recipient is None:
        return gate.refuse(call, thing, Reason.WRONG_ADDRESSEE, whom)
    await persons.take_keys(call.unit, call.vault, around.person)
    answer = new(around.person, recipient)
    await _vouched(call, case_id, stops=answer.given)
    noted = await ledger.record(call.unit, call.vault, call.caller, consent_id, answer, texts)
    if isinstance(noted, Objection):
        return gate.refuse(call, thing, noted.reason, whom, noted.faults)
    gate.admit(call, thing, persons=whom)
    return noted.consent


async def read(call: Call, consent_id: ConsentId) -> ConsentFacts | Refusal:
    """A consent as it stands, without its evidence."""
    facts = await found(call, consent_id)
    if not isinstance(facts, Refusal):
        await _vouched(call, facts.case)
    return facts


async def found(call: Call, consent_id: ConsentId) -> ConsentFacts | Refusal:
    """The same, unvouched: what a repeated deed answers."""
    facts = await standing.find(call.unit, consent_id)
    thing = Thing("consent", consent_id, None if facts is None else facts.version)
    around = None if facts is None else await _guided(call, facts.case)
    if facts is None or around is None:
        return gate.refuse(call, thing, Reason.NOT_VISIBLE)
    answer = gate.admit(call, thing, persons={around.person: around.alias})
    return answer if isinstance(answer, Refusal) else facts


async def listed(call: Call, case_id: CaseId, before: UUID, most: int) -> list[ConsentFacts] | Refusal:
    """The consents of a case, newest first."""
    around = await _guided(call, case_id)
    if around is None:
        return gate.refuse(call, Thing("case", case_id), Reason.NOT_VISIBLE)
    answer = gate.admit(call, Thing("case", case_id), persons={around.person: around.alias})
    if isinstance(answer, Refusal):
        return answer
    await _vouched(call, case_id)
    return await standing.of_case(call.unit, case_id, before, most)


async def receipt(call: Call, consent_id: ConsentId) -> dict[str, Any] | Refusal:
    """The receipt of a consent as it stands now, for the person."""
    facts = await read(call, consent_id)
    if isinstance(facts, Refusal):
        return facts
    recipient = await registry.find_organisation(call.unit, facts.recipient)
    recorder = await registry.find_organisation(call.unit, facts.recorded_by)
    if recipient is None or recorder is None:
        raise AssertionError("a consent names organisations that are there")
    return receipts.receipt(facts, uuid_utils.uuid7(), recipient, recorder, call.unit.now)


async def withdraw(call: Call, consent_id: ConsentId, note: str | None) -> ConsentFacts | Refusal:
    """Take a consent back, for the person. It counts from the next request; twice is once."""
    return await _follow(
        call, consent_id, lambda: ledger.withdraw(call.unit, call.vault, call.caller, consent_id, note)
    )


async def reconfirm(
    call: Call, consent_id: ConsentId, evidence: Evidence, until: datetime, texts: Texts
) -> ConsentFacts | Refusal:
    """Write down that the person still means a yes, with evidence as for a new one."""
    return await _follow(
        call,
        consent_id,
        lambda: ledger.reconfirm(call.unit, call.vault, call.caller, consent_id, evidence, until, texts),
        carries=True,
    )


async def invalidate(call: Call, consent_id: ConsentId, why: str) -> ConsentFacts | Refusal:
    """Write down that the record of a living yes was made in error; twice is once."""
    return await _follow(
        call, consent_id, lambda: ledger.invalidate(call.unit, call.vault, call.caller, consent_id, why)
    )


async def _follow(call: Call, consent_id: ConsentId, deed: Deed, *, carries: bool = False) -> ConsentFacts | Refusal:
    """Add an event to a consent of a person whom the caller guides. `carries`: a yes stands after it."""
    facts = await standing.find(call.unit, consent_id)
    thing = Thing("consent", consent_id, None if facts is None else facts.version)
    around = None if facts is None else await _guided(call, facts.case)
    if facts is None or around is None:
        return gate.refuse(call, thing, Reason.NOT_VISIBLE)
    whom = {around.person: around.alias}
    if (barred := gate.bar(call, thing)) is not None:
        return barred
    await persons.take_keys(call.unit, call.vault, around.person)
    await _vouched(call, facts.case, stops=carries)
    noted = await deed()
    if isinstance(noted, Objection):
        return gate.refuse(call, thing, noted.reason, whom, noted.faults)
    gate.admit(call, Thing("consent", consent_id, noted.consent.version), persons=whom)
    return noted.consent


async def _guided(call: Call, case_id: CaseId) -> Situation | None:
    """The case, if the caller is an NGO that guides its person."""
    mine = call.caller.organisation
    around = await situation.of_case(call, case_id, mine.id)
    return around if around is not None and mine.kind is Party.NGO and around.relation.guides else None


async def _vouched(call: Call, case_id: CaseId, *, stops: bool = True) -> None:
    """See that no answer in the case was put aside but by another; `stops`: raise `Undecryptable` if one was."""
    try:
        await standing.vouch(call.unit, call.vault, case_id)
    except Undecryptable:
        if stops:
            raise
