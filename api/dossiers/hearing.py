"""Who asked for a dossier hears of its documents that it could see; of others not even an event tells that they are.

Of one that was taken back it also hears when it had it before, so that it goes there too (GDPR article 19), and so does
who had it, or could, in an emergency. What each had stands in the log, and a consent that was refused or withdrawn
since changes nothing of it: no event tells of consent. The log is searched as far as its tree is, a second behind. Who
read within it hears by the first rule, unless consent was withdrawn within it too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from api import events
from api.audit import search
from api.audit.query import Key, Span, Term
from api.cases import situation
from api.cases.emergencies import store as emergencies
from api.disclosure import authority, gate
from api.events import EventType
from api.oauth import registry
from api.vocabulary import Purpose, Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.disclosure.call import Call
    from api.dossiers.model import DocumentFacts
    from api.vocabulary import OrganisationId


async def stored(call: Call, facts: DocumentFacts) -> None:
    """Tell that a content is there: not which, it is seen in the list."""
    request = facts.request
    if await _sees(call, facts, request.requester, (request.purpose,)):
        events.tell(call.unit, request.requester, EventType.DOCUMENT_STORED, "dossier", facts.dossier_id)


async def withdrawn(call: Call, facts: DocumentFacts) -> None:
    """Tell which document was taken back, when it was there."""
    if facts.upload is None:
        return
    request = facts.request
    in_emergency = await emergencies.declarers(call.unit, request.case_id)
    for each in sorted({request.requester, *in_emergency}):
        purposes = (request.purpose, Purpose.EMERGENCY) if each == request.requester else (Purpose.EMERGENCY,)
        if await _sees(call, facts, each, purposes) or await _saw(call, facts, each):
            events.tell(call.unit, each, EventType.DOCUMENT_WITHDRAWN, "document", facts.id)


async def _sees(call: Call, facts: DocumentFacts, who: OrganisationId, purposes: Sequence[Purpose]) -> bool:
    """Whether a reading for one of these purposes would be permitted now."""
    request = facts.request
    recipient = await registry.find_organisation(call.unit, who)
    around = await situation.of_case(call, request.case_id, request.supplier, recipient=who)
    if recipient is None or around is None or not around.relation.any:
        return False
    around = replace(around, proportionality_note=request.situation.proportionality_note)
    return gate.may_hear(call, recipient, facts.category, around, purposes)


async def _saw(call: Call, facts: DocumentFacts, who: OrganisationId) -> bool:
    """Whether its content, or its title in a list, was disclosed before."""
    terms = (
        Term(Key.OBJECT, (facts.id, facts.dossier_id)),
        Term(Key.ACTION, (authority.READ_DOCUMENT.name, authority.LIST_DOCUMENTS.name)),
        Term(Key.ORG, (who,)),
        Term(Key.CATEGORY, (str(facts.category),)),
        Term(Key.RESULT, (Result.PERMITTED,)),
        Term(Key.AFTER, (Span(facts.stored_at, None),)),
    )
    return bool(await search.chosen(call.unit, terms, search.END, 0))
