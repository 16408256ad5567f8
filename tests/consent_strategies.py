"""Generated situations: small worlds in which each thing that a decision looks at is mostly right, sometimes wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from hypothesis import strategies as st

from api.consent.model import Agreement, Consent, ConsentRef, Question, Relation, Rule, Situation
from api.vocabulary import (
    CareFunction,
    ConsentEventKind,
    ConsentId,
    ConsentKind,
    LegalGround,
    Municipality,
    Party,
    ProhibitionException,
    Purpose,
)
from tests import consent_kit as kit
from tests.consent_kit import C

if TYPE_CHECKING:
    from api.principal import Organisation

T = TypeVar("T")

PURPOSES: Final = (Purpose.LEGAL_SCREENING, Purpose.RESIDENCE_ADVICE)
SCREENING, SHELTER = CareFunction.LEGAL_SCREENING, CareFunction.SHELTER
CATEGORIES: Final = (C.IDENTITY, C.WHEREABOUTS, C.DECISIONS, C.MEDICAL, C.DETENTION, C.LEGAL_ANALYSIS)
_Crossing: TypeAlias = "tuple[Organisation, Organisation, LegalGround]"
CROSSINGS: Final[tuple[_Crossing, ...]] = (
    (kit.IND, kit.NGO, LegalGround.VW_107_8),
    (kit.OTHER_NGO, kit.NGO, LegalGround.PUBLIC_TASK),
    (kit.OTHER_NGO, kit.UTRECHT, LegalGround.PUBLIC_TASK),
    (kit.DTV, kit.UTRECHT, LegalGround.VW_107_4),
    (kit.OTHER_NGO, kit.IND, LegalGround.PUBLIC_TASK),
    (kit.OTHER_NGO, kit.AVIM, LegalGround.PUBLIC_TASK),
)
X = ProhibitionException
YES: Final = (True, False)
EXCEPTIONS: Final = tuple(
    frozenset(each) for each in ((X.AVG_9_2_A, X.UAVG_32_A), (X.UAVG_30_3_A, X.UAVG_32_D), (X.UAVG_22_2_A,), X, ())
)
HOURS: Final = tuple(kit.NOW + timedelta(hours=h) for h in (-2, -1, 0, 1))


def mostly(right: T, *wrong: T) -> st.SearchStrategy[T]:
    """The first value nine times in ten."""
    return st.sampled_from([right] * (9 * len(wrong)) + list(wrong))


@st.composite
def rules(draw: st.DrawFn, supplier: Organisation, recipient: Organisation, ground: LegalGround, name: str) -> Rule:
    """A rule that mostly fits."""
    in_function, anyhow = frozenset({SCREENING}), frozenset[CareFunction]()
    to_ngo = recipient.kind is Party.NGO
    kinds = st.sampled_from((None, *ConsentKind))
    named = draw(st.frozensets(st.sampled_from(CATEGORIES), min_size=3))
    return Rule(
        id=name,
        source=draw(mostly(supplier.kind, Party.MRT)),
        recipient=draw(mostly(recipient.kind, Party.DTV)),
        functions=draw(mostly(in_function if to_ngo else anyhow, anyhow, frozenset({SCREENING, SHELTER}))),
        purpose=draw(mostly(*PURPOSES)),
        ground=draw(mostly(ground, *LegalGround)),
        exceptions=draw(st.sampled_from((*EXCEPTIONS, *EXCEPTIONS[:1] * 4))),
        consents={category: draw(kinds) for category in sorted(named)},
    )


@st.composite
def agreements(
    draw: st.DrawFn, value: int, supplier: Organisation, recipient: Organisation, ground: LegalGround
) -> Agreement:
    """An agreement that mostly stands. The first of a world is narrowed by half of the others."""
    names = ("one", "two", "three")[: draw(st.integers(1, 3))]
    base = kit.agreement(value=100).id
    first = draw(mostly(date(2025, 1, 1), date(2026, 11, 24), date(2026, 11, 25)))
    last = draw(mostly(None, date(2026, 11, 24), date(2026, 11, 23)))
    return kit.agreement(
        *(draw(rules(supplier, recipient, ground, name)) for name in names),
        value=value,
        municipality=draw(mostly(Municipality.UTRECHT, Municipality.GRONINGEN)),
        valid_from=first,
        valid_until=last if last is None or first <= last else None,
        narrows=draw(st.sampled_from((None, base))) if value > 100 else None,
        directors=draw(mostly(frozenset({kit.UTRECHT.id}), frozenset())),
    )


@st.composite
def consents(draw: st.DrawFn, value: int, recipient: Organisation) -> Consent:
    """A consent that was last spoken of in the past hours, and mostly given."""
    right, wrong = (SCREENING, None) if recipient.kind is Party.NGO else (None, SCREENING)
    return Consent(
        id=ConsentId(kit.number(value)),
        version=draw(st.integers(1, 3)),
        kind=draw(st.sampled_from(ConsentKind)),
        purpose=draw(mostly(*PURPOSES)),
        recipient=recipient.id,
        function=draw(mostly(right, wrong, SHELTER)),
        categories=draw(st.frozensets(st.sampled_from(CATEGORIES), min_size=3)),
        last=draw(mostly(ConsentEventKind.GIVEN, *ConsentEventKind)),
        last_at=draw(st.sampled_from(HOURS[:3])),
        valid_from=draw(mostly(HOURS[0], HOURS[1])),
        valid_until=draw(mostly(HOURS[3], HOURS[2])),
    )


@st.composite
def naming(draw: st.DrawFn, said: tuple[Consent, ...]) -> tuple[Consent, ...]:
    """The same consents, some of which name earlier ones, mostly as these stand."""
    named: list[Consent] = []
    for each in said:
        earlier = [
            ConsentRef(other.id, draw(mostly(other.version, other.version + 1)))
            for other in named
            if other.last_at <= each.last_at and draw(st.sampled_from(YES))
        ]
        named.append(replace(each, supersedes=frozenset(earlier)))
    return tuple(named)


@st.composite
def worlds(draw: st.DrawFn, crossings: tuple[_Crossing, ...] = CROSSINGS) -> tuple[Question, Situation]:
    """A question and a situation."""
    supplier, recipient, ground = draw(st.sampled_from(crossings))
    if recipient.kind is Party.NGO:
        recipient = replace(recipient, designated=draw(mostly(*YES)))
    in_function = frozenset({SCREENING}) if recipient.kind is Party.NGO else frozenset[CareFunction]()
    around = kit.situation(
        supplier=supplier,
        relation=Relation(functions=draw(mostly(in_function, frozenset({SHELTER}), frozenset({SCREENING, SHELTER})))),
        agreements=tuple(
            draw(agreements(100 + place, supplier, recipient, ground))
            for place in range(draw(st.sampled_from((1, 2, 3, 0))))
        ),
        consents=draw(
            naming(
                tuple(draw(consents(200 + place, recipient)) for place in range(draw(st.sampled_from((3, 4, 2, 1, 0)))))
            )
        ),
        proportionality_note=draw(mostly(*YES)),
    )
    return Question(recipient, draw(mostly(*PURPOSES, Purpose.ENFORCEMENT)), frozenset(CATEGORIES)), around


@st.composite
def emergencies(draw: st.DrawFn) -> tuple[Question, Situation]:
    """A question in an emergency that the NGO declared, where agreements and words mostly are about something else."""
    _, around = draw(worlds(CROSSINGS[:2]))
    asked = frozenset({*CATEGORIES, C.CONTACT, C.FAMILY})
    rule = draw(rules(around.supplier, kit.NGO, LegalGround.PUBLIC_TASK, "urgent"))
    agreed = kit.agreement(replace(rule, purpose=Purpose.EMERGENCY, functions=frozenset({SHELTER})), value=150)
    return Question(kit.NGO, Purpose.EMERGENCY, asked), replace(
        around,
        relation=Relation(functions=frozenset({SHELTER, *draw(st.sampled_from(((), (SCREENING,))))})),
        agreements=(*around.agreements, *draw(st.sampled_from(((), (agreed,))))),
        emergency=kit.emergency(),
    )


@st.composite
def talks(draw: st.DrawFn) -> tuple[Question, Situation]:
    """A question about which all is agreed, so that the ground, what lifts and what the person said decide."""
    supplier, recipient, ground = draw(st.sampled_from(CROSSINGS))
    recipient = replace(recipient, designated=draw(st.sampled_from((*YES, True, True))))
    right = SCREENING if recipient.kind is Party.NGO else None
    functions = frozenset({SCREENING}) if recipient.kind is Party.NGO else frozenset[CareFunction]()
    rule = Rule(
        id="all",
        source=supplier.kind,
        recipient=recipient.kind,
        functions=functions,
        purpose=PURPOSES[0],
        ground=draw(st.sampled_from((*[ground] * 9, *LegalGround))),
        exceptions=draw(st.sampled_from(EXCEPTIONS)),
        consents={category: draw(st.sampled_from((None, *ConsentKind))) for category in CATEGORIES},
    )
    said = tuple(
        kit.consent(
            *draw(st.frozensets(st.sampled_from(CATEGORIES), min_size=4)),
            value=200 + place,
            kind=draw(st.sampled_from(ConsentKind)),
            recipient=recipient.id,
            function=right,
            last=draw(st.sampled_from((*ConsentEventKind, *[ConsentEventKind.GIVEN] * 5))),
            last_at=draw(st.sampled_from(HOURS[:2])),
            valid_from=HOURS[0],
        )
        for place in range(draw(st.sampled_from((3, 2, 1, 0))))
    )
    around = kit.situation(
        supplier=supplier,
        relation=Relation(functions=functions),
        agreements=(kit.agreement(rule, directors=draw(st.sampled_from((frozenset({kit.UTRECHT.id}), frozenset())))),),
        consents=draw(naming(said)),
        proportionality_note=draw(st.sampled_from((*YES, True, True))),
    )
    return Question(recipient, PURPOSES[0], frozenset(CATEGORIES)), around
