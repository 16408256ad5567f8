"""The key of the V-number index is replaced, wherever it is: nobody is missed, and nobody is taken in twice."""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import pytest
from typer.testing import CliRunner

from api.cli import checks
from api.cli import keys as commands
from api.crypto import keyfile, services
from api.crypto.blind import BlindIndex
from api.crypto.choice import Kind
from api.errors import NotPossible, Unavailable
from api.persons import reindexing, standing
from api.settings import Settings
from clients.errors import Overloaded
from tests import exchange as world
from tests import key_services
from tests.custody_kit import custody
from tests.dealings import Dealings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
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

    async def takes_in(self, number: str | None) -> Dealings:
        """Open a case; once more where it began before a new key was the current one, and was told to come again."""
        with suppress(Overloaded):
            return await Dealings.begin(self.exchange, number=number)
        return await Dealings.begin(self.exchange, number=number)

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
    async with served(furnished, own, tmp_path) as here:
        people, enough = [await Dealings.begin(here.exchange) for _ in range(4)], asyncio.Event()

        async def look() -> None:
            for number in count():
                assert await here.finds(people[number % len(people)])
                if enough.is_set():
                    return

        async def take_in() -> None:
            for number in count():
                await here.takes_in(people[number % len(people)].case.v_number)
                people.append(await here.takes_in(""))
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


async def test_processes_that_know_different_keys_take_nobody_in_twice(
    furnished: Furnished, own: servers.Database, tmp_path: Path
) -> None:
    """One remembers for some seconds, or was stopped for longer, that there is no new key; another knows it at once."""
    async with served(furnished, own, tmp_path) as here:
        known = await Dealings.begin(here.exchange)
        version = await here.custodian.kept.index_keys.renew(1)
        keys = keyfile.load(here.kept.file)
        async with world.running(own, tmp_path, furnished.members, keys, **here.kept.settings, **UNLIMITED) as other:
            late = await Dealings.begin(other)
            await Dealings.begin(here.exchange, number=late.case.v_number)
            assert [row["v"] for row in await here.custodian.rows(VERSIONS)] == [1, 1]
            await reindexing._begin(here.custodian.units, version)
            new = {"municipality": "utrecht", "functions": ["coordination"], "vNumber": known.case.v_number}
            refused = await here.exchange.actor("ngo").post("/cases", new, key="key-of-the-late")
            assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
            later = await Dealings.begin(other)
            assert (await here.look(later.case.v_number)).status_code == 503
            assert sorted(row["v"] for row in await here.custodian.rows(VERSIONS)) == [1, 1, 2]
        assert await here.custodian.rotate_index() == 2, "taken up where it was cut short"
        assert await here.finds(known, late, later)


async def test_who_was_taken_in_twice_is_named_and_stops_nobody_else(
    exchange: Exchange, custodian: Custody, own: servers.Database
) -> None:
    """An older release could do that. Both are found; the rotation ends when one of them is no more."""
    other, person = await Dealings.begin(exchange), await Dealings.begin(exchange)
    (row,) = await custodian.rows('SELECT person_id FROM exchange."case" WHERE id = $1', person.id)
    first, superuser = row["person_id"], await asyncpg.connect(own.superuser_url)
    await reindexing._begin(custodian.units, await custodian.kept.index_keys.renew(1))
    await superuser.execute("ALTER TABLE exchange.person DISABLE TRIGGER living_index")
    (row,) = await custodian.rows("SELECT v_index FROM exchange.person WHERE id = $1", first)
    hide = "UPDATE exchange.person SET v_index = $2 WHERE id = $1"
    await superuser.execute(hide, first, bytes((1,)) + os.urandom(16))
    await Dealings.begin(exchange, number=person.case.v_number)
    await superuser.execute(hide, first, row["v_index"])
    await superuser.execute("ALTER TABLE exchange.person ENABLE ALWAYS TRIGGER living_index")
    await superuser.close()
    with pytest.raises(NotPossible, match=str(first)) as told:
        await custodian.rotate_index()
    assert row["v_index"].hex()[2:] not in str(told.value)
    await Dealings.begin(exchange, number=person.case.v_number)
    forget = "UPDATE exchange.person SET v_index = NULL, v_number = NULL, erased_at = now() WHERE id = $1"
    await custodian.rows(forget, first)
    assert await custodian.rotate_index() == 2, "everybody was under the new key, so that it is replaced as well"
    assert keyfile.load(custodian.path).blind_index.keys() == {3}
    answer = await exchange.actor("ngo").post("/cases/_search", {"vNumber": other.case.v_number})
    assert answer.json()["items"]


async def test_a_key_file_that_is_back_is_not_a_rotation_under_way(
    furnished: Furnished, own: servers.Database, tmp_path: Path
) -> None:
    """Its old key is there again, and whoever had it reads the index: so everybody is moved, and both keys end."""
    async with served(furnished, own, tmp_path) as here:
        person, old = await Dealings.begin(here.exchange), here.kept.file.read_bytes()
        assert await here.custodian.rotate_index() == 1
        here.kept.file.unlink()
        here.kept.file.write_bytes(old)
        here.kept.file.chmod(0o400)
        assert await here.custodian.rotate_index() == 1
        assert await here.custodian.kept.index_keys.places() == {3: "transit:k_index-0003"}
        assert await here.finds(person)


async def test_nobody_waits_for_the_key_with_a_transaction_open(
    exchange: Exchange, custodian: Custody, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a slow key service would hold every connection."""
    computed, locks = BlindIndex._tags, list[int]()
    claimed = (
        "SELECT count(*) AS n FROM pg_locks WHERE relation = 'exchange.idempotency_key'::regclass AND mode LIKE 'Row%'"
    )

    async def watched(index: BlindIndex, version: int, texts: Sequence[bytes]) -> list[bytes]:
        locks.extend(row["n"] for row in await custodian.rows(claimed))
        return await computed(index, version, texts)

    monkeypatch.setattr(BlindIndex, "_tags", watched)
    await Dealings.begin(exchange)
    assert locks == [0]


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
        looked = await other.actor("ngo").post("/cases/_search", {"vNumber": known.case.v_number})
        assert looked.status_code == 503, "whom it does not find may be there"
        new = {"municipality": "utrecht", "functions": ["coordination"], "vNumber": known.case.v_number}
        refused = await other.actor("ngo").post("/cases", new, key="key-of-the-sleeper")
        assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
    assert not await unready(exchange, "keys")
    (fault,) = await checks._of_index(Settings(public_url=world.BASE, database_url=own.app_url, key_file=stale))
    assert "rotate-index" in fault, "and restarted, it does not start"
    assert await checks._of_index(Settings(public_url=world.BASE, database_url=own.app_url, key_file=path)) == ()
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


def test_what_is_beyond_is_every_version_that_is_not_known() -> None:
    """Before the first, after the last, and between."""
    assert list(standing.gaps([3, 1]).values()) == [[b"\x00", b"\x02", b"\x04"], [b"\x01", b"\x03", b"\xff"]]
    assert list(standing.gaps([1, 2, 254]).values()) == [[b"\x00", b"\x03"], [b"\x01", b"\xfe"]]
