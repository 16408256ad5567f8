"""Brings the population into a database: one transaction, one administrative entry, no events, no invented history.

Rows are sent as arrays, a table at a time. They are what the exchange itself would write: V-numbers sealed under a key
of each person, found by their blind index. Ids are those of the population; keys and aliases are random.
"""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import uuid_utils.compat as uuid_utils
from sqlalchemy import ARRAY, bindparam, func, insert, select

from api.audit import log
from api.audit.entry import Entry, Thing
from api.cases.tables import assignment, case
from api.crypto.tables import person_key
from api.crypto.vault import Vault
from api.disclosure import authority
from api.persons import standing
from api.persons.tables import PERSON, person, person_alias
from api.sandbox import population
from api.sandbox.reported import REPORTED
from api.statistics import store as statistics
from api.storage.statement import statement
from api.vocabulary import CareFunction, Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sqlalchemy import Table

    from api.crypto.blind import BlindIndex
    from api.crypto.wrappers import KeyWrapper
    from api.principal import Organisation, Principal
    from api.sandbox.population import Someone
    from api.storage.statement import Bound, Statement
    from api.storage.unit import Unit
    from api.vocabulary import Municipality, OrganisationId

GUIDED_EVERY: Final = 4
"""Of the people in its municipalities, the NGO does the legal screening of one in so many."""

_BATCH: Final = 1_000
_KEY_BYTES: Final = 32


class _Rows:
    """An INSERT of many rows: each column is sent as one array, and PostgreSQL makes the rows of them."""

    __slots__ = ("_columns", "_insert")

    def __init__(self, table: Table, *columns: str) -> None:
        arrays = (func.unnest(bindparam(f"each_{name}", type_=ARRAY(table.c[name].type))) for name in columns)
        self._columns: Final = columns
        self._insert: Final[Statement] = statement(insert(table).from_select(list(columns), select(*arrays)))

    def __call__(self, rows: Iterable[Mapping[str, Any]]) -> Bound:
        """Bind the rows."""
        rows = tuple(rows)
        return self._insert(**{f"each_{name}": [row[name] for row in rows] for name in self._columns})


_PERSONS: Final = _Rows(person, "id", "v_index", "v_number", "seal", "created_at")
_KEYS: Final = _Rows(person_key, "person_id", "version", "kek", "wrapped", "created_at")
_ALIASES: Final = _Rows(person_alias, "person_id", "alias")
_CASES: Final = _Rows(
    case,
    "id",
    "person_id",
    "municipality",
    "opened_by",
    "opened_at",
    "with_status",
    "closed_date",
    "leaving_reason",
    "version",
)
_ASSIGNMENTS: Final = _Rows(assignment, "id", "case_id", "organisation_id", "function", "from_at")


@dataclass(frozen=True, slots=True)
class Hosts:
    """Who takes the people in: the coordinating organisation of each municipality, and an NGO for some of them."""

    coordinators: Mapping[Municipality, OrganisationId]
    ngo: Organisation | None = None


async def load(
    unit: Unit, actor: Principal, wrapper: KeyWrapper, index: BlindIndex, people: Iterable[Someone], hosts: Hosts
) -> int:
    """Import people and the published figures, and end the unit. Returns how many people; 0 when it was done before.

    After an exception the caller aborts the unit; then nothing of it is there.
    """
    count = 0
    if not await statistics.anything_reported(unit):
        log.append(unit, _entry(unit, actor))
        await statistics.record(unit, REPORTED)
        remaining = iter(people)
        while batch := list(islice(remaining, _BATCH)):
            await _write(unit, wrapper, index, batch, hosts)
            count += len(batch)
    await unit.finish()
    return count


async def _write(unit: Unit, wrapper: KeyWrapper, index: BlindIndex, people: list[Someone], hosts: Hosts) -> None:
    keys = [await wrapper.wrap(each.person, 1, secrets.token_bytes(_KEY_BYTES)) for each in people]
    vault = Vault(wrapper)
    await vault.take(keys)
    known = [(each, each.v_number) for each in people if each.v_number is not None]
    current = await standing.ask(unit, await index.live())
    stored = await index.stored([v_number for _, v_number in known], current)
    tags = {each.person: tag for (each, _), tag in zip(known, stored, strict=True)}
    await unit.run(_PERSONS(_person(unit, vault, each, tags.get(each.person)) for each in people))
    await unit.run(
        _KEYS(
            {
                "person_id": key.person,
                "version": key.version,
                "kek": key.kek,
                "wrapped": key.wrapped,
                "created_at": unit.now,
            }
            for key in keys
        )
    )
    await unit.run(_ALIASES({"person_id": each.person, "alias": uuid.uuid4()} for each in people))
    await unit.run(_CASES(_case(each, hosts) for each in people))
    await unit.run(_ASSIGNMENTS(row for each in people for row in _assignments(each, hosts)))


def _person(unit: Unit, vault: Vault, someone: Someone, v_index: bytes | None) -> dict[str, Any]:
    who = someone.person
    clear = {"id": who, "v_index": v_index, "created_at": unit.now}
    return vault.row(who, PERSON, {"v_number": someone.v_number}, clear)


def _case(someone: Someone, hosts: Hosts) -> dict[str, Any]:
    reason = someone.leaving_reason
    return {
        "id": someone.case,
        "person_id": someone.person,
        "municipality": str(someone.municipality),
        "opened_by": hosts.coordinators[someone.municipality],
        "opened_at": someone.opened_at,
        "with_status": someone.with_status,
        "closed_date": someone.closed_date,
        "leaving_reason": None if reason is None else str(reason),
        "version": 1,
    }


def _assignments(someone: Someone, hosts: Hosts) -> Iterator[dict[str, Any]]:
    yield _assignment(someone, hosts.coordinators[someone.municipality], CareFunction.COORDINATION)
    ngo = hosts.ngo
    if ngo and someone.municipality in ngo.municipalities and someone.case.int % GUIDED_EVERY == 0:
        yield _assignment(someone, ngo.id, CareFunction.LEGAL_SCREENING)


def _assignment(someone: Someone, organisation: OrganisationId, function: CareFunction) -> dict[str, Any]:
    return {
        "id": population.row_id(someone.opened_at, uuid.uuid4().int),
        "case_id": someone.case,
        "organisation_id": organisation,
        "function": str(function),
        "from_at": someone.opened_at,
    }


def _entry(unit: Unit, actor: Principal) -> Entry:
    return Entry(
        id=uuid_utils.uuid7(),
        at=unit.now,
        action=authority.IMPORT_POPULATION,
        result=Result.PERMITTED,
        actor=actor,
        thing=Thing("population"),
    )
