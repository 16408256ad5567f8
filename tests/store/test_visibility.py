"""The rule as SQL says what the pure decision says, in every generated world."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import uuid_utils.compat as uuid_utils
from hypothesis import HealthCheck, given, settings
from sqlalchemy import Boolean, Date, DateTime, Text, Uuid, bindparam, insert, select
from sqlalchemy.dialects.postgresql import ARRAY

from api.consent import intake, visibility
from api.consent.decision import UNAGREED, decide
from api.consent.model import day_of
from api.consent.tables import (
    agreement,
    agreement_party,
    agreement_signature,
    agreement_version,
    consent,
    consent_event,
    supersession,
)
from api.storage.base import SEAL_BYTES
from api.storage.statement import statement
from api.vocabulary import AgreementKind, DataCategory, Purpose
from tests import consent_kit as kit
from tests.consent_strategies import CATEGORIES, talks, worlds

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Table

    from api.consent.model import Agreement, Consent, Question, Situation
    from api.storage.pool import Database
    from api.storage.statement import Statement
    from api.storage.unit import Unit

ROW = visibility.Row(
    case=bindparam("case", type_=Uuid),
    municipality=bindparam("municipality", type_=Text),
    supplier=bindparam("supplier", type_=Uuid),
    supplier_kind=bindparam("supplier_kind", type_=Text),
    recipient=bindparam("recipient", type_=Uuid),
    recipient_kind=bindparam("recipient_kind", type_=Text),
    designated=bindparam("designated", type_=Boolean),
    functions=bindparam("functions", type_=ARRAY(Text)),
    purpose=bindparam("purpose", type_=Text),
    noted=bindparam("noted", type_=Boolean),
    now=bindparam("now", type_=DateTime(timezone=True)),
    today=bindparam("today", type_=Date),
)
_GRANTED = statement(select(*(visibility.granted(each, ROW).label(each.name) for each in CATEGORIES)))


def _insert(table: Table) -> Statement:
    return statement(insert(table), *(column.name for column in table.c))


_AGREEMENT, _VERSION, _PARTY = _insert(agreement), _insert(agreement_version), _insert(agreement_party)
_SIGNATURE, _CONSENT, _EVENT = _insert(agreement_signature), _insert(consent), _insert(consent_event)
_SUPERSESSION = _insert(supersession)
_SEALED = b"\xe1" + bytes(40)


async def write_agreement(unit: Unit, value: Agreement, question: Question, situation: Situation) -> None:
    """An agreement that supplier and recipient have signed."""
    kind = AgreementKind.DATA_SHARING if value.narrows is None else AgreementKind.SIDE_AGREEMENT
    await unit.run(
        _AGREEMENT(
            id=value.id,
            kind=str(kind),
            municipality=str(value.municipality),
            rests_on=value.narrows,
            created_at=kit.NOW,
        )
    )
    here: dict[str, Any] = {"agreement_id": value.id, "version": value.version}
    await unit.run(
        _VERSION(
            **here,
            document={},
            digest=bytes(32),
            valid_from=value.valid_from,
            valid_until=value.valid_until,
            created_at=kit.NOW,
        )
    )
    rows = [
        {
            "rule": rule.id,
            "category": str(category),
            "source": str(rule.source),
            "recipient": str(rule.recipient),
            "purpose": str(rule.purpose),
            "functions": sorted(rule.functions),
            "ground": str(rule.ground),
            "exceptions": sorted(rule.exceptions),
            "consent": "none" if needed is None else str(needed),
        }
        for rule in value.rules
        for category, needed in rule.consents.items()
    ]
    await unit.run(intake._ADD_RULES(**here, rows=rows))
    for party in (situation.supplier, question.recipient):
        director = party.id in value.directors
        await unit.run(_PARTY(**here, organisation_id=party.id, slot=str(party.kind), director=director))
        await unit.run(
            _SIGNATURE(**here, organisation_id=party.id, kid="k", signature="s", signed_at=kit.NOW, revoked_at=None)
        )


async def write_supersessions(unit: Unit, value: Consent) -> None:
    """Which earlier consents it names; these are written."""
    for each in value.supersedes:
        await unit.run(
            _SUPERSESSION(
                id=uuid_utils.uuid7(),
                consent_id=value.id,
                superseded_id=each.id,
                version=each.version,
                seal=bytes(SEAL_BYTES),
            )
        )


async def write_consent(unit: Unit, value: Consent, situation: Situation) -> None:
    """A consent with its latest event."""
    await unit.run(
        _CONSENT(
            id=value.id,
            person_id=situation.person,
            case_id=situation.case,
            kind=str(value.kind),
            purpose=str(value.purpose),
            recipient_organisation_id=value.recipient,
            function=None if value.function is None else str(value.function),
            categories=sorted(value.categories),
            given_by="self",
            text_id="t",
            text_version=1,
            text_sha256=bytes(32),
            language="ti",
            evidence=_SEALED,
            seal=bytes(SEAL_BYTES),
            valid_from=value.valid_from,
            valid_until=value.valid_until,
            recorded_by=kit.NGO.id,
            created_at=kit.NOW,
        )
    )
    latest = (value.version - 1, str(value.last), value.last_at)
    for sequence, kind, at in [(0, "given", kit.NOW), latest][-value.version :]:
        await unit.run(
            _EVENT(
                id=uuid_utils.uuid7(),
                consent_id=value.id,
                sequence=sequence + 1,
                kind=kind,
                at=at,
                valid_until=None,
                note=None,
                by_organisation_id=kit.NGO.id,
                by_client="c",
                seal=bytes(SEAL_BYTES),
            )
        )


def values(question: Question, situation: Situation, now: datetime) -> dict[str, Any]:
    """A situation as the expression takes it."""
    return {
        "case": situation.case,
        "municipality": str(situation.municipality),
        "supplier": situation.supplier.id,
        "supplier_kind": str(situation.supplier.kind),
        "recipient": question.recipient.id,
        "recipient_kind": str(question.recipient.kind),
        "designated": question.recipient.designated,
        "functions": sorted(situation.relation.functions),
        "purpose": str(question.purpose),
        "noted": situation.proportionality_note,
        "now": now,
        "today": day_of(now),
    }


async def in_sql(unit: Unit, question: Question, situation: Situation, now: datetime) -> set[DataCategory]:
    """What the expression grants."""
    row = await unit.one(_GRANTED(**values(question, situation, now)))
    assert row is not None
    assert all(isinstance(each, bool) for each in row.values())
    return {category for category in CATEGORIES if row[category.name]}


async def compare(pool: Database, question: Question, situation: Situation) -> None:
    """Write a world, ask both, and take it back."""
    unit = pool.unit(kit.NOW)
    try:
        for value in situation.agreements:
            await write_agreement(unit, value, question, situation)
        for spoken in situation.consents:
            await write_consent(unit, spoken, situation)
        for spoken in situation.consents:
            await write_supersessions(unit, spoken)
        assert await in_sql(unit, question, situation, kit.NOW) == set(decide(question, situation, kit.NOW).granted)
    finally:
        await unit.abort()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(worlds())
async def test_the_expression_and_the_decision_are_one(pool: Database, world: tuple[Question, Situation]) -> None:
    """A difference would be a list that shows what a read refuses, or hides what it permits."""
    await compare(pool, *world)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(talks())
async def test_they_are_one_in_what_a_person_said(pool: Database, world: tuple[Question, Situation]) -> None:
    """The latest word, the no that counts against either kind, what lifts and what does not."""
    await compare(pool, *world)


@pytest.mark.parametrize("purpose", [Purpose.LEGAL_SCREENING, Purpose.EMERGENCY])
async def test_what_is_in_order_is_seen_unless_no_agreement_serves_its_purpose(
    pool: Database, purpose: Purpose
) -> None:
    """The expression grants something, so that the comparison means something. Of enforcement none is stored."""
    asked, yes = kit.question(purpose=purpose), kit.consent(*CATEGORIES, purpose=purpose)
    agreed = kit.agreement(kit.rule(*CATEGORIES, purpose=purpose))
    situation = kit.situation(agreements=(agreed,), consents=(yes,))
    unit = pool.unit(kit.NOW)
    await write_agreement(unit, agreed, asked, situation)
    await write_consent(unit, yes, situation)
    seen = await in_sql(unit, asked, situation, kit.NOW)
    await unit.abort()
    assert seen == (set() if purpose in UNAGREED else set(CATEGORIES))


async def test_every_category_has_its_expression(pool: Database) -> None:
    """PostgreSQL plans each of them, and grants none of them to nobody."""
    for category in DataCategory:
        unit = pool.unit(kit.NOW)
        alone = statement(select(visibility.granted(category, ROW).label("granted")))
        row = await unit.one(alone(**values(kit.question(), kit.situation(), kit.NOW)))
        await unit.finish()
        assert row is not None
        assert row["granted"] is False
