"""An emergency (noodprocedure) as a decision needs it: what it opens, to whom, and until when. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from api.vocabulary import CareFunction, DataCategory, Party

if TYPE_CHECKING:
    from datetime import datetime

    from api.consent.model import Relation, Situation
    from api.principal import Organisation
    from api.vocabulary import EmergencyId, OrganisationId

CARING: Final = frozenset({CareFunction.COORDINATION, CareFunction.SHELTER, CareFunction.SOCIAL_GUIDANCE})
"""An NGO assigned in one of these cares for the person, and may declare an emergency."""

LIFE_SAVING: Final = frozenset({DataCategory.IDENTITY, DataCategory.CONTACT, DataCategory.FAMILY, DataCategory.MEDICAL})
"""What can save a life: who it is, whom to call, and what a doctor must know. An emergency opens nothing else."""


@dataclass(frozen=True, slots=True)
class Emergency:
    """An organisation has declared that the person of a case cannot consent, while their life is in danger."""

    id: EmergencyId
    organisation: OrganisationId
    ends_at: datetime

    def lasts(self, now: datetime) -> bool:
        """Whether it carries a disclosure at this instant.

        Who reads it reads what was declared before: that a clock here is behind the one it was declared by is no reason
        to keep a doctor waiting.
        """
        return now < self.ends_at


def carrying(situation: Situation, recipient: Organisation, now: datetime) -> Emergency | None:
    """The emergency that carries for an NGO now: its own, while it lasts, the case goes on and it cares in it."""
    declared = situation.emergency
    if declared is None or declared.organisation != recipient.id or not declared.lasts(now):
        return None
    return declared if recipient.kind is Party.NGO and cares(situation.relation) and not situation.closed else None


def cares(relation: Relation) -> bool:
    """Whether an organisation cares for the person, and so may act for them in an emergency."""
    return bool(relation.functions & CARING)
