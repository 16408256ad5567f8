"""Keys that are replaced while the service runs, and epochs that end: nothing is lost but on purpose."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import uuid
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import pytest
from typer.testing import CliRunner

from api.cli import keys as commands
from api.crypto import keyfile
from api.crypto.vault import Vault
from api.crypto.wrappers import FileWrapper, WrappedKey
from api.custody import inspection, renewal
from api.dossiers import store as dossiers
from api.errors import Misconfigured, NotPossible, Unavailable, Undecryptable
from api.persons import reindexing
from api.storage.statement import Bound
from api.vocabulary import DataCategory, Purpose
from tests import key_services, live
from tests.dealings import SHARED, Dealings
from tests.held import NAME, SCREENING, Held

if TYPE_CHECKING:
    from pathlib import Path

    from api.custody.custodian import Custodian
    from api.disclosure.call import Call
    from api.disclosure.permit import Permit
    from api.dossiers.model import DossierFacts, Section
    from tests import servers
    from tests.custody_kit import Custody
    from tests.exchange import Exchange

READS: Final = 120
WRITES: Final = 30
"""While keys are replaced. `make soak` would be more of the same."""


async def test_every_key_goes_under_a_new_key_encryption_key_and_the_service_follows(
    exchange: Exchange, custodian: Custody
) -> None:
    """No restart: what was sealed opens, and who comes next is under the new one."""
    held = await Held.of(exchange)
    before = await custodian.keys().current()
    after = await custodian.rotate_kek()
    assert after != before
    await held.open()
    another = await Dealings.begin(exchange)
    assert (await exchange.ngo.cases.read(another.id)).value.v_number == another.case.v_number
    assert {row["kek"] for row in await custodian.rows("SELECT kek FROM keys.person_key")} == {after}
    (entry,) = await exchange.entries("keys.rotate-kek")
    assert (entry["result"], entry["actor"]["client"]) == ("permitted", "local-operator")
    assert entry["object"]["type"] == f"key-epoch:{after}"
    assert (await custodian.check()).holds


async def test_every_person_gets_a_new_key_and_every_value_is_sealed_anew(
    exchange: Exchange, custodian: Custody
) -> None:
    """The old key opens nothing any more: not even who kept it can read what is there now."""
    held = await Held.of(exchange)
    check = await held.dealings.check()
    sealed = await custodian.rows("SELECT content FROM exchange.dossier_section ORDER BY id")
    assert await custodian.rotate_dek() == 1
    await held.open()
    assert (await exchange.ind.admission_checks.read(check.id)).value.v_number == held.dealings.case.v_number
    now = await custodian.rows("SELECT content FROM exchange.dossier_section ORDER BY id")
    assert len(now) == len(sealed) > 0
    assert not {row["content"] for row in sealed} & {row["content"] for row in now}
    assert {bytes(row["content"][2:4]) for row in now} == {b"\x00\x02"}
    found = await custodian.check()
    assert (found.holds, found.persons) == (True, 1)
    assert found.rows > 8
    assert len(await exchange.entries("keys.rotate-dek")) == 2
    assert await custodian.rotate_dek() == 1, "a finished rotation is not taken up again"


@dataclass
class Busy:
    """Parties that go on with their work until they are told that it is enough."""

    exchange: Exchange
    persons: list[Dealings]
    dossiers: list[uuid.UUID]
    enough: asyncio.Event

    async def read(self) -> None:
        """Pull dossiers."""
        for number in count():
            dossier = self.dossiers[number % len(self.dossiers)]
            answer = await self.exchange.actor("ngo").get(f"/dossiers/{dossier}", purpose=SCREENING)
            assert answer.status_code == 200, answer.text
            assert NAME in answer.text
            if self.enough.is_set() and number >= READS:
                return

    async def write(self) -> None:
        """Record consents, and deliver now and then."""
        for number in count():
            who = self.persons[number % len(self.persons)]
            await who.consent(Purpose.RETURN_ADVICE, "dtv", SHARED)
            if number % 3 == 0:
                await who.dossier()
            if self.enough.is_set() and number >= WRITES:
                return


async def test_nobody_notices_while_keys_are_replaced(exchange: Exchange, custodian: Custody) -> None:
    """Not one read and not one write fails, and what was written meanwhile opens afterwards."""
    persons = [await (await Dealings.begin(exchange)).consented() for _ in range(4)]
    busy = Busy(exchange, persons, [await each.dossier() for each in persons], asyncio.Event())

    async def rotate() -> None:
        for _ in range(2):
            await custodian.rotate_dek()
            await custodian.rotate_kek()
            await custodian.rotate_index()
        busy.enough.set()

    await asyncio.gather(busy.read(), busy.write(), rotate())
    found = await custodian.check()
    assert found.holds, found
    for each in persons:
        sought = await exchange.actor("ngo").post("/cases/_search", {"vNumber": each.case.v_number})
        assert sought.json()["items"], "found under the new index"


async def test_a_new_key_between_the_decision_and_the_opening_is_not_noticed(
    exchange: Exchange, custodian: Custody, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a dossier holds is what was decided on; only the key that it is under is another."""
    held, opening = await Held.of(exchange), dossiers.open_sections

    async def later(permit: Permit, call: Call, facts: DossierFacts) -> tuple[Section, ...]:
        assert await custodian.rotate_dek() == 1
        return await opening(permit, call, facts)

    monkeypatch.setattr(dossiers, "open_sections", later)
    answer = await exchange.actor("ngo").get(f"/dossiers/{held.dossier}", purpose=SCREENING)
    assert answer.status_code == 200, answer.text
    assert NAME in answer.text


