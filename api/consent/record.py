"""What is recorded of a consent: what is asked of the person, what happened since, what may happen next. Pure.

    given ──► re-confirmed ──► re-confirmed …
      │            │
      ├────────────┴──► withdrawn | expired | superseded | invalidated
      │
    refused ──► superseded                        expired ──► re-confirmed | withdrawn

A withdrawal ends a consent for good: only a new one opens again. A record made in error is invalidated only while it
carries, so that no correction brings an older yes back to life.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from api.consent import decision
from api.consent.model import LIVING, Consent, Fault
from api.vocabulary import ADDRESSABLE, ConsentEventKind, ConsentKind, Party, Purpose, Sensitivity

if TYPE_CHECKING:
    from collections.abc import Iterator
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
            ConsentEventKind.SUPERSEDED,
            ConsentEventKind.INVALIDATED,
        }
    ),
    ConsentEventKind.REFUSED: frozenset({ConsentEventKind.SUPERSEDED}),
    ConsentEventKind.RECONFIRMED: frozenset(
        {
            ConsentEventKind.RECONFIRMED,
            ConsentEventKind.WITHDRAWN,
            ConsentEventKind.EXPIRED,
            ConsentEventKind.SUPERSEDED,
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

    `given` is the answer: a no is as welcome as a yes. `valid_until`: until when a yes carries, or a no stands.
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
    """A consent as it stands, without what is sealed. `valid_until`: as last given or re-confirmed."""

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
        )

    def state(self, now: datetime) -> ConsentEventKind:
        """The latest event, or `expired` once the time of a yes has passed."""
        return ConsentEventKind.EXPIRED if self.last in LIVING and not self.value.lives(now) else self.last

    def may(self, kind: ConsentEventKind, now: datetime) -> bool:
        """Whether this event may follow."""
        if kind is ConsentEventKind.INVALIDATED and not self.value.lives(now):
            return False
        return kind in NEXT[self.last]
