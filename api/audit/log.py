"""Appending. Who may: the gate, and those who decide outside it; never a route or a domain room (import contract)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from sqlalchemy import insert

from api.audit.tables import entry as entries
from api.storage.statement import statement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.audit.entry import Entry
    from api.storage.statement import Bound
    from api.storage.unit import Unit

_APPEND: Final = statement(insert(entries), "leaf")


def append(unit: Unit, entry: Entry, sealed: Mapping[str, bytes] | None = None) -> None:
    """Let the entry conclude the unit: it is committed with what it tells of, or nothing is.

    `sealed`: digests of the seals of the rows that the unit writes, as they stand when it ends.
    """
    unit.conclude(lambda kept: testimony(replace(entry, seals={**entry.seals, **sealed}) if kept and sealed else entry))


def committed(unit: Unit) -> tuple[bytes, ...]:
    """The leaves that this unit has committed, in their order."""
    return tuple(bound.args[0] for bound in unit.committed if bound.sql == _APPEND.sql)


def testimony(entry: Entry) -> Bound:
    """The entry as a statement, for `Unit.abort`: what is written down when everything else is rolled back."""
    return _APPEND(leaf=entry.leaf())
