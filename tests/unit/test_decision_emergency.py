"""What an emergency opens, and what it does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from api.consent.decision import decide
from api.consent.emergency import CARING, LIFE_SAVING
from api.consent.model import Relation
from api.vocabulary import (
    CareFunction,
    ConsentEventKind,
    DataCategory,
    LegalGround,
    Party,
    Purpose,
    Reason,
)
from tests import consent_kit as kit
from tests.consent_kit import C

SHELTERS = Relation(functions=frozenset({CareFunction.SHELTER}))
EVERYTHING = kit.question(*DataCategory, purpose=Purpose.EMERGENCY)


def test_it_opens_who_it_is_whom_to_call_and_what_a_doctor_must_know() -> None:
    """Without agreement, without consent; and nothing else."""
    around = kit.situation(relation=SHELTERS, agreements=(), consents=(), emergency=kit.emergency())
    granted = decide(EVERYTHING, around, kit.NOW).granted
    assert granted.keys() == LIFE_SAVING == {C.IDENTITY, C.CONTACT, C.FAMILY, C.MEDICAL}
    assert {each.ground for each in granted.values()} == {LegalGround.VITAL_INTEREST}


@pytest.mark.parametrize("function", CareFunction)
def test_only_who_cares_for_the_person_is_helped_by_it(function: CareFunction) -> None:
    around = kit.situation(
        relation=Relation(functions=frozenset({function})), agreements=(), consents=(), emergency=kit.emergency()
    )
    assert bool(decide(EVERYTHING, around, kit.NOW).granted) is (function in CARING)


def test_nobody_but_an_ngo_has_one() -> None:
    """A municipality that coordinates directs: it is for those who stand beside the person."""
    asking = kit.question(recipient=kit.UTRECHT, purpose=Purpose.EMERGENCY)
    declared = kit.emergency(organisation=kit.UTRECHT.id)
    around = kit.situation(relation=Relation(functions=CARING), emergency=declared)
    assert kit.UTRECHT.kind is Party.MUNICIPALITY
    assert not decide(asking, around, kit.NOW).granted


@pytest.mark.parametrize(
    ("last", "why"),
    [
        (ConsentEventKind.GIVEN, None),
        (ConsentEventKind.EXPIRED, None),
        (ConsentEventKind.INVALIDATED, None),
        (ConsentEventKind.REFUSED, Reason.CONSENT_REFUSED),
        (ConsentEventKind.WITHDRAWN, Reason.CONSENT_WITHDRAWN),
    ],
)
def test_a_no_stands_and_what_was_never_said_or_ran_out_does_not(last: ConsentEventKind, why: Reason | None) -> None:
    """What was said of another purpose, and in another function, is still what the person said to this organisation."""
    said = kit.consent(C.MEDICAL, last=last)
    around = kit.situation(relation=SHELTERS, agreements=(), consents=(said,), emergency=kit.emergency())
    decision = decide(EVERYTHING, around, kit.NOW)
    assert kit.reason(decision, C.MEDICAL) is why
    assert C.IDENTITY in decision.granted


def test_what_was_agreed_for_an_emergency_beforehand_opens_nothing_without_one() -> None:
    """Nor does it open more in one, or in spite of a no: else nobody would hear of it, and it would not end."""
    rule = kit.rule(*DataCategory, purpose=Purpose.EMERGENCY, functions=SHELTERS.functions)
    yes = kit.consent(C.MEDICAL, C.HEARINGS, purpose=Purpose.EMERGENCY, function=CareFunction.SHELTER)
    agreed = kit.situation(relation=SHELTERS, agreements=(kit.agreement(rule),), consents=(yes,))
    assert not decide(EVERYTHING, agreed, kit.NOW).granted
    granted = decide(EVERYTHING, replace(agreed, emergency=kit.emergency()), kit.NOW).granted
    assert granted.keys() == LIFE_SAVING
    assert {each.ground for each in granted.values()} == {LegalGround.VITAL_INTEREST}


def test_it_ends_at_its_instant() -> None:
    around = kit.situation(relation=SHELTERS, agreements=(), emergency=kit.emergency(), consents=())
    ends = kit.emergency().ends_at
    assert decide(EVERYTHING, around, ends - timedelta(microseconds=1)).granted
    assert not decide(EVERYTHING, around, ends).granted
