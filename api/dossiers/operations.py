"""The use cases of a dossier: read it, read its manifest (leveringsoverzicht).

The read is the hot path, two round trips: (1) everything the decision needs, in one statement; (2) the replay mark, the
audit entry and the permitted sections, in one statement that commits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.audit.entry import Thing
from api.consent.model import Question
from api.disclosure import gate
from api.disclosure.permit import Permit, Refusal
from api.dossiers import store
from api.dossiers.model import Dossier, ManifestLine
from api.vocabulary import Reason

if TYPE_CHECKING:
    from api.disclosure.call import Call
    from api.disclosure.permit import Answer
    from api.dossiers.model import DossierFacts
    from api.vocabulary import DataCategory, DossierId, Purpose


async def read(call: Call, dossier_id: DossierId, purpose: Purpose | None) -> Dossier | Refusal:
    """The sections that may be seen; the supplier sees what it supplied."""
    facts = await store.find_dossier(call, dossier_id)
    answer = _asked(call, dossier_id, facts, purpose)
    if isinstance(answer, Refusal) or facts is None:
        return gate.refusal(answer)
    sections = await store.open_sections(answer, call, facts)
    return Dossier(facts, purpose, sections, answer.withheld)


async def manifest(
    call: Call, dossier_id: DossierId, purpose: Purpose | None
) -> tuple[DossierFacts, tuple[ManifestLine, ...]] | Refusal:
    """What became of each asked section, without opening any."""
    facts = await store.find_dossier(call, dossier_id)
    answer = _asked(call, dossier_id, facts, purpose)
    if isinstance(answer, Refusal) or facts is None:
        return gate.refusal(answer)
    return facts, tuple(_line(category, facts, answer) for category in sorted(facts.request.categories))


def _asked(call: Call, dossier_id: DossierId, facts: DossierFacts | None, purpose: Purpose | None) -> Answer:
    thing = Thing("dossier", dossier_id, None if facts is None else facts.version)
    caller = call.caller.organisation
    if facts is None or caller.id not in {facts.request.requester, facts.request.supplier}:
        return gate.ask(call, thing, Question(caller, purpose, frozenset()), None)
    around = facts.situation
    if caller.id == facts.request.supplier:
        whom = {around.person: around.alias}
        return gate.admit(call, thing, persons=whom, holdings=around.holdings, seals=facts.seals)
    question = Question(caller, purpose, facts.request.categories)
    return gate.ask(call, thing, question, around.asked_for(facts.request.purpose, purpose), seals=facts.seals)


def _line(category: DataCategory, facts: DossierFacts, permit: Permit) -> ManifestLine:
    if category in permit.granted:
        return ManifestLine(category, "delivered", fields=len(facts.situation.holdings[category]))
    reason = permit.withheld.get(category, Reason.NOT_AVAILABLE)
    if reason is not Reason.NOT_AVAILABLE:
        return ManifestLine(category, "withheld", reason=reason)
    if category in facts.request.missing:
        return ManifestLine(category, str(facts.request.missing[category]))
    return ManifestLine(category, "awaited" if not facts.complete else "not-found")
