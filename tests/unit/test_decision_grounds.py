"""The legal grounds, what lifts a prohibition, and side agreements."""

from __future__ import annotations

from dataclasses import replace

import pytest

from api.consent.decision import decide, grounded, lifting
from api.consent.model import RuleRef
from api.vocabulary import (
    CHAIN,
    ConsentKind,
    DataCategory,
    LegalGround,
    Party,
    ProhibitionException,
    Purpose,
    Reason,
    Sensitivity,
)
from tests import consent_kit as kit
from tests.consent_kit import C

X = ProhibitionException


def test_an_organisation_that_was_not_designated_gets_nothing_from_ind() -> None:
    """Aliens Act 2000 article 107(8): only organisations that a ministerial regulation designates."""
    question = kit.question(C.IDENTITY, recipient=replace(kit.NGO, designated=False))
    assert kit.reason(decide(question, kit.situation(), kit.NOW)) is Reason.NO_DESIGNATION


def test_nothing_comes_from_ind_before_private_life_was_weighed() -> None:
    """Aliens Act 2000 article 107(10): the weighing is recorded, or there is no disclosure."""
    assert kit.reason(kit.asked(C.IDENTITY, proportionality_note=False)) is Reason.PROPORTIONALITY_MISSING


@pytest.mark.parametrize("ground", [LegalGround.AVG_15, LegalGround.VITAL_INTEREST])
def test_what_an_agreement_cannot_give_carries_nothing(ground: LegalGround) -> None:
    """The person's own right and an emergency are no grounds between parties."""
    agreement = kit.agreement(kit.rule(C.IDENTITY, ground=ground))
    assert kit.reason(kit.asked(C.IDENTITY, agreements=(agreement,))) is Reason.NO_RULE


def test_each_ground_carries_only_between_its_parties() -> None:
    """Article 107(8) goes from the aliens administration to NGOs, 107(4) from it to government bodies."""
    for supplier in Party:
        for recipient in Party:
            to_ngo, to_state = (
                supplier in CHAIN and recipient is Party.NGO,
                supplier in CHAIN
                and recipient
                in {
                    Party.IND,
                    Party.DTV,
                    Party.AVIM,
                    Party.MUNICIPALITY,
                    Party.MRT,
                },
            )
            assert grounded(LegalGround.VW_107_8, supplier, recipient) is to_ngo
            assert grounded(LegalGround.VW_107_4, supplier, recipient) is to_state
            assert grounded(LegalGround.PUBLIC_TASK, supplier, recipient)
    from_ngo = kit.rule(C.IDENTITY, source=Party.NGO)
    assert (
        kit.reason(kit.asked(C.IDENTITY, supplier=kit.OTHER_NGO, agreements=(kit.agreement(from_ngo),)))
        is Reason.NO_RULE
    )


def test_between_government_bodies_an_agreement_may_ask_no_consent() -> None:
    """What the law lets cross, crosses without consent where the agreement asks none."""
    rule = kit.rule(
        C.ADMISSION_FACTS,
        recipient=Party.MUNICIPALITY,
        functions=frozenset(),
        ground=LegalGround.VW_107_4,
        consents={C.ADMISSION_FACTS: None},
    )
    question = kit.question(C.ADMISSION_FACTS, recipient=kit.UTRECHT)
    situation = kit.situation(relation=kit.ADDRESSED, agreements=(kit.agreement(rule),), consents=())
    granted = decide(question, situation, kit.NOW).granted[C.ADMISSION_FACTS]
    assert granted.ground is LegalGround.VW_107_4
    assert granted.consents == ()


@pytest.mark.parametrize("category", [C.MEDICAL, C.DETENTION])
def test_special_and_criminal_data_need_an_exception(category: DataCategory) -> None:
    """GDPR articles 9 and 10 forbid; a rule without an exception lifts nothing."""
    wrong = {C.MEDICAL: X.UAVG_32_A, C.DETENTION: X.AVG_9_2_A}[category]
    for exceptions in (frozenset[X](), frozenset({wrong})):
        agreement = kit.agreement(kit.rule(category, exceptions=exceptions))
        assert kit.reason(kit.asked(category, agreements=(agreement,)), category) is Reason.NO_RULE


