"""The use cases of a document (stuk) of a dossier: announce it, send its content, list, read, take it back.

    awaited ──► stored      by the supplier, while the request runs; a content is never replaced
       │           │
       └───────────┴──► withdrawn      by the supplier, at any time: what it said is gone

A document belongs to one category, and crosses as a section of that category does: same decision, same entry. The
supplier announces it first, so that its title, which is about a person, stands in no address and no header. The content
follows, and is there when its last byte came and all of it is as it was announced; else nothing is.
"""

from __future__ import annotations

import asyncio
import hmac
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from api.audit.entry import Thing
from api.disclosure import gate
from api.disclosure.permit import Refusal
from api.dossiers import asking, hearing
from api.dossiers import document_store as store
from api.dossiers import listing_store as listing
from api.dossiers import request_store as requests
from api.dossiers import store as dossiers
from api.dossiers import withdrawal_store as withdrawals
from api.dossiers.contents import Content
from api.dossiers.uploads import Upload
from api.errors import KetenbrugError
from api.persons import store as persons
from api.vocabulary import Reason

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Mapping
    from uuid import UUID

    from api.disclosure.call import Call
    from api.dossiers.model import Announced, DocumentFacts, Listed, NewDocument, RequestFacts
    from api.dossiers.uploads import Taken, Units
    from api.vocabulary import (
        DataCategory,
        DocumentId,
        DocumentWithdrawalReason,
        DossierId,
        PersonAlias,
        PersonId,
        Purpose,
    )

TITLES: Final = ("documentTitles",)
"""What the entry says that a list disclosed, of each category: which documents there are."""
CONTENT: Final = ("documentContent",)
"""What it says of a content, or of a part of one."""


async def attach(
    call: Call, dossier_id: DossierId, document_id: DocumentId, new: NewDocument
) -> DocumentFacts | Refusal:
    """Announce a document. Only of a category that was asked for, and is still agreed."""
    thing = Thing("document", document_id)
    facts = await dossiers.find_dossier(call, dossier_id)
    if facts is None or not _supplies(call, facts.request):
        return gate.refuse(call, thing, Reason.NOT_VISIBLE)
    if (why := await _hindrance(call, facts.request, new.category)) is not None:
        return gate.refuse(call, thing, why, _whom(facts.request))
    answer = gate.admit(call, thing, persons=_whom(facts.request))
    if isinstance(answer, Refusal):
        return answer
    await store.add(call, document_id, facts, new)
    return await _own(call, dossier_id, document_id)


async def found(call: Call, dossier_id: DossierId, document_id: DocumentId) -> DocumentFacts | Refusal:
    """The document as it stands, for its supplier: what a repeated announcement answers. Nothing is opened."""
    facts = await store.find(call, dossier_id, document_id)
    if facts is None or not _supplies(call, facts.request):
        return gate.refuse(call, Thing("document", document_id), Reason.NOT_VISIBLE)
    answer = gate.admit(call, Thing("document", document_id), persons=_whom(facts.request), seals=facts.seals)
    return answer if isinstance(answer, Refusal) else facts


async def send(
    call: Call,
    dossier_id: DossierId,
    document_id: DocumentId,
    announced: Announced,
    blocks: AsyncIterable[bytes],
    units: Units,
) -> DocumentFacts | Refusal:
    """Send the content of a document. The same content again has no effect; another one is refused."""
    # (1) whether it may come at all, before a byte of it is read
    facts = await store.find(call, dossier_id, document_id)
    if facts is None or not await _awaits(call, facts) or announced.media_type != facts.media_type:
        return await _settled(call, document_id, facts, announced)
    # (2) the mark is committed, and no connection is held while it comes
    await call.unit.finish()
    upload = Upload(facts, units)
    try:
        taken = await upload.take(blocks, announced)
        outcome = await _stored(call, facts, announced, taken)
    except BaseException:
        with suppress(KetenbrugError):  # what is left is collected
            await asyncio.shield(upload.discard())
        raise
    if isinstance(outcome, Refusal) or outcome.upload != upload.id:
        await upload.discard()
    return outcome


async def listed(
    call: Call, dossier_id: DossierId, purpose: Purpose | None, before: UUID, most: int
) -> list[Listed] | Refusal:
    """The documents of the categories that may be seen, newest first; the supplier also sees what is awaited."""
    facts = await dossiers.find_dossier(call, dossier_id)
    thing = Thing("dossier", dossier_id, None if facts is None else facts.version)
    request = None if facts is None else facts.request
    holdings = {} if facts is None else dict.fromkeys(facts.request.categories, TITLES)
    answer = asking.ask(call, thing, request, purpose, frozenset(holdings), holdings)
    if isinstance(answer, Refusal) or request is None:
        return gate.refusal(answer)
    return await listing.listed(answer, call, dossier_id, before, most, awaited_too=_supplies(call, request))


