"""Which consent carries: what the person answered on exactly this purpose, recipient, function and category."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from api.consent.decision import decide
from api.consent.model import Relation
from api.vocabulary import CareFunction, ConsentEventKind, Party, Purpose, Reason
from tests import consent_kit as kit
from tests.consent_kit import C

K = ConsentEventKind


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (K.GIVEN, None),
        (K.RECONFIRMED, None),
        (K.REFUSED, Reason.CONSENT_REFUSED),
        (K.WITHDRAWN, Reason.CONSENT_WITHDRAWN),
        (K.EXPIRED, Reason.CONSENT_EXPIRED),
        (K.SUPERSEDED, Reason.CONSENT_NEVER_ASKED),
        (K.INVALIDATED, Reason.CONSENT_NEVER_ASKED),
    ],
)
def test_only_given_and_reconfirmed_open(last: ConsentEventKind, expected: Reason | None) -> None:
    """Every other state closes, and has its reason."""
    assert kit.reason(kit.asked(C.IDENTITY, consents=(kit.consent(last=last),))) is expected


@pytest.mark.parametrize(
    "changes",
    [{"valid_until": kit.NOW}, {"valid_from": kit.NOW + timedelta(microseconds=1)}],
    ids=["over", "not begun"],
)
def test_a_consent_lives_from_its_first_instant_until_just_before_its_last(changes: dict[str, Any]) -> None:
    """At the instant of its end it carries no longer."""
    assert kit.reason(kit.asked(C.IDENTITY, consents=(kit.consent(**changes),))) is Reason.CONSENT_EXPIRED
    just = kit.consent(valid_from=kit.NOW, valid_until=kit.NOW + timedelta(microseconds=1))
    assert kit.reason(kit.asked(C.IDENTITY, consents=(just,))) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"purpose": Purpose.ADMISSION},
        {"recipient": kit.OTHER_NGO.id},
        {"categories": frozenset({C.CONTACT})},
        {"function": CareFunction.SHELTER},
        {"function": CareFunction.COORDINATION},
        {"function": None},
    ],
    ids=["purpose", "recipient", "category", "function outside the rule", "function not assigned", "no function"],
)
def test_a_consent_is_for_exactly_one_thing(changes: dict[str, Any]) -> None:
    """EDPB 05/2020: consent per purpose and per recipient; a consent to something else is no consent."""
    assert kit.reason(kit.asked(C.IDENTITY, consents=(kit.consent(**changes),))) is Reason.CONSENT_NEVER_ASKED


def test_a_consent_for_one_function_is_not_for_another_of_the_same_organisation() -> None:
    """An NGO that also shelters reads under its screening's consent only what the rule of screening carries."""
    agreement = kit.agreement(kit.rule(C.IDENTITY, functions=frozenset({CareFunction.SHELTER})))
    both = Relation(functions=frozenset({CareFunction.SHELTER, CareFunction.LEGAL_SCREENING}))
    decision = kit.asked(C.IDENTITY, relation=both, agreements=(agreement,))
    assert kit.reason(decision) is Reason.CONSENT_NEVER_ASKED


def test_an_authority_receives_in_no_function() -> None:
    """A consent for an authority names none; one that does is for somebody else."""
    rule = kit.to_authority(Party.IND, C.SHARED_OUTCOME, consents={C.SHARED_OUTCOME: kit.A})
    question = kit.question(C.SHARED_OUTCOME, recipient=kit.IND, purpose=Purpose.RESIDENCE_ADVICE)
    for function, expected in ((None, None), (CareFunction.LEGAL_SCREENING, Reason.CONSENT_NEVER_ASKED)):
        consent = kit.consent(
            C.SHARED_OUTCOME,
            kind=kit.A,
            recipient=kit.IND.id,
            purpose=Purpose.RESIDENCE_ADVICE,
            function=function,
        )
        situation = kit.situation(
            supplier=kit.NGO, relation=kit.ADDRESSED, agreements=(kit.agreement(rule),), consents=(consent,)
        )
        assert kit.reason(decide(question, situation, kit.NOW), C.SHARED_OUTCOME) is expected


def test_explicit_consent_serves_as_authorisation_and_not_the_other_way() -> None:
    """Who agreed to more, in so many words, agreed to less."""
    assert kit.reason(kit.asked(C.IDENTITY, consents=(kit.consent(kind=kit.E),))) is None
    decision = kit.asked(C.MEDICAL, consents=(kit.consent(kind=kit.A),))
    assert kit.reason(decision, C.MEDICAL) is Reason.CONSENT_NEVER_ASKED


@pytest.mark.parametrize("no", [K.REFUSED, K.WITHDRAWN])
def test_a_no_stands_until_a_later_answer_names_it(no: ConsentEventKind) -> None:
    """A later no closes what an earlier yes opened; a later yes opens again when it names the no as it stands."""
    yes = kit.consent(value=201)
    later_no = kit.consent(value=202, last=no, last_at=kit.NOW - timedelta(minutes=1))
    assert kit.reason(kit.asked(C.IDENTITY, consents=(yes, later_no))) is not None
    silent_yes = kit.consent(value=203, last_at=kit.NOW)
    assert kit.reason(kit.asked(C.IDENTITY, consents=(silent_yes, yes, later_no))) is not None
    later_yes = replace(silent_yes, supersedes=frozenset({later_no.reference}))
    assert kit.reason(kit.asked(C.IDENTITY, consents=(later_yes, yes, later_no))) is None
    moved_on = replace(later_no, version=2)
    assert kit.reason(kit.asked(C.IDENTITY, consents=(later_yes, yes, moved_on))) is not None


def test_of_two_words_at_one_instant_the_no_counts() -> None:
    """Whichever has the higher id."""
    for yes, no in ((201, 202), (202, 201)):
        consents = (kit.consent(value=yes), kit.consent(value=no, last=K.WITHDRAWN))
        assert kit.reason(kit.asked(C.IDENTITY, consents=consents)) is Reason.CONSENT_WITHDRAWN


def test_a_no_counts_against_either_kind() -> None:
    """Who takes back an authorisation does not mean that the explicit consent goes on."""
    explicit = kit.consent(C.MEDICAL, value=201)
    taken_back = kit.consent(C.MEDICAL, value=202, kind=kit.A, last=K.WITHDRAWN, last_at=kit.NOW)
    decision = kit.asked(C.MEDICAL, consents=(explicit, taken_back))
    assert kit.reason(decision, C.MEDICAL) is Reason.CONSENT_WITHDRAWN


def test_what_was_recorded_in_error_is_no_word() -> None:
    """An invalidated record speaks neither for nor against."""
    error = kit.consent(value=202, last=K.INVALIDATED, last_at=kit.NOW)
    assert kit.reason(kit.asked(C.IDENTITY, consents=(kit.consent(value=201), error))) is None