def stopped_midway(own: servers.Database, path: Path) -> None:
    """Start a rotation, let it come to a person that somebody else holds, and kill it there."""
    environment = live.environment(database_url=own.owner_url, key_file=path)
    words = (*live.COMMAND, "keys", "rotate-dek")
    with subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - our own words
        try:
            live.until(lambda: asyncio.run(waiting(own)))
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()


async def waiting(own: servers.Database) -> bool:
    """Whether somebody waits for a row."""
    connection: Any = await asyncpg.connect(own.superuser_url)
    try:
        return bool(await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))
    finally:
        await connection.close()


async def test_a_rotation_that_is_killed_goes_on_where_it_was(
    exchange: Exchange, custodian: Custody, own: servers.Database, path: Path
) -> None:
    """Who was done stays done, who was not is done next time, and all opens in between."""
    held = await Held.of(exchange)
    for _ in range(3):
        await (await Dealings.begin(exchange)).consented()
    last = max(row["person_id"] for row in await custodian.rows("SELECT person_id FROM keys.person_key"))
    blocker: Any = await asyncpg.connect(own.superuser_url)
    transaction = blocker.transaction()
    await transaction.start()
    await blocker.execute("SELECT 1 FROM keys.person_key WHERE person_id = $1 FOR UPDATE", last)
    await asyncio.to_thread(stopped_midway, own, path)
    await transaction.rollback()
    await blocker.close()
    versions = {row["person_id"]: row["version"] for row in await custodian.rows("SELECT * FROM keys.person_key")}
    assert versions.pop(last) == 1
    assert set(versions.values()) == {2}
    await held.open()
    assert (await custodian.check()).holds
    assert await custodian.rotate_dek() == 1, "only the one that was left"
    assert {row["version"] for row in await custodian.rows("SELECT version FROM keys.person_key")} == {2}
    (rotation,) = await custodian.rows("SELECT * FROM keys.rotation")
    assert rotation["ended_at"] is not None
    await held.open()


