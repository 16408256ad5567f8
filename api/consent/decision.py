"""May these categories go? A pure function of the question, the situation and the instant.

For each asked category, in this order; the first that does not hold is the reason:

    (1) the purpose is one that can match (`enforcement` never does)
    (2) no law of this house forbids the crossing, whatever was agreed
    (3) an agreement of this municipality, in force between the two today, has a rule for it
    (4) the legal ground of that rule stands
    (5) the consent that the rule, or the law, asks for is living; a no stands until a later answer names it, whoever
        recorded either, and in whatever order
    (6) every side agreement that speaks of this crossing carries it too, by (3) to (5): it can narrow, never widen

What is asked for an emergency goes by no agreement, whatever was agreed or consented to beforehand, but when

    (7) the recipient declared one that lasts, it can save a life, and the person has not said no to it for whatever
        purpose (GDPR 6(1)(d) and 9(2)(c); Dutch Civil Code 7:466)

Where several rules could carry a category, the first that does is taken, by agreement and place in it; if none does,
the reason is the furthest reached. The order in which agreements and consents are given makes no difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, assert_never

from api.consent import answers, emergency
from api.consent.model import Decision, Granted, RuleRef, Withheld, day_of
from api.vocabulary import (
    ADDRESSABLE,
    CHAIN,
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
    from datetime import datetime

    from api.consent.model import Agreement, ConsentRef, Question, Rule, Situation

_Verdict: TypeAlias = "Granted | Withheld"

GOVERNMENT: Final = frozenset({Party.IND, Party.DTV, Party.AVIM, Party.MUNICIPALITY, Party.MRT})
"""Government bodies (bestuursorganen), in the sense of Aliens Act 2000 article 107(4)."""

CONSENTED: Final = frozenset(
    {ProhibitionException.AVG_9_2_A, ProhibitionException.UAVG_22_2_A, ProhibitionException.UAVG_32_A}
)
"""The exceptions that are the person's explicit consent: without it they lift nothing."""

UNAGREED: Final = frozenset({Purpose.ENFORCEMENT, Purpose.EMERGENCY})
"""What goes by no agreement: for the one purpose nothing goes, for the other by an emergency that was declared."""

_NEVER_TO_RETURN_OR_POLICE: Final = frozenset(
    {DataCategory.HEARINGS, DataCategory.BELIEF, DataCategory.ORIENTATION, DataCategory.MEDICAL}
)

_CARE: Final = frozenset({Party.NGO, Party.MUNICIPALITY})

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


class _Speaking(NamedTuple):
    """An agreement and its rules from this kind of supplier to this kind of recipient for this purpose."""

    agreement: Agreement
    rules: tuple[Rule, ...]


class _Base(NamedTuple):
    """An agreement that can carry, and the side agreements that narrow it here."""

    base: _Speaking
    sides: tuple[_Speaking, ...]


def decide(question: Question, situation: Situation, now: datetime) -> Decision:
    """Answer each asked category. Nothing asked is nothing granted."""
    bases = _bases(question, situation, now)
    granted: dict[DataCategory, Granted] = {}
    withheld: dict[DataCategory, Withheld] = {}
    for category in sorted(question.categories):
        verdict = _category(category, question, situation, bases, now)
        if isinstance(verdict, Granted):
            granted[category] = verdict
        else:
            withheld[category] = verdict
    return Decision(granted, withheld)


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


def lifting(category: DataCategory, recipient: Party) -> frozenset[ProhibitionException]:
    """What can lift the prohibition on a special or criminal category, towards a kind of party."""
    if category.sensitivity is Sensitivity.ORDINARY:
        return frozenset()
    if category.sensitivity is Sensitivity.CRIMINAL:
        return frozenset({ProhibitionException.UAVG_32_A, ProhibitionException.UAVG_32_D})
    consented = frozenset({ProhibitionException.AVG_9_2_A, ProhibitionException.UAVG_22_2_A})
    if category is DataCategory.MEDICAL and recipient in _CARE:
        # UAVG article 30(3)(a): data on health, by institutions for care or social services
        return consented | {ProhibitionException.UAVG_30_3_A}
    return consented


def grounded(ground: LegalGround, supplier: Party, recipient: Party) -> bool:
    """Whether a rule on this ground can carry anything between two kinds of parties."""
    match ground:
        case LegalGround.VW_107_8:
            return supplier in CHAIN and recipient is Party.NGO
        case LegalGround.VW_107_4:
            return supplier in CHAIN and recipient in GOVERNMENT
        case LegalGround.PUBLIC_TASK:
            return True
        case LegalGround.AVG_15 | LegalGround.VITAL_INTEREST:
            # A mandate is not part of the exchange yet; an emergency carries by itself, and no rule can give it.
            return False
        case _:
            assert_never(ground)


