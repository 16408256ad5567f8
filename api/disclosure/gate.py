"""THE gate. Every operation asks it exactly once, before any effect; it answers, and writes the answer down.

    ask      data crosses organisations: purpose, ground, agreement, consent, per category
    ask_all  the same for a page of a list, whose rows SQL has chosen by the same rule
    may_hear whether an organisation may be told that something is there for it
    admit    what is one's own, supervision, or no person at all: party and relation
    preview  the answer that `ask` would give, without disclosing
    refuse   nothing is there for this caller, or a state forbids it
    bar      not an operation for this kind of party; else `admit` or `refuse` follows, in the same unit

A refusal is a value, and its entry commits. Who may know why: only an NGO that guides the person sees the reasons of
consent; to everybody else a withheld category is `not-available`, and a case closed by consent alone is as absent.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import uuid_utils.compat as uuid_utils

from api.audit import log
from api.audit.entry import Entry
from api.consent.decision import decide
from api.consent.model import POLICY, Question
from api.disclosure.permit import Permit, Refusal
from api.vocabulary import CONSENT_REASONS, Party, Purpose, Reason, Result

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from uuid import UUID

    from api.audit.entry import Stated, Thing
    from api.consent.model import Decision, Fault, Granted, Situation
    from api.disclosure.call import Call
    from api.disclosure.permit import Answer
    from api.principal import Organisation
    from api.vocabulary import DataCategory, PersonAlias, PersonId


_BEFORE_LOOKING = frozenset({Reason.NOT_VISIBLE, Reason.PURPOSE_MISSING, Reason.PURPOSE_NEVER, Reason.ACTOR_MISSING})
"""Refusals that say nothing about whether something is there."""


class Row(NamedTuple):
    """A row of a page: the situation around it, and the digest of its seal, by row, for the entry."""

    situation: Situation
    seals: Mapping[str, bytes]


class _Weighed(NamedTuple):
    """The decision on a situation, the entry that will tell of it, and whether the caller may know of consent."""

    entry: Entry
    decision: Decision
    around: Situation
    knows: bool


def ask(
    call: Call,
    thing: Thing,
    question: Question,
    situation: Situation | None,
    *,
    known: bool = False,
    seals: Mapping[str, bytes] | None = None,
) -> Answer:
    """Decide whether categories may cross to the caller. `situation` is None when nothing was found.

    `known`: the caller knows of the thing, because it was addressed to it; when no category may cross it sees it bare.
    `seals`: digests of the seals of the rows that are about to be opened, for the entry. Those of rows that the call
    writes come to it by themselves.
    """
    weighed = _weighed(call, thing, question, situation)
    if isinstance(weighed, Refusal):
        return weighed
    holdings = weighed.around.holdings
    granted, withheld = _there(weighed)
    if not granted and not known:
        return _refused(call, weighed.entry, _nothing(weighed), withheld)
    disclosed = {each: holdings[each] for each in granted}
    carried = _carried(weighed.entry, granted.values())
    entry = replace(carried, disclosed=disclosed, withheld=withheld, seals=seals or {})
    log.append(call.unit, entry, call.vault.sealed)
    return Permit(call.operation.name, frozenset({weighed.around.person}), granted, withheld)


def ask_all(call: Call, thing: Thing, question: Question, rows: Sequence[Row]) -> Answer:
    """Decide again each row of a page that `consent.visibility` chose: all that is asked goes, or choosing was wrong.

    What was not chosen is as absent: one entry tells of the page, and an empty page is an answer. Raises
    `AssertionError` on a difference: that is a fault of ours, and no shorter page.
    """
    entry = _asking(call, thing, question)
    if isinstance(entry, Refusal):
        return entry
    granted: list[Granted] = []
    disclosed: dict[DataCategory, tuple[str, ...]] = {}
    seals: dict[str, bytes] = {}
    for around, sealed in rows:
        decision = decide(question, around, call.unit.now)
        if not around.relation.any or question.categories != frozenset(decision.granted) & around.holdings.keys():
            raise AssertionError("the list and the decision differ")
        granted += decision.granted.values()
        for category in decision.granted:
            names = (*disclosed.get(category, ()), *around.holdings[category])
            disclosed[category] = tuple(dict.fromkeys(names))
        seals |= sealed
    persons = {around.person: around.alias for around, _ in rows}
    entry = replace(_carried(entry, granted), persons=tuple(persons.values()), disclosed=disclosed, seals=seals)
    log.append(call.unit, entry)
    return Permit(call.operation.name, frozenset(persons), dict.fromkeys(disclosed))


def preview(call: Call, thing: Thing, question: Question, situation: Situation | None) -> Answer:
    """Answer as `ask` would once everything is there, and disclose nothing. The entry says that it was a preview.

    To who may not know of consent, what is not there yet is `not-available`, as what consent closes is: else a preview
    would tell the two apart.
    """
    weighed = _weighed(call, thing, question, situation)
    if isinstance(weighed, Refusal):
        return weighed
    granted, withheld = (weighed.decision.granted, _shown(weighed)) if weighed.knows else _there(weighed)
    log.append(call.unit, replace(_carried(weighed.entry, granted.values()), withheld=withheld))
    return Permit(call.operation.name, frozenset(), granted, withheld)


def may_hear(
    call: Call,
    recipient: Organisation,
    category: DataCategory,
    situation: Situation | None,
    purposes: Iterable[Purpose] = Purpose,
) -> bool:
    """Whether an organisation could see this category now for any of these; else not even an event may tell of it."""
    if situation is None:
        return False
    asked = frozenset({category})
    return any(decide(Question(recipient, each, asked), situation, call.unit.now).granted for each in purposes)


def admit(
    call: Call,
    thing: Thing,
    *,
    persons: Mapping[PersonId, PersonAlias] | None = None,
    holdings: Mapping[DataCategory, tuple[str, ...]] | None = None,
    seals: Mapping[str, bytes] | None = None,
    purpose: Purpose | None = None,
    stated: Stated | None = None,
    cause: str | None = None,
) -> Answer:
    """Let a party do or read what is its own, or supervise. The caller has seen that it stands in that relation.

    `persons`: whom it is about. `holdings`: the categories and field names that are about to be opened. `seals`: as for
    `ask`. `purpose`: the only one there is for the operation. `stated`: why an auditor asks. `cause`: why it is done, a
    word of a closed list.
    """
    persons, holdings = persons or {}, holdings or {}
    entry = replace(_entry(call, thing, persons=tuple(persons.values())), stated=stated, cause=cause)
    if (reason := _barred(call)) is not None:
        return _refused(call, replace(entry, persons=()), reason)
    entry = replace(entry, purpose=purpose, disclosed=dict(holdings), seals=seals or {})
    log.append(call.unit, entry, call.vault.sealed)
    return Permit(call.operation.name, frozenset(persons), dict.fromkeys(holdings))


def bar(call: Call, thing: Thing) -> Refusal | None:
    """Refuse a party of the wrong kind; None when it is of the right one. For deeds that may meet an objection."""
    reason = _barred(call)
    return None if reason is None else _refused(call, _entry(call, thing), reason)


def refuse(
    call: Call,
    thing: Thing,
    reason: Reason,
    persons: Mapping[PersonId, PersonAlias] | None = None,
    faults: tuple[Fault, ...] = (),
    *,
    stated: Stated | None = None,
) -> Refusal:
    """Refuse for a reason that was seen before the gate: nothing there for this caller, or a state that forbids it."""
    entry = _entry(call, thing, persons=() if reason is Reason.NOT_VISIBLE else tuple((persons or {}).values()))
    entry = replace(entry, stated=stated)
    return replace(_refused(call, entry, _barred(call) or reason), faults=faults)


def refusal(answer: Answer) -> Refusal:
    """The refusal that an answer on what is not there always is."""
    if isinstance(answer, Permit):
        raise AssertionError("nothing is permitted on what is not there")  # noqa: TRY004 - the gate's law
    return answer


def _barred(call: Call) -> Reason | None:
    return None if call.caller.organisation.kind in call.operation.parties else Reason.WRONG_PARTY


def _asking(call: Call, thing: Thing, question: Question) -> Entry | Refusal:
    """The entry on a question, before anything is looked at; or the refusal of whoever may not even ask."""
    if question.recipient != call.caller.organisation:
        raise AssertionError("who asks is who receives")
    entry = replace(_entry(call, thing, purpose=question.purpose), policy=POLICY)
    if (reason := _barred(call)) is not None:
        return _refused(call, entry, reason)
    # Before anything is looked at: the answer is the same whether something is there or not.
    if question.purpose is None:
        return _refused(call, entry, Reason.PURPOSE_MISSING)
    if question.purpose is Purpose.ENFORCEMENT:
        return _refused(call, entry, Reason.PURPOSE_NEVER)
    # Nobody consented, so somebody answers for it: the two who review an emergency have to know who read in it.
    if question.purpose is Purpose.EMERGENCY and call.caller.person is None:
        return _refused(call, entry, Reason.ACTOR_MISSING)
    return entry


def _weighed(call: Call, thing: Thing, question: Question, situation: Situation | None) -> _Weighed | Refusal:
    """The decision; or the refusal of whoever may not ask this."""
    entry = _asking(call, thing, question)
    if isinstance(entry, Refusal):
        return entry
    if situation is None or not situation.relation.any:
        return _refused(call, entry, Reason.NOT_VISIBLE)
    entry = replace(entry, persons=(situation.alias,))
    # A municipality that coordinates directs, and so decides about the bed: it may not know of consent.
    knows = call.caller.organisation.kind is Party.NGO and situation.relation.guides
    return _Weighed(entry, decide(question, situation, call.unit.now), situation, knows)


def _there(weighed: _Weighed) -> tuple[dict[DataCategory, Granted], dict[DataCategory, Reason]]:
    """What is granted and there; and what is withheld, with what is granted and not there."""
    decision, holdings = weighed.decision, weighed.around.holdings
    there = {category: grant for category, grant in decision.granted.items() if category in holdings}
    absent = dict.fromkeys(decision.granted.keys() - there.keys(), Reason.NOT_AVAILABLE)
    return there, _shown(weighed) | absent


def _shown(weighed: _Weighed) -> dict[DataCategory, Reason]:
    return {
        category: Reason.NOT_AVAILABLE if stay.reason in CONSENT_REASONS and not weighed.knows else stay.reason
        for category, stay in weighed.decision.withheld.items()
    }


def _nothing(weighed: _Weighed) -> Reason:
    # To those who may not know of consent, closed and not there at all must look the same, whatever they ask it for.
    return Reason.NOTHING_PERMITTED if weighed.knows else Reason.NOT_VISIBLE


def _refused(
    call: Call, entry: Entry, reason: Reason, withheld: Mapping[DataCategory, Reason] | None = None
) -> Refusal:
    shown = dict(withheld or {})
    if reason in _BEFORE_LOOKING or reason is _barred(call):
        # The entry too is that of an id that does not exist: a party reads its own entries.
        shown = {}
        purpose = None if reason is Reason.NOT_VISIBLE else entry.purpose
        entry = replace(entry, persons=(), purpose=purpose, cause=None, thing=replace(entry.thing, version=None))
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
        signed=None if call.signed is None else call.signed.told,
    )


def _carried(entry: Entry, granted: Collection[Granted]) -> Entry:
    return replace(
        entry,
        grounds=tuple({grant.ground for grant in granted}),
        agreements=tuple({(by.agreement, by.version, by.rule) for g in granted if (by := g.rule) is not None}),
        consents=tuple({(c.id, c.version) for g in granted for c in g.consents}),
        emergency=next((g.emergency for g in granted if g.emergency is not None), None),
    )
