"""The population in a real database, imported as the application role."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import asyncpg
import pytest

from api.crypto.blind import BlindIndex, OwnKeys
from api.crypto.vault import Vault
from api.crypto.wrappers import FileWrapper, WrappedKey
from api.errors import PlaintextRefused
from api.oauth import operator
from api.persons import store as persons
from api.persons.tables import PERSON
from api.principal import Organisation
from api.sandbox import importer, population
from api.sandbox.importer import Hosts
from api.sandbox.reported import REPORTED
from api.statistics import store as statistics
from api.statistics.model import LASTING_MEASURES
from api.storage.statement import Bound
from api.vocabulary import CareFunction, Municipality, OrganisationId, Party
from tests import flow_kit as kit

if TYPE_CHECKING:
    from api.storage.pool import Database

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
WRAPPER = FileWrapper("test", bytes(32))
INDEX = BlindIndex(OwnKeys({1: bytes(32)}))
COORDINATORS = {municipality: OrganisationId(uuid4()) for municipality in Municipality}
NGO = Organisation(OrganisationId(uuid4()), Party.NGO, "an NGO", None, frozenset({Municipality.AMSTERDAM}))


async def load(pool: Database, count: int = 50, hosts: Hosts | None = None) -> int:
    hosts = hosts or Hosts(COORDINATORS, NGO)
    return await importer.load(pool.unit(NOW), operator.local(), WRAPPER, INDEX, population.people(count), hosts)


async def rows(pool: Database, sql: str) -> list[Any]:
    unit = pool.unit(NOW)
    found = await unit.all(Bound(sql, ()))
    await unit.finish()
    return found


async def test_everybody_is_imported_with_an_alias_a_key_and_a_case(pool: Database) -> None:
    assert await load(pool, population.EVALUATED_PEOPLE) == 1_095

    for table in ("exchange.person", "exchange.person_alias", "keys.person_key", 'exchange."case"'):
        assert (await rows(pool, f"SELECT count(*) AS n FROM {table}"))[0]["n"] == 1_095  # noqa: S608 - our own words


async def test_an_import_is_one_entry_and_tells_nobody(pool: Database) -> None:
    """No history is invented: the log holds that it was imported, the outbox nothing."""
    await load(pool)

    entries = [json.loads(row["leaf"]) for row in await rows(pool, "SELECT leaf FROM audit.entry")]
    assert [(entry["action"], entry["result"], entry["object"]) for entry in entries] == [
        ("statistics.import", "permitted", {"type": "population"})
    ]
    assert not await rows(pool, "SELECT 1 FROM exchange.event")


async def test_an_imported_v_number_is_sealed_found_by_its_index_and_opens(pool: Database) -> None:
    await load(pool)
    unit = pool.unit(NOW)

    someone = next(population.people(1))
    found, _ = await persons.find(unit, await INDEX.of("0000000001"))
    assert found is not None
    assert found.id == someone.person
    sealed = await rows(pool, "SELECT * FROM exchange.person JOIN keys.person_key ON id = person_id")
    row = next(each for each in sealed if each["id"] == someone.person)
    assert b"0000000001" not in row["v_number"]
    vault = Vault(WRAPPER)
    await vault.take([WrappedKey(row["person_id"], row["version"], row["kek"], row["wrapped"])])
    labelled = {f"person_{name}": value for name, value in row.items()}
    assert vault.open_row(someone.person, PERSON, labelled, ("v_number",)) == {"v_number": "0000000001"}
    await unit.finish()


async def test_a_person_beyond_the_test_range_has_no_v_number(pool: Database) -> None:
    unit = pool.unit(NOW)
    people = [each for each in population.people(9_000) if each.v_number is None]

    assert await importer.load(unit, operator.local(), WRAPPER, INDEX, people, Hosts(COORDINATORS)) == 1

    (row,) = await rows(pool, "SELECT v_index, v_number FROM exchange.person")
    assert row["v_index"] is row["v_number"] is None


async def test_every_case_is_coordinated_by_its_municipality_and_some_are_screened_by_the_ngo(pool: Database) -> None:
    await load(pool, 400)

    found = await rows(
        pool,
        'SELECT c.municipality, c.opened_by, a.organisation_id, a.function FROM exchange."case" c '
        "JOIN exchange.assignment a ON a.case_id = c.id",
    )
    coordinated = [row for row in found if row["function"] == CareFunction.COORDINATION]
    screened = [row for row in found if row["function"] == CareFunction.LEGAL_SCREENING]
    assert len(coordinated) == 400
    assert len(coordinated) + len(screened) == len(found)
    for row in coordinated:
        assert row["organisation_id"] == row["opened_by"] == COORDINATORS[Municipality(row["municipality"])]
    assert {(row["organisation_id"], row["municipality"]) for row in screened} == {(NGO.id, Municipality.AMSTERDAM)}
    assert 15 < len(screened) < 60


async def test_importing_twice_is_importing_once(pool: Database) -> None:
    await load(pool)

    assert await load(pool) == 0

    assert len(await rows(pool, "SELECT 1 FROM exchange.person")) == 50
    assert len(await rows(pool, "SELECT 1 FROM audit.entry")) == 1


async def test_an_import_that_fails_leaves_nothing(pool: Database) -> None:
    unit = pool.unit(NOW)
    someone = next(population.people(1))

    with pytest.raises(asyncpg.UniqueViolationError):
        await importer.load(unit, operator.local(), WRAPPER, INDEX, [someone, someone], Hosts(COORDINATORS))
    await unit.abort()

    for table in ("exchange.person", "keys.person_key", "exchange.reported_figure", "audit.entry"):
        assert not await rows(pool, f"SELECT 1 FROM {table}")  # noqa: S608 - our own words


def test_plaintext_is_refused_in_bulk_too() -> None:
    """The guard of sealed columns holds on the driver path of arrays."""
    row = {"id": uuid4(), "v_index": None, "v_number": b"0000000001", "seal": bytes(32), "created_at": NOW}

    with pytest.raises(PlaintextRefused):
        importer._PERSONS([row])


async def test_the_database_counts_as_the_tables_say(pool: Database) -> None:
    """Tables S.1 and S.2 (Regioplan, WODC 19041, 2020): what SQL counts is what the population holds, on any day."""
    await load(pool, 1_200)

    people = list(population.people(1_200))
    for day, midnight in (
        (population.EVALUATED, datetime(2019, 12, 31, 23, tzinfo=UTC)),
        (date(2019, 9, 30), datetime(2019, 9, 30, 22, tzinfo=UTC)),
        (date(2021, 12, 31), datetime(2021, 12, 31, 23, tzinfo=UTC)),
    ):
        unit = pool.unit(NOW)
        assert await statistics.counts(unit, day, midnight, ()) == kit.counted(people, day)
        await unit.finish()


async def test_what_was_published_holds_for_its_day_and_capacity_and_targets_until_they_are_published_anew(
    pool: Database,
) -> None:
    await load(pool, 5)

    async def on(day: date) -> set[Any]:
        unit = pool.unit(NOW)
        found = await statistics.reported(unit, day)
        await unit.finish()
        return set(found)

    assert await on(population.EVALUATED) == set(REPORTED)
    assert await on(date(2020, 1, 1)) == {each for each in REPORTED if each.measure in LASTING_MEASURES}
    assert await on(date(2019, 12, 30)) == set()