@pytest.mark.parametrize("category", [c for c in DataCategory if c.sensitivity is not Sensitivity.ORDINARY])
def test_to_an_ngo_special_data_goes_with_explicit_consent_or_not_at_all(category: DataCategory) -> None:
    """Whatever the agreement says, an authorisation or a waiver does not do."""
    rules = [kit.rule(category, exceptions=frozenset(X), consents={category: kind}) for kind in (None, *ConsentKind)]
    authorisation = kit.consent(category, kind=kit.A)
    for rule in rules:
        decision = kit.asked(category, agreements=(kit.agreement(rule),), consents=(authorisation,))
        assert kit.reason(decision, category) is Reason.CONSENT_NEVER_ASKED
        explicit = kit.asked(category, agreements=(kit.agreement(rule),), consents=(kit.consent(category),))
        assert kit.reason(explicit, category) is None


@pytest.mark.parametrize(
    ("category", "exceptions", "expected"),
    [
        (C.DETENTION, {X.UAVG_32_A}, Reason.CONSENT_NEVER_ASKED),
        (C.DETENTION, {X.UAVG_32_D}, None),
        (C.DECISIONS, {X.AVG_9_2_A}, Reason.CONSENT_NEVER_ASKED),
        (C.DECISIONS, {X.UAVG_30_3_A}, Reason.NO_RULE),
        (C.MEDICAL, {X.UAVG_30_3_A}, Reason.NO_RULE),
    ],
)
def test_an_exception_that_is_consent_needs_that_consent(
    category: DataCategory, exceptions: set[X], expected: Reason | None
) -> None:
    """UAVG 32(a) is explicit consent: without it nothing is lifted, for an authority neither."""
    rule = kit.to_authority(Party.IND, category, exceptions=frozenset(exceptions), consents={category: None})
    question = kit.question(category, recipient=kit.IND, purpose=Purpose.RESIDENCE_ADVICE)
    situation = kit.situation(supplier=kit.NGO, relation=kit.ADDRESSED, agreements=(kit.agreement(rule),), consents=())
    assert kit.reason(decide(question, situation, kit.NOW), category) is expected


def test_care_lifts_for_health_and_for_nothing_else() -> None:
    """UAVG article 30(3)(a) is about health, and about institutions for care and social services."""
    for category in DataCategory:
        for party in Party:
            lifts = X.UAVG_30_3_A in lifting(category, party)
            assert lifts is (category is C.MEDICAL and party in {Party.NGO, Party.MUNICIPALITY})
    assert lifting(C.IDENTITY, Party.NGO) == frozenset()


def test_a_side_agreement_alone_carries_nothing() -> None:
    """It narrows the one that it rests on; without that one in force there is nothing to narrow."""
    side = kit.agreement(value=101, narrows=kit.agreement().id)
    assert kit.reason(kit.asked(C.IDENTITY, agreements=(side,))) is Reason.NO_AGREEMENT


def test_a_side_agreement_narrows_what_it_speaks_of() -> None:
    """What it does not carry stays, though its base would carry it; what it does carry goes by its rule."""
    base = kit.agreement()
    side = kit.agreement(kit.rule(C.CONTACT, id="narrow"), value=101, narrows=base.id)
    for agreements in ((base, side), (side, base)):
        decision = kit.asked(C.IDENTITY, C.CONTACT, agreements=agreements)
        assert kit.reason(decision) is Reason.NO_RULE
        assert decision.granted[C.CONTACT].rule == RuleRef(side.id, 1, "narrow")


def test_a_side_agreement_widens_nothing() -> None:
    """What only the side agreement has a rule for does not go."""
    base = kit.agreement(kit.rule(C.CONTACT))
    side = kit.agreement(kit.rule(C.IDENTITY, C.CONTACT), value=101, narrows=base.id)
    assert kit.reason(kit.asked(C.IDENTITY, agreements=(base, side))) is Reason.NO_RULE


def test_a_side_agreement_about_something_else_changes_nothing() -> None:
    """Of a purpose that it does not name it is silent; and so it is of another agreement than its base."""
    base = kit.agreement()
    elsewhere = kit.agreement(kit.rule(C.CONTACT, purpose=Purpose.ADMISSION), value=101, narrows=base.id)
    other = kit.agreement(kit.rule(C.CONTACT), value=102, narrows=kit.agreement(value=103).id)
    decision = kit.asked(C.IDENTITY, agreements=(base, elsewhere, other))
    assert decision.granted[C.IDENTITY].rule == RuleRef(base.id, 1, "dossier")


def test_of_two_side_agreements_both_must_carry() -> None:
    """Each narrows; a refusal of the first is not made good by the second."""
    base = kit.agreement()
    narrow = kit.agreement(kit.rule(C.CONTACT), value=101, narrows=base.id)
    wide = kit.agreement(kit.rule(C.CONTACT, C.IDENTITY), value=102, narrows=base.id)
    decision = kit.asked(C.IDENTITY, C.CONTACT, agreements=(base, narrow, wide))
    assert set(decision.granted) == {C.CONTACT}
