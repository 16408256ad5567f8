"""A person who is erased is gone: from the service at once, and from every backup when the epoch ends."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import asyncpg
import pytest
from typer.testing import CliRunner

from api.cli.main import assembled
from api.crypto.vault import Vault
from api.disclosure import authority
from api.disclosure.call import Call, Once
from api.errors import NotPossible
from api.oauth import operator
from api.persons import erasure, holds
from api.persons.model import Erasure
from api.sandbox import binaries
from api.schemas.emergencies import NewEmergency
from api.schemas.erasures import NewErasure
from api.vocabulary import EmergencyReason, ErasureGround, HoldGround, Purpose
from clients.errors import Conflict, NotFound
from tests import live, servers
from tests.custody_kit import custody
from tests.dealings import Dealings
from tests.held import SCREENING, Held

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.storage.unit import Unit
    from tests.custody_kit import Custody
    from tests.exchange import Exchange

OBJECTED: Final = ErasureGround.OBJECTION
DRILL: Final = Path(__file__).parents[2] / "docs" / "how" / "restore-drill.sh"


@pytest.fixture
def stolen(cluster: servers.Server) -> Iterator[servers.Database]:
    """Where a thief puts a backup."""
    with servers.database(cluster) as made:
        yield made


async def test_who_is_erased_is_as_if_they_had_never_been(exchange: Exchange, custodian: Custody) -> None:
    """To every party, on read, list and search; the key, the number, its index and the alias are gone."""
    held, other = await Held.of(exchange), await Held.of(exchange)
    check = await held.dealings.check()
    (key,) = await custodian.rows(
        'SELECT k.* FROM keys.person_key k JOIN exchange."case" c ON c.person_id = k.person_id WHERE c.id = $1',
        held.dealings.id,
    )
    done = (await exchange.operator.erasures.erase(NewErasure(case_id=held.dealings.id, ground=OBJECTED))).value
    assert (done.key_encryption_key, done.key_version) == (key["kek"], 1)
    (digest,) = await custodian.rows("SELECT encode(sha256($1::bytea), 'hex') AS hex", key["wrapped"])
    assert done.key_digest == digest["hex"]
    ngo, ind = exchange.actor("ngo"), exchange.actor("ind")
    for answer in (
        await ngo.get(f"/dossiers/{held.dossier}", purpose=SCREENING),
        await ngo.get(f"/dossiers/{held.dossier}/manifest", purpose=SCREENING),
        await ind.get(f"/dossiers/{held.dossier}", purpose=SCREENING),
        await ngo.get(f"/cases/{held.dealings.id}"),
        await ngo.get(f"/consents/{held.dealings.consents['ordinary'].id}"),
        await ind.get(f"/screening-outcomes/{held.outcome}", purpose=Purpose.RESIDENCE_ADVICE),
        await ngo.get(f"/advice/{held.advice}", purpose=Purpose.RESIDENCE_ADVICE),
        await ind.get(f"/admission-checks/{check.id}", purpose=Purpose.ADMISSION),
    ):
        assert answer.status_code == 404, answer.text
    for listed in ("/cases", "/dossier-requests", "/advice-requests"):
        assert str(held.dealings.id) not in (await ngo.get(listed)).text
    advice = await ngo.get(f"/advice?caseId={held.dealings.id}", purpose=Purpose.RESIDENCE_ADVICE)
    sought = await ngo.post("/cases/_search", {"vNumber": held.dealings.case.v_number})
    assert advice.json()["items"] == sought.json()["items"] == []
    await other.open()
    (left,) = await custodian.rows("SELECT * FROM exchange.person WHERE erased_at IS NOT NULL")
    assert left["v_index"] is left["v_number"] is None
    assert not await custodian.rows("SELECT 1 FROM exchange.person_alias WHERE person_id = $1", left["id"])
    found = await custodian.check()
    assert (found.holds, found.persons) == (True, 1)


async def test_an_erasure_is_written_down_and_happens_once(exchange: Exchange) -> None:
    """The entry names the alias, which leads to nobody now; a retry gets the same proof; a second one finds nobody."""
    dealings = await Dealings.begin(exchange)
    wanted, key = NewErasure(case_id=dealings.id, ground=OBJECTED), uuid4()
    first = await exchange.operator.erasures.erase(wanted, key=key)
    again = await exchange.operator.erasures.erase(wanted, key=key)
    assert again.replayed
    assert first.value == again.value == (await exchange.auditor.erasures.read(first.value.id)).value
    with pytest.raises(NotFound):
        await exchange.operator.erasures.erase(wanted)
    with pytest.raises(NotFound):
        await exchange.auditor.erasures.read(dealings.id)
    entries = await exchange.entries("erasures.erase")
    assert [(each["result"], each.get("replayed")) for each in entries] == [
        ("permitted", None),
        ("permitted", True),
        ("refused", None),
    ]
    assert entries[0]["object"]["id"] == str(first.value.id)
    assert entries[0]["cause"] == OBJECTED
    assert "person" in entries[0]


async def test_while_a_hold_stands_nobody_is_erased(exchange: Exchange, own: servers.Database, path: Path) -> None:
    """Whoever asks, over the API or on the machine; after it is released they are."""
    dealings = await Dealings.begin(exchange)
    placed = await typed(own, path, "legal-hold", "place", str(dealings.id), "--ground", "court-order")
    assert placed.exit_code == 0, placed.exception
    assert (await typed(own, path, "legal-hold", "place", str(dealings.id), "--ground", "archives-act")).exit_code == 0
    with pytest.raises(Conflict):
        await exchange.operator.erasures.erase(NewErasure(case_id=dealings.id, ground=OBJECTED))
    refused = await typed(own, path, "erase-person", str(dealings.id), "--ground", "objection")
    assert isinstance(refused.exception, NotPossible)
    assert "legal hold" in str(refused.exception)
    assert (await exchange.ngo.cases.read(dealings.id)).value.v_number == dealings.case.v_number
    assert (await typed(own, path, "legal-hold", "release", str(dealings.id))).exit_code == 0
    assert "no legal hold" in str((await typed(own, path, "legal-hold", "release", str(dealings.id))).exception)
    erased = await typed(own, path, "erase-person", str(dealings.id), "--ground", "objection")
    assert erased.exit_code == 0, erased.exception
    assert json.loads(erased.stdout)["keyVersion"] == 1
    assert "no such case" in str(
        (await typed(own, path, "erase-person", str(dealings.id), "--ground", "objection")).exception
    )
    assert "no such case" in str((await typed(own, path, "legal-hold", "release", str(dealings.id))).exception)
    assert [each["cause"] for each in await exchange.entries("legal-holds.place")] == ["court-order", "archives-act"]
    assert len(await exchange.entries("legal-holds.release")) == 1


async def test_an_erasure_waits_for_a_hold_that_is_being_placed(
    exchange: Exchange, custodian: Custody, own: servers.Database
) -> None:
    """Two at once: the hold was first, so the key is there under it."""
    dealings = await Dealings.begin(exchange)
    holding = custodian.units()
    await holds.place(holding, operator.local(), dealings.id, HoldGround.COURT)
    waiting = asyncio.create_task(exchange.operator.erasures.erase(NewErasure(case_id=dealings.id, ground=OBJECTED)))
    await until_it_waits(own, waiting)
    await holding.finish()
    with pytest.raises(Conflict):
        await waiting
    assert (await exchange.ngo.cases.read(dealings.id)).value.v_number == dealings.case.v_number


@pytest.mark.parametrize(
    "words",
    ["legal-hold place {} --ground court-order", "legal-hold release {}", "erase-person {} --ground objection"],
)
async def test_who_comes_while_a_person_is_being_erased_finds_nobody(
    exchange: Exchange, custodian: Custody, own: servers.Database, path: Path, words: str
) -> None:
    """Two at once: the erasure was first, so no hold comes to stand on nobody, and nobody is erased twice."""
    dealings = await Dealings.begin(exchange)
    unit = await erasing(custodian, dealings)
    other = asyncio.create_task(typed(own, path, *words.format(dealings.id).split()))
    await until_it_waits(own, other)
    await unit.finish()
    assert "no such case" in str((await other).exception)
    assert not await custodian.rows("SELECT 1 FROM exchange.legal_hold")


async def test_no_emergency_is_declared_of_who_is_being_erased(
    exchange: Exchange, custodian: Custody, own: servers.Database
) -> None:
    """Two at once: the number of a file would stay behind."""
    dealings = await Dealings.begin(exchange)
    unit = await erasing(custodian, dealings)
    declaring = asyncio.create_task(exchange.ngo.acting("worker-7").emergencies.declare(urgent(dealings)))
    await until_it_waits(own, declaring)
    await unit.finish()
    with pytest.raises(NotFound):
        await declaring
    assert not await custodian.rows("SELECT 1 FROM exchange.emergency")


ERASED: Final = "DELETE FROM keys.person_key"
DELIVERED: Final = "UPDATE exchange.dossier SET version = version + 1"


@pytest.mark.parametrize(
    ("meanwhile", "actor", "asked", "purpose"),
    [
        (ERASED, "ngo", "/dossiers/{0.dossier}", SCREENING),
        (DELIVERED, "ngo", "/dossiers/{0.dossier}", SCREENING),
        (ERASED, "ind", "/screening-outcomes/{0.outcome}", Purpose.RESIDENCE_ADVICE),
        (ERASED, "ngo", "/advice/{0.advice}", Purpose.RESIDENCE_ADVICE),
        (ERASED, "ind", "/admission-checks/{1}", Purpose.ADMISSION),
    ],
)
async def test_what_is_gone_or_delivered_between_finding_and_opening_is_asked_again(
    exchange: Exchange, own: servers.Database, meanwhile: str, actor: str, asked: str, purpose: Purpose
) -> None:
    """No fault of ours, and nothing leaves that the entry does not name."""
    held = await Held.of(exchange)
    check = await held.dealings.check()
    connection: Any = await asyncpg.connect(own.superuser_url)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE keys.person_key")
            asking = exchange.actor(actor).get(asked.format(held, check.id), purpose=purpose)
            task = asyncio.ensure_future(asking)
            await until_it_waits(own, task)
            await connection.execute(meanwhile)
    finally:
        await connection.close()
    answer = await task
    assert answer.status_code == 503, answer.text


async def test_the_restore_drill(
    exchange: Exchange,
    custodian: Custody,
    own: servers.Database,
    empty_database: servers.Database,
    stolen: servers.Database,
    path: Path,
) -> None:
    """Yesterday's backup with today's key table: everyone is there but who was erased. And the backup alone is dead."""
    held, gone = await Held.of(exchange), await Dealings.begin(exchange)
    await gone.consented()
    await exchange.ngo.acting("worker-7").emergencies.declare(urgent(gone))
    old, backup = await custodian.keys().current(), str(path.with_name("yesterday"))
    await asyncio.to_thread(run, "pg_dump", "--format=custom", "--file", backup, own.superuser_url)
    await exchange.operator.erasures.erase(NewErasure(case_id=gone.id, ground=OBJECTED))
    await custodian.rotate_kek()
    await custodian.destroy(old)
    await custodian.rotate_index()
    restored = empty_database
    said = await asyncio.to_thread(run, str(DRILL), backup, own.superuser_url, restored.superuser_url)
    assert said.strip().endswith("Erased since the backup: 1")
    await asyncio.to_thread(run, "pg_restore", "--dbname", stolen.superuser_url, backup)
    async with custody(exchange, restored, path) as today, custody(exchange, stolen, path) as thief:
        found = await today.check()
        assert (found.holds, found.persons) == (True, 1)
        assert len(await today.astray()) == 1, "indexed under a key that is put away since"
        assert await today.rotate_index() == 1
        assert not await today.astray()
        unnamed = "SELECT reference, actor FROM exchange.emergency WHERE case_id = $1"
        assert [tuple(each) for each in await today.rows(unnamed, gone.id)] == [(None, None)]
        assert len((await thief.check()).locked) == 2, "the key table of yesterday opens nobody, not even the living"
    await held.open()


def urgent(dealings: Dealings) -> NewEmergency:
    """An emergency in its case."""
    return NewEmergency(case_id=dealings.id, reason=EmergencyReason.UNCONSCIOUS, reference="NGO-2026-7")


async def erasing(custodian: Custody, dealings: Dealings) -> Unit:
    """A unit that has erased the person, and is not committed yet."""
    unit, once = custodian.units(), Once("", uuid4(), replayed=False)
    call = Call(authority.ERASE_PERSON, operator.local(), unit, Vault(custodian.keys()), custodian.kept.index, once)
    assert isinstance(await erasure.erase(call, dealings.id, OBJECTED), Erasure)
    return unit


async def typed(own: servers.Database, path: Path, *words: str) -> Any:
    """What the operator types, at the key file and as the owner of the database."""
    environment = {"KETENBRUG_DATABASE_URL": own.owner_url, "KETENBRUG_KEY_FILE": str(path)}
    return await asyncio.to_thread(CliRunner().invoke, assembled(words), list(words), env=environment)


async def until_it_waits(own: servers.Database, task: asyncio.Task[Any]) -> None:
    """Until what the task does waits for a lock, or is done and did not wait."""
    connection: Any = await asyncpg.connect(own.superuser_url)
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    try:
        while not task.done() and not await connection.fetchval(waiting):
            await asyncio.wait({task}, timeout=0.01)
    finally:
        await connection.close()


def run(*words: str) -> str:
    """Run a program to its end, PostgreSQL's own first."""
    folder = binaries.find(binaries.candidates()).folder
    inherited = live.environment()
    environment = inherited | {"PATH": f"{folder}:{inherited['PATH']}"}
    done = subprocess.run(  # noqa: S603 - our own words
        words, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
