"""What the ledger holds: a consent with its events, for who keeps it, and the bare consents that a decision takes."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import structlog
from sqlalchemy import JSON, Integer, Uuid, bindparam, func, literal_column, select, true
from sqlalchemy.dialects.postgresql import aggregate_order_by

from api.consent.evidence import Text
from api.consent.model import Consent, ConsentRef
from api.consent.record import ConsentEvent, ConsentFacts
from api.consent.tables import SUPERSESSION, consent, consent_event, supersession
from api.crypto.tables import person_key
from api.crypto.wrappers import WrappedKey
from api.errors import Undecryptable
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
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, ScalarSelect

    from api.crypto.vault import Vault
    from api.storage.unit import Record, Unit


async def find(unit: Unit, consent_id: ConsentId) -> ConsentFacts | None:
    """A consent, or None."""
    row = await unit.one(_FIND(consent_id=consent_id))
    return None if row is None else _facts(row)


async def of_case(unit: Unit, case_id: CaseId, before: uuid.UUID, most: int) -> list[ConsentFacts]:
    """The consents of a case with an id below `before`, newest first."""
    return [_facts(row) for row in await unit.all(_OF_CASE(case_id=case_id, before=before, most=most))]


async def towards(unit: Unit, case_id: CaseId, recipient: OrganisationId) -> tuple[Consent, ...]:
    """The consents of a case for one recipient."""
    (row,) = await unit.all(_TOWARDS(case_id=case_id, to=recipient))
    return read(row["found"])


async def vouch(unit: Unit, vault: Vault, case_id: CaseId) -> None:
    """See that whatever puts an earlier answer of a case aside belongs to an answer; else say so.

    Raises `Undecryptable`. It is for who may know that there was a no: to everybody else the time that it takes would
    tell. A vault that is to seal has the person's keys already, held; else those that come along only check.
    """
    rows = await unit.all(_NAMINGS(case_id=case_id))
    await vault.take(WrappedKey(row["person_id"], row["key_version"], row["kek"], row["wrapped"]) for row in rows)
    try:
        for row in rows:
            vault.check_row(row["person_id"], SUPERSESSION, row)
    except Undecryptable:
        # Of whom is for `ketenbrug keys check --rows` to say, not for a log that many read.
        structlog.get_logger("ketenbrug.consent").error("put-aside-by-nobody")
        raise


def column(*, case_id: ColumnElement[Any], recipient: ColumnElement[Any]) -> ScalarSelect[Any]:
    """For the statement of a room above: the consents of a case for a recipient, as `read` takes them."""
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
        _SUPERSEDES,
    )
    return (
        select(func.json_agg(row, type_=JSON))
        .select_from(consent)
        .join(_LAST, true())
        .where(consent.c.case_id == case_id, consent.c.recipient_organisation_id == recipient)
        .correlate_except(consent, _LAST)
        .scalar_subquery()
    )


def read(found: Sequence[Sequence[Any]] | None) -> tuple[Consent, ...]:
    """The consents that `column` found."""
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
_SUPERSEDES: Final = (
    select(func.json_agg(func.json_build_array(supersession.c.superseded_id, supersession.c.version), type_=JSON))
    .where(supersession.c.consent_id == consent.c.id)
    .correlate(consent)
    .scalar_subquery()
)
_EVENT: Final = func.json_build_array(
    consent_event.c.sequence, consent_event.c.kind, consent_event.c.at, consent_event.c.by_organisation_id
)
_EVENTS: Final = (
    select(func.json_agg(aggregate_order_by(_EVENT, consent_event.c.sequence), type_=JSON))
    .where(consent_event.c.consent_id == consent.c.id)
    .correlate(consent)
    .scalar_subquery()
)
_LATER: Final = consent.alias("later")
_LATER_EVENT: Final = consent_event.alias("later_event")
_SUPERSEDED: Final = (
    select(func.json_agg(_LATER.c.categories, type_=JSON))
    .select_from(supersession.join(_LATER, _LATER.c.id == supersession.c.consent_id))
    .where(
        supersession.c.superseded_id == consent.c.id,
        supersession.c.version == _LAST.c.sequence,
        ~select(_LATER_EVENT.c.id)
        .where(
            _LATER_EVENT.c.consent_id == _LATER.c.id,
            _LATER_EVENT.c.kind == literal_column(f"'{ConsentEventKind.INVALIDATED}'"),
        )
        .correlate(_LATER)
        .exists(),
    )
    .correlate(consent, _LAST)
    .scalar_subquery()
)
_FACTS: Final = (
    select(
        *(column for column in consent.c if column.name not in {"evidence", "created_at", "valid_until"}),
        _UNTIL.label("until"),
        _EVENTS.label("events"),
        _SUPERSEDES.label("supersedes"),
        _SUPERSEDED.label("superseded"),
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
_NAMINGS: Final = statement(
    select(
        *SUPERSESSION.selected(),
        person_key.c.person_id,
        person_key.c.version.label("key_version"),
        person_key.c.kek,
        person_key.c.wrapped,
    )
    .select_from(supersession)
    .join(consent, consent.c.id == supersession.c.consent_id)
    .join(person_key, person_key.c.person_id == consent.c.person_id)
    .where(consent.c.case_id == bindparam("case_id", type_=Uuid))
)
_TOWARDS: Final = statement(
    select(column(case_id=bindparam("case_id", type_=Uuid), recipient=bindparam("to", type_=Uuid)).label("found"))
)


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
        supersedes=_references(row["supersedes"]),
        superseded=frozenset(DataCategory(each) for named in row["superseded"] or () for each in named),
    )


def _standing(each: Sequence[Any]) -> Consent:
    consent_id, version, kind, purpose, recipient, function, categories, last, last_at, valid_from, until, named = each
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
        supersedes=_references(named),
    )


def _references(found: Sequence[Sequence[Any]] | None) -> frozenset[ConsentRef]:
    return frozenset(ConsentRef(ConsentId(uuid.UUID(each)), version) for each, version in found or ())
