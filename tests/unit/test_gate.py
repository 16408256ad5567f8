"""The gate: who is permitted what, who learns which reason, and what is written down."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import orjson
import pytest

from api.audit.entry import Thing
from api.consent.model import Relation
from api.crypto.vault import Vault
from api.disclosure import authority, gate
from api.disclosure.call import Call, Once
from api.disclosure.permit import Permit, Refusal
from api.storage.unit import Unit
from api.vocabulary import (
    CareFunction,
    ConsentEventKind,
    DataCategory,
    Party,
    PersonAlias,
    PersonId,
    Purpose,
    Reason,
)
from tests import consent_kit as kit
from tests.consent_kit import C

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.consent.model import Consent, Situation
    from api.disclosure.authority import Operation
    from api.disclosure.permit import Answer
    from api.principal import Organisation
    from api.storage.statement import Bound

KEPT = True
DOSSIER = Thing("dossier", kit.number(500), 4)
RETURN_GUIDANCE = replace(kit.SCREENS, functions=frozenset({CareFunction.RETURN_GUIDANCE}))
CLOSING = (
    (),
    *((kit.consent(C.IDENTITY, last=last),) for last in (ConsentEventKind.REFUSED, ConsentEventKind.WITHDRAWN)),
    (kit.consent(C.IDENTITY, valid_until=kit.NOW),),
)


class NoDatabase:
    """A source of connections that has none: the gate never asks for one."""

    async def acquire(self) -> Any:
        """Not to be called."""
        raise AssertionError("the gate reads nothing")

    async def release(self, connection: Any) -> None:
        """Not to be called."""
        raise AssertionError(connection)


class Recording(Unit):
    """A unit that keeps what it is to carry."""

    __slots__ = ("entries",)

    def __init__(self) -> None:
        super().__init__(NoDatabase(), kit.NOW)
        self.entries: list[dict[str, Any]] = []

    def conclude(self, make: Callable[[bool], Bound]) -> None:
        """Read the entry out of its statement, as it is when what was written is kept."""
        self.entries += [orjson.loads(each) for each in make(KEPT).args if isinstance(each, bytes)]


class Asking:
    """A caller at the gate."""

    def __init__(
        self, who: Organisation, operation: Operation = authority.READ_DOSSIER, *, person: str | None = "worker-7"
    ) -> None:
        self.unit = Recording()
        nothing = cast("Any", None)
        self.call = Call(operation, replace(kit.principal(who), person=person), self.unit, Vault(nothing), nothing)

    @property
    def entry(self) -> dict[str, Any]:
        """The one entry that was written."""
        (entry,) = self.unit.entries
        return entry

    def ask(self, *categories: DataCategory, **changes: Any) -> Answer:
        """Ask for legal screening, as this caller."""
        question = kit.question(*categories, recipient=self.call.caller.organisation)
        return gate.ask(self.call, DOSSIER, question, kit.situation(**changes))

    def preview(self, *categories: DataCategory, **changes: Any) -> Answer:
        """Preview the same."""
        question = kit.question(*categories, recipient=self.call.caller.organisation)
        return gate.preview(self.call, DOSSIER, question, kit.situation(**changes))


def ngo() -> Asking:
    """The guiding NGO."""
    return Asking(kit.NGO)


def test_a_permit_names_what_goes_and_the_entry_says_the_same() -> None:
    """The entry names categories, field names, purpose, ground, rule and consent; never a value."""
    asking = ngo()
    answer = asking.ask(C.IDENTITY, C.ADVICE, holdings={C.IDENTITY: ("name", "birthDate")})
    assert isinstance(answer, Permit)
    assert answer.operation == "dossiers.read"
    assert answer.persons == frozenset({kit.situation().person})
    assert answer.categories == {C.IDENTITY}
    assert answer.withheld == {C.ADVICE: Reason.NO_RULE}
    entry = asking.entry
    assert entry["result"] == "permitted"
    assert entry["disclosed"] == {"identity": ["birthDate", "name"]}
    assert entry["withheld"] == {"advice": "no-rule"}
    assert entry["person"] == str(kit.situation().alias)
    assert (entry["purpose"], entry["ground"]) == ("legal-screening", ["vw-107-8"])
    assert entry["agreements"] == [{"id": str(kit.agreement().id), "version": 1, "rule": "dossier"}]
    assert entry["consents"] == [{"id": str(kit.consent().id), "version": 1}]
    assert entry["object"] == {"type": "dossier", "id": str(DOSSIER.id), "version": 4}


def test_what_is_permitted_but_not_there_is_not_available() -> None:
    """It is no part of the permit, and the entry does not say that it was disclosed."""
    asking = ngo()
    answer = asking.ask(C.IDENTITY, C.CONTACT, holdings={C.IDENTITY: ("name",)})
    assert isinstance(answer, Permit)
    assert answer.withheld == {C.CONTACT: Reason.NOT_AVAILABLE}
    assert set(asking.entry["disclosed"]) == {"identity"}


@pytest.mark.parametrize("consents", CLOSING, ids=["never asked", "refused", "withdrawn", "expired"])
def test_the_guiding_ngo_learns_the_reason_of_consent(consents: tuple[Consent, ...]) -> None:
    """It guides the person, who told it so."""
    asking = ngo()
    answer = asking.ask(C.IDENTITY, consents=consents)
    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.NOTHING_PERMITTED
    assert str(answer.withheld[C.IDENTITY]).startswith("consent-")
    assert asking.entry["withheld"] == {"identity": str(answer.withheld[C.IDENTITY])}


def others() -> list[tuple[Organisation, Situation]]:
    """Parties that receive under a rule with a consent, and may not know of it."""
    found: list[tuple[Organisation, Situation]] = []
    for who in (kit.IND, kit.DTV, kit.AVIM, kit.UTRECHT):
        rule = kit.to_authority(who.kind, C.IDENTITY, purpose=Purpose.LEGAL_SCREENING)
        consent = kit.consent(C.IDENTITY, recipient=who.id, function=None)
        around = kit.situation(
            supplier=kit.NGO, relation=kit.ADDRESSED, agreements=(kit.agreement(rule),), consents=(consent,)
        )
        found.append((who, around))
    coordinates = replace(found[-1][1], relation=replace(kit.SCREENS, functions=frozenset({CareFunction.COORDINATION})))
    found.append((kit.UTRECHT, coordinates))
    rule = kit.rule(C.IDENTITY, functions=RETURN_GUIDANCE.functions)
    consent = kit.consent(C.IDENTITY, function=CareFunction.RETURN_GUIDANCE)
    found.append(
        (kit.NGO, kit.situation(relation=RETURN_GUIDANCE, agreements=(kit.agreement(rule),), consents=(consent,)))
    )
    return found


OTHERS = pytest.mark.parametrize(
    ("who", "around"),
    others(),
    ids=["ind", "dtv", "avim", "municipality", "municipality that coordinates", "other ngo"],
)
ANYBODY = replace(authority.READ_DOSSIER, parties=frozenset(Party))


def outcome(who: Organisation, around: Situation | None) -> tuple[Answer, dict[str, Any]]:
    """What they are told, and the entry without its id."""
    asking = Asking(who, ANYBODY)
    question = kit.question(C.IDENTITY, C.ADVICE, recipient=who)
    answer = gate.ask(asking.call, DOSSIER if around else replace(DOSSIER, version=None), question, around)
    return answer, {name: value for name, value in asking.entry.items() if name != "id"}


@OTHERS
def test_closed_by_consent_and_absent_look_the_same(who: Organisation, around: Situation) -> None:
    """To all others a no, a silence, an empty file and nothing at all are one: in the answer and in the entry."""
    absent = outcome(who, None)
    assert isinstance(absent[0], Refusal)
    assert absent[0].reason is Reason.NOT_VISIBLE
    assert absent[0].withheld == {}
    closed = [
        replace(around, consents=()),
        *(
            replace(around, consents=(replace(around.consents[0], last=last),))
            for last in ConsentEventKind
            if last not in {ConsentEventKind.GIVEN, ConsentEventKind.RECONFIRMED}
        ),
        replace(around, consents=(replace(around.consents[0], valid_until=kit.NOW),)),
        replace(around, holdings={}),
        replace(around, relation=Relation()),
    ]
    for each in closed:
        assert outcome(who, each) == absent


@OTHERS
def test_among_what_goes_they_see_not_available_and_no_reason_of_consent(who: Organisation, around: Situation) -> None:
    """Beside a category that goes, one closed by consent and one that is not there look the same."""
    (agreement,) = around.agreements
    (rule,) = agreement.rules
    wider = replace(agreement, rules=(replace(rule, consents={C.IDENTITY: kit.A, C.CONTACT: kit.A}),))
    open_ = replace(around, agreements=(wider,))
    question = kit.question(C.IDENTITY, C.CONTACT, recipient=who)
    closed = gate.ask(Asking(who, ANYBODY).call, DOSSIER, question, open_)
    both = (replace(around.consents[0], categories=frozenset({C.IDENTITY, C.CONTACT})),)
    absent = gate.ask(
        Asking(who, ANYBODY).call, DOSSIER, question, replace(open_, consents=both, holdings={C.IDENTITY: ("name",)})
    )
    assert isinstance(closed, Permit)
    assert closed == absent
    assert closed.withheld == {C.CONTACT: Reason.NOT_AVAILABLE}


@OTHERS
def test_a_preview_tells_them_no_more(who: Organisation, around: Situation) -> None:
    """Before anything is there, a preview must not say whether the person agreed."""
    question = kit.question(C.IDENTITY, recipient=who)
    answers = [
        gate.preview(Asking(who, ANYBODY).call, DOSSIER, question, replace(around, holdings={}, consents=consents))
        for consents in (around.consents, ())
    ]
    assert answers[0] == answers[1]
    assert answers[0].withheld == {C.IDENTITY: Reason.NOT_AVAILABLE}


def test_where_nothing_may_cross_only_the_guide_is_told_why() -> None:
    """Else the purpose that one declares would tell whether something is there."""
    answer, _ = outcome(kit.DTV, kit.situation(relation=kit.ADDRESSED))
    assert answer == Refusal(Reason.NOT_VISIBLE)


def test_a_preview_answers_the_guide_before_anything_is_there_and_discloses_nothing() -> None:
    """It touches no person, and the entry has nothing disclosed."""
    asking = Asking(kit.NGO, authority.PREVIEW_DOSSIER)
    answer = asking.preview(C.IDENTITY, C.ADVICE, holdings={})
    assert isinstance(answer, Permit)
    assert answer.categories == {C.IDENTITY}
    assert answer.withheld == {C.ADVICE: Reason.NO_RULE}
    assert answer.persons == frozenset()
    assert asking.entry["action"] == "dossier-requests.preview"
    assert "disclosed" not in asking.entry


@pytest.mark.parametrize("verb", ["ask", "preview"])
def test_enforcement_is_refused_at_the_gate(verb: str) -> None:
    """With a reason of its own, whether something is there or not."""
    asking = Asking(kit.NGO, ANYBODY)
    question = kit.question(C.IDENTITY, purpose=Purpose.ENFORCEMENT)
    answer = getattr(gate, verb)(asking.call, DOSSIER, question, kit.situation())
    assert answer == Refusal(Reason.PURPOSE_NEVER)
    assert "person" not in asking.entry
    absent = getattr(gate, verb)(Asking(kit.NGO, ANYBODY).call, DOSSIER, question, None)
    assert absent == answer


@pytest.mark.parametrize("verb", ["ask", "preview"])
@pytest.mark.parametrize(
    ("purpose", "reason"), [(None, Reason.PURPOSE_MISSING), (Purpose.EMERGENCY, Reason.ACTOR_MISSING)]
)
def test_who_does_not_say_why_or_in_an_emergency_who_is_refused_before_anything_is_looked_at(
    verb: str, purpose: Purpose | None, reason: Reason
) -> None:
    """Whether something is there or not; the entry does not say either."""
    question = replace(kit.question(C.IDENTITY), purpose=purpose)
    for around in (kit.situation(), None):
        asking = Asking(kit.NGO, ANYBODY, person=None)
        assert getattr(gate, verb)(asking.call, DOSSIER, question, around) == Refusal(reason)
        assert asking.entry["object"] == {"type": "dossier", "id": str(DOSSIER.id)}
        assert "person" not in asking.entry


def test_who_was_addressed_sees_the_thing_bare_when_nothing_may_cross() -> None:
    """It knows of it already; what is withheld looks as what is not there."""
    asking = Asking(kit.DTV, ANYBODY)
    around = kit.situation(relation=kit.ADDRESSED)
    answer = gate.ask(asking.call, DOSSIER, kit.question(C.IDENTITY, recipient=kit.DTV), around, known=True)
    assert isinstance(answer, Permit)
    assert answer.categories == frozenset()
    assert "disclosed" not in asking.entry


def test_nobody_hears_of_what_is_not_there() -> None:
    assert not gate.may_hear(Asking(kit.NGO, ANYBODY).call, kit.DTV, C.SHARED_OUTCOME, None)


def test_a_party_of_the_wrong_kind_is_refused_before_anything_is_weighed() -> None:
    """Which parties may ask is a property of the operation."""
    for verb in (gate.ask, gate.preview):
        asking = Asking(kit.UTRECHT)
        answer = verb(asking.call, DOSSIER, kit.question(recipient=kit.UTRECHT), kit.situation())
        assert answer == Refusal(Reason.WRONG_PARTY)
        assert "person" not in asking.entry


def test_who_asks_is_who_receives() -> None:
    """No use case can ask for somebody else."""
    with pytest.raises(AssertionError, match="who asks is who receives"):
        gate.ask(Asking(kit.OTHER_NGO).call, DOSSIER, kit.question(C.IDENTITY), kit.situation())


def page(asking: Asking, *situations: Situation, purpose: Purpose | None = Purpose.LEGAL_SCREENING) -> Answer:
    """Ask for a page of the advice in each of these."""
    question = replace(kit.question(C.ADVICE, recipient=asking.call.caller.organisation), purpose=purpose)
    rows = [gate.Row(each, {f"row/{place}": bytes([place])}) for place, each in enumerate(situations)]
    return gate.ask_all(asking.call, Thing("advice"), question, rows)


def advised(**changes: Any) -> Situation:
    """A case with an advice that may cross by consent."""
    in_order: dict[str, Any] = {
        "agreements": (kit.agreement(kit.rule(C.ADVICE)),),
        "consents": (kit.consent(C.ADVICE),),
        "holdings": {C.ADVICE: ("body", "summary")},
    }
    return kit.situation(**in_order | changes)


def test_a_page_has_one_entry_that_names_everybody_on_it_and_what_carried_each() -> None:
    """By alias, once each; with the consents of all rows, and the seal of each."""
    one = advised()
    other = advised(
        person=PersonId(kit.number(311)),
        alias=PersonAlias(kit.number(312)),
        consents=(kit.consent(C.ADVICE, value=201),),
        holdings={C.ADVICE: ("body", "source")},
    )
    asking = Asking(kit.NGO, authority.LIST_ADVICE)
    answer = page(asking, one, one, other)
    assert answer == Permit("advice.list", frozenset({one.person, other.person}), {C.ADVICE: None})
    entry = asking.entry
    assert entry["persons"] == sorted([str(one.alias), str(other.alias)])
    assert entry["consents"] == [{"id": str(kit.number(each)), "version": 1} for each in (200, 201)]
    assert entry["disclosed"] == {"advice": ["body", "source", "summary"]}
    assert entry["seals"] == {"row/0": "00", "row/1": "01", "row/2": "02"}
    assert (entry["object"], entry["purpose"]) == ({"type": "advice"}, "legal-screening")


def test_an_empty_page_is_an_answer_that_opens_nothing() -> None:
    asking = Asking(kit.NGO, authority.LIST_ADVICE)
    assert page(asking) == Permit("advice.list", frozenset())
    assert asking.entry["result"] == "permitted"
    assert not asking.entry.keys() & {"person", "persons", "disclosed", "consents", "seals"}


@pytest.mark.parametrize(
    "wrong",
    [
        advised(consents=()),
        advised(consents=(kit.consent(C.ADVICE, last=ConsentEventKind.WITHDRAWN),)),
        advised(agreements=()),
        advised(holdings={}),
        advised(relation=Relation()),
        advised(relation=Relation(addressed=True)),
    ],
    ids=["no consent", "withdrawn", "no agreement", "not there", "no relation", "no function"],
)
def test_a_row_that_should_not_have_been_chosen_is_a_fault_and_no_shorter_page(wrong: Situation) -> None:
    """Also among rows that may go; and nothing is written down as disclosed."""
    asking = Asking(kit.NGO, authority.LIST_ADVICE)
    with pytest.raises(AssertionError, match="the list and the decision differ"):
        page(asking, advised(), wrong)
    assert asking.unit.entries == []


def test_a_relation_is_asked_for_where_a_rule_asks_for_none() -> None:
    """A rule without functions carries to whoever is addressed, and never to an outsider."""
    rule = kit.rule(C.ADVICE, functions=frozenset())
    around = advised(agreements=(kit.agreement(rule),), consents=(kit.consent(C.ADVICE, function=None),))
    addressed = replace(around, relation=kit.ADDRESSED)
    assert isinstance(page(Asking(kit.NGO, authority.LIST_ADVICE), addressed), Permit)
    with pytest.raises(AssertionError, match="differ"):
        page(Asking(kit.NGO, authority.LIST_ADVICE), replace(around, relation=Relation()))


@pytest.mark.parametrize(
    ("who", "purpose", "reason"),
    [
        (kit.NGO, None, Reason.PURPOSE_MISSING),
        (kit.NGO, Purpose.ENFORCEMENT, Reason.PURPOSE_NEVER),
        (kit.NGO, Purpose.EMERGENCY, Reason.ACTOR_MISSING),
        (kit.DTV, Purpose.LEGAL_SCREENING, Reason.WRONG_PARTY),
    ],
    ids=["no purpose", "enforcement", "emergency of nobody", "wrong party"],
)
def test_who_may_not_ask_for_a_page_is_refused_whatever_is_on_it(
    who: Organisation, purpose: Purpose | None, reason: Reason
) -> None:
    """As for one thing; and the entry names nobody."""
    for situations in ((), (advised(),)):
        asking = Asking(who, authority.LIST_ADVICE, person=None)
        assert page(asking, *situations, purpose=purpose) == Refusal(reason)
        assert not asking.entry.keys() & {"person", "disclosed", "seals"}


def test_admitting_names_whom_it_is_about_and_what_is_opened() -> None:
    """A party reads and corrects what it supplied, and the entry says so."""
    asking = Asking(kit.IND)
    around = kit.situation()
    answer = gate.admit(asking.call, DOSSIER, persons={around.person: around.alias}, holdings={C.IDENTITY: ("name",)})
    assert isinstance(answer, Permit)
    assert answer.persons == {around.person}
    assert answer.granted == {C.IDENTITY: None}
    assert asking.entry["disclosed"] == {"identity": ["name"]}
    assert asking.entry["person"] == str(around.alias)


def test_admitting_a_party_of_the_wrong_kind_is_refusing() -> None:
    """And the entry names nobody."""
    asking = Asking(kit.UTRECHT)
    answer = gate.admit(asking.call, DOSSIER, persons={kit.situation().person: kit.situation().alias})
    assert answer == Refusal(Reason.WRONG_PARTY)
    assert "person" not in asking.entry


def test_a_bar_stands_before_deeds_of_the_wrong_party_alone() -> None:
    """Nothing is written for who may go on: that is for the answer at the end."""
    wrong, right = Asking(kit.UTRECHT), Asking(kit.NGO)
    assert gate.bar(wrong.call, DOSSIER) == Refusal(Reason.WRONG_PARTY)
    assert wrong.entry["result"] == "refused"
    assert gate.bar(right.call, DOSSIER) is None
    assert right.unit.entries == []


@pytest.mark.parametrize(
    ("reason", "named"), [(Reason.WRONG_STATE, True), (Reason.NOT_VISIBLE, False)], ids=["state", "not visible"]
)
def test_a_refusal_for_a_state_names_the_person_and_one_for_nothing_there_does_not(
    reason: Reason, *, named: bool
) -> None:
    """Whoever may not know of a case leaves no trace that there is one."""
    asking = ngo()
    around = kit.situation()
    assert gate.refuse(asking.call, DOSSIER, reason, {around.person: around.alias}) == Refusal(reason)
    assert ("person" in asking.entry, "version" in asking.entry["object"]) == (named, named)


def test_a_refusal_of_the_wrong_party_says_so_first() -> None:
    """The reason that the caller can do something about."""
    assert gate.refuse(Asking(kit.UTRECHT).call, DOSSIER, Reason.WRONG_STATE) == Refusal(Reason.WRONG_PARTY)


def test_a_repeated_call_is_seen_in_the_entry() -> None:
    """What an idempotency key created is rendered anew, through the gate."""
    asking = ngo()
    again = replace(asking.call, once=Once("key", kit.number(1), replayed=True))
    gate.admit(again, DOSSIER)
    assert asking.entry["replayed"] is True


def test_only_an_operation_that_creates_has_something_made() -> None:
    """Its id is that of its idempotency key, so that a retry makes nothing new."""
    asking = ngo()
    assert replace(asking.call, once=Once("key", kit.number(1), replayed=False)).made == kit.number(1)
    with pytest.raises(AssertionError, match="only an operation that creates"):
        _ = asking.call.made


@pytest.mark.parametrize(
    ("around", "heard"),
    [
        (None, False),
        (kit.situation(), True),
        (kit.situation(consents=()), False),
        (kit.situation(agreements=()), False),
    ],
    ids=["nothing there", "in order", "no consent", "no agreement"],
)
def test_who_may_not_see_a_thing_is_not_told_of_it(around: Situation | None, *, heard: bool) -> None:
    """An event to somebody for whom it is as absent would say that it is there; and asking this is no entry."""
    asking = Asking(kit.IND)
    assert gate.may_hear(asking.call, kit.NGO, C.IDENTITY, around) is heard
    assert asking.unit.entries == []


def test_what_was_asked_for_one_purpose_is_not_there_for_another() -> None:
    """GDPR article 5(1)(b): a dossier that was asked for legal screening is empty to who declares another purpose."""
    around = kit.situation()
    assert around.asked_for(Purpose.LEGAL_SCREENING, Purpose.LEGAL_SCREENING) is around
    for declared in (Purpose.ADMISSION, None):
        assert around.asked_for(Purpose.LEGAL_SCREENING, declared).holdings == {}


def test_on_what_is_not_there_nothing_is_ever_permitted() -> None:
    """A use case that holds a permit for nothing has a fault, and must not go on."""
    refused = Refusal(Reason.NOT_VISIBLE)
    assert gate.refusal(refused) is refused
    with pytest.raises(AssertionError, match="nothing is permitted"):
        gate.refusal(Permit("dossiers.read", frozenset()))
