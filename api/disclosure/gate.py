"""THE gate. Every operation asks it exactly once, before any effect; it answers, and writes the answer down.

    ask      data crosses organisations: purpose, ground, agreement, consent, per category
    admit    what is one's own, supervision, or no person at all: party and relation
    preview  the answer that `ask` would give, without disclosing
    refuse   nothing is there for this caller, or a state forbids it

A refusal is a value, and its entry commits. Who may know why: only an NGO that guides the person sees the reasons of
consent; to everybody else a withheld category is `not-available`, and a case closed by consent alone is as absent.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import uuid_utils.compat as uuid_utils

from api.audit import log
from api.audit.entry import Entry
from api.consent.decision import decide
from api.disclosure.permit import Permit, Refusal
from api.vocabulary import CONSENT_REASONS, Purpose, Reason, Result

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from api.audit.entry import Thing
    from api.consent.model import Decision, Granted, Question, Relation, Situation
    from api.disclosure.call import Call
    from api.disclosure.permit import Answer
    from api.vocabulary import DataCategory, PersonAlias, PersonId


def ask(call: Call, thing: Thing, question: Question, situation: Situation | None) -> Answer:
    """Decide whether categories may cross to the caller. `situation` is None when nothing was found."""
    entry = _entry(call, thing, purpose=question.purpose)
    if (reason := _barred(call)) is not None:
        return _refused(call, entry, reason)
    if situation is None or not situation.relation.any:
        return _refused(call, entry, Reason.NOT_VISIBLE)
    entry = replace(entry, persons=(situation.alias,))
    if question.purpose is Purpose.ENFORCEMENT:
        return _refused(call, entry, Reason.PURPOSE_NEVER)
    decision = decide(question, situation, call.unit.now)
    granted = {category: grant for category, grant in decision.granted.items() if category in situation.holdings}
    withheld = _shown(decision, situation.relation) | {
        category: Reason.NOT_AVAILABLE for category in decision.granted if category not in situation.holdings
    }
    if not granted:
        return _refused(call, entry, _nothing(decision, situation.relation), withheld)
    log.append(
        call.unit,
        replace(
            _carried(entry, granted),
            disclosed={category: situation.holdings[category] for category in granted},
            withheld=withheld,
        ),
    )
    return Permit(call.operation.name, frozenset({situation.person}), granted, withheld)


def preview(call: Call, thing: Thing, question: Question, situation: Situation | None) -> Answer:
    """Answer as `ask` would, holdings aside, and disclose nothing. The entry says that it was a preview."""
    entry = _entry(call, thing, purpose=question.purpose)
    if (reason := _barred(call)) is not None:
        return _refused(call, entry, reason)
    if situation is None or not situation.relation.any:
        return _refused(call, entry, Reason.NOT_VISIBLE)
    decision = decide(question, situation, call.unit.now)
    withheld = _shown(decision, situation.relation)
    log.append(call.unit, replace(_carried(entry, decision.granted), persons=(situation.alias,), withheld=withheld))
    return Permit(call.operation.name, frozenset(), decision.granted, withheld)


def admit(
    call: Call,
    thing: Thing,
    *,
    persons: Mapping[PersonId, PersonAlias] | None = None,
    holdings: Mapping[DataCategory, tuple[str, ...]] | None = None,
) -> Answer:
    """Let a party do or read what is its own, or supervise. The caller has seen that it stands in that relation.

    `persons`: whom it is about. `holdings`: the categories and field names that are about to be opened.
    """
    persons, holdings = persons or {}, holdings or {}
    entry = _entry(call, thing, persons=tuple(persons.values()))
    if (reason := _barred(call)) is not None:
        return _refused(call, replace(entry, persons=()), reason)
    log.append(call.unit, replace(entry, disclosed=dict(holdings)))
    return Permit(call.operation.name, frozenset(persons), dict.fromkeys(holdings))


def refuse(call: Call, thing: Thing, reason: Reason, persons: Mapping[PersonId, PersonAlias] | None = None) -> Refusal:
    """Refuse for a reason that was seen before the gate: nothing there for this caller, or a state that forbids it."""
    entry = _entry(call, thing, persons=() if reason is Reason.NOT_VISIBLE else tuple((persons or {}).values()))
    return _refused(call, entry, _barred(call) or reason)


def _barred(call: Call) -> Reason | None:
    return None if call.caller.organisation.kind in call.operation.parties else Reason.WRONG_PARTY


def _shown(decision: Decision, relation: Relation) -> dict[DataCategory, Reason]:
    return {
        category: stay.reason if relation.guides or stay.reason not in CONSENT_REASONS else Reason.NOT_AVAILABLE
        for category, stay in decision.withheld.items()
    }


def _nothing(decision: Decision, relation: Relation) -> Reason:
    # To those who may not know of consent, closed by consent and not there at all must look the same.
    by_consent = any(stay.reason in CONSENT_REASONS for stay in decision.withheld.values())
    if not relation.guides and (by_consent or decision.granted):
        return Reason.NOT_VISIBLE
    return Reason.NOTHING_PERMITTED


def _refused(
    call: Call, entry: Entry, reason: Reason, withheld: Mapping[DataCategory, Reason] | None = None
) -> Refusal:
    hidden = reason is Reason.NOT_VISIBLE
    shown = {} if hidden else dict(withheld or {})
    log.append(call.unit, replace(entry, result=Result.REFUSED, reason=reason, withheld=shown))
    return Refusal(reason, shown)


def _entry(call: Call, thing: Thing, *, purpose: Purpose | None = None, persons: tuple[UUID, ...] = ()) -> Entry:
    return Entry(
        id=uuid_utils.uuid7(),
        at=call.unit.now,
        action=call.operation.name,
        result=Result.PERMITTED,
        actor=call.caller,
        thing=thing,
        persons=persons,
        purpose=purpose,
        replayed=call.replayed,
    )


def _carried(entry: Entry, granted: Mapping[DataCategory, Granted]) -> Entry:
    return replace(
        entry,
        grounds=tuple({grant.ground for grant in granted.values()}),
        agreements=tuple({(g.rule.agreement, g.rule.version, g.rule.rule) for g in granted.values()}),
        consents=tuple({(c.id, c.version) for g in granted.values() for c in g.consents}),
    )
