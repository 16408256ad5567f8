"""`GET /v1/statistics/flow` over HTTP: who gets which figures, and that it is written down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from api.crypto.blind import BlindIndex, OwnKeys
from api.crypto.wrappers import FileWrapper
from api.edge import routing
from api.oauth import operator
from api.routes import statistics
from api.sandbox import importer, population
from api.sandbox.importer import Hosts
from api.vocabulary import Municipality, Party, Scope
from tests import oauth_kit as kit
from tests.oauth_world import World, opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from tests import servers

BY = kit.key("es256")
DAY = "2019-12-31"


@pytest.fixture
async def world(module_database: servers.Database) -> AsyncIterator[World]:
    async with opened(module_database.app_url) as made:
        routing.join(made.inner, statistics.routes, "/v1")
        municipality = await made.organisation("a municipality", Party.MUNICIPALITY)
        hosts = Hosts(dict.fromkeys(Municipality, municipality))
        unit = made.database.unit(made.clock())
        wrapper, index = FileWrapper("test", bytes(32)), BlindIndex(OwnKeys({1: bytes(32)}))
        await importer.load(unit, operator.local(), wrapper, index, population.people(), hosts)
        await unit.finish()
        yield made


async def flow(world: World, kind: Party, query: str = f"?referenceDate={DAY}") -> httpx.Response:
    client = f"{kind}-{uuid4()}"
    organisation = await world.organisation(f"one {kind}", kind)
    await world.client(BY, client, frozenset({Scope.STATISTICS_READ}), organisation)
    token = await world.token(BY, client, Scope.STATISTICS_READ)
    return await world.call(BY, token, path=f"/v1/statistics/flow{query}")


def of(body: dict[str, Any], municipality: str) -> dict[str, Any]:
    return next(row for row in body["municipalities"] if row["municipality"] == municipality)


def figure(value: int | None, **flags: Any) -> dict[str, Any]:
    return {"value": value, "suppressed": False, "estimated": False, "reported": False, "asPrinted": None} | flags


async def test_officials_get_the_tables_as_they_are_printed(world: World) -> None:
    """Tables S.1 and S.2 as of 31 December 2019 (Regioplan, WODC 19041, 2020)."""
    answer = await flow(world, Party.PROGRAMME)

    assert answer.status_code == 200
    body = answer.json()
    assert (body["referenceDate"], body["scheme"], body["profile"]) == (DAY, "2020", "official")
    assert body["total"]["inflow"] == {
        "total": figure(1_095),
        "withStatus": figure(1_019),
        "withoutStatus": figure(76),
    }
    amsterdam, utrecht = of(body, "amsterdam"), of(body, "utrecht")
    assert amsterdam["inflow"]["withStatus"] == figure(287)
    assert amsterdam["freePercentage"] == figure(20, reported=True)
    assert amsterdam["durableOutflow"] == {
        "count": figure(3),
        "percentageOfInflow": figure(1),
        "target": figure(20, reported=True),
    }
    assert utrecht["occupancyPercentage"] == figure(98, reported=True, estimated=True)


@pytest.mark.parametrize("kind", [Party.NGO, Party.IND, Party.DTV, Party.AVIM])
async def test_all_others_get_no_cell_under_ten(world: World, kind: Party) -> None:
    body = (await flow(world, kind)).json()

    assert body["profile"] == "small-cells-suppressed"
    assert of(body, "amsterdam")["durableOutflow"]["count"] == figure(None, suppressed=True)
    assert of(body, "utrecht")["durableOutflow"]["count"] == figure(33)
    assert of(body, "eindhoven")["occupancy"] == figure(None, suppressed=True)


async def test_others_get_the_figures_of_the_last_quarter(world: World) -> None:
    assert (await flow(world, Party.NGO, "?referenceDate=2020-02-14")).json()["referenceDate"] == DAY
    assert (await flow(world, Party.AUDITOR, "?referenceDate=2020-02-14")).json()["referenceDate"] == "2020-02-14"


async def test_the_scheme_of_2022_counts_a_repeated_application_as_semi_lasting(world: World) -> None:
    body = (await flow(world, Party.AUDITOR, f"?referenceDate={DAY}&scheme=2022")).json()

    classes = {each["reason"]: each["outflowClass"] for each in body["total"]["otherOutflow"]}
    assert classes["state-shelter-repeat-application"] == "semi-lasting"
    assert classes["mob"] == "none"


async def test_reading_figures_is_an_entry(world: World) -> None:
    before = len(await world.entries("statistics.flow"))

    await flow(world, Party.STEERING_GROUP)

    entries = await world.entries("statistics.flow")
    assert [entry["result"] for entry in entries[before:]] == ["permitted"]
    assert entries[-1]["object"] == {"type": "statistics"}


async def test_a_kind_of_party_without_a_part_in_it_is_refused(world: World) -> None:
    answer = await flow(world, Party.REPRESENTATIVE)

    assert answer.status_code == 403
    assert answer.json()["type"].endswith("/problems/wrong-party")


@pytest.mark.parametrize("query", ["", "?referenceDate=31-12-2019", f"?referenceDate={DAY}&scheme=1999"])
async def test_a_question_that_is_not_as_described_is_refused(world: World, query: str) -> None:
    assert (await flow(world, Party.AUDITOR, query)).status_code == 400
