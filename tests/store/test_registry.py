"""Organisations, clients and marks in a real database, as the application role."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import asyncpg
import pytest

from api.errors import Misconfigured, Replayed, StaleStanding
from api.oauth import operator, registry, replay
from api.oauth.model import Client, Designation, NewClient, NewOrganisation
from api.oauth.registry import Clients
from api.oauth.replay import Kind
from api.storage.statement import Bound
from api.vocabulary import ClientId, Municipality, OrganisationId, Party, Scope
from tests import oauth_kit as kit

if TYPE_CHECKING:
    from api.storage.pool import Database
    from api.storage.unit import Unit

NOW = datetime.fromtimestamp(kit.NOW, UTC)
LATER = datetime.fromtimestamp(kit.NOW + 80, UTC)
OIN = "00000099000000001000"
ID = ClientId("ngo-one")


def ngo(**changes: Any) -> NewOrganisation:
    return replace(NewOrganisation(OrganisationId(uuid4()), Party.NGO, "an NGO"), **changes)


async def organisation(pool: Database, **changes: Any) -> OrganisationId:
    new, unit = ngo(**changes), pool.unit(NOW)
    await registry.register_organisation(unit, operator.local(), new)
    await unit.finish()
    return new.id


async def client(pool: Database, of: OrganisationId, client_id: ClientId = ID) -> None:
    new = NewClient(client_id, of, (kit.key("es256").public,), frozenset({Scope.CASES_READ}))
    unit = pool.unit(NOW)
    await registry.register_client(unit, operator.local(), new)
    await unit.finish()


async def read(pool: Database, client_id: ClientId = ID) -> Client:
    unit = pool.unit(NOW)
    found = await registry.read(unit, client_id)
    await unit.finish()
    assert found is not None
    return found


async def entries(pool: Database) -> list[dict[str, Any]]:
    unit = pool.unit(NOW)
    rows = await unit.all(Bound("SELECT leaf FROM audit.entry ORDER BY id", ()))
    await unit.finish()
    return [json.loads(row["leaf"]) for row in rows]


async def refused(unit: Unit, work: Any) -> tuple[str, ...]:
    with pytest.raises(Misconfigured) as caught:
        await work
    await unit.abort()
    return caught.value.faults


async def test_what_is_registered_is_read_with_its_organisation(pool: Database) -> None:
    of = await organisation(
        pool,
        oin=OIN,
        municipalities=frozenset({Municipality.UTRECHT, Municipality.AMSTERDAM}),
        designation=Designation("Stcrt. 2019, 1", date(2019, 1, 1)),
    )
    await client(pool, of)
    found = await read(pool)
    assert (found.id, found.grant, found.enabled, found.epoch) == (ID, "client_credentials", True, 1)
    assert found.scopes == {Scope.CASES_READ}
    assert found.keys.choose({}).thumbprint == kit.key("es256").thumbprint
    assert (found.organisation.id, found.organisation.oin, found.organisation.designated) == (of, OIN, True)
    assert found.organisation.municipalities == {Municipality.UTRECHT, Municipality.AMSTERDAM}


async def test_organisations_are_listed_by_name(pool: Database) -> None:
    await organisation(pool, name="b")
    await organisation(pool, name="a", kind=Party.IND)
    unit = pool.unit(NOW)
    assert [(each.name, each.kind) for each in await registry.organisations(unit)] == [
        ("a", Party.IND),
        ("b", Party.NGO),
    ]
    await unit.finish()


async def test_one_organisation_is_found_by_its_id(pool: Database) -> None:
    of, unit = await organisation(pool, name="b"), pool.unit(NOW)
    found = await registry.find_organisation(unit, of)
    assert found is not None
    assert found.name == "b"
    assert await registry.find_organisation(unit, OrganisationId(uuid4())) is None
    await unit.finish()


async def test_the_keys_that_sign_agreements_are_kept(pool: Database) -> None:
    signs = await organisation(pool, signing_jwks=(kit.key("ed25519").public,))
    silent = await organisation(pool)
    unit = pool.unit(NOW)
    ring = await registry.signing_keys(unit, signs)
    assert ring is not None
    assert ring.choose({}).thumbprint == kit.key("ed25519").thumbprint
    assert await registry.signing_keys(unit, silent) is None
    assert await registry.signing_keys(unit, OrganisationId(uuid4())) is None
    await unit.finish()


async def test_every_registration_is_written_down(pool: Database) -> None:
    of = await organisation(pool)
    await client(pool, of)
    unit = pool.unit(NOW)
    await registry.record_designation(unit, operator.local(), of, Designation("Stcrt. 2019, 1", date(2019, 1, 1)))
    await registry.disable_client(unit, operator.local(), ID)
    await unit.finish()
    found = await entries(pool)
    assert Counter(entry["object"]["type"] for entry in found) == {"organisation": 2, "client:ngo-one": 2}
    assert {entry["action"] for entry in found} == {
        "oauth.register-organisation",
        "oauth.register-client",
        "oauth.disable-client",
        "oauth.record-designation",
    }
    assert {entry["actor"]["client"] for entry in found} == {"local-operator"}


async def test_all_faults_of_an_organisation_are_told_at_once(pool: Database) -> None:
    await organisation(pool, oin=OIN)
    unit = pool.unit(NOW)
    new = ngo(
        name=" ",
        oin="00000002000000001000",
        designation=Designation("", date(2019, 1, 1)),
        signing_jwks=(kit.key("rsa2048").public,),
    )
    assert len(await refused(unit, registry.register_organisation(unit, operator.local(), new))) == 4
    (fault,) = await refused(unit, registry.register_organisation(unit, operator.local(), ngo(oin=OIN)))
    assert "registered already" in fault
    assert len(await entries(pool)) == 1


async def test_all_faults_of_a_client_are_told_at_once(pool: Database) -> None:
    of = await organisation(pool)
    await client(pool, of)
    unit = pool.unit(NOW)
    new = NewClient(ClientId("Bad Id"), OrganisationId(uuid4()), (), frozenset())
    assert len(await refused(unit, registry.register_client(unit, operator.local(), new))) == 4
    again = NewClient(ID, of, (kit.key("es256").public | {"d": "AA"},), frozenset({Scope.CASES_READ}))
    private, taken = await refused(unit, registry.register_client(unit, operator.local(), again))
    assert "private" in private
    assert "registered already" in taken


async def test_what_is_not_registered_cannot_be_changed(pool: Database) -> None:
    unit = pool.unit(NOW)
    nobody = OrganisationId(uuid4())
    assert await refused(unit, registry.disable_client(unit, operator.local(), ClientId("nobody")))
    found = Designation("Stcrt. 2019, 1", date(2019, 1, 1))
    assert await refused(unit, registry.record_designation(unit, operator.local(), nobody, found))
    unsourced = Designation(" ", date(2019, 1, 1))
    assert await refused(unit, registry.record_designation(unit, operator.local(), nobody, unsourced))


async def test_every_change_raises_the_epoch(pool: Database) -> None:
    of = await organisation(pool)
    await client(pool, of)
    unit = pool.unit(NOW)
    await registry.record_designation(unit, operator.local(), of, Designation("Stcrt. 2019, 1", date(2019, 1, 1)))
    await unit.finish()
    assert (await read(pool)).epoch == 2
    await registry.disable_client(unit, operator.local(), ID)
    await unit.finish()
    assert ((await read(pool)).epoch, (await read(pool)).enabled) == (3, False)


async def test_a_process_remembers_clients_that_stand(pool: Database) -> None:
    of = await organisation(pool)
    await client(pool, of)
    clients, unit = Clients(), pool.unit(NOW)
    first = await clients.find(unit, ID)
    assert first is not None
    assert await clients.find(unit, ID) is first
    clients.forget(ID)
    clients.forget(ID)
    assert await clients.find(unit, ID) is not first
    assert await clients.find(unit, ClientId("nobody")) is None
    await unit.finish()


async def test_a_disabled_client_is_not_remembered(pool: Database) -> None:
    """So that enabling it counts at once too."""
    await client(pool, await organisation(pool))
    unit, clients = pool.unit(NOW), Clients()
    await registry.disable_client(unit, operator.local(), ID)
    first = await clients.find(unit, ID)
    assert first is not None
    assert not first.enabled
    assert await clients.find(unit, ID) is not first
    await unit.finish()


async def test_the_memory_of_clients_is_bounded(pool: Database) -> None:
    of = await organisation(pool)
    for name in ("one", "two"):
        await client(pool, of, ClientId(name))
    clients, unit = Clients(most=1), pool.unit(NOW)
    first = await clients.find(unit, ClientId("one"))
    assert await clients.find(unit, ClientId("two")) is await clients.find(unit, ClientId("two"))
    assert await clients.find(unit, ClientId("one")) is not first
    await unit.finish()


async def marked(pool: Database, jti: str = "an-id", who: str = "a-thumbprint", epoch: int = 1) -> None:
    unit = pool.unit(NOW)
    replay.mark(unit, Kind.PROOF, who, jti, LATER, ID, epoch)
    await unit.finish()


async def test_a_mark_is_made_once(pool: Database) -> None:
    await client(pool, await organisation(pool))
    await marked(pool)
    with pytest.raises(Replayed):
        await marked(pool)
    await marked(pool, who="another-thumbprint")
    await marked(pool, jti="another-id")


async def test_kind_owner_and_id_of_a_mark_do_not_run_together(pool: Database) -> None:
    await client(pool, await organisation(pool))
    await marked(pool, who="ab", jti="c")
    await marked(pool, who="a", jti="bc")
    unit = pool.unit(NOW)
    assert await replay.was_seen(unit, Kind.PROOF, "ab", "c")
    assert not await replay.was_seen(unit, Kind.ASSERTION, "ab", "c")
    await unit.finish()


@pytest.mark.parametrize("epoch", [0, 2])
async def test_a_mark_of_a_client_that_changed_is_refused(pool: Database, epoch: int) -> None:
    await client(pool, await organisation(pool))
    with pytest.raises(StaleStanding):
        await marked(pool, epoch=epoch)


async def test_a_mark_of_a_disabled_client_is_stale_even_when_it_is_a_replay_too(pool: Database) -> None:
    await client(pool, await organisation(pool))
    await marked(pool)
    unit = pool.unit(NOW)
    await registry.disable_client(unit, operator.local(), ID)
    await unit.finish()
    for epoch in (1, 2):
        with pytest.raises(StaleStanding):
            await marked(pool, epoch=epoch)


async def test_marks_are_forgotten_when_they_can_no_longer_be_replayed(pool: Database) -> None:
    await client(pool, await organisation(pool))
    await marked(pool)
    for seconds, left in ((80, True), (81, False)):
        unit = pool.unit(datetime.fromtimestamp(kit.NOW + seconds, UTC))
        await replay.sweep(unit)
        await unit.finish()
        assert await replay.was_seen(unit, Kind.PROOF, "a-thumbprint", "an-id") is left
        await unit.finish()


async def test_postgresql_names_what_was_violated(pool: Database) -> None:
    """The mark rests on these two names, and on NOT NULL being checked before the index."""
    await client(pool, await organisation(pool))
    insert = "INSERT INTO oauth.seen VALUES ($1, $2)"
    async with pool.connection() as connection:
        await connection.execute(insert, b"a", NOW)
        with pytest.raises(asyncpg.UniqueViolationError) as twice:
            await connection.execute(insert, b"a", NOW)
        with pytest.raises(asyncpg.NotNullViolationError) as stale:
            await connection.execute(insert, b"a", None)
    assert (twice.value.constraint_name, stale.value.column_name) == ("pk_seen", "expires_at")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE oauth.organisation SET kind = 'country-of-origin'",
        "UPDATE oauth.organisation SET municipalities = ARRAY['paris']",
        "UPDATE oauth.organisation SET oin = '123'",
        "UPDATE oauth.organisation SET designation_source = 'x'",
        "UPDATE oauth.client SET scopes = ARRAY['everything']",
        "UPDATE oauth.client SET grant_type = 'password'",
        "UPDATE oauth.client SET client_id = 'Bad Id'",
    ],
)
async def test_the_database_itself_refuses_what_is_no_word_of_ours(pool: Database, change: str) -> None:
    await client(pool, await organisation(pool))
    async with pool.connection() as connection:
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute(change)
