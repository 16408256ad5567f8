"""Entries by a query, newest first. Each term is a condition on the projection; together they narrow.

A statement is compiled once for each shape of query: which keys, turned round or not, and of which kind their values
are. Every value is bound. One text with every key optional would make PostgreSQL plan for none of them.

A page is sought twice at most: among the newest entries by walking back through them, and if those do not fill it,
among all older ones by the indexes of the terms. PostgreSQL would choose one of the two for the whole log, and hope: it
walked through all of it for two words that are common and never stand together (measured).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Integer,
    Text,
    Uuid,
    all_,
    any_,
    bindparam,
    cast,
    column,
    exists,
    func,
    literal_column,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import TSQUERY, TSVECTOR, aggregate_order_by

from api.audit import proofs
from api.audit.query import Key, Pattern, Span
from api.audit.tables import WORDS, leaf, projection, projection_person, signal
from api.storage.statement import statement
from api.vocabulary import Result

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Select

    from api.audit.proofs import Logged, Reader
    from api.audit.query import Term, Value
    from api.storage.statement import Statement

END: Final = 2**63 - 1
"""No index reaches this: where the first page begins."""

_NEWEST: Final = statement(select(func.max(leaf.c.index).label("index")))
_FAILED: Final = statement(
    select(projection.c.request_id).where(
        projection.c.request_id == any_(bindparam("requests", type_=ARRAY(Uuid))),
        projection.c.result == str(Result.FAILED),
    )
)
_ASKED: Final = (
    func.unnest(bindparam("indexes", type_=ARRAY(BigInteger)))
    .table_valued(column("index", BigInteger))
    .render_derived("asked")
)
_THESE: Final = statement(proofs.said(_ASKED).order_by(_ASKED.c.index))
_COLUMNS: Final[Mapping[Key, ColumnElement[Any]]] = {
    Key.ACTOR: projection.c.actor,
    Key.CLIENT: projection.c.client,
    Key.ACTION: projection.c.action,
    Key.OBJECT: projection.c.object_type,
    Key.PURPOSE: projection.c.purpose,
    Key.RESULT: projection.c.result,
    Key.REASON: projection.c.reason,
    Key.REQUEST: projection.c.request_id,
    Key.ORG: projection.c.kind,
    Key.AFTER: projection.c.at,
    Key.BEFORE: projection.c.at,
    Key.AT: projection.c.at,
    Key.SEQ: projection.c.index,
}
_BY_ID: Final[Mapping[Key, ColumnElement[Any]]] = {
    Key.ORG: projection.c.organisation,
    Key.OBJECT: projection.c.object_id,
    Key.REQUEST: projection.c.request_id,
}
_LISTS: Final[Mapping[Key, ColumnElement[Any]]] = {
    Key.GROUND: projection.c.grounds,
    Key.CATEGORY: projection.c.categories,
    Key.WITHHELD: projection.c.withheld,
}
_WORDS: Final[ColumnElement[Any]] = literal_column(WORDS, TSVECTOR)
_WORDED: Final = frozenset({Key.ACTION, Key.ORG, Key.ACTOR, Key.PURPOSE})
"""What `_WORDS` holds a word of."""
_BEGINNING: Final = re.compile(r"(?:[^\\%]|\\.)*", re.DOTALL)
_WORD_MOST: Final = 200
"""Characters that are compared: no column has more, and no word of a tsquery more than some 2,000 bytes."""

_PATTERNS: Final = frozenset("pb")
_WORDLESS: Final = frozenset("pe")
"""Kinds of values of which no beginning is known: a tsquery has no empty words."""

WINDOW: Final = 5_000
"""Entries that are walked through. What is common fills a page from them; the rest is rare enough for an index."""


class _Form(NamedTuple):
    """A term without its values: what its condition looks like. `kinds`: of each value, a letter."""

    key: Key
    negated: bool
    kinds: str


_Forms: TypeAlias = tuple[_Form, ...]


async def page(
    reader: Reader, terms: Sequence[Term], below: int, most: int, *, without: Sequence[int] = ()
) -> list[Logged]:
    """At most `most` entries with an index under `below`, the newest first; none of those that are left out.

    Raises `LogDamaged` when one that is found is not there: a page without it would look like the last one.
    """
    left_out = list(without)
    forms, values = _bound(terms)
    newest = (await reader.all(_NEWEST()))[0]["index"]
    floor = max(0, min(below, 0 if newest is None else newest + 1) - WINDOW)
    rows = await reader.all(_page(forms, walked=True)(above=floor, below=below, most=most, without=left_out, **values))
    if len(rows) < most and floor:
        left = most - len(rows)
        rows += await reader.all(
            _page(forms, walked=False)(above=0, below=floor, most=left, without=left_out, **values)
        )
    return proofs.whole(rows)


async def failed(reader: Reader, requests: Sequence[UUID]) -> frozenset[UUID]:
    """Those of these requests that failed after their entry was written, so that nothing left."""
    return frozenset(row["request_id"] for row in await reader.all(_FAILED(requests=requests)))


async def chosen(reader: Reader, terms: Sequence[Term], below: int, most: int) -> list[int]:
    """The indexes under `below` of all entries that are found, in order; `most` and one more when there are too many.

    What is below a signed size never changes, so that these can be read one by one later on.
    """
    forms, values = _bound(terms)
    (row,) = await reader.all(_chosen(forms)(below=below, above=0, most=most + 1, **values))
    return list(row["indexes"] or ())


async def entries(reader: Reader, indexes: Sequence[int]) -> list[Logged]:
    """These entries, in order. Raises `LogDamaged` when one is not there."""
    return proofs.whole(await reader.all(_THESE(indexes=indexes)))


def _bound(terms: Sequence[Term]) -> tuple[_Forms, dict[str, Any]]:
    forms = tuple(_Form(each.key, each.negated, "".join(map(_kind, each.values))) for each in terms)
    return forms, {name: value for place, each in enumerate(terms) for name, value in _values(place, each).items()}


def _kind(value: Value) -> str:
    match value:
        case UUID():
            return "u"
        case Pattern(like=like):
            return "b" if _beginning(like) else "p"
        case Span(low=low, high=high):
            return "s" if low is not None and high is not None else "l" if low is not None else "h"
        case "":
            return "e"
        case _:
            return "t"


def _values(place: int, term: Term) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, value in enumerate(term.values):
        name = _name(place, number)
        match value:
            case Pattern(like=like):
                found[name] = like
            case Span(low=low, high=high):
                found |= {f"{name}_low": low, f"{name}_high": high}
            case _:
                found[name] = [value] if term.key in _LISTS else value
        found[f"{name}_word"] = _word(value)
    return found


def _word(value: Value) -> str | None:
    """The word, or how words begin, as a tsquery."""
    if isinstance(value, Pattern):
        return _quoted(_beginning(value.like)) + ":*"
    return None if isinstance(value, Span) else _quoted(str(value))


def _quoted(word: str) -> str:
    return "'" + word[:_WORD_MOST].replace("\\", r"\\").replace("'", "''") + "'"


def _beginning(like: str) -> str:
    """What stands before the first thing that stands for anything."""
    return re.sub(r"\\(.)", r"\1", next(_BEGINNING.finditer(like))[0], flags=re.DOTALL)


def _name(place: int, number: int) -> str:
    return f"v{place}_{number}"


def _found(forms: _Forms, *, sought: bool) -> tuple[Select[Any], ColumnElement[int]]:
    """What finds the entries, and the column to order them by. `sought`: by the indexes of the terms."""
    index: ColumnElement[int] = projection.c.index
    found = select(index)
    one = next((place for place, each in enumerate(forms) if each == _Form(Key.PERSON, negated=False, kinds="u")), None)
    if one is not None:
        # The order is that of the table that narrows most.
        found, index = found.join(projection_person, projection_person.c.index == index), projection_person.c.index
        found = found.where(
            projection_person.c.person == bindparam(_name(one, 0), type_=projection_person.c.person.type)
        )
    conditions = [_condition(place, each, sought=sought) for place, each in enumerate(forms) if place != one]
    above, below = (bindparam(name, type_=BigInteger) for name in ("above", "below"))
    return found.where(index >= above, index < below, *conditions), index


@lru_cache(maxsize=256)
def _chosen(forms: _Forms) -> Statement:
    finding, index = _found(forms, sought=True)
    # In no order: where there are too many, the first that come are enough to tell.
    some = finding.with_only_columns(index.label("index")).limit(bindparam("most", type_=Integer)).subquery()
    found = select(func.array_agg(aggregate_order_by(some.c.index, some.c.index)).label("indexes"))
    return statement(found, afresh=True)  # as a page is


@lru_cache(maxsize=256)
def _page(forms: _Forms, *, walked: bool) -> Statement:
    found, index = _found(forms, sought=not walked)
    found = found.where(index != all_(bindparam("without", type_=ARRAY(BigInteger))))
    # A sum is no column: no index has its order, so that the terms have to find the rows.
    order = index if walked else index + 0
    # Only those on the page are looked up in the log itself.
    chosen = found.order_by(order.desc()).limit(bindparam("most", type_=Integer)).subquery()
    # How many a word finds differs a thousandfold: a plan for the word of last time read all of the log (measured).
    return statement(proofs.said(chosen).order_by(chosen.c.index.desc()), afresh=True)


def _condition(place: int, form: _Form, *, sought: bool) -> ColumnElement[bool]:
    worded = sought and form.key in _WORDED and not form.negated
    holds = or_(
        *(_holds(form.key, kind, _name(place, number), worded=worded) for number, kind in enumerate(form.kinds))
    )
    # What is not there is none of what was named.
    return holds.is_not(true()) if form.negated else holds


def _holds(key: Key, kind: str, name: str, *, worded: bool) -> ColumnElement[bool]:
    if key is Key.PERSON:
        about = projection_person.alias()
        same = about.c.person == bindparam(name, type_=about.c.person.type)
        return exists().where(about.c.index == projection.c.index, same)
    if key is Key.SIGNAL:
        at = signal.c.index == projection.c.index
        told = bindparam(name, type_=Text)
        return exists().where(at, signal.c.rule.like(told) if kind in _PATTERNS else signal.c.rule == told)
    if key in _LISTS:
        return _in_list(_LISTS[key], kind, name)
    column = _BY_ID[key] if kind == "u" else _COLUMNS[key]
    holds = _compared(column, kind, name)
    if not worded or kind in _WORDLESS:
        return holds
    # The index finds the word, whichever of its columns has it.
    return _WORDS.op("@@", is_comparison=True)(cast(bindparam(f"{name}_word", type_=Text), TSQUERY)) & holds


def _compared(column: ColumnElement[Any], kind: str, name: str) -> ColumnElement[bool]:
    low, high = (bindparam(f"{name}_{end}", type_=column.type) for end in ("low", "high"))
    match kind:
        case "p" | "b":
            return column.like(bindparam(name, type_=Text))
        case "s":
            return (column >= low) & (column < high)
        case "l":
            return column >= low
        case "h":
            return column < high
        case _:
            return column == bindparam(name, type_=column.type)


def _in_list(column: ColumnElement[Any], kind: str, name: str) -> ColumnElement[bool]:
    if kind in _PATTERNS:
        each = func.unnest(column).column_valued("each")
        return exists(select(each).where(each.like(bindparam(name, type_=Text))).correlate(projection))
    return column.op("@>", is_comparison=True)(bindparam(name, type_=ARRAY(Text)))
