"""The consent ledger: events are added, nothing is ever changed, and the state is the latest event.

Whether the caller may record for this person is decided above (the gate). The vault has taken in the person's keys.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import uuid_utils.compat as uuid_utils
from sqlalchemy import JSON, Integer, Uuid, bindparam, func, insert, literal_column, select, true
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.dialects.postgresql import insert as upsert

from api.consent.evidence import Text
from api.consent.model import Consent, Fault, Objection
from api.consent.record import LONGEST, ConsentEvent, ConsentFacts
from api.consent.tables import CONSENT, CONSENT_EVENT, consent, consent_event
from api.errors import Overloaded
from api.storage.statement import statement
from api.vocabulary import (
    CareFunction,
    CaseId,
    ConsentEventKind,
    ConsentGiver,
    ConsentId,
    ConsentKind,
    DataCategory,
    OrganisationId,
    PersonId,
    Purpose,
    Reason,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, ScalarSelect

    from api.consent.evidence import Evidence, Texts
    from api.consent.record import NewConsent
    from api.crypto.vault import Vault
    from api.principal import Principal
    from api.storage.statement import Bound
    from api.storage.unit import Record, Unit

_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class Noted:
    """A consent after what was asked. `already`: it had happened before, and nothing was added."""

    consent: ConsentFacts
    already: bool = False


async def record(
    unit: Unit, vault: Vault, caller: Principal, consent_id: ConsentId, new: NewConsent, texts: Texts
) -> Noted | Objection:
    """Write down a yes or a no. A yes needs its evidence, and a text that may carry it."""
    faults = tuple(new.faults(unit.now))
    if faults:
        evidence = any(fault.place.startswith("/evidence") for fault in faults)
        return Objection(Reason.CONSENT_EVIDENCE if evidence else Reason.INCOMPLETE, faults)
    text = new.evidence.text
    if new.given and not texts.carry(text):
        return Objection(Reason.CONSENT_TEXT_UNREVIEWED)
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
    kind = ConsentEventKind.GIVEN if new.given else ConsentEventKind.REFUSED
    await unit.run(_event(unit, vault, caller, new.person, consent_id, 1, kind))
    return Noted(_there(await find(unit, consent_id)))


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


async def find(unit: Unit, consent_id: ConsentId) -> ConsentFacts | None:
    """A consent, or None."""
    row = await unit.one(_FIND(consent_id=consent_id))
    return None if row is None else _facts(row)


async def of_case(unit: Unit, case_id: CaseId, before: uuid.UUID, most: int) -> list[ConsentFacts]:
    """The consents of a case with an id below `before`, newest first."""
    return [_facts(row) for row in await unit.all(_OF_CASE(case_id=case_id, before=before, most=most))]


def standing_column(*, case_id: ColumnElement[Any], recipient: ColumnElement[Any]) -> ScalarSelect[Any]:
    """For the statement of a room above: the consents of a case for a recipient, as `standing` takes them."""
    row = func.json_build_array(
        consent.c.id,
        _LAST.c.sequence,
        consent.c.kind,
        consent.c.purpose,
        consent.c.recipient_organisation_id,
        consent.c.function,
        consent.c.categories,
        _LAST.c.kind,
        _LAST.c.at,
        consent.c.valid_from,
        _UNTIL,
    )
    return (
        select(func.json_agg(row, type_=JSON))
        .select_from(consent)
        .join(_LAST, true())
        .where(consent.c.case_id == case_id, consent.c.recipient_organisation_id == recipient)
        .correlate_except(consent, _LAST)
        .scalar_subquery()
    )


def standing(found: Sequence[Sequence[Any]] | None) -> tuple[Consent, ...]:
    """The consents that `standing_column` found."""
    return tuple(_standing(each) for each in found or ())


_LAST: Final = (
    select(consent_event.c.sequence, consent_event.c.kind, consent_event.c.at, consent_event.c.valid_until)
    .where(consent_event.c.consent_id == consent.c.id)
    .order_by(consent_event.c.sequence.desc())
    .limit(literal_column("1"))
    .correlate(consent)
    .lateral("latest")
)
_UNTIL: Final = func.coalesce(_LAST.c.valid_until, consent.c.valid_until)
_EVENT: Final = func.json_build_array(
    consent_event.c.sequence, consent_event.c.kind, consent_event.c.at, consent_event.c.by_organisation_id
)
_EVENTS: Final = (
    select(func.json_agg(aggregate_order_by(_EVENT, consent_event.c.sequence), type_=JSON))
    .where(consent_event.c.consent_id == consent.c.id)
    .correlate(consent)
    .scalar_subquery()
)
_FACTS: Final = (
    select(
        *(column for column in consent.c if column.name not in {"evidence", "created_at", "valid_until"}),
        _UNTIL.label("until"),
        _EVENTS.label("events"),
    )
    .select_from(consent)
    .join(_LAST, true())
)
_FIND: Final = statement(_FACTS.where(consent.c.id == bindparam("consent_id", type_=Uuid)))
_OF_CASE: Final = statement(
    _FACTS.where(consent.c.case_id == bindparam("case_id", type_=Uuid), consent.c.id < bindparam("before", type_=Uuid))
    .order_by(consent.c.id.desc())
    .limit(bindparam("most", type_=Integer))
)
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
    for _ in range(_ATTEMPTS):
        found = await find(unit, consent_id)
        if found is None:
            return Objection(Reason.NOT_VISIBLE)
        if found.last is kind and kind is not ConsentEventKind.RECONFIRMED:
            return Noted(found, already=True)
        if not found.may(kind, unit.now):
            return Objection(Reason.WRONG_STATE)
        event = _event(unit, vault, caller, found.person, consent_id, found.version + 1, kind, note, until)
        if await unit.run(event):
            return Noted(_there(await find(unit, consent_id)))
    raise Overloaded


def _event(
    unit: Unit,
    vault: Vault,
    caller: Principal,
    person: PersonId,
    consent_id: ConsentId,
    sequence: int,
    kind: ConsentEventKind,
    note: Any = None,  # noqa: ANN401 - JSON
    until: datetime | None = None,
) -> Bound:
    clear = {
        "id": uuid_utils.uuid7(),
        "consent_id": consent_id,
        "sequence": sequence,
        "kind": str(kind),
        "at": unit.now,
        "valid_until": until,
        "by_organisation_id": caller.organisation.id,
        "by_client": caller.client_id,
    }
    return _ADD_EVENT(**vault.row(person, CONSENT_EVENT, {"note": note}, clear))


def _there(found: ConsentFacts | None) -> ConsentFacts:
    if found is None:
        raise AssertionError("what was just written is there")
    return found


def _facts(row: Record) -> ConsentFacts:
    return ConsentFacts(
        id=ConsentId(row["id"]),
        person=PersonId(row["person_id"]),
        case=CaseId(row["case_id"]),
        kind=ConsentKind(row["kind"]),
        purpose=Purpose(row["purpose"]),
        recipient=OrganisationId(row["recipient_organisation_id"]),
        function=None if row["function"] is None else CareFunction(row["function"]),
        categories=frozenset(DataCategory(each) for each in row["categories"]),
        given_by=ConsentGiver(row["given_by"]),
        text=Text(row["text_id"], row["text_version"], row["language"], row["text_sha256"]),
        valid_from=row["valid_from"],
        valid_until=row["until"],
        recorded_by=OrganisationId(row["recorded_by"]),
        events=tuple(
            ConsentEvent(
                sequence, ConsentEventKind(kind), datetime.fromisoformat(at), OrganisationId(uuid.UUID(organisation))
            )
            for sequence, kind, at, organisation in row["events"]
        ),
    )


def _standing(each: Sequence[Any]) -> Consent:
    consent_id, version, kind, purpose, recipient, function, categories, last, last_at, valid_from, until = each
    return Consent(
        id=ConsentId(uuid.UUID(consent_id)),
        version=version,
        kind=ConsentKind(kind),
        purpose=Purpose(purpose),
        recipient=OrganisationId(uuid.UUID(recipient)),
        function=None if function is None else CareFunction(function),
        categories=frozenset(DataCategory(category) for category in categories),
        last=ConsentEventKind(last),
        last_at=datetime.fromisoformat(last_at),
        valid_from=datetime.fromisoformat(valid_from),
        valid_until=datetime.fromisoformat(until),
    )