async def read(
    call: Call, dossier_id: DossierId, document_id: DocumentId, purpose: Purpose | None
) -> Content | Refusal:
    """A content, to be read once the entry that says so is committed. What is still awaited is as absent."""
    facts = await store.find(call, dossier_id, document_id)
    there = None if facts is None or facts.upload is None else facts
    request = None if there is None else there.request
    holdings = {} if there is None else {there.category: CONTENT}
    seals = None if there is None else there.seals
    answer = asking.ask(call, Thing("document", document_id), request, purpose, frozenset(holdings), holdings, seals)
    if isinstance(answer, Refusal) or there is None or there.upload is None or there.length is None:
        return gate.refusal(answer)
    return Content(there, there.upload, there.length, await store.open_secret(answer, call, there))


async def withdraw(
    call: Call, dossier_id: DossierId, document_id: DocumentId, reason: DocumentWithdrawalReason
) -> Listed | Refusal:
    """Take a document back, also after the request has ended. Who may have it is told, so that it goes there too."""
    facts = await store.find(call, dossier_id, document_id)
    if facts is not None and _supplies(call, facts.request):
        await requests.lock(call.unit, facts.request.id)  # an upload may be about to end
        await persons.lock(call.unit, facts.request.situation.person)  # a hold to be placed, the person to be erased
        facts = await store.find(call, dossier_id, document_id)
    if facts is None or not _supplies(call, facts.request):
        return await withdrawn(call, dossier_id, document_id)
    thing, whom = Thing("document", document_id), _whom(facts.request)
    answer = gate.admit(call, thing, persons=whom, seals=facts.seals, cause=str(reason))
    if isinstance(answer, Refusal):
        return answer
    await hearing.withdrawn(call, facts)
    return await withdrawals.withdraw(call, facts, reason)


async def withdrawn(call: Call, dossier_id: DossierId, document_id: DocumentId) -> Listed | Refusal:
    """What is left of a document, for its supplier: what a repeated withdrawal answers, whatever its reason."""
    facts = await dossiers.find_dossier(call, dossier_id)
    gone = await withdrawals.find(call, dossier_id, document_id)
    if facts is None or gone is None or not _supplies(call, facts.request):
        return gate.refuse(call, Thing("document", document_id), Reason.NOT_VISIBLE)
    answer = gate.admit(call, Thing("document", document_id), persons=_whom(facts.request))
    return answer if isinstance(answer, Refusal) else gone


async def _stored(
    call: Call, facts: DocumentFacts, announced: Announced, taken: Taken | None
) -> DocumentFacts | Refusal:
    """What has become of it, in one short transaction: meanwhile it may have been too late, or another upload won."""
    thing, whom = Thing("document", facts.id), _whom(facts.request)
    if taken is None:
        return gate.refuse(call, thing, Reason.NOT_AS_DECLARED, whom)
    await requests.lock(call.unit, facts.request.id)
    now = await store.find(call, facts.dossier_id, facts.id)
    if now is None or not await _awaits(call, now):
        return await _settled(call, facts.id, now, announced)
    answer = gate.admit(call, thing, persons=whom, seals=now.seals)
    if isinstance(answer, Refusal):
        return answer
    await store.complete(answer, call, now, taken, announced.fingerprint)
    await hearing.stored(call, facts)
    return await _own(call, facts.dossier_id, facts.id)


async def _settled(
    call: Call, document_id: DocumentId, facts: DocumentFacts | None, announced: Announced
) -> DocumentFacts | Refusal:
    """The answer where nothing is to be taken in: it is there already, or it may not come."""
    thing = Thing("document", document_id)
    if facts is None or not _supplies(call, facts.request):
        return gate.refuse(call, thing, Reason.NOT_VISIBLE)
    whom = _whom(facts.request)
    if facts.fingerprint is not None and hmac.compare_digest(facts.fingerprint, announced.fingerprint):
        answer = gate.admit(call, thing, persons=whom, seals=facts.seals)
        return answer if isinstance(answer, Refusal) else facts
    if facts.upload is not None:
        return gate.refuse(call, thing, Reason.WRONG_STATE, whom)
    why = await _hindrance(call, facts.request, facts.category)
    return gate.refuse(call, thing, why or Reason.NOT_AS_DECLARED, whom)


def _supplies(call: Call, request: RequestFacts) -> bool:
    return call.caller.organisation.id == request.supplier


async def _awaits(call: Call, facts: DocumentFacts) -> bool:
    awaited = _supplies(call, facts.request) and facts.upload is None
    return awaited and await _hindrance(call, facts.request, facts.category) is None


async def _hindrance(call: Call, request: RequestFacts, category: DataCategory) -> Reason | None:
    return request.hindrance([category], await requests.agreed(call, request))


def _whom(request: RequestFacts) -> Mapping[PersonId, PersonAlias]:
    return {request.situation.person: request.situation.alias}


async def _own(call: Call, dossier_id: DossierId, document_id: DocumentId) -> DocumentFacts:
    """The document after a deed of the caller, read in the same transaction."""
    facts = await store.find(call, dossier_id, document_id)
    if facts is None:
        raise AssertionError("what was just written is there")
    return facts
