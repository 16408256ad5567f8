"""The use cases of a dossier: read it, read its manifest (leveringsoverzicht).

The read is the hot path, two round trips: (1) everything the decision needs, in one statement; (2) the replay mark, the
audit entry and the permitted sections, in one statement that commits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.audit.entry import Thing
from api.disclosure import gate
from api.disclosure.permit import Permit, Refusal
from api.dossiers import asking, store
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
    asked = facts.request.open_to(call.caller.organisation, purpose, call.unit.now)
    return facts, tuple(_line(category, facts, answer) for category in sorted(asked))


def _asked(call: Call, dossier_id: DossierId, facts: DossierFacts | None, purpose: Purpose | None) -> Answer:
    thing = Thing("dossier", dossier_id, None if facts is None else facts.version)
    if facts is None:
        return asking.ask(call, thing, None, purpose, frozenset(), {})
    holdings, seals = facts.situation.holdings, facts.seals
    return asking.ask(call, thing, facts.request, purpose, facts.request.categories, holdings, seals)


def _line(category: DataCategory, facts: DossierFacts, permit: Permit) -> ManifestLine:
    if category in permit.granted:
        return ManifestLine(category, "delivered", fields=len(facts.situation.holdings[category]))
    reason = permit.withheld.get(category, Reason.NOT_AVAILABLE)
    if reason is not Reason.NOT_AVAILABLE:
        return ManifestLine(category, "withheld", reason=reason)
    if category in facts.request.missing:
        return ManifestLine(category, str(facts.request.missing[category]))
    return ManifestLine(category, "awaited" if not facts.complete else "not-found")
