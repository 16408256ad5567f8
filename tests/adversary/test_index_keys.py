"""The key of the V-number index is replaced, wherever it is: nobody is missed, and nobody is taken in twice."""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import pytest
from typer.testing import CliRunner

from api.cli import keys as commands
from api.crypto import keyfile, services
from api.crypto.choice import Kind
from api.custody import index_keys
from api.errors import Unavailable
from api.persons import reindexing
from tests import exchange as world
from tests import key_services
from tests.custody_kit import custody
from tests.dealings import Dealings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    import httpx

    from tests import servers
    from tests.custody_kit import Custody
    from tests.exchange import Exchange, Furnished
    from tests.key_services import Double, Kept

VERSIONS: Final = "SELECT get_byte(v_index, 0) AS v FROM exchange.person"
UNLIMITED: Final = {f"rate_{each}": 10**6 for each in ("requests", "lookups", "same_person")}


@dataclass
class Served:
    """The service beside a Transit engine, and its operator."""

    exchange: Exchange
    custodian: Custody
    kept: Kept
    double: Double

    async def look(self, number: str | None) -> httpx.Response:
        """Look for somebody."""
        return await self.exchange.actor("ngo").post("/cases/_search", {"vNumber": number})

    async def finds(self, *dealings: Dealings) -> bool:
        """Whether each is found."""
        answers = [await self.look(each.case.v_number) for each in dealings]
        return all(answer.json()["items"] for answer in answers)


@asynccontextmanager
async def served(furnished: Furnished, own: servers.Database, folder: Path) -> AsyncGenerator[Served]:
    with key_services.doubled(Kind.TRANSIT, folder) as (kept, double):
        keys = keyfile.load(kept.file)
        async with world.running(own, folder, furnished.members, keys, **kept.settings, **UNLIMITED) as exchange:
            double.keys["k-0001"] = os.urandom(32)
            async with custody(exchange, own, kept.file, kept.chosen) as custodian:
                yield Served(exchange, custodian, kept, double)


async def test_nobody_is_missed_while_the_key_moves_into_a_service_and_back(
    furnished: Furnished, own: servers.Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others look for everybody all the time, and take known persons in again, and new ones."""
    monkeypatch.setattr(services, "_KNOWN", 0.15)
    monkeypatch.setattr(index_keys, "SETTLED", 0.3)
    async with served(furnished, own, tmp_path) as here:
        people, enough = [await Dealings.begin(here.exchange) for _ in range(4)], asyncio.Event()

        async def look() -> None:
            for number in count():
                assert await here.finds(people[number % len(people)])
                if enough.is_set():
                    return

        async def take_in() -> None:
            for number in count():
                await Dealings.begin(here.exchange, number=people[number % len(people)].case.v_number)
                people.append(await Dealings.begin(here.exchange))
                if enough.is_set():
                    return

        async def move() -> None:
            for index in (True, True, False):
                chosen = replace(here.kept.chosen, index=index)
                async with custody(here.exchange, own, here.kept.file, chosen) as custodian:
                    await custodian.rotate_index(asyncio.sleep)
            enough.set()

        await asyncio.gather(look(), take_in(), move())
        assert await here.finds(*people)
        assert keyfile.load(here.kept.file).blind_index.keys() == {4}
        assert list(here.double.keys) == ["k-0001"]
        assert not await here.custodian.astray()
        (row,) = await here.custodian.rows("SELECT count(*) AS n FROM exchange.person")
        assert row["n"] == len(people), "who was known was not taken in again"


async def test_what_was_cut_short_is_taken_up(
    furnished: Furnished, own: servers.Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service goes away in the middle: whoever was moved is found, and whoever was not."""
    monkeypatch.setattr(reindexing, "_BATCH", 1)
    monkeypatch.setattr(services, "_KNOWN", 0)
    async with served(furnished, own, tmp_path) as here:
        people = [await Dealings.begin(here.exchange) for _ in range(2)]

        def gone(_done: int, _left: int) -> None:
            here.double.words = 503, b"{}"

        monkeypatch.setattr(here.custodian, "_progress", gone)
        with pytest.raises(Unavailable):
            await here.custodian.rotate_index()
        here.double.words = None
        assert await here.finds(*people)
        later = await Dealings.begin(here.exchange)
        assert sorted(row["v"] for row in await here.custodian.rows(VERSIONS)) == [1, 2, 2]
        monkeypatch.undo()
        assert await here.custodian.rotate_index() == 1, "whoever was moved or came later is under the new key"
        assert await here.finds(*people, later)
        assert sorted(here.double.keys) == ["k-0001", "k_index-0002"]
        assert len(await here.exchange.entries("keys.rotate-index")) == 3


async def test_who_slept_through_a_rotation_takes_nobody_in_and_says_so(
    furnished: Furnished, own: servers.Database, tmp_path: Path, path: Path, exchange: Exchange, custodian: Custody
) -> None:
    """Another machine, with the key file of yesterday: whom it does not find it would take in once more."""
    known = await Dealings.begin(exchange)
    stale = tmp_path / "stale"
    shutil.copy(path, stale)
    assert await custodian.rotate_index() == 1
    async with world.running(own, tmp_path, furnished.members, keyfile.load(stale)) as other:
        assert await unready(other, "keys")
        new = {"municipality": "utrecht", "functions": ["coordination"], "vNumber": known.case.v_number}
        refused = await other.actor("ngo").post("/cases", new, key="key-of-the-sleeper")
        assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
    assert not await unready(exchange, "keys")
    # And a backup of the database that is older than its keys: nobody is taken for unknown either.
    superuser: Any = await asyncpg.connect(own.superuser_url)
    await superuser.execute("ALTER TABLE exchange.person DISABLE TRIGGER living_index")
    await superuser.execute("UPDATE exchange.person SET v_index = set_byte(v_index, 0, 1)")
    await superuser.close()
    assert await unready(exchange, "keys")


async def unready(exchange: Exchange, why: str) -> bool:
    """Whether this is why it is not ready."""
    answer = await exchange.http.get("/health/ready")
    return why in answer.json().get("detail", "")


async def test_a_key_that_another_put_in_its_place_is_found_out_and_made_good(
    furnished: Furnished, own: servers.Database, tmp_path: Path
) -> None:
    """It computes, so that no answer tells; `keys check --rows` does, and the next rotation leads to all again."""
    async with served(furnished, own, tmp_path) as here:
        person = await Dealings.begin(here.exchange)
        await here.custodian.rotate_index()
        here.double.keys["k_index-0002"] = os.urandom(32)
        (row,) = await here.custodian.rows("SELECT id FROM exchange.person")
        settings = {f"KETENBRUG_{name.upper()}": str(each) for name, each in here.kept.settings.items()}
        environment = settings | {"KETENBRUG_DATABASE_URL": own.owner_url, "KETENBRUG_KEY_FILE": str(here.kept.file)}
        words = ["check", "--rows"]
        told = await asyncio.to_thread(CliRunner().invoke, commands.app, words, env=environment)
        assert told.exit_code == 1
        assert "Version 2 of the V-number index is in transit:k_index-0002." in told.stdout
        assert f"The V-number of person {row['id']} does not lead to them." in told.stdout
        assert await here.custodian.rotate_index() == 1
        assert await here.finds(person)
        assert not await here.custodian.astray()
        del here.double.keys["k_index-0003"]
        assert (await here.look(person.case.v_number)).status_code == 503, "lost: nobody is taken for unknown"
        assert await here.custodian.rotate_index() == 1
        assert await here.finds(person)
