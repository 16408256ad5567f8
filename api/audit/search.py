"""Entries by closed filters, newest first. Each filter is a column of the projection; together they narrow.

A statement is compiled once for each set of filters that is ever used: one text with every filter optional would make
PostgreSQL plan for none of them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Integer, bindparam, select

from api.audit.proofs import Logged
from api.audit.tables import entry, leaf, projection, projection_person
from api.storage.statement import statement

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import ColumnElement

    from api.audit.proofs import Reader
    from api.storage.statement import Statement
    from api.vocabulary import Purpose, Result

END: Final = 2**63 - 1
"""No index reaches this: where the first page begins."""

_PERSON: Final = "person"


@dataclass(frozen=True, slots=True)
class Filters:
    """What is asked; None asks nothing. `person` is an alias of this log; `after` is included, `before` is not."""

    organisation: UUID | None = None
    client: str | None = None
    person: UUID | None = None
    action: str | None = None
    result: Result | None = None
    purpose: Purpose | None = None
    object_type: str | None = None
    object_id: UUID | None = None
    request_id: UUID | None = None
    after: datetime | None = None
    before: datetime | None = None

    def asked(self) -> dict[str, Any]:
        """The filters that ask something."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


async def page(reader: Reader, filters: Filters, below: int, most: int) -> list[Logged]:
    """At most `most` entries with an index under `below`, the newest first."""
    asked = filters.asked()
    rows = await reader.all(_page(frozenset(asked))(below=below, most=most, **asked))
    return [Logged(row["index"], row["leaf"]) for row in rows]


@cache
def _page(names: frozenset[str]) -> Statement:
    """At most 2,048 of them: every name is one of `Filters`."""
    found = select(leaf.c.index, entry.c.leaf).join(entry, entry.c.id == leaf.c.entry_id)
    index = leaf.c.index
    # The order is that of the table that narrows, so that its own index gives the page without sorting.
    if names - {_PERSON}:
        found, index = found.join(projection, projection.c.index == leaf.c.index), projection.c.index
    if _PERSON in names:
        found, index = found.join(projection_person, projection_person.c.index == index), projection_person.c.index
    below, most = bindparam("below", type_=BigInteger), bindparam("most", type_=Integer)
    narrowed = found.where(index < below, *(_condition(name) for name in sorted(names)))
    return statement(narrowed.order_by(index.desc()).limit(most))


def _condition(name: str) -> ColumnElement[bool]:
    match name:
        case "person":
            return projection_person.c.person == bindparam(name)
        case "after":
            return projection.c.at >= bindparam(name)
        case "before":
            return projection.c.at < bindparam(name)
        case _:
            return projection.c[name] == bindparam(name)
