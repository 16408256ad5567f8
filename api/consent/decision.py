"""May these categories go? A pure function of the question, the situation and the instant.

For each asked category, in this order; the first that does not hold is the reason:

    (1) the purpose is one that can match (`enforcement` never does)
    (2) no law of this house forbids the crossing, whatever was agreed
    (3) an agreement in force between the two has a rule for it
    (4) the legal ground of that rule stands
    (5) the consent that the rule, or the law, asks for is living

Where several rules could carry a category, the first that does is taken; if none does, the reason is the furthest
reached.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from api.consent.model import ConsentRef, Decision, Granted, RuleRef, Withheld
from api.vocabulary import (
    ADDRESSABLE,
    ConsentEventKind,
    ConsentKind,
    DataCategory,
    LegalGround,
    Party,
    ProhibitionException,
    Purpose,
    Reason,
    Sensitivity,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from api.consent.model import Agreement, Consent, Question, Rule, Situation

_Verdict: TypeAlias = "Granted | Withheld"

_GOVERNMENT: Final = frozenset({Party.IND, Party.DTV, Party.AVIM, Party.MUNICIPALITY, Party.MRT})

_NEVER_TO_RETURN_OR_POLICE: Final = frozenset(
    {DataCategory.HEARINGS, DataCategory.BELIEF, DataCategory.ORIENTATION, DataCategory.MEDICAL}
)

_LIFTS: Final = {
    Sensitivity.SPECIAL: frozenset(
        {ProhibitionException.AVG_9_2_A, ProhibitionException.UAVG_22_2_A, ProhibitionException.UAVG_30_3_A}
    ),
    Sensitivity.CRIMINAL: frozenset({ProhibitionException.UAVG_32_A, ProhibitionException.UAVG_32_D}),
}

_DEPTH: Final = {
    Reason.NO_AGREEMENT: 0,
    Reason.NO_RULE: 1,
    Reason.NO_DESIGNATION: 2,
    Reason.PROPORTIONALITY_MISSING: 3,
    Reason.CONSENT_NEVER_ASKED: 4,
    Reason.CONSENT_REFUSED: 5,
    Reason.CONSENT_EXPIRED: 6,
    Reason.CONSENT_WITHDRAWN: 7,
}


def decide(question: Question, situation: Situation, now: datetime) -> Decision:
    """Answer each asked category. Nothing asked is nothing granted."""
    granted: dict[DataCategory, Granted] = {}
    withheld: dict[DataCategory, Withheld] = {}
    for category in sorted(question.categories):
        match _category(category, question, situation, now):
            case Granted() as grant:
                granted[category] = grant
            case Withheld() as stay:
                withheld[category] = stay
    return Decision(granted, withheld)


def _category(category: DataCategory, question: Question, situation: Situation, now: datetime) -> _Verdict:
    # (1) purpose limitation, GDPR article 5(1)(b)
    if question.purpose is Purpose.ENFORCEMENT:
        return Withheld(Reason.PURPOSE_NEVER)
    # (2) what no agreement can open
    if not may_ever_cross(category, question.recipient.kind):
        return Withheld(Reason.NEVER_CROSSES)
    # (3) to (5) by each rule that fits
    stays = Withheld(Reason.NO_RULE if situation.agreements else Reason.NO_AGREEMENT)
    for agreement, rule in _fitting(category, question, situation):
        verdict = _by(rule, agreement, category, question, situation, now)
        if isinstance(verdict, Granted):
            return verdict
        stays = max(stays, verdict, key=lambda each: _DEPTH[each.reason])
    return stays


def may_ever_cross(category: DataCategory, recipient: Party) -> bool:
    """Whether a category can go to a kind of party at all (design of the exchange; no agreement widens it)."""
    if recipient not in ADDRESSABLE:
        return False
    if category in _NEVER_TO_RETURN_OR_POLICE:
        return recipient not in {Party.DTV, Party.AVIM}
    if category is DataCategory.WHEREABOUTS:
        return recipient in {Party.NGO, Party.MUNICIPALITY}
    if category is DataCategory.LEGAL_ANALYSIS:
        return recipient in {Party.NGO, Party.REPRESENTATIVE}
    return True


def _fitting(category: DataCategory, question: Question, situation: Situation) -> Iterator[tuple[Agreement, Rule]]:
    for agreement in situation.agreements:
        for rule in agreement.rules:
            if (
                rule.source is situation.supplier.kind
                and rule.recipient is question.recipient.kind
                and rule.purpose is question.purpose
                and category in rule.consents
                and (not rule.functions or rule.functions & situation.relation.functions)
            ):
                yield agreement, rule


def _by(
    rule: Rule,
    agreement: Agreement,
    category: DataCategory,
    question: Question,
    situation: Situation,
    now: datetime,
) -> _Verdict:
    # (4) the ground
    if (fault := _ground(rule, question, situation)) is not None:
        return Withheld(fault)
    # (5) the consent
    needed = _needed(rule, category, question.recipient.kind)
    if isinstance(needed, Reason):
        return Withheld(needed)
    consents: tuple[ConsentRef, ...] = ()
    if needed is not None:
        found = _consent(needed, rule, category, question, situation)
        if found is None:
            return Withheld(Reason.CONSENT_NEVER_ASKED)
        if not found.lives(now):
            return Withheld(_why_not(found))
        consents = (ConsentRef(found.id, found.version),)
    return Granted(rule.ground, RuleRef(agreement.id, agreement.version, rule.id), consents)


def _ground(rule: Rule, question: Question, situation: Situation) -> Reason | None:
    match rule.ground:
        case LegalGround.VW_107_8:
            if not question.recipient.designated:
                return Reason.NO_DESIGNATION
            if not situation.proportionality_note:
                return Reason.PROPORTIONALITY_MISSING
            return None
        case LegalGround.VW_107_4:
            return None if question.recipient.kind in _GOVERNMENT else Reason.NO_RULE
        case LegalGround.PUBLIC_TASK:
            return None
        case LegalGround.AVG_15 | LegalGround.VITAL_INTEREST:
            # A mandate and break-glass are not part of the exchange yet: these grounds carry nothing.
            return Reason.NO_RULE


def _needed(rule: Rule, category: DataCategory, recipient: Party) -> ConsentKind | Reason | None:
    sensitivity = category.sensitivity
    if sensitivity is Sensitivity.ORDINARY:
        return rule.consents[category]
    if not rule.exceptions & _LIFTS[sensitivity]:
        return Reason.NO_RULE
    if recipient is Party.NGO:
        return ConsentKind.EXPLICIT_CONSENT
    return rule.consents[category]


def _consent(
    needed: ConsentKind, rule: Rule, category: DataCategory, question: Question, situation: Situation
) -> Consent | None:
    """The person's latest word on exactly this, or None."""
    fitting = [
        consent
        for consent in situation.consents
        if consent.purpose is question.purpose
        and consent.recipient == question.recipient.id
        and category in consent.categories
        and (consent.kind is needed or consent.kind is ConsentKind.EXPLICIT_CONSENT)
        and _function_fits(consent, rule, situation)
        and consent.last not in {ConsentEventKind.SUPERSEDED, ConsentEventKind.INVALIDATED}
    ]
    return max(fitting, key=lambda consent: (consent.last_at, consent.id), default=None)


def _function_fits(consent: Consent, rule: Rule, situation: Situation) -> bool:
    if consent.function is None:
        return not rule.functions
    return consent.function in situation.relation.functions and (
        not rule.functions or consent.function in rule.functions
    )


def _why_not(consent: Consent) -> Reason:
    match consent.last:
        case ConsentEventKind.REFUSED:
            return Reason.CONSENT_REFUSED
        case ConsentEventKind.WITHDRAWN:
            return Reason.CONSENT_WITHDRAWN
        case _:
            return Reason.CONSENT_EXPIRED
