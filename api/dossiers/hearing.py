"""Who asked for a dossier hears of its documents that it could see; of others not even an event tells that they are.

Of one that was taken back it also hears when it had it before, so that it goes there too (GDPR article 19). What it had
stands in the log, and a consent that was refused or withdrawn since changes nothing of it: no event tells of consent.
The log is searched as far as its tree is, a second behind. Who read within it hears by the first rule, unless consent
was withdrawn within it too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from api import events
from api.audit import search
from api.audit.query import Key, Span, Term
from api.cases import situation
from api.disclosure import authority, gate
from api.events import EventType
from api.oauth import registry
from api.vocabulary import Result

if TYPE_CHECKING:
    from api.disclosure.call import Call
    from api.dossiers.model import DocumentFacts


async def stored(call: Call, facts: DocumentFacts) -> None:
    """Tell that a content is there: not which, it is seen in the list."""
    if await _sees(call, facts):
        events.tell(call.unit, facts.request.requester, EventType.DOCUMENT_STORED, "dossier", facts.dossier_id)


async def withdrawn(call: Call, facts: DocumentFacts) -> None:
    """Tell which document was taken back, when it was there."""
    if facts.upload is not None and (await _sees(call, facts) or await _saw(call, facts)):
        events.tell(call.unit, facts.request.requester, EventType.DOCUMENT_WITHDRAWN, "document", facts.id)


async def _sees(call: Call, facts: DocumentFacts) -> bool:
    """Whether a reading for the purpose of the request would be permitted now."""
    request = facts.request
    requester = await registry.find_organisation(call.unit, request.requester)
    around = await situation.of_case(call, request.case_id, request.supplier, recipient=request.requester)
    if requester is None or around is None or not around.relation.any:
        return False
    around = replace(around, proportionality_note=request.situation.proportionality_note)
    return gate.may_hear(call, requester, facts.category, around, (request.purpose,))


async def _saw(call: Call, facts: DocumentFacts) -> bool:
    """Whether its content, or its title in a list, was disclosed before."""
    terms = (
        Term(Key.OBJECT, (facts.id, facts.dossier_id)),
        Term(Key.ACTION, (authority.READ_DOCUMENT.name, authority.LIST_DOCUMENTS.name)),
        Term(Key.ORG, (facts.request.requester,)),
        Term(Key.CATEGORY, (str(facts.category),)),
        Term(Key.RESULT, (Result.PERMITTED,)),
        Term(Key.AFTER, (Span(facts.stored_at, None),)),
    )
    return bool(await search.chosen(call.unit, terms, search.END, 0))