def _bases(question: Question, situation: Situation, now: datetime) -> tuple[_Base, ...]:
    day = day_of(now)
    standing = sorted(
        (agreement for agreement in situation.agreements if agreement.stands(situation.municipality, day)),
        key=lambda agreement: (agreement.id, agreement.version),
    )
    speaking = [_Speaking(agreement, _speaking(agreement, question, situation)) for agreement in standing]
    sides = [each for each in speaking if each.agreement.narrows is not None and each.rules]
    return tuple(
        _Base(each, tuple(side for side in sides if side.agreement.narrows == each.agreement.id))
        for each in speaking
        if each.agreement.narrows is None
    )


def _speaking(agreement: Agreement, question: Question, situation: Situation) -> tuple[Rule, ...]:
    return tuple(
        rule
        for rule in agreement.rules
        if rule.purpose is question.purpose
        and rule.recipient is question.recipient.kind
        and rule.source is situation.supplier.kind
    )


def _category(
    category: DataCategory, question: Question, situation: Situation, bases: tuple[_Base, ...], now: datetime
) -> _Verdict:
    # (1) purpose limitation, GDPR article 5(1)(b)
    if question.purpose is Purpose.ENFORCEMENT:
        return Withheld(Reason.PURPOSE_NEVER)
    # (2) what no agreement can open
    if not may_ever_cross(category, question.recipient.kind):
        return Withheld(Reason.NEVER_CROSSES)
    stays = Withheld(Reason.NO_RULE if bases else Reason.NO_AGREEMENT)
    if question.purpose is Purpose.EMERGENCY:
        # (7) what saves a life
        return _saving(category, question, situation, stays, now)
    for base, sides in bases:
        verdict = _under(base, category, question, situation, now)
        # (6) a side agreement is asked only about what its base carries
        for side in sides:
            if isinstance(verdict, Granted):
                verdict = _under(side, category, question, situation, now)
        if isinstance(verdict, Granted):
            return verdict
        stays = max(stays, verdict, key=lambda each: _DEPTH[each.reason])
    return stays


def _saving(
    category: DataCategory, question: Question, situation: Situation, stays: Withheld, now: datetime
) -> _Verdict:
    """In an emergency, and in nothing else. It needs no agreement and no consent, and does not stand against a no."""
    declared = emergency.carrying(situation, question.recipient, now)
    if declared is None or category not in emergency.LIFE_SAVING:
        return stays
    if (no := answers.no_to(category, question, situation)) is not None:
        return Withheld(answers.why_not(no))
    return Granted(LegalGround.VITAL_INTEREST, None, (), declared.id)


def _under(
    speaking: _Speaking, category: DataCategory, question: Question, situation: Situation, now: datetime
) -> _Verdict:
    """What one agreement says, by the first of its rules that carries the category."""
    stays = Withheld(Reason.NO_RULE)
    for rule in speaking.rules:
        # (3) a rule for it
        if not _fits(rule, speaking.agreement, category, question, situation):
            continue
        verdict = _by(rule, speaking.agreement, category, question, situation, now)
        if isinstance(verdict, Granted):
            return verdict
        stays = max(stays, verdict, key=lambda each: _DEPTH[each.reason])
    return stays


def _fits(rule: Rule, agreement: Agreement, category: DataCategory, question: Question, situation: Situation) -> bool:
    if category not in rule.consents:
        return False
    to_municipality = question.recipient.kind is Party.MUNICIPALITY
    if category is DataCategory.WHEREABOUTS and to_municipality and question.recipient.id not in agreement.directors:
        return False  # where a person stays leaves the NGO side for the director only
    return not rule.functions or bool(rule.functions & situation.relation.functions)


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
        found = answers.to_rule(needed, rule, category, question, situation)
        if found is None:
            return Withheld(Reason.CONSENT_NEVER_ASKED)
        if not found.lives(now):
            return Withheld(answers.why_not(found))
        consents = (found.reference,)
    return Granted(rule.ground, RuleRef(agreement.id, agreement.version, rule.id), consents)


def _ground(rule: Rule, question: Question, situation: Situation) -> Reason | None:
    if not grounded(rule.ground, rule.source, rule.recipient):
        return Reason.NO_RULE
    if rule.ground is LegalGround.VW_107_8:
        if not question.recipient.designated:
            return Reason.NO_DESIGNATION
        # Article 107(10): the weighing against the person's private life
        if not situation.proportionality_note:
            return Reason.PROPORTIONALITY_MISSING
    return None


def _needed(rule: Rule, category: DataCategory, recipient: Party) -> ConsentKind | Reason | None:
    if category.sensitivity is Sensitivity.ORDINARY:
        return rule.consents[category]
    lifted = rule.exceptions & lifting(category, recipient)
    if not lifted:
        return Reason.NO_RULE
    if recipient is Party.NGO or lifted <= CONSENTED:
        return ConsentKind.EXPLICIT_CONSENT
    return rule.consents[category]
