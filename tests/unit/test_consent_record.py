"""What may be recorded of a consent, and with which evidence."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from api.consent.evidence import Evidence, Interpreter, Text, Texts
from api.consent.record import LONGEST, NEXT, ConsentEvent, ConsentFacts, NewConsent
from api.vocabulary import (
    CareFunction,
    CaseId,
    ConsentEventKind,
    ConsentGiver,
    ConsentId,
    InterpreterKind,
    Party,
    PersonId,
    Purpose,
    ReadingForm,
)
from tests import consent_kit as kit
from tests.consent_kit import C

K = ConsentEventKind
MONTHS = timedelta(days=180)


def new(**changes: Any) -> NewConsent:
    """A yes to sharing a dossier with the NGO, with all that it needs."""
    made = NewConsent(
        person=PersonId(kit.number(301)),
        case=CaseId(kit.number(300)),
        kind=kit.E,
        purpose=Purpose.LEGAL_SCREENING,
        recipient=kit.NGO,
        function=CareFunction.LEGAL_SCREENING,
        categories=frozenset({C.IDENTITY, C.MEDICAL}),
        given=True,
        given_by=ConsentGiver.SELF,
        valid_until=kit.NOW + MONTHS,
        evidence=kit.evidence(),
    )
    return replace(made, **changes)


def facts(*kinds: ConsentEventKind) -> ConsentFacts:
    """A consent to which this happened, an hour apart."""
    return ConsentFacts(
        id=ConsentId(kit.number(200)),
        person=PersonId(kit.number(301)),
        case=CaseId(kit.number(300)),
        kind=kit.E,
        purpose=Purpose.LEGAL_SCREENING,
        recipient=kit.NGO.id,
        function=CareFunction.LEGAL_SCREENING,
        categories=frozenset({C.IDENTITY}),
        given_by=ConsentGiver.SELF,
        text=kit.evidence().text,
        valid_from=kit.NOW,
        valid_until=kit.NOW + MONTHS,
        recorded_by=kit.NGO.id,
        events=tuple(
            ConsentEvent(place + 1, kind, kit.NOW + timedelta(hours=place), kit.NGO.id)
            for place, kind in enumerate(kinds)
        ),
    )


def places(found: NewConsent) -> list[str]:
    """Where something is wrong."""
    return [fault.place for fault in found.faults(kit.NOW)]


def missing(evidence: Evidence) -> list[str]:
    """What is missing in the evidence."""
    return [fault.place.removeprefix("/evidence/") for fault in evidence.faults()]


def test_a_complete_yes_has_no_faults() -> None:
    """Text, language, teach-back, two present."""
    assert places(new()) == []


def test_a_no_needs_no_evidence() -> None:
    """Saying no is never harder than saying yes."""
    nothing = Evidence(Text("dossier", 1, "ti", bytes(32)), ReadingForm.SELF)
    assert places(new(given=False, evidence=nothing)) == []
    assert places(new(evidence=nothing)) == ["/evidence/asked", "/evidence/present"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"purpose": Purpose.ENFORCEMENT}, ["/purpose"]),
        ({"purpose": Purpose.AUDIT_REVIEW}, ["/purpose"]),
        ({"recipient": kit.organisation(Party.AUDITOR, 9), "function": None}, ["/recipientId"]),
        ({"function": None}, ["/function"]),
        ({"recipient": kit.IND}, ["/function"]),
        ({"recipient": kit.DTV, "function": None}, ["/categories"]),
        ({"categories": frozenset()}, ["/categories"]),
        ({"kind": kit.A}, ["/kind"]),
        ({"kind": kit.A, "categories": frozenset({C.IDENTITY})}, []),
        ({"kind": kit.A, "recipient": kit.UTRECHT, "function": None}, []),
        ({"valid_until": kit.NOW}, ["/validUntilAt"]),
        ({"valid_until": kit.NOW + LONGEST}, []),
        ({"valid_until": kit.NOW + LONGEST + timedelta(microseconds=1)}, ["/validUntilAt"]),
    ],
)
def test_what_nobody_can_be_asked(changes: dict[str, Any], expected: list[str]) -> None:
    """Purposes, recipients and categories that no consent can open are not asked for; and a yes ends by itself."""
    assert places(new(**changes)) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"asked": 2, "understood": 2}, ["asked"]),
        ({"asked": 4, "understood": 3}, ["understood"]),
        ({"present": frozenset({"worker-7"})}, ["present"]),
        ({"present": frozenset(), "own_code": True}, []),
        ({"text": Text("t", 1, "ti", bytes(31))}, ["text/sha256"]),
        ({"text": Text("t", 1, "Tigrinya", bytes(32))}, ["text/language"]),
        ({"text": Text("t", 1, "fa-AF", bytes(32))}, []),
        ({"reading": ReadingForm.INTERPRETER}, ["interpreter"]),
        ({"reading": ReadingForm.INTERPRETER, "interpreter": Interpreter(InterpreterKind.BY_PHONE, "ti", "123")}, []),
        ({"interpreter": Interpreter(InterpreterKind.BY_PHONE, "tigrinya")}, ["interpreter/language"]),
        ({"interpreter": Interpreter(InterpreterKind.RELATIVE_OR_RESIDENT, "ti")}, ["interpreter/reason"]),
        ({"interpreter": Interpreter(InterpreterKind.RELATIVE_OR_RESIDENT, "ti", reason="Nobody else.")}, []),
    ],
)
def test_what_shows_that_a_yes_was_meant(changes: dict[str, Any], expected: list[str]) -> None:
    """GDPR article 7(1): the controller can demonstrate it."""
    assert missing(kit.evidence(**changes)) == expected


def test_evidence_is_sealed_whole_and_names_nobody() -> None:
    """The interpreter by number, those present by opaque codes."""
    by = Interpreter(InterpreterKind.RELATIVE_OR_RESIDENT, "ti", reason="Nobody else.")
    record = kit.evidence(interpreter=by, place="Utrecht").record()
    assert record["interpreter"] == {
        "kind": "relative-or-resident",
        "language": "ti",
        "number": None,
        "reason": "Nobody else.",
    }
    assert record["text"]["sha256"] == "00" * 32
    assert record["present"] == ["worker-7", "worker-9"]
    assert kit.evidence().record()["interpreter"] is None


def test_only_a_reviewed_text_carries_a_consent() -> None:
    """Exactly that version in exactly that language; in the sandbox nobody consents to anything."""
    text = kit.evidence().text
    assert not Texts().carry(text)
    assert Texts(frozenset({text})).carry(text)
    assert not Texts(frozenset({text})).carry(replace(text, version=2))
    assert not Texts(frozenset({text})).carry(replace(text, language="ar"))
    assert Texts(unreviewed_too=True).carry(text)


def test_the_state_is_the_latest_event_or_that_its_time_is_over() -> None:
    """Derived, never stored."""
    found = facts(K.GIVEN, K.RECONFIRMED)
    assert (found.version, found.last, found.state(kit.NOW)) == (2, K.RECONFIRMED, K.RECONFIRMED)
    assert found.state(kit.NOW + MONTHS) is K.EXPIRED
    assert facts(K.REFUSED).state(kit.NOW + MONTHS) is K.REFUSED
    assert found.value.last_at == kit.NOW + timedelta(hours=1)
    assert found.value.lives(kit.NOW)


@pytest.mark.parametrize("kind", K)
def test_nothing_follows_on_a_withdrawal(kind: ConsentEventKind) -> None:
    """A new talk is a new consent."""
    assert not facts(K.GIVEN, K.WITHDRAWN).may(kind, kit.NOW)


@pytest.mark.parametrize("last", [K.GIVEN, K.RECONFIRMED, K.EXPIRED])
def test_what_was_given_can_always_be_taken_back(last: ConsentEventKind) -> None:
    """GDPR article 7(3): as easy as giving; also when its time is over."""
    for now in (kit.NOW, kit.NOW + 2 * MONTHS):
        assert facts(last).may(K.WITHDRAWN, now)


def test_an_error_is_corrected_only_while_it_carries() -> None:
    """So that a correction never brings an older yes back."""
    assert facts(K.GIVEN).may(K.INVALIDATED, kit.NOW)
    assert not facts(K.GIVEN).may(K.INVALIDATED, kit.NOW + MONTHS)
    assert not facts(K.REFUSED).may(K.INVALIDATED, kit.NOW)


def test_every_event_has_its_successors() -> None:
    """And none becomes given or refused a second time."""
    assert set(NEXT) == set(K)
    assert not {K.GIVEN, K.REFUSED} & {each for following in NEXT.values() for each in following}