async def test_who_is_held_too_long_is_left_for_the_next_time(exchange: Exchange, custodian: Custody) -> None:
    """The command says how many, and what to do."""
    await Dealings.begin(exchange)
    for rotate, said in (
        (custodian.rotate_dek, "1 persons"),
        (custodian.rotate_kek, "held by somebody"),
        (custodian.rotate_index, "1 persons"),
    ):
        blocking = custodian.units()
        await blocking.run(Bound("SELECT * FROM keys.person_key FOR UPDATE", ()))
        with pytest.raises(NotPossible, match=said):
            await rotate()
        await blocking.finish()
    assert await custodian.rotate_dek() == 1


async def test_an_epoch_ends_only_when_nothing_is_under_it(exchange: Exchange, custodian: Custody, path: Path) -> None:
    """And then it is over for good: an old copy of the key table opens nothing, and nothing comes under it again."""
    held = await Held.of(exchange)
    old = await custodian.keys().current()
    stale = FileWrapper(old, keyfile.load(path).ring.keks[old])
    with pytest.raises(NotPossible, match="current"):
        await custodian.destroy(old)
    (copy,) = await custodian.rows("SELECT person_id, version, kek, wrapped FROM keys.person_key")
    assert await stale.unwrap([WrappedKey(*copy)])
    await custodian.rotate_kek()
    unit = custodian.units()
    await Vault(stale).create(unit, uuid.uuid4())  # a process that has not looked at the file
    await unit.finish()
    with pytest.raises(NotPossible, match="1 keys are still under"):
        await custodian.destroy(old)
    await custodian.rotate_kek()
    await custodian.destroy(old)
    await custodian.destroy(old)
    assert old not in keyfile.load(path).ring.keks
    with pytest.raises(Undecryptable):
        await custodian.keys().unwrap([WrappedKey(*copy)])
    late = custodian.units()
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="over"):
        await Vault(stale).create(late, uuid.uuid4())
    await late.abort()
    await held.open()
    assert [each.get("reason") for each in await exchange.entries("keys.destroy-epoch")] == [
        "epoch-current",
        "epoch-in-use",
        None,
        None,
    ]


async def test_a_check_names_what_does_not_open_and_shows_nothing(exchange: Exchange, custodian: Custody) -> None:
    """A moved key, a nulled column, a consent that says more than the person did, a no put aside, a section gone."""
    held = await Held.of(exchange)
    other = await Dealings.begin(exchange)
    no = await other.consent(SCREENING, "ngo", [DataCategory.IDENTITY], given=False)
    naming = [{"consentId": str(no.id), "version": 1}]
    yes = await other.consent(SCREENING, "ngo", [DataCategory.IDENTITY], supersedes=naming)
    await custodian.rotate_dek()
    assert (await custodian.check()).holds
    asked = f"/consents?caseId={other.id}"
    assert (await exchange.actor("ngo").get(asked)).status_code == 200
    await custodian.rows("UPDATE exchange.screening_outcome SET analysis = NULL")
    await custodian.rows("UPDATE consent.consent SET categories = array_append(categories, 'detention') WHERE id = $1",
                         held.dealings.consents["ordinary"].id)  # fmt: skip
    await custodian.rows(
        "INSERT INTO consent.supersession (id, consent_id, superseded_id, version, seal)"
        " SELECT gen_random_uuid(), superseded_id, consent_id, 1, seal FROM consent.supersession WHERE consent_id = $1",
        yes.id,
    )
    answer = await exchange.actor("ngo").get(asked)
    assert (answer.status_code, str(no.id) in answer.text) == (500, False), "the NGO that guides meets it at once"
    await custodian.rows("DELETE FROM exchange.dossier_section WHERE category = 'identity'")
    found = await custodian.check()
    assert {each.table for each in found.broken} == {"screening_outcome", "consent", "supersession", "dossier"}
    assert not found.locked
    with pytest.raises(Undecryptable):
        await custodian.rotate_dek()
    await custodian.rows(
        "UPDATE keys.person_key SET wrapped = (SELECT wrapped FROM keys.person_key k WHERE k.person_id <> $1) "
        "WHERE person_id = $1",
        (await custodian.rows('SELECT person_id FROM exchange."case" WHERE id = $1', other.id))[0]["person_id"],
    )
    found = await custodian.check()
    assert len(found.locked) == 1
    assert not found.holds


