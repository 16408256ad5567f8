"""One person's sealed rows, whatever their table: every room declares how its rows are sealed (`api.crypto.rows`).

The caller holds the person's key (`store.hold`), so that nobody seals meanwhile. Statements are made once a table.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import bindparam, select, update

from api.crypto import rows
from api.crypto.rows import SEAL, SealedRow, SealedSet
from api.errors import Undecryptable
from api.storage.base import metadata
from api.storage.statement import statement

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from uuid import UUID

    from sqlalchemy import Table

    from api.crypto.vault import Vault
    from api.storage.statement import Statement
    from api.storage.unit import Record, Unit


@dataclass(frozen=True, slots=True)
class Broken:
    """A row that is not as it was sealed."""

    table: str
    row: UUID


class _Row(NamedTuple):
    kind: SealedRow
    select: Statement
    update: Statement


class _Set(NamedTuple):
    kind: SealedSet
    select: Statement
    members: Statement
    update: Statement
    update_member: Statement


@cache
def _rows() -> tuple[_Row, ...]:
    return tuple(_row(table.info[SealedRow]) for table in metadata.sorted_tables if SealedRow in table.info)


@cache
def _sets() -> tuple[_Set, ...]:
    return tuple(_set(table.info[SealedSet]) for table in metadata.sorted_tables if SealedSet in table.info)


def _row(kind: SealedRow) -> _Row:
    mine = rows.person_of(kind) == bindparam("who")
    found = select(*kind.selected(*kind.columns)).select_from(rows.source_of(kind)).where(mine)
    changed = {name: bindparam(f"new_{name}", type_=kind.table.c[name].type) for name in (*kind.columns, SEAL)}
    return _Row(
        kind,
        statement(found.order_by(kind.table.c.id)),
        statement(update(kind.table).where(kind.table.c.id == bindparam("row")).values(**changed)),
    )


def _set(kind: SealedSet) -> _Set:
    mine = rows.person_of(kind) == bindparam("who")
    (link,) = kind.members.foreign_keys
    content = kind.members.c[kind.content]
    members = select(kind.members.c.id, kind.members.c[kind.by].label("name"), content.label("content"))
    return _Set(
        kind,
        statement(select(*kind.selected()).select_from(rows.source_of(kind)).where(mine).order_by(kind.table.c.id)),
        statement(members.where(link.parent == bindparam("row")).order_by(kind.members.c.id)),
        statement(update(kind.table).where(kind.table.c.id == bindparam("row")).values(seal=bindparam("new_seal"))),
        statement(
            update(kind.members)
            .where(kind.members.c.id == bindparam("row"))
            .values({kind.content: bindparam("new_content", type_=content.type)})
        ),
    )


async def renew(unit: Unit, person: UUID, old: Vault, new: Vault) -> None:
    """Seal every row of a person anew, from one vault to the other.

    Raises `Undecryptable` when a row is not as it was sealed; `ketenbrug keys check` says which.
    """
    for row in _rows():
        await _renew_rows(unit, person, row, old, new)
    for each in _sets():
        await _renew_set(unit, person, each, old, new)


async def broken(unit: Unit, person: UUID, vault: Vault) -> tuple[int, list[Broken]]:
    """How many rows a person has, and which of them are not as they were sealed. Nothing that is opened is kept."""
    seen, found = 0, list[Broken]()
    for kind, wanted, _ in _rows():
        for record in await unit.all(wanted(who=person)):
            seen += 1
            with _noting(found, kind.table, kind.row(record)):
                vault.open_row(person, kind, record, kind.columns)
    for whole in _sets():
        for record in await unit.all(whole.select(who=person)):
            seen += 1
            row = record[f"{whole.kind.table.name}_id"]
            members = await unit.all(whole.members(row=row))
            with _noting(found, whole.kind.table, row):
                _opened(person, whole.kind, record, members, vault)
    return seen, found


async def _renew_rows(unit: Unit, person: UUID, row: _Row, old: Vault, new: Vault) -> None:
    kind = row.kind
    for record in await unit.run(row.select(who=person)):
        values = old.open_row(person, kind, record, kind.columns)
        sealed = new.seal_row(person, kind, kind.row(record), values, kind.bound_in(record))
        await unit.run(row.update(row=kind.row(record), **{f"new_{name}": each for name, each in sealed.items()}))


async def _renew_set(unit: Unit, person: UUID, whole: _Set, old: Vault, new: Vault) -> None:
    kind = whole.kind
    for record in await unit.run(whole.select(who=person)):
        row = record[f"{kind.table.name}_id"]
        members = await unit.run(whole.members(row=row))
        sealed: dict[str, bytes] = {}
        for each, value in zip(members, _opened(person, kind, record, members, old), strict=True):
            sealed[each["name"]] = new.seal_member(person, kind, each["name"], each["id"], value)
            await unit.run(whole.update_member(row=each["id"], new_content=sealed[each["name"]]))
        seal = new.seal_set(person, kind, row, kind.bound_in(record), sealed)
        await unit.run(whole.update(row=row, new_seal=seal))


def _opened(person: UUID, kind: SealedSet, record: Record, members: Sequence[Record], vault: Vault) -> list[Any]:
    vault.check_set(person, kind, record, {each["name"]: each["content"] for each in members})
    return [vault.open_member(person, kind, each["name"], each["id"], each["content"]) for each in members]


@contextmanager
def _noting(found: list[Broken], table: Table, row: UUID) -> Generator[None]:
    try:
        yield
    except Undecryptable:
        found.append(Broken(table.name, row))
