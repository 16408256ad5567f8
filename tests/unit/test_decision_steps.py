"""The steps of the decision, in their order: which one stops what, and what the reason is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from api.consent.decision import decide
from api.consent.model import ConsentRef, Decision, RuleRef
from api.vocabulary import (
    CareFunction,
    DataCategory,
    LegalGround,
    Municipality,
    Party,
    Purpose,
    Reason,
)
from tests import consent_kit as kit
from tests.consent_kit import C

if TYPE_CHECKING:
    from api.principal import Organisation


def test_what_is_in_order_is_granted_with_all_that_carries_it() -> None:
    """A grant names its ground, its rule in a version of an agreement, and the consent at its version."""
    granted = kit.asked(C.IDENTITY, consents=(kit.consent(version=3),)).granted[C.IDENTITY]
    assert granted.ground is LegalGround.VW_107_8
    assert granted.rule == RuleRef(kit.agreement().id, 1, "dossier")
    assert granted.consents == (ConsentRef(kit.consent().id, 3),)


def test_nothing_asked_is_nothing_granted() -> None:
    """An empty question has an empty answer."""
    assert decide(kit.question(categories=frozenset[DataCategory]()), kit.situation(), kit.NOW) == Decision({}, {})


@pytest.mark.parametrize("category", DataCategory)
def test_enforcement_never_matches(category: DataCategory) -> None:
    """Data given for help is never used for enforcement, even if an agreement and a consent said so."""
    everything = kit.agreement(kit.rule(*DataCategory, purpose=Purpose.ENFORCEMENT))
    willing = kit.consent(*DataCategory, purpose=Purpose.ENFORCEMENT)
    question = kit.question(category, purpose=Purpose.ENFORCEMENT)
    decision = decide(question, kit.situation(agreements=(everything,), consents=(willing,)), kit.NOW)
    assert decision.withheld[category].reason is Reason.PURPOSE_NEVER


@pytest.mark.parametrize(
    ("category", "recipient"),
    [
        *(
            (category, party)
            for category in (C.HEARINGS, C.BELIEF, C.ORIENTATION, C.MEDICAL)
            for party in (kit.DTV, kit.AVIM)
        ),
        *((C.WHEREABOUTS, party) for party in (kit.IND, kit.DTV, kit.AVIM)),
        *((C.LEGAL_ANALYSIS, party) for party in (kit.IND, kit.DTV, kit.AVIM, kit.UTRECHT)),
        *((C.IDENTITY, kit.organisation(kind, 9)) for kind in (Party.AUDITOR, Party.OPERATOR, Party.PROGRAMME)),
    ],
)
def test_some_crossings_no_agreement_can_open(category: DataCategory, recipient: Organisation) -> None:
    """Hearings never go to DT&V or AVIM, where a person stays never to the state, and nothing to bystanders."""
    rule = kit.to_authority(recipient.kind, category)
    consent = kit.consent(category, recipient=recipient.id, purpose=Purpose.RESIDENCE_ADVICE, function=None)
    question = kit.question(category, recipient=recipient, purpose=Purpose.RESIDENCE_ADVICE)
    situation = kit.situation(
        supplier=kit.NGO, relation=kit.ADDRESSED, agreements=(kit.agreement(rule),), consents=(consent,)
    )
    assert kit.reason(decide(question, situation, kit.NOW), category) is Reason.NEVER_CROSSES


def test_without_an_agreement_nothing_crosses() -> None:
    """Consent alone carries nothing: it stands beside the legal ground."""
    assert kit.reason(kit.asked(C.IDENTITY, agreements=())) is Reason.NO_AGREEMENT


@pytest.mark.parametrize(
    "changes",
    [
        {"municipality": Municipality.GRONINGEN},
        {"valid_from": date(2026, 11, 25)},
        {"valid_until": date(2026, 11, 23)},
    ],
    ids=["another municipality", "not yet", "no longer"],
)
def test_an_agreement_counts_in_its_municipality_and_its_time(changes: dict[str, Any]) -> None:
    """An agreement of elsewhere, of tomorrow or of yesterday is none."""
    assert kit.reason(kit.asked(C.IDENTITY, agreements=(kit.agreement(**changes),))) is Reason.NO_AGREEMENT


def test_an_agreement_holds_on_its_last_day_and_its_first() -> None:
    """Validity is by day, both days included."""
    today = kit.agreement(valid_from=date(2026, 11, 24), valid_until=date(2026, 11, 24))
    assert kit.reason(kit.asked(C.IDENTITY, agreements=(today,))) is None


def test_a_day_is_a_day_in_the_netherlands() -> None:
    """An agreement of which 31 December was the last day has ended when it is New Year in Utrecht, not in London."""
    ends = kit.agreement(valid_until=date(2026, 12, 31))
    situation = kit.situation(agreements=(ends,))
    before = decide(kit.question(C.IDENTITY), situation, datetime(2026, 12, 31, 22, 59, tzinfo=UTC))
    after = decide(kit.question(C.IDENTITY), situation, datetime(2026, 12, 31, 23, 0, tzinfo=UTC))
    assert kit.reason(before) is None
    assert kit.reason(after) is Reason.NO_AGREEMENT


@pytest.mark.parametrize(
    "changes",
    [
        {"source": Party.DTV},
        {"recipient": Party.MUNICIPALITY},
        {"purpose": Purpose.ADMISSION},
        {"consents": {C.CONTACT: kit.A}},
        {"functions": frozenset({CareFunction.SHELTER})},
    ],
    ids=["another supplier", "another recipient", "another purpose", "another category", "another function"],
)
def test_a_rule_is_for_one_crossing(changes: dict[str, Any]) -> None:
    """A rule speaks of one kind of supplier and of recipient, one purpose, its functions and its categories."""
    agreement = kit.agreement(kit.rule(C.IDENTITY, **changes))
    assert kit.reason(kit.asked(C.IDENTITY, agreements=(agreement,))) is Reason.NO_RULE


def test_shelter_staff_do_not_read_hearings() -> None:
    """An NGO that only shelters the person has no rule for the dossier."""
    shelters = replace(kit.SCREENS, functions=frozenset({CareFunction.SHELTER}))
    assert kit.reason(kit.asked(C.HEARINGS, relation=shelters), C.HEARINGS) is Reason.NO_RULE


def test_the_first_rule_that_carries_is_taken() -> None:
    """A rule that cannot carry does not stand in the way of one that can."""
    agreement = kit.agreement(
        kit.rule(C.CONTACT, id="elsewhere"),
        kit.rule(C.IDENTITY, id="mandate", ground=LegalGround.AVG_15),
        kit.rule(C.IDENTITY, id="good"),
        kit.rule(C.IDENTITY, id="better"),
    )
    granted = kit.asked(C.IDENTITY, agreements=(agreement,)).granted[C.IDENTITY]
    assert granted.rule == RuleRef(agreement.id, 1, "good")


def test_if_none_carries_the_furthest_reached_tells_why() -> None:
    """The caller learns what is missing at the rule that came closest, whichever agreement it is in."""
    far = kit.agreement(kit.rule(C.IDENTITY), value=101)
    near = kit.agreement(kit.rule(C.IDENTITY, ground=LegalGround.AVG_15), value=102)
    for agreements in ((far, near), (near, far)):
        assert kit.reason(kit.asked(C.IDENTITY, agreements=agreements, consents=())) is Reason.CONSENT_NEVER_ASKED


def test_where_a_person_stays_goes_to_a_municipality_only_as_director() -> None:
    """The municipality that an agreement does not name as regievoerder never learns it."""
    rule = kit.to_authority(Party.MUNICIPALITY, C.WHEREABOUTS, consents={C.WHEREABOUTS: None})
    question = kit.question(C.WHEREABOUTS, recipient=kit.UTRECHT, purpose=Purpose.RESIDENCE_ADVICE)
    for directors, expected in ((frozenset({kit.UTRECHT.id}), None), (frozenset({kit.NGO.id}), Reason.NO_RULE)):
        agreement = kit.agreement(rule, directors=directors)
        situation = kit.situation(supplier=kit.NGO, relation=kit.ADDRESSED, agreements=(agreement,))
        assert kit.reason(decide(question, situation, kit.NOW), C.WHEREABOUTS) is expected


def test_to_be_director_does_not_stand_in_for_the_function_that_a_rule_names() -> None:
    """Who directs gets it by a rule for directors; a rule that names a function asks for it of anybody."""
    rule = kit.to_authority(
        Party.MUNICIPALITY,
        C.WHEREABOUTS,
        consents={C.WHEREABOUTS: None},
        functions=frozenset({CareFunction.SHELTER}),
    )
    question = kit.question(C.WHEREABOUTS, recipient=kit.UTRECHT, purpose=Purpose.RESIDENCE_ADVICE)
    agreement = kit.agreement(rule, directors=frozenset({kit.UTRECHT.id}))
    situation = kit.situation(supplier=kit.NGO, relation=kit.ADDRESSED, agreements=(agreement,))
    assert kit.reason(decide(question, situation, kit.NOW), C.WHEREABOUTS) is Reason.NO_RULE
