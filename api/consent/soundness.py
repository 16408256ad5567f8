"""What a rule may not say, whoever signs it. Each fault is a sentence. Pure.

The decision holds these limits too, for every request; here they are told to who writes the agreement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from api.consent import decision
from api.vocabulary import (
    ADDRESSABLE,
    ConsentKind,
    LegalGround,
    Party,
    Purpose,
    Sensitivity,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.consent.model import Agreement, Rule
    from api.vocabulary import DataCategory

_PURPOSES: Final = {
    Purpose.ENFORCEMENT: "Data given for help is never used for enforcement: no rule can have that purpose.",
    Purpose.EMERGENCY: "An emergency is declared when it is there: no rule can have that purpose.",
}
_GROUNDS: Final = {
    LegalGround.VW_107_8: "vw-107-8 carries from IND, DT&V or AVIM to an NGO, and nothing else.",
    LegalGround.VW_107_4: "vw-107-4 carries from IND, DT&V or AVIM to a government body, and nothing else.",
    LegalGround.AVG_15: "avg-15 is the person's own right: no agreement gives it.",
    LegalGround.VITAL_INTEREST: "vital-interest is for an emergency: no agreement gives it.",
}


def of_rule(rule: Rule, *, article: str | None, motive: str | None) -> Iterator[str]:
    """What is wrong with a rule by itself."""
    if rule.purpose in decision.UNAGREED:
        yield _PURPOSES[rule.purpose]
    for party, verb in ((rule.source, "gives"), (rule.recipient, "gets")):
        if party not in ADDRESSABLE:
            yield f"{party} neither gives nor gets data about a person, and here it {verb}."
    if not decision.grounded(rule.ground, rule.source, rule.recipient):
        yield _GROUNDS[rule.ground]
    if rule.ground is LegalGround.PUBLIC_TASK and article is None:
        yield "The ground public-task needs the article that gives the task."
    if (rule.recipient is Party.NGO) != bool(rule.functions):
        yield "A rule names functions if an NGO gets, and only then."
    for category in sorted(rule.consents):
        yield from _of_category(rule, category)
    waived = [category for category in sorted(rule.consents) if rule.consents[category] is None]
    if waived and Party.NGO in {rule.source, rule.recipient} and motive is None:
        yield f"To waive consent between an NGO and others for {', '.join(waived)} needs a motive."


def widening(side: Agreement, base: Agreement) -> Iterator[str]:
    """What a side agreement says that the agreement it rests on does not carry."""
    for rule in side.rules:
        below = [
            each
            for each in base.rules
            if (each.source, each.recipient, each.purpose) == (rule.source, rule.recipient, rule.purpose)
            and (not each.functions or rule.functions <= each.functions)
        ]
        beyond = rule.consents.keys() - {category for each in below for category in each.consents}
        if beyond:
            yield f"Rule {rule.id} widens the agreement that this one rests on: {', '.join(sorted(beyond))}."


def _of_category(rule: Rule, category: DataCategory) -> Iterator[str]:
    if not decision.may_ever_cross(category, rule.recipient):
        yield f"{category} never goes to {rule.recipient}."
        return
    sensitivity = category.sensitivity
    if sensitivity is Sensitivity.ORDINARY:
        return
    lifting = decision.lifting(category, rule.recipient)
    lifted = rule.exceptions & lifting
    if not lifted:
        yield f"{category} is {sensitivity} data: name an exception that lifts the prohibition ({_or(lifting)})."
    elif rule.consents[category] is not ConsentKind.EXPLICIT_CONSENT:
        if rule.recipient is Party.NGO:
            yield f"{category} is {sensitivity} data: to an NGO it needs explicit-consent."
        elif lifted <= decision.CONSENTED:
            yield f"{category} is {sensitivity} data: {_or(lifted)} is explicit-consent, so ask for it."


def _or(exceptions: frozenset[str]) -> str:
    return " or ".join(sorted(exceptions))
