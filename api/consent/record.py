"""What is recorded of a consent: what is asked of the person, what happened since, what may happen next. Pure.

    given ──► re-confirmed ──► re-confirmed …                 expired ──► re-confirmed | withdrawn
      │            │
      └────────────┴──► withdrawn | expired | invalidated     refused

A refusal and a withdrawal are final: only a new answer opens again, and only when it names the no that it takes the
place of (`supersedes`). So no record of one NGO overrules without a word what the person told another. What is named is
superseded for the categories that both are about, as it stood; when the new answer turns out to be a record made in
error, the old one stands again. Expired and superseded are derived, not written. A record made in error is invalidated
only while it carries, so that no correction brings an older yes back to life.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from api.consent import answers, decision
from api.consent.model import LIVING, NOES, Consent, ConsentRef, Fault
from api.vocabulary import ADDRESSABLE, ConsentEventKind, ConsentKind, Party, Purpose, Sensitivity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from api.consent.evidence import Evidence, Text
    from api.principal import Organisation
    from api.vocabulary import (
        CareFunction,
        CaseId,
        ConsentGiver,
        ConsentId,
        DataCategory,
        OrganisationId,
        PersonId,
    )

LONGEST: Final = timedelta(days=366)
"""How long a consent lives at most before the person is asked again."""

NEXT: Final = {
    ConsentEventKind.GIVEN: frozenset(
        {
            ConsentEventKind.RECONFIRMED,
            ConsentEventKind.WITHDRAWN,
            ConsentEventKind.EXPIRED,
            ConsentEventKind.INVALIDATED,
        }
    ),
    ConsentEventKind.REFUSED: frozenset[ConsentEventKind](),
    ConsentEventKind.RECONFIRMED: frozenset(
        {
            ConsentEventKind.RECONFIRMED,
            ConsentEventKind.WITHDRAWN,
            ConsentEventKind.EXPIRED,
            ConsentEventKind.INVALIDATED,
        }
    ),
    ConsentEventKind.EXPIRED: frozenset({ConsentEventKind.RECONFIRMED, ConsentEventKind.WITHDRAWN}),
    ConsentEventKind.WITHDRAWN: frozenset[ConsentEventKind](),
    ConsentEventKind.SUPERSEDED: frozenset[ConsentEventKind](),
    ConsentEventKind.INVALIDATED: frozenset[ConsentEventKind](),
}
"""What may follow on what."""

_NEVER_CONSENTED: Final = frozenset({Purpose.ENFORCEMENT, Purpose.SUBJECT_ACCESS, Purpose.AUDIT_REVIEW})


@dataclass(frozen=True, slots=True)
class NewConsent:
    """What a person was asked and answered: one purpose, one recipient in one function, some categories.

    `given` is the answer: a no is as welcome as a yes. `valid_until`: until when a yes carries; a no stands beyond it.
    `supersedes`: the earlier answers to the same question that this one takes the place of, as they stood when read.
    """

    person: PersonId
    case: CaseId
    kind: ConsentKind
    purpose: Purpose
    recipient: Organisation
    function: CareFunction | None
    categories: frozenset[DataCategory]
    given: bool
    given_by: ConsentGiver
    valid_until: datetime
    evidence: Evidence
    supersedes: tuple[ConsentRef, ...] = ()

    def same(self, other: Consent) -> bool:
        """Whether another consent of the case is an answer to the same question, and shares a category."""
        return (
            self.purpose is other.purpose
            and self.recipient.id == other.recipient
            and self.function is other.function
            and bool(self.categories & other.categories)
            and other.last not in answers.VOID
        )

    def misnamed(self, known: Iterable[Consent]) -> Iterator[Fault]:
        """What is named and is no earlier answer to this, or not as it stands."""
        there = {each.reference for each in known if self.same(each)}
        for place, reference in enumerate(self.supersedes):
            if reference not in there:
                yield Fault(f"/supersedes/{place}", "No answer to this question stands so: read the consents.")

    def overrules(self, known: Iterable[Consent]) -> bool:
        """Whether this is a yes, and a no stands that it does not name. `known`: the consents of the case."""
        same = [each for each in known if self.same(each) and each.counts(self.kind)]
        return self.given and any(self._unnamed(category, same) for category in self.categories)

    def _unnamed(self, category: DataCategory, same: Iterable[Consent]) -> bool:
        answers = [each for each in same if category in each.categories]
        named = {reference for each in answers for reference in each.supersedes}.union(self.supersedes)
        return any(each.last in NOES and each.reference not in named for each in answers)

    def faults(self, now: datetime) -> Iterator[Fault]:
        """What no person can be asked, and what is missing of a yes."""
        if self.purpose in _NEVER_CONSENTED:
            yield Fault("/purpose", f"Nobody is asked to consent to {self.purpose}.")
        if self.recipient.kind not in ADDRESSABLE:
            yield Fault("/recipientId", "This organisation never gets data about a person.")
        if (self.recipient.kind is Party.NGO) != (self.function is not None):
            yield Fault("/function", "Name the function in which an NGO gets it, and none for others.")
        if not self.categories:
            yield Fault("/categories", "Name what may be shared.")
        yield from self._of_categories()
        if not now < self.valid_until <= now + LONGEST:
            yield Fault("/validUntilAt", f"A consent ends after now and within {LONGEST.days} days.")
        if self.given:
            yield from self.evidence.faults()

    def _of_categories(self) -> Iterator[Fault]:
        to = self.recipient.kind
        for category in sorted(self.categories):
            if to in ADDRESSABLE and not decision.may_ever_cross(category, to):
                yield Fault("/categories", f"{category} never goes to {to}, so do not ask for it.")
            elif (
                to is Party.NGO
                and category.sensitivity is not Sensitivity.ORDINARY
                and self.kind is not ConsentKind.EXPLICIT_CONSENT
            ):
                yield Fault("/kind", f"For {category} the person is asked for explicit-consent.")


@dataclass(frozen=True, slots=True)
class ConsentEvent:
    """What happened to a consent, when, and by whom it was recorded."""

    sequence: int
    kind: ConsentEventKind
    at: datetime
    organisation: OrganisationId


@dataclass(frozen=True, slots=True)
class ConsentFacts:
    """A consent as it stands, without what is sealed. `valid_until`: as last given or re-confirmed.

    `superseded`: the categories for which a later answer takes its place.
    """

    id: ConsentId
    person: PersonId
    case: CaseId
    kind: ConsentKind
    purpose: Purpose
    recipient: OrganisationId
    function: CareFunction | None
    categories: frozenset[DataCategory]
    given_by: ConsentGiver
    text: Text
    valid_from: datetime
    valid_until: datetime
    recorded_by: OrganisationId
    events: tuple[ConsentEvent, ...]
    supersedes: frozenset[ConsentRef] = frozenset()
    superseded: frozenset[DataCategory] = frozenset()

    @property
    def version(self) -> int:
        """How many events it has had."""
        return self.events[-1].sequence

    @property
    def last(self) -> ConsentEventKind:
        """The latest event."""
        return self.events[-1].kind

    @property
    def value(self) -> Consent:
        """As a decision takes it."""
        return Consent(
            id=self.id,
            version=self.version,
            kind=self.kind,
            purpose=self.purpose,
            recipient=self.recipient,
            function=self.function,
            categories=self.categories,
            last=self.last,
            last_at=self.events[-1].at,
            valid_from=self.valid_from,
            valid_until=self.valid_until,
            supersedes=self.supersedes,
        )

    def state(self, now: datetime) -> ConsentEventKind:
        """The latest event; `superseded` when later answers take all of its place, `expired` once a yes has ended."""
        if self.superseded >= self.categories and self.last not in answers.VOID:
            return ConsentEventKind.SUPERSEDED
        return ConsentEventKind.EXPIRED if self.last in LIVING and not self.value.lives(now) else self.last

    def may(self, kind: ConsentEventKind, now: datetime) -> bool:
        """Whether this event may follow."""
        if kind is ConsentEventKind.INVALIDATED and not self.value.lives(now):
            return False
        return kind in NEXT[self.last]
