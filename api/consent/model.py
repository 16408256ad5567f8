"""The values of lawfulness: what was agreed, what the person consented to, who stands how to a case. Pure.

An **agreement** holds rules between parties. A **consent** is one purpose, one recipient organisation in one
function, and some categories. A **situation** is everything a decision needs to know of one case at one instant.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from api.vocabulary import CareFunction, ConsentEventKind, ConsentKind, Party, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from api.consent.emergency import Emergency
    from api.principal import Organisation
    from api.vocabulary import (
        AgreementId,
        CaseId,
        ConsentId,
        DataCategory,
        EmergencyId,
        LegalGround,
        Municipality,
        OrganisationId,
        PersonAlias,
        PersonId,
        ProhibitionException,
        Purpose,
    )

AMSTERDAM: Final = ZoneInfo("Europe/Amsterdam")

GUIDING = frozenset({CareFunction.COORDINATION, CareFunction.LEGAL_SCREENING, CareFunction.SOCIAL_GUIDANCE})
"""An NGO assigned in one of these guides the person, and may know why a consent does not carry."""

POLICY: Final = 3
"""Version of the rules in `decision` and what it rests on: each entry names the one that it was decided by.

It goes up with every change that could decide a question otherwise; a test holds it to the text of those modules.
"""

LIVING: Final = frozenset({ConsentEventKind.GIVEN, ConsentEventKind.RECONFIRMED})
"""A consent whose latest event is one of these carries, within its validity; after any other it does not."""


NOES: Final = frozenset({ConsentEventKind.REFUSED, ConsentEventKind.WITHDRAWN})
"""A no counts against either kind of consent, and stands until a later answer names it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One permission of an agreement: from whom to whom, why, on what ground, which categories.

    `consents` tells, per category, which kind of consent it needs; None only where the agreement waives it with a
    motive. `functions` binds an NGO that receives to its assignment in the case; empty for other parties.
    """

    id: str
    source: Party
    recipient: Party
    functions: frozenset[CareFunction]
    purpose: Purpose
    ground: LegalGround
    exceptions: frozenset[ProhibitionException]
    consents: Mapping[DataCategory, ConsentKind | None]


@dataclass(frozen=True, slots=True)
class Agreement:
    """A version of a data-sharing agreement (gegevensdelingsafspraak) of one municipality, between two of its parties.

    `terms` are in working days, by name: `delivery`, `screening`, `shelter`, `advice`; `waits_for` tells which of them
    is suspended while which other one runs late. A side agreement carries nothing by itself: it `narrows` the one that
    it rests on. `directors` (regievoerders) are the organisations to which it gives that role.
    """

    id: AgreementId
    version: int
    municipality: Municipality
    valid_from: date
    valid_until: date | None
    rules: tuple[Rule, ...]
    terms: Mapping[str, int] = field(default_factory=dict[str, int])
    waits_for: Mapping[str, str] = field(default_factory=dict[str, str])
    narrows: AgreementId | None = None
    directors: frozenset[OrganisationId] = frozenset()

    def stands(self, municipality: Municipality, day: date) -> bool:
        """Whether it is of this municipality and within its validity, both days included."""
        within = self.valid_from <= day and (self.valid_until is None or day <= self.valid_until)
        return within and self.municipality is municipality

    def given(
        self, source: Party, recipient: Party, purpose: Purpose, functions: frozenset[CareFunction] | None = None
    ) -> frozenset[DataCategory]:
        """The categories of its rules from one kind of party to another, for a purpose; to whichever function if None.

        A rule that names no function is for each.
        """
        return frozenset(
            category
            for rule in self.rules
            if (rule.source, rule.recipient, rule.purpose) == (source, recipient, purpose)
            and (functions is None or not rule.functions or rule.functions & functions)
            for category in rule.consents
        )


@dataclass(frozen=True, slots=True)
class ConsentRef:
    """A consent as it stood at one version: what carries a disclosure, or is superseded."""

    id: ConsentId
    version: int


@dataclass(frozen=True, slots=True)
class Consent:
    """A consent as it stands: its latest event, and within which instants it can live."""

    id: ConsentId
    version: int
    """How many events it has had: the version that an audit entry names."""
    kind: ConsentKind
    purpose: Purpose
    recipient: OrganisationId
    function: CareFunction | None
    categories: frozenset[DataCategory]
    last: ConsentEventKind
    last_at: datetime
    valid_from: datetime
    valid_until: datetime
    supersedes: frozenset[ConsentRef] = frozenset()
    """The earlier answers that this one takes the place of, as they stood: what happens to one later counts again."""

    @property
    def reference(self) -> ConsentRef:
        """Which it is, as it stands."""
        return ConsentRef(self.id, self.version)

    def counts(self, needed: ConsentKind) -> bool:
        """Whether it is an answer where this kind is needed. A no counts against either."""
        return self.kind in {needed, ConsentKind.EXPLICIT_CONSENT} or self.last in NOES

    def lives(self, now: datetime) -> bool:
        """Whether it carries a disclosure at this instant."""
        return self.last in LIVING and self.valid_from <= now < self.valid_until


@dataclass(frozen=True, slots=True)
class Relation:
    """How the asking organisation stands to the case.

    `functions`: its assignments. `addressed`: a request about the case was addressed to it. `supplied`: it supplied
    what is asked. None of them: the case does not exist for it.
    """

    functions: frozenset[CareFunction] = frozenset()
    addressed: bool = False
    supplied: bool = False

    @property
    def any(self) -> bool:
        """Whether it may know that the case exists."""
        return bool(self.functions) or self.addressed or self.supplied

    @property
    def guides(self) -> bool:
        """Whether it guides the person, and so may know the reasons of consent."""
        return bool(self.functions & GUIDING)


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of one case at one instant, as a decision needs it.

    `holdings` tells, for each category that is there, the names of the fields it holds; never values.
    `proportionality_note` tells whether the weighing of Aliens Act 2000 article 107(10) is recorded. `closed`: the case
    has ended; nothing new begins in it. `emergency`: the last that the asking organisation declared in it.
    """

    case: CaseId
    person: PersonId
    alias: PersonAlias
    municipality: Municipality
    supplier: Organisation
    relation: Relation
    agreements: tuple[Agreement, ...]
    consents: tuple[Consent, ...]
    holdings: Mapping[DataCategory, tuple[str, ...]]
    proportionality_note: bool = False
    closed: bool = False
    emergency: Emergency | None = None

    def agreed(
        self, source: Party, recipient: Party, purpose: Purpose, functions: frozenset[CareFunction] | None = None
    ) -> frozenset[DataCategory]:
        """What it was agreed that a party of one kind gives to one of another; the source is asked for nothing else.

        Of what is asked too: what is wanted tells what a person is helped with. `functions`: only what the recipient
        may read in these. A side agreement takes away, as it does in a decision.
        """
        speaking = [each for each in self.agreements if each.given(source, recipient, purpose)]
        agreed: set[DataCategory] = set()
        for base in speaking:
            if base.narrows is None:
                sides = [side for side in speaking if side.narrows == base.id]
                carried = base.given(source, recipient, purpose, functions)
                agreed |= carried.intersection(*(side.given(source, recipient, purpose, functions) for side in sides))
        return frozenset(agreed)

    def asked_for(self, purpose: Purpose, declared: Purpose | None) -> Situation:
        """As it is for who declares a purpose: of what was asked for another one, nothing is there (GDPR 5(1)(b))."""
        return self if declared is purpose else replace(self, holdings={})


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: who receives, why, and which categories. A supplier asking for its own data asks no question.

    `purpose` is None when none was declared: the gate refuses that before anything else.
    """

    recipient: Organisation
    purpose: Purpose | None
    categories: frozenset[DataCategory]


@dataclass(frozen=True, slots=True)
class RuleRef:
    """Which rule of which version of which agreement carries a disclosure."""

    agreement: AgreementId
    version: int
    rule: str


@dataclass(frozen=True, slots=True)
class Granted:
    """A category may go: on this ground, by this rule or in this emergency, carried by the consents that it takes."""

    ground: LegalGround
    rule: RuleRef | None
    consents: tuple[ConsentRef, ...]
    emergency: EmergencyId | None = None


@dataclass(frozen=True, slots=True)
class Withheld:
    """A category stays, and why. The reason is the true one; who may see it is the gate's concern."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer per category: each asked category is in exactly one of the two."""

    granted: Mapping[DataCategory, Granted]
    withheld: Mapping[DataCategory, Withheld]


@dataclass(frozen=True, slots=True)
class Version:
    """A version of an agreement, and the SHA-256 of the bytes that its parties sign.

    `already`: what was asked had happened before.
    """

    agreement: AgreementId
    number: int
    digest: bytes
    already: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong in what was sent: where (a JSON pointer, RFC 6901), and a sentence."""

    place: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Objection:
    """Why something is not written down: with every fault found. It decides on no disclosure."""

    reason: Reason
    faults: tuple[Fault, ...] = ()


def day_of(at: datetime) -> date:
    """The Dutch calendar day of an instant: agreements hold by day."""
    return at.astimezone(AMSTERDAM).date()
