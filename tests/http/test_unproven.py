"""Design promise 2: unproven callers are summarised per minute, zone and reason, so that nobody can flood the log."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import asyncpg
import pytest

from api.oauth import unproven
from api.oauth.unproven import TURNED_AWAY, Tally
from tests import oauth_kit as kit
from tests.oauth_world import PROBE, Disturbed, World, opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests import servers

BY = kit.key("es256")
OVER = 76
"""Seconds after which a minute that has just begun is summarised."""


@pytest.fixture
async def world(database: servers.Database) -> AsyncIterator[World]:
    async with opened(database.work_url) as made:
        await made.client(BY)
        made.clock.now = made.clock.now.replace(second=0, microsecond=0)
        yield made


async def add(world: World) -> None:
    """What the process counted is added, as it is every few seconds."""
    await world.unproven.add(world.database.unit(world.clock()))


async def summarise(world: World) -> None:
    """What a worker does once a minute."""
    unit = world.database.unit(world.clock())
    await unproven.summarise(unit)
    await unit.finish()


async def summaries(world: World) -> dict[tuple[str, str], int]:
    """What the log says: how many, by zone and reason."""
    found = await world.entries(TURNED_AWAY)
    told = [((each["origin"]["zone"], each["reason"]), each["tally"]["count"]) for each in found]
    assert len(dict(told)) == len(told), "one entry for each"
    return dict(told)


async def test_a_flood_of_unproven_callers_is_one_entry_a_minute(world: World) -> None:
    """Whatever they send, at an operation or at the token endpoint, and whoever's key they hold."""
    token = await world.token(BY)
    await world.disable("ngo-one")
    began = world.clock()
    for _ in range(3):
        await world.http.get(PROBE)
        await world.http.get(PROBE, headers=world.headers(kit.key("ed25519"), token))
        assert (await world.call(BY, token)).status_code == 401
        await world.ask(BY)
        await world.ask(kit.key("es256-mallory"))
        await world.ask(BY, proof="x")
        await world.http.post("/oauth/token", content=b"")
    before = len(await world.entries("dossiers.read")) + len(await world.entries("oauth.issue-token"))
    assert before == 1, "the token that was issued"
    await add(world)
    await summarise(world)
    assert await summaries(world) == {}, "the minute is not over"
    world.clock.forward(OVER)
    await summarise(world)
    assert await summaries(world) == {
        ("test", "unauthenticated"): 3,
        ("test", "invalid-token"): 6,
        ("test", "invalid_client"): 6,
        ("test", "invalid_dpop_proof"): 3,
        ("test", "invalid_request"): 3,
    }
    for entry in await world.entries(TURNED_AWAY):
        assert entry["tally"]["minute"] == began.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        assert (entry["result"], entry["object"]) == ("refused", {"type": "unproven-callers"})
    world.clock.forward(OVER)
    await summarise(world)
    assert len(await summaries(world)) == 5, "once"


async def test_a_proven_client_is_not_counted(world: World) -> None:
    """Its refusals are entries of their own."""
    token = await world.token(BY, scope="cases:read")
    assert (await world.call(BY, token)).status_code == 403
    assert (await world.ask(BY, scope="cases:write")).status_code == 400
    await add(world)
    world.clock.forward(OVER)
    await summarise(world)
    assert await summaries(world) == {}


async def test_several_processes_count_together_and_several_workers_write_no_double(world: World) -> None:
    at = world.clock()
    tallies = [Tally() for _ in range(4)]
    for tally in tallies:
        for reason in ("unauthenticated", "invalid-token"):
            for _ in range(5):
                tally.count(at + timedelta(seconds=59), "public", reason)
        tally.count(at, "private", "unauthenticated")
    await asyncio.gather(*(tally.add(world.database.unit(at)) for tally in tallies))
    world.clock.forward(OVER)
    await asyncio.gather(*(summarise(world) for _ in range(4)))
    assert await summaries(world) == {
        ("public", "unauthenticated"): 20,
        ("public", "invalid-token"): 20,
        ("private", "unauthenticated"): 4,
    }


@pytest.mark.parametrize(
    "fault",
    [
        asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
        asyncpg.ReadOnlySQLTransactionError("cannot execute INSERT in a read-only transaction"),
        ZeroDivisionError(),
    ],
    ids=["away", "demoted", "unforeseen"],
)
@pytest.mark.parametrize("at", ["INSERT INTO oauth.unproven", "COMMIT"])
async def test_what_could_not_be_added_is_added_the_next_time(world: World, at: str, fault: Exception) -> None:
    """Something is wrong for a moment: nothing is lost, and nothing is counted twice."""
    felt = 0

    async def lost() -> None:
        nonlocal felt
        if not felt:
            felt = 1
            raise fault

    world.unproven.count(world.clock(), "public", "unauthenticated")
    disturbed = Disturbed(world.database, at, lost)
    keeping = asyncio.create_task(world.unproven.keep(disturbed, world.clock, every=0.01))
    for _ in range(1_000):
        if not world.unproven.waiting:
            break
        await asyncio.sleep(0.01)
    keeping.cancel()
    await asyncio.wait([keeping])
    assert felt
    world.clock.forward(OVER)
    await summarise(world)
    assert await summaries(world) == {("public", "unauthenticated"): 1}
