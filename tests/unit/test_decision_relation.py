"""The values that a decision is made of."""

from __future__ import annotations

import pytest

from api.consent.model import Relation
from api.vocabulary import CareFunction, Party, Purpose
from tests import consent_kit as kit
from tests.consent_kit import C


@pytest.mark.parametrize(
    ("relation", "known", "guides"),
    [
        (Relation(), False, False),
        (Relation(addressed=True), True, False),
        (Relation(supplied=True), True, False),
        (Relation(functions=frozenset({CareFunction.SHELTER})), True, False),
        (Relation(functions=frozenset({CareFunction.SHELTER, CareFunction.SOCIAL_GUIDANCE})), True, True),
    ],
)
def test_who_stands_in_no_relation_knows_of_no_case(relation: Relation, *, known: bool, guides: bool) -> None:
    """A case exists for who is assigned, was addressed, or supplied; and sheltering a person is not guiding them."""
    assert relation.any is known
    assert relation.guides is guides


def test_whoever_supplies_is_asked_for_what_the_rules_have_it_give_and_for_nothing_beside() -> None:
    """A side agreement that speaks of it takes away, one that speaks of something else does not."""
    papers = kit.rule(C.CONTACT, C.IDENTITY)
    elsewhere = kit.rule(C.BELIEF, purpose=Purpose.ADMISSION), kit.rule(C.FAMILY, source=Party.AVIM)
    base = kit.agreement(papers, kit.rule(C.RETURN), *elsewhere)
    other = kit.agreement(kit.rule(C.DETENTION), value=103)
    side = kit.agreement(kit.rule(C.CONTACT, C.MEDICAL), value=101, narrows=base.id)
    mute = kit.agreement(*elsewhere, value=102, narrows=base.id)
    for agreements, expected in (
        ((base,), {C.CONTACT, C.IDENTITY, C.RETURN}),
        ((mute, base, other), {C.CONTACT, C.IDENTITY, C.RETURN, C.DETENTION}),
        ((side, base, other), {C.CONTACT, C.DETENTION}),
        ((side, other), {C.DETENTION}),
        ((), set[C]()),
    ):
        around = kit.situation(agreements=agreements)
        assert around.agreed(Party.IND, Party.NGO, Purpose.LEGAL_SCREENING) == expected


def test_it_is_asked_for_what_the_recipient_may_read_in_its_function() -> None:
    """A side agreement that speaks to another function alone leaves nothing, as in a decision."""
    shelter, screening = frozenset({CareFunction.SHELTER}), frozenset({CareFunction.LEGAL_SCREENING})
    base = kit.agreement(kit.rule(C.CONTACT, functions=frozenset()), kit.rule(C.DETENTION, functions=screening))
    side = kit.agreement(kit.rule(C.CONTACT, functions=shelter), value=101, narrows=base.id)
    ways = Party.IND, Party.NGO, Purpose.LEGAL_SCREENING
    assert kit.situation(agreements=(base,)).agreed(*ways, shelter) == {C.CONTACT}
    assert kit.situation(agreements=(base,)).agreed(*ways, screening) == {C.CONTACT, C.DETENTION}
    assert kit.situation(agreements=(side, base)).agreed(*ways, shelter) == {C.CONTACT}
    assert kit.situation(agreements=(side, base)).agreed(*ways, screening) == set()
