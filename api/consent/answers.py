"""What the answers of a person come to: a yes that lives, or a no that stands until a later answer names it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from api.consent.model import LIVING, NOES
from api.vocabulary import ConsentEventKind, Reason

if TYPE_CHECKING:
    from collections.abc import Collection

    from api.consent.model import Consent, Question, Rule, Situation
    from api.vocabulary import ConsentKind, DataCategory

VOID: Final = frozenset({ConsentEventKind.SUPERSEDED, ConsentEventKind.INVALIDATED})
"""After one of these a consent is no longer the person's word, neither a yes nor a no."""


def to_rule(
    needed: ConsentKind, rule: Rule, category: DataCategory, question: Question, situation: Situation
) -> Consent | None:
    """What the person's answers to exactly what a rule asks come to, or None."""
    return _word(
        [
            consent
            for consent in _towards(category, question, situation)
            if consent.purpose is question.purpose
            and consent.counts(needed)
            and _function_fits(consent, rule, situation)
        ]
    )


def no_to(category: DataCategory, question: Question, situation: Situation) -> Consent | None:
    """A no that stands between a category and the recipient, whatever purpose and function it was said of; or None."""
    said = _word(_towards(category, question, situation))
    return said if said is not None and said.last in NOES else None


def why_not(consent: Consent) -> Reason:
    """Why an answer that does not live carries nothing."""
    match consent.last:
        case ConsentEventKind.REFUSED:
            return Reason.CONSENT_REFUSED
        case ConsentEventKind.WITHDRAWN:
            return Reason.CONSENT_WITHDRAWN
        case _:
            return Reason.CONSENT_EXPIRED


def _towards(category: DataCategory, question: Question, situation: Situation) -> list[Consent]:
    return [
        consent
        for consent in situation.consents
        if consent.recipient == question.recipient.id and category in consent.categories and consent.last not in VOID
    ]


def _word(said: Collection[Consent]) -> Consent | None:
    """What these come to. A no that none of the others names stands."""
    named = {reference for consent in said for reference in consent.supersedes}
    return max(
        (consent for consent in said if consent.reference not in named),
        key=lambda consent: (consent.last in NOES, consent.last_at, consent.last not in LIVING, consent.id),
        default=None,
    )


def _function_fits(consent: Consent, rule: Rule, situation: Situation) -> bool:
    if consent.function is None:
        return not rule.functions
    return consent.function in situation.relation.functions and (
        not rule.functions or consent.function in rule.functions
    )
