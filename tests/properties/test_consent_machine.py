"""People say yes, say no, take it back, and time passes: what is open is what was said last, and no no is passed by."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from api.consent.decision import decide
from api.consent.model import NOES
from api.consent.record import LONGEST, ConsentEvent, ConsentFacts
from api.vocabulary import (
    CareFunction,
    CaseId,
    ConsentEventKind,
    ConsentGiver,
    ConsentId,
    ConsentKind,
    DataCategory,
    PersonId,
    Purpose,
    Sensitivity,
)
from tests import consent_kit as kit
from tests.consent_kit import C

if TYPE_CHECKING:
    from collections.abc import Iterable

    from api.principal import Organisation

ASKED = (C.IDENTITY, C.CONTACT, C.HEARINGS, C.DETENTION)
YES = {ConsentEventKind.GIVEN, ConsentEventKind.RECONFIRMED}
K = ConsentEventKind

some = st.frozensets(st.sampled_from(ASKED), min_size=1)


class Talks(RuleBasedStateMachine):
    """The ledger as values, beside a model that knows nothing of decisions: piles of words, the last one on top.

    Two NGOs record. A no lies on a pile of its own until an answer that names it lifts it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now: datetime = kit.NOW
        self.ledger: dict[ConsentId, ConsentFacts] = {}
        self.pile: list[ConsentId] = []

    @rule(
        categories=some,
        kind=st.sampled_from(ConsentKind),
        given=st.booleans(),
        days=st.integers(1, 30),
        naming=st.booleans(),
        by=st.sampled_from((kit.NGO, kit.OTHER_NGO)),
    )
    def answer(
        self,
        categories: frozenset[DataCategory],
        kind: ConsentKind,
        days: int,
        *,
        given: bool,
        naming: bool,
        by: Organisation,
    ) -> None:
        """A person is asked something new; the answer names each no that stands on the same, or nothing."""
        noes = [
            each.value.reference for each in self.ledger.values() if each.last in NOES and each.categories & categories
        ]
        made = ConsentFacts(
            id=ConsentId(kit.number(1000 + len(self.ledger))),
            person=PersonId(kit.number(301)),
            case=CaseId(kit.number(300)),
            kind=kind,
            purpose=Purpose.LEGAL_SCREENING,
            recipient=kit.NGO.id,
            function=CareFunction.LEGAL_SCREENING,
            categories=categories,
            given_by=ConsentGiver.SELF,
            text=kit.evidence().text,
            valid_from=self.now,
            valid_until=self.now + timedelta(days=days),
            recorded_by=by.id,
            events=(ConsentEvent(1, K.GIVEN if given else K.REFUSED, self.now, by.id),),
            supersedes=frozenset(noes if naming else ()),
        )
        self._say(made)

    @precondition(lambda self: self.ledger)
    @rule(data=st.data(), kind=st.sampled_from(K), days=st.integers(1, 30))
    def follow(self, data: st.DataObject, kind: ConsentEventKind, days: int) -> None:
        """Something happens to an earlier answer, if it may."""
        found = data.draw(st.sampled_from(sorted(self.ledger.values(), key=lambda each: each.id)))
        if not found.may(kind, self.now):
            return
        until = self.now + timedelta(days=days) if kind is K.RECONFIRMED else found.valid_until
        event = ConsentEvent(found.version + 1, kind, self.now, kit.NGO.id)
        self._say(replace(found, events=(*found.events, event), valid_until=until))

    @rule(hours=st.integers(1, 24 * 20))
    def wait(self, hours: int) -> None:
        """Time passes."""
        self.now += timedelta(hours=hours)

    @invariant()
    def what_is_open_is_what_was_last_said(self) -> None:
        """No read succeeds outside given and re-confirmed, at that instant."""
        situation = kit.situation(
            agreements=(kit.agreement(kit.rule(*ASKED)),),
            consents=tuple(each.value for each in self.ledger.values()),
        )
        granted = decide(kit.question(*ASKED), situation, self.now).granted
        assert set(granted) == {category for category in ASKED if self._open(category)}

    @invariant()
    def an_unnamed_no_closes(self) -> None:
        """Whoever recorded it, and whatever was recorded since by whomever."""
        situation = kit.situation(
            agreements=(kit.agreement(kit.rule(*ASKED)),),
            consents=tuple(each.value for each in self.ledger.values()),
        )
        granted = decide(kit.question(*ASKED), situation, self.now).granted
        named = {reference for each in self.ledger.values() for reference in each.supersedes}
        for each in self.ledger.values():
            if each.last in NOES and each.value.reference not in named:
                assert each.categories.isdisjoint(granted)

    @invariant()
    def a_withdrawal_is_final(self) -> None:
        """Nothing follows on it, and neither on what was replaced or found to be in error."""
        for each in self.ledger.values():
            if each.last in {K.WITHDRAWN, K.SUPERSEDED, K.INVALIDATED}:
                assert not any(each.may(kind, self.now) for kind in K)

    @invariant()
    def nobody_is_bound_for_longer_than_a_year(self) -> None:
        """A yes ends by itself."""
        assert all(each.valid_until <= each.events[-1].at + LONGEST for each in self.ledger.values())

    def _say(self, facts: ConsentFacts) -> None:
        self.ledger[facts.id] = facts
        if facts.id in self.pile:
            self.pile.remove(facts.id)
        if facts.last not in {K.SUPERSEDED, K.INVALIDATED}:
            self.pile.append(facts.id)
        self.now += timedelta(seconds=1)

    def _open(self, category: DataCategory) -> bool:
        words = [each for each in self._from_the_top() if self._heard(each, category)]
        lifted = {(named.id, named.version) for each in words for named in each.supersedes}
        left = [each for each in words if (each.id, each.version) not in lifted]
        if not left or any(each.last in NOES for each in left):
            return False
        return left[0].last in YES and self.now < left[0].valid_until

    @staticmethod
    def _heard(facts: ConsentFacts, category: DataCategory) -> bool:
        too_little = category.sensitivity is not Sensitivity.ORDINARY and facts.kind is ConsentKind.AUTHORISATION
        return category in facts.categories and (facts.last in NOES or not too_little)

    def _from_the_top(self) -> Iterable[ConsentFacts]:
        return (self.ledger[each] for each in reversed(self.pile))


TestTalks = Talks.TestCase
TestTalks.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