async def test_a_person_who_is_gone_meanwhile_is_passed_by(exchange: Exchange, custodian: Custody) -> None:
    """Erased between the list and its turn."""
    await Dealings.begin(exchange)
    assert not await renewal.renew(custodian.units, custodian.keys(), uuid.uuid4())
    moved = await reindexing.move(custodian.units, custodian.keys(), custodian.kept.index, 1, [uuid.uuid4()])
    assert moved == (0, [])
    found = inspection.Inspection({})
    await inspection._look(custodian.units, custodian.keys(), uuid.uuid4(), found)
    assert (found.persons, found.holds) == (0, True)


async def test_a_key_service_that_fails_leaves_everything_as_it_was(exchange: Exchange, custodian: Custody) -> None:
    """In the middle of a person: rolled back, and told."""
    held = await Held.of(exchange)
    (person,) = [row["person_id"] for row in await custodian.rows("SELECT person_id FROM keys.person_key")]
    with pytest.raises(Unavailable):
        await renewal.renew(custodian.units, Silent(custodian.keys()), person)
    with pytest.raises(Unavailable):
        await reindexing.move(custodian.units, Mute(), custodian.kept.index, 1, [person])
    await held.open()
    assert (await custodian.check()).holds


class Silent:
    """A key service that unwraps and then is gone."""

    def __init__(self, keys: Custodian) -> None:
        self.unwrap = keys.unwrap

    async def wrap(self, *_: object) -> WrappedKey:
        """Be gone."""
        raise Unavailable("keys")


class Mute(Silent):
    """A key service that is gone."""

    def __init__(self) -> None:
        """Hold nothing."""

    async def unwrap(self, *_: object) -> list[bytearray]:
        """Be gone."""
        raise Unavailable("keys")


def test_the_commands_say_what_came_of_them(own: servers.Database, path: Path) -> None:
    """As an operator types them."""
    environment = {"KETENBRUG_DATABASE_URL": own.owner_url, "KETENBRUG_KEY_FILE": str(path)}

    def typed(*words: str) -> str:
        result = CliRunner().invoke(commands.app, list(words), env=environment)
        assert result.exit_code == 0, (result.output, result.exception)
        return result.stdout

    old = keyfile.load(path).ring.current
    assert "0 rows of 0 persons hold" in typed("check", "--rows")
    assert "Every key is under file-" in typed("rotate-kek")
    assert f"The epoch of {old} is over" in typed("destroy-epoch", old)
    assert "0 persons have a new key" in typed("rotate-dek")
    assert "0 persons are indexed anew" in typed("rotate-index")
    assert keyfile.load(path).blind_index.keys() == {2}


def test_the_first_key_in_a_key_service_is_made_by_a_command(path: Path, tmp_path: Path) -> None:
    """Once: asked again it says which one is there. A key file has its key, and needs none."""
    (tmp_path / "token").write_text("token")
    with key_services.transit() as (url, double):
        environment = {
            "KETENBRUG_KEY_FILE": str(path),
            "KETENBRUG_KEY_SERVICE": "transit",
            "KETENBRUG_KEY_SERVICE_URL": url,
            "KETENBRUG_KEY_SERVICE_CREDENTIALS": str(tmp_path / "token"),
        }
        for _ in range(2):
            result = CliRunner().invoke(commands.app, ["begin"], env=environment)
            assert result.stdout == "The current key-encryption key is transit:ketenbrug-0001.\n"
        assert list(double.keys) == ["ketenbrug-0001"]
        double.words = 403, b"{}"
        assert isinstance(CliRunner().invoke(commands.app, ["begin"], env=environment).exception, Unavailable)
    result = CliRunner().invoke(commands.app, ["begin"], env={"KETENBRUG_KEY_FILE": str(path)})
    assert isinstance(result.exception, Misconfigured)
