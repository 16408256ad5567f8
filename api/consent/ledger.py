"""The consent ledger: events are added, nothing is ever changed, and the state is the latest event.

Whether the caller may record for this person is decided above (the gate). The vault has taken in the person's keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import uuid_utils.compat as uuid_utils
from sqlalchemy import insert
from sqlalchemy.dialects.postgresql import insert as upsert

from api.consent import standing
from api.consent.model import ConsentRef, Fault, Objection
from api.consent.record import LONGEST, ConsentFacts
from api.consent.tables import CONSENT, CONSENT_EVENT, SUPERSESSION, consent, consent_event, supersession
from api.errors import Overloaded
from api.storage.statement import statement
from api.vocabulary import ConsentEventKind, Reason

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from api.consent.evidence import Evidence, Texts
    from api.consent.record import NewConsent
    from api.crypto.vault import Vault
    from api.principal import Principal
    from api.storage.statement import Bound
    from api.storage.unit import Unit
    from api.vocabulary import ConsentId, PersonId

_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class Noted:
    """A consent after what was asked. `already`: it had happened before, and nothing was added."""

    consent: ConsentFacts
    already: bool = False


async def record(
    unit: Unit, vault: Vault, caller: Principal, consent_id: ConsentId, new: NewConsent, texts: Texts
) -> Noted | Objection:
    """Write down a yes or a no. A yes needs its evidence, and a text that may carry it.

    It names each no that it takes the place of: what the person told somebody else is not overruled without a word.
    """
    known = await standing.towards(unit, new.case, new.recipient.id)
    faults = (*new.faults(unit.now), *new.misnamed(known))
    if faults:
        evidence = any(fault.place.startswith("/evidence") for fault in faults)
        return Objection(Reason.CONSENT_EVIDENCE if evidence else Reason.INCOMPLETE, faults)
    text = new.evidence.text
    if new.given and not texts.carry(text):
        return Objection(Reason.CONSENT_TEXT_UNREVIEWED)
    if new.overrules(known):
        return Objection(Reason.CONSENT_STANDS_REFUSED)
    clear = {
        "id": consent_id,
        "person_id": new.person,
        "case_id": new.case,
        "kind": str(new.kind),
        "purpose": str(new.purpose),
        "recipient_organisation_id": new.recipient.id,
        "function": None if new.function is None else str(new.function),
        "categories": sorted(str(category) for category in new.categories),
        "given_by": str(new.given_by),
        "text_id": text.id,
        "text_version": text.version,
        "text_sha256": text.sha256,
        "language": text.language,
        "valid_from": unit.now,
        "valid_until": new.valid_until,
        "recorded_by": caller.organisation.id,
        "created_at": unit.now,
    }
    await unit.run(_ADD(**vault.row(new.person, CONSENT, {"evidence": new.evidence.record()}, clear)))
    for each in new.supersedes:
        await unit.run(_supersession(vault, new.person, consent_id, each))
    kind = ConsentEventKind.GIVEN if new.given else ConsentEventKind.REFUSED
    first = ConsentRef(consent_id, 1)
    await unit.run(_event(unit, vault, caller, new.person, uuid_utils.uuid7(), first, kind))
    return Noted(_there(await standing.find(unit, consent_id)))


async def reconfirm(
    unit: Unit,
    vault: Vault,
    caller: Principal,
    consent_id: ConsentId,
    evidence: Evidence,
    valid_until: datetime,
    texts: Texts,
) -> Noted | Objection:
    """Write down that the person still means it, with evidence as for a new yes."""
    faults = [*evidence.faults()]
    if not unit.now < valid_until <= unit.now + LONGEST:
        faults.append(Fault("/validUntilAt", f"A consent ends after now and within {LONGEST.days} days."))
    if faults:
        return Objection(Reason.CONSENT_EVIDENCE, tuple(faults))
    if not texts.carry(evidence.text):
        return Objection(Reason.CONSENT_TEXT_UNREVIEWED)
    return await _append(
        unit, vault, caller, consent_id, ConsentEventKind.RECONFIRMED, evidence.record(), until=valid_until
    )


async def withdraw(
    unit: Unit, vault: Vault, caller: Principal, consent_id: ConsentId, note: str | None = None
) -> Noted | Objection:
    """Write down that the person takes it back. It needs no reason and no evidence; twice is once."""
    return await _append(unit, vault, caller, consent_id, ConsentEventKind.WITHDRAWN, note)


async def invalidate(
    unit: Unit, vault: Vault, caller: Principal, consent_id: ConsentId, note: str
) -> Noted | Objection:
    """Write down that the record of a living consent was made in error, and why; twice is once."""
    return await _append(unit, vault, caller, consent_id, ConsentEventKind.INVALIDATED, note)


_SUPERSEDE: Final = statement(insert(supersession), *(column.name for column in supersession.c))
_ADD: Final = statement(insert(consent), *(column.name for column in consent.c))
_ADD_EVENT: Final = statement(
    upsert(consent_event)
    .on_conflict_do_nothing(index_elements=["consent_id", "sequence"])
    .returning(consent_event.c.sequence),
    *(column.name for column in consent_event.c),
)


async def _append(
    unit: Unit,
    vault: Vault,
    caller: Principal,
    consent_id: ConsentId,
    kind: ConsentEventKind,
    note: Any,  # noqa: ANN401 - JSON
    *,
    until: datetime | None = None,
) -> Noted | Objection:
    """Add an event behind the latest one. Who comes second looks again at what the first one left."""
    event_id = uuid_utils.uuid7()
    for _ in range(_ATTEMPTS):
        found = await standing.find(unit, consent_id)
        if found is None:
            return Objection(Reason.NOT_VISIBLE)
        if found.last is kind and kind is not ConsentEventKind.RECONFIRMED:
            return Noted(found, already=True)
        if not found.may(kind, unit.now):
            return Objection(Reason.WRONG_STATE)
        ref = ConsentRef(consent_id, found.version + 1)
        if await unit.run(_event(unit, vault, caller, found.person, event_id, ref, kind, note, until)):
            return Noted(_there(await standing.find(unit, consent_id)))
        vault.not_stored(CONSENT_EVENT, event_id)
    raise Overloaded


def _event(
    unit: Unit,
    vault: Vault,
    caller: Principal,
    person: PersonId,
    event_id: UUID,
    ref: ConsentRef,
    kind: ConsentEventKind,
    note: Any = None,  # noqa: ANN401 - JSON
    until: datetime | None = None,
) -> Bound:
    clear = {
        "id": event_id,
        "consent_id": ref.id,
        "sequence": ref.version,
        "kind": str(kind),
        "at": unit.now,
        "valid_until": until,
        "by_organisation_id": caller.organisation.id,
        "by_client": caller.client_id,
    }
    return _ADD_EVENT(**vault.row(person, CONSENT_EVENT, {"note": note}, clear))


def _supersession(vault: Vault, person: PersonId, consent_id: ConsentId, earlier: ConsentRef) -> Bound:
    clear = {
        "id": uuid_utils.uuid7(),
        "consent_id": consent_id,
        "superseded_id": earlier.id,
        "version": earlier.version,
    }
    return _SUPERSEDE(**vault.row(person, SUPERSESSION, {}, clear))


def _there(found: ConsentFacts | None) -> ConsentFacts:
    if found is None:
        raise AssertionError("what was just written is there")
    return found
