"""Values of persons: who they are to the log and the vault, and what is left when one was erased."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from api.vocabulary import Reason, ReviewOutcome

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from api.vocabulary import ErasureGround, PersonAlias, PersonId, RestrictionGround


@dataclass(frozen=True, slots=True)
class Person:
    """A person as the log and the vault know them."""

    id: PersonId
    alias: PersonAlias


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was destroyed, for whoever must show it. It does not say whose it was.

    `key_digest`: SHA-256 of the wrapped key that is gone. `kek`: the key-encryption key whose epoch must end before no
    backup holds it either.
    """

    id: UUID
    erased_at: datetime
    ground: ErasureGround
    kek: str
    key_version: int
    key_digest: bytes


UNREVIEWED: Final = timedelta(days=14)
"""How long a delay lasts that nobody else has looked at."""


@dataclass(frozen=True, slots=True)
class Delay:
    """An entry stays out of the account of the person that it is about, for a while (UAVG 41).

    `client` and `actor` decided. `outcome`: what another person decided about it; None until then.
    """

    id: UUID
    index: int
    ground: RestrictionGround
    reference: str
    client: str
    actor: str | None
    decided_at: datetime
    until_at: datetime
    reviewed_at: datetime | None = None
    outcome: ReviewOutcome | None = None

    @property
    def ends_at(self) -> datetime:
        """When the person sees the entry: at once when it was lifted, and soon when nobody reviewed it."""
        match self.outcome:
            case None:
                return min(self.until_at, self.decided_at + UNREVIEWED)
            case ReviewOutcome.LIFTED:
                return self.reviewed_at or self.decided_at
            case ReviewOutcome.UPHELD:
                return self.until_at

    def unreviewable(self, client: str, actor: str | None, now: datetime) -> Reason | None:
        """Why this person cannot review it now; None when they can: another one does, once, before it ends."""
        same = (self.client, self.actor) == (client, actor)
        return Reason.OWN_REVIEW if same or self.outcome is not None or self.ends_at <= now else None
