"""Laws of the decision, over generated worlds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from hypothesis import given
from hypothesis import strategies as st

from api.consent.decision import decide, may_ever_cross
from api.consent.emergency import LIFE_SAVING
from api.consent.model import NOES, Relation
from api.vocabulary import (
    CareFunction,
    ConsentEventKind,
    ConsentKind,
    DataCategory,
    LegalGround,
    Party,
    Purpose,
    Reason,
    Sensitivity,
)
from tests import consent_kit as kit
from tests.consent_strategies import PURPOSES, consents, emergencies, talks, worlds

if TYPE_CHECKING:
    from random import Random  # noqa: TID251 - hypothesis hands one over, which it can shrink

    from api.consent.model import Consent, Question, Situation

T = TypeVar("T")
REFUSED = {Reason.CONSENT_REFUSED, Reason.CONSENT_WITHDRAWN}
NO_LONGER = (ConsentEventKind.WITHDRAWN, ConsentEventKind.REFUSED, ConsentEventKind.EXPIRED)


def goes(question: Question, situation: Situation) -> set[DataCategory]:
    """What is granted."""
    return set(decide(question, situation, kit.NOW).granted)


@given(worlds())
def test_granted_and_withheld_are_what_was_asked_and_share_nothing(world: tuple[Question, Situation]) -> None:
    """Each asked category has one answer."""
    question, situation = world
    decision = decide(question, situation, kit.NOW)
    assert decision.granted.keys() | decision.withheld.keys() == question.categories
    assert not decision.granted.keys() & decision.withheld.keys()


@given(worlds(), st.data())
def test_a_no_never_widens(world: tuple[Question, Situation], data: st.DataObject) -> None:
    """Withdrawing, refusing or ending any consent, now, grants nothing that was not granted before."""
    question, situation = world
    if not situation.consents:
        return
    place = data.draw(st.integers(0, len(situation.consents) - 1))
    before = situation.consents[place]
    if before.last in {ConsentEventKind.SUPERSEDED, ConsentEventKind.INVALIDATED}:
        return  # nothing follows on these
    after = replace(before, last=data.draw(st.sampled_from(NO_LONGER[:2])), last_at=kit.NOW, version=before.version + 1)
    narrowed = replace(situation, consents=_with(situation.consents, place, after))
    assert goes(question, narrowed) <= goes(question, situation)


@given(talks())
def test_a_yes_that_names_nothing_opens_nothing_that_a_no_closes(world: tuple[Question, Situation]) -> None:
    """However fresh it is, and whoever recorded it; when it names each no, it opens all that a yes can open."""
    question, situation = world
    closed = {each for each, stays in decide(question, situation, kit.NOW).withheld.items() if stays.reason in REFUSED}
    if not closed:
        return
    yes = kit.consent(
        *closed, value=250, recipient=question.recipient.id, function=_function(situation), last_at=kit.NOW
    )
    assert not goes(question, replace(situation, consents=(yes, *situation.consents))) & closed
    naming = replace(yes, supersedes=frozenset(each.reference for each in situation.consents if each.last in NOES))
    assert goes(question, replace(situation, consents=(naming, *situation.consents))) >= closed
    error = replace(naming, last=ConsentEventKind.INVALIDATED)
    assert decide(question, replace(situation, consents=(error, *situation.consents)), kit.NOW) == decide(
        question, situation, kit.NOW
    )


@given(talks(), st.integers(0, 9))
def test_a_no_closes_whenever_it_was_said(world: tuple[Question, Situation], hours: int) -> None:
    """Also when it comes into the ledger after a yes that was given later."""
    question, situation = world
    consented = {each for each, granted in decide(question, situation, kit.NOW).granted.items() if granted.consents}
    if not consented:
        return
    no = kit.consent(
        *consented,
        value=251,
        kind=ConsentKind.AUTHORISATION,
        recipient=question.recipient.id,
        function=_function(situation),
        last=ConsentEventKind.REFUSED,
        last_at=kit.NOW - timedelta(hours=hours),
    )
    assert not goes(question, replace(situation, consents=(no, *situation.consents))) & consented


@given(worlds(), st.data())
def test_invalidating_what_carries_never_widens(world: tuple[Question, Situation], data: st.DataObject) -> None:
    """The ledger invalidates only while a consent lives, and then nothing more goes than before."""
    question, situation = world
    living = [place for place, each in enumerate(situation.consents) if each.lives(kit.NOW)]
    if not living:
        return
    place = data.draw(st.sampled_from(living))
    after = replace(situation.consents[place], last=ConsentEventKind.INVALIDATED)
    narrowed = replace(situation, consents=_with(situation.consents, place, after))
    assert goes(question, narrowed) <= goes(question, situation)


@given(worlds(), st.data())
def test_a_consent_for_another_recipient_or_purpose_changes_nothing(
    world: tuple[Question, Situation], data: st.DataObject
) -> None:
    """Consent is per purpose and per recipient, a yes as well as a no."""
    question, situation = world
    drawn = data.draw(consents(250, question.recipient))
    others = [replace(drawn, recipient=kit.organisation(Party.NGO, 77).id)]
    others += [replace(drawn, purpose=each) for each in (*PURPOSES, Purpose.ADMISSION) if each is not question.purpose]
    more = replace(situation, consents=(*situation.consents, data.draw(st.sampled_from(others))))
    assert decide(question, more, kit.NOW) == decide(question, situation, kit.NOW)


@given(worlds())
def test_enforcement_is_never_granted(world: tuple[Question, Situation]) -> None:
    """Whatever was agreed or consented to."""
    question, situation = world
    decision = decide(replace(question, purpose=Purpose.ENFORCEMENT), situation, kit.NOW)
    assert not decision.granted
    assert {each.reason for each in decision.withheld.values()} == {Reason.PURPOSE_NEVER}


@given(worlds(), st.randoms(use_true_random=False))
def test_order_makes_no_difference(world: tuple[Question, Situation], order: Random) -> None:
    """Not even to which rule and which consent carry."""
    question, situation = world
    shuffled = replace(
        situation,
        agreements=tuple(_shuffled(situation.agreements, order)),
        consents=tuple(_shuffled(situation.consents, order)),
    )
    assert decide(question, shuffled, kit.NOW) == decide(question, situation, kit.NOW)


@given(worlds())
def test_an_empty_overlap_is_a_refusal(world: tuple[Question, Situation]) -> None:
    """Without a rule for any asked category nothing goes, and without agreements neither."""
    question, situation = world
    none = replace(situation, agreements=())
    assert not goes(question, none)
    elsewhere = tuple(
        replace(each, rules=tuple(replace(rule, consents={DataCategory.RETURN: None}) for rule in each.rules))
        for each in situation.agreements
    )
    assert not goes(question, replace(situation, agreements=elsewhere))


@given(worlds())
def test_special_data_goes_to_an_ngo_with_explicit_consent_alone(world: tuple[Question, Situation]) -> None:
    """Each grant of special or criminal data to an NGO names a living explicit consent for exactly that."""
    question, situation = world
    for category, granted in decide(question, situation, kit.NOW).granted.items():
        if question.recipient.kind is not Party.NGO or category.sensitivity is Sensitivity.ORDINARY:
            continue
        (reference,) = granted.consents
        (carrying,) = (each for each in situation.consents if each.id == reference.id)
        assert carrying.kind is ConsentKind.EXPLICIT_CONSENT
        assert carrying.lives(kit.NOW)
        assert category in carrying.categories


@given(worlds())
def test_every_grant_is_within_a_rule_and_a_consent(world: tuple[Question, Situation]) -> None:
    """An agreement of this municipality and day carries it, with consents for this recipient and purpose."""
    question, situation = world
    by_id = {(each.id, each.version): each for each in situation.agreements}
    for category, granted in decide(question, situation, kit.NOW).granted.items():
        rule_ref = granted.rule
        assert rule_ref is not None
        agreement = by_id[rule_ref.agreement, rule_ref.version]
        assert agreement.stands(situation.municipality, kit.NOW.date())
        assert any(rule.id == rule_ref.rule and category in rule.consents for rule in agreement.rules)
        assert may_ever_cross(category, question.recipient.kind)
        for reference in granted.consents:
            (carrying,) = (each for each in situation.consents if each.id == reference.id)
            assert (carrying.recipient, carrying.purpose) == (question.recipient.id, question.purpose)


@given(emergencies())
def test_an_emergency_takes_nothing_away_and_opens_only_what_saves_a_life(world: tuple[Question, Situation]) -> None:
    """What an agreement carries it carries as before; what the emergency adds is of its set, and names it."""
    question, situation = world
    assert situation.emergency is not None
    with_it, without = (decide(question, each, kit.NOW) for each in (situation, replace(situation, emergency=None)))
    assert {each: with_it.granted[each] for each in without.granted} == without.granted
    added = with_it.granted.keys() - without.granted.keys()
    assert added <= LIFE_SAVING & {each for each in DataCategory if may_ever_cross(each, question.recipient.kind)}
    for category in added:
        granted = with_it.granted[category]
        assert (granted.ground, granted.rule, granted.consents) == (LegalGround.VITAL_INTEREST, None, ())
        assert granted.emergency == situation.emergency.id


@given(emergencies(), st.data())
def test_an_emergency_is_of_one_ngo_that_cares_for_one_purpose_and_ends(
    world: tuple[Question, Situation], data: st.DataObject
) -> None:
    """Where any of these does not hold, it is as if none had been declared."""
    question, situation = world
    declared = situation.emergency
    assert declared is not None
    outside = data.draw(
        st.sampled_from(
            (
                (question, replace(situation, emergency=replace(declared, ends_at=kit.NOW))),
                (question, replace(situation, emergency=replace(declared, organisation=kit.OTHER_NGO.id))),
                (question, replace(situation, relation=Relation(functions=frozenset({CareFunction.LEGAL_SCREENING})))),
                (question, replace(situation, closed=True)),
                *((replace(question, purpose=each), situation) for each in Purpose if each is not Purpose.EMERGENCY),
            )
        )
    )
    asked, around = outside
    assert decide(asked, around, kit.NOW) == decide(asked, replace(around, emergency=None), kit.NOW)


@given(emergencies(), st.data())
def test_an_emergency_stands_against_no_no(world: tuple[Question, Situation], data: st.DataObject) -> None:
    """Whatever it was said about, to this organisation; one that was answered anew or noted in error counts no more."""
    question, situation = world
    added = goes(question, situation) - goes(question, replace(situation, emergency=None))
    if not added:
        return
    no = kit.consent(
        *added,
        value=252,
        purpose=data.draw(st.sampled_from(sorted(set(Purpose) - {Purpose.EMERGENCY}))),
        function=None,
        last=data.draw(st.sampled_from(sorted(NOES))),
    )
    said = replace(situation, consents=(no, *situation.consents))
    decision = decide(question, said, kit.NOW)
    assert not decision.granted.keys() & added
    assert {decision.withheld[each].reason for each in added} <= REFUSED
    anew = kit.consent(*added, value=253, supersedes=frozenset({no.reference}))
    for after in ((anew, *said.consents), (replace(no, last=ConsentEventKind.INVALIDATED), *situation.consents)):
        assert goes(question, replace(situation, consents=after)) >= added


def _function(situation: Situation) -> CareFunction | None:
    return next(iter(situation.relation.functions), None)


def _with(consents_: tuple[Consent, ...], place: int, changed: Consent) -> tuple[Consent, ...]:
    return (*consents_[:place], changed, *consents_[place + 1 :])


def _shuffled(values: tuple[T, ...], order: Random) -> list[T]:
    listed = list(values)
    order.shuffle(listed)
    return listed
