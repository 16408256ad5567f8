"""The rule as SQL, for lists: the one expression that says what `decision.decide` says. Nothing else filters by right.

A list selects with `granted`, and decides each row of a page again by the pure function; a difference is an error. The
words come from the decision, and a property test compares the two on generated situations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, Integer, and_, any_, case, false, func, literal_column, or_, select, true

from api.consent import agreements, answers, decision
from api.consent.model import LIVING, NOES
from api.consent.tables import WAIVED, agreement_party, agreement_rule, consent, consent_event, supersession
from api.vocabulary import (
    AgreementKind,
    ConsentKind,
    DataCategory,
    LegalGround,
    Party,
    ProhibitionException,
    Sensitivity,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import FromClause, Select


_ONE: Final[ColumnElement[int]] = literal_column("1", Integer)


@dataclass(frozen=True, slots=True)
class Row:
    """What the decision asks of a row of a list, each as a column or a bound value.

    `functions`: text[] of the recipient's assignments in the case. `designated`, `noted`: whether the recipient is a
    designated organisation, and whether the proportionality note is recorded. `today`: the Dutch calendar day of `now`.
    """

    case: ColumnElement[Any]
    municipality: ColumnElement[Any]
    supplier: ColumnElement[Any]
    supplier_kind: ColumnElement[Any]
    recipient: ColumnElement[Any]
    recipient_kind: ColumnElement[Any]
    designated: ColumnElement[bool]
    functions: ColumnElement[Any]
    purpose: ColumnElement[Any]
    noted: ColumnElement[bool]
    now: ColumnElement[Any]
    today: ColumnElement[Any]


def granted(category: DataCategory, row: Row) -> ColumnElement[bool]:
    """Whether a category may go from the supplier to the recipient of this row, by the steps of `decision`."""
    possible = [party for party in Party if decision.may_ever_cross(category, party)]
    version, of, bases = agreements.in_force(row.municipality, row.supplier, row.recipient, row.today)
    base = bases.where(
        of.c.kind != _word(AgreementKind.SIDE_AGREEMENT),
        _carries(version, category, row),
        ~_narrowed(version, category, row),
    )
    # (1), (2), and (3) to (6) of `decision`. No list follows an emergency, (7): what saves a life is read one by one.
    return and_(~_one_of(row.purpose, decision.UNAGREED), _one_of(row.recipient_kind, possible), base.exists())


def _narrowed(base: FromClause, category: DataCategory, row: Row) -> ColumnElement[bool]:
    """(6) A side agreement that rests on this one speaks of the crossing, and does not carry it."""
    side, of, sides = agreements.in_force(row.municipality, row.supplier, row.recipient, row.today)
    return sides.where(
        of.c.kind == _word(AgreementKind.SIDE_AGREEMENT),
        of.c.rests_on == base.c.agreement_id,
        _rules(side, row, agreement_rule.alias()).exists(),
        ~_carries(side, category, row),
    ).exists()


def _rules(version: FromClause, row: Row, rule: FromClause) -> Select[int]:
    return (
        select(_ONE)
        .select_from(rule)
        .where(
            rule.c.agreement_id == version.c.agreement_id,
            rule.c.version == version.c.version,
            rule.c.source == row.supplier_kind,
            rule.c.recipient == row.recipient_kind,
            rule.c.purpose == row.purpose,
        )
        .correlate_except(rule)
    )


def _carries(version: FromClause, category: DataCategory, row: Row) -> ColumnElement[bool]:
    rule = agreement_rule.alias()
    carrying = _rules(version, row, rule).where(
        rule.c.category == _word(category),
        _grounded(rule, row),
        _consented(rule, category, row),
        # (3) a rule for it
        or_(_none(rule.c.functions), rule.c.functions.bool_op("&&")(row.functions)),
    )
    if category is DataCategory.WHEREABOUTS:
        carrying = carrying.where(
            or_(row.recipient_kind != _word(Party.MUNICIPALITY), _directed(version, row.recipient))
        )
    return carrying.exists()


def _directed(version: FromClause, recipient: ColumnElement[Any]) -> ColumnElement[bool]:
    party = agreement_party.alias()
    return (
        select(_ONE)
        .select_from(party)
        .where(
            party.c.agreement_id == version.c.agreement_id,
            party.c.version == version.c.version,
            party.c.organisation_id == recipient,
            party.c.director,
        )
        .correlate_except(party)
        .exists()
    )


def _grounded(rule: FromClause, row: Row) -> ColumnElement[bool]:
    """(4) The ground of the rule stands."""
    pairs = {
        ground: [(a, b) for a in Party for b in Party if decision.grounded(ground, a, b)] for ground in LegalGround
    }
    stands = [
        and_(
            rule.c.ground == _word(ground),
            _one_of(rule.c.source, {a for a, _ in between}),
            _one_of(rule.c.recipient, {b for _, b in between}),
            and_(row.designated, row.noted) if ground is LegalGround.VW_107_8 else true(),
        )
        for ground, between in pairs.items()
    ]
    return or_(*stands)


def _consented(rule: FromClause, category: DataCategory, row: Row) -> ColumnElement[bool]:
    """(5) The consent that the rule, or the law, asks for is living."""
    if category.sensitivity is Sensitivity.ORDINARY:
        return _living(rule, rule.c.consent, category, row)
    lifting = {party: decision.lifting(category, party) for party in Party}
    lifted = _has_for(rule, lifting)
    # What lifts without being consent itself; to an NGO it makes no difference.
    unasked = _has_for(rule, {to: each - decision.CONSENTED for to, each in lifting.items() if to is not Party.NGO})
    needed = case((unasked, rule.c.consent), else_=_word(ConsentKind.EXPLICIT_CONSENT))
    return and_(lifted, _living(rule, needed, category, row))


def _has_for(rule: FromClause, by_party: Mapping[Party, frozenset[ProhibitionException]]) -> ColumnElement[bool]:
    """Whether a rule names one of the exceptions that are there for its recipient."""
    alike = {each: [to for to in by_party if by_party[to] == each] for each in by_party.values()}
    return or_(
        *(
            and_(_one_of(rule.c.recipient, to), _has(rule, exceptions))
            for exceptions, to in alike.items()
            if exceptions
        ),
        false(),
    )


def _living(rule: FromClause, needed: ColumnElement[Any], category: DataCategory, row: Row) -> ColumnElement[bool]:
    """No consent is needed, or what the person answered to exactly this comes to a living yes."""
    asked, latest, fits = _answer(rule, needed, category, row)
    later, its_latest, fits_too = _answer(rule, needed, category, row)
    naming = supersession.alias()
    named = (
        select(_ONE)
        .select_from(naming.join(later, later.c.id == naming.c.consent_id).join(its_latest, true()))
        .where(naming.c.superseded_id == asked.c.id, naming.c.version == latest.c.sequence, fits_too)
        .correlate_except(naming, later, its_latest)
        .exists()
    )
    yes = _one_of(latest.c.kind, LIVING)
    until = func.coalesce(latest.c.valid_until, asked.c.valid_until)
    word = (
        select(and_(yes, asked.c.valid_from <= row.now, row.now < until))
        .select_from(asked.join(latest, true()))
        .where(fits, ~named)
        .order_by(_one_of(latest.c.kind, NOES).desc(), latest.c.at.desc(), yes, asked.c.id.desc())
        .limit(_ONE)
        .correlate_except(asked, latest)
        .scalar_subquery()
    )
    return or_(needed == _word(WAIVED), func.coalesce(word, false()))


def _answer(
    rule: FromClause, needed: ColumnElement[Any], category: DataCategory, row: Row
) -> tuple[FromClause, FromClause, ColumnElement[bool]]:
    """A consent, its latest event, and whether it is an answer to exactly this."""
    asked = consent.alias()
    latest = (
        select(consent_event.c.sequence, consent_event.c.kind, consent_event.c.at, consent_event.c.valid_until)
        .where(consent_event.c.consent_id == asked.c.id)
        .order_by(consent_event.c.sequence.desc())
        .limit(_ONE)
        .correlate(asked)
        .lateral()
    )
    fits = and_(
        asked.c.case_id == row.case,
        asked.c.recipient_organisation_id == row.recipient,
        asked.c.purpose == row.purpose,
        _word(category) == any_(asked.c.categories),
        or_(
            asked.c.kind == needed,
            asked.c.kind == _word(ConsentKind.EXPLICIT_CONSENT),
            _one_of(latest.c.kind, NOES),
        ),
        _in_function(rule, asked, row),
        ~_one_of(latest.c.kind, answers.VOID),
    )
    return asked, latest, fits


def _in_function(rule: FromClause, asked: FromClause, row: Row) -> ColumnElement[bool]:
    anyhow = _none(rule.c.functions)
    named = and_(asked.c.function == any_(row.functions), or_(anyhow, asked.c.function == any_(rule.c.functions)))
    return case((asked.c.function.is_(None), anyhow), else_=named)


def _none(listed: ColumnElement[Any]) -> ColumnElement[bool]:
    return func.cardinality(listed) == literal_column("0")


def _has(rule: FromClause, exceptions: Iterable[ProhibitionException]) -> ColumnElement[bool]:
    """Whether a rule names one of these."""
    listed = ", ".join(sorted(f"'{each}'" for each in exceptions))
    has: ColumnElement[bool] = rule.c.exceptions.bool_op("&&")(literal_column(f"ARRAY[{listed}]::text[]"))
    return has


def _one_of(column: ColumnElement[Any], words: Iterable[str]) -> ColumnElement[bool]:
    listed = [_word(word) for word in sorted(words)]
    return column.in_(listed) if listed else false()


def _word(word: str) -> ColumnElement[Any]:
    """A word of a closed list, written into the statement."""
    return literal_column(f"'{word}'")
