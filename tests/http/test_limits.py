"""Rate limits over HTTP and a real database: exact over workers, told in headers, and nobody's but the client's own."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from api.oauth.copies import Admission, Copies
from api.oauth.limits import GUESSES_MOST, Limits, Quota, Quotas
from api.storage.statement import Bound
from tests import oauth_kit as kit
from tests.oauth_world import PROBE, World, opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from tests import servers

BY = kit.key("es256")
OTHER = kit.key("ed25519")
FIVE = Quota("requests", 5, 60)
RESET = 60 - kit.NOW % 60


@pytest.fixture
async def world(database: servers.Database) -> AsyncIterator[World]:
    async with opened(database.app_url) as made:
        await made.client(BY)
        await made.client(OTHER, "ngo-two")
        yield made


def alike(quota: Quota) -> Quotas:
    """This quota for everything."""
    return Quotas(quota, quota, quota, quota, quota)


def limit(world: World, **quotas: Quota) -> None:
    """Let the service have these limits."""
    for name, quota in quotas.items():
        setattr(world, name, quota)
    world.use(world.database)


def turned_away(answer: httpx.Response) -> None:
    assert answer.status_code == 429
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"].endswith("/problems/too-many-requests")
    assert answer.headers["retry-after"] == str(RESET)


async def test_the_limit_is_told_and_held(world: World) -> None:
    limit(world, requests=FIVE)
    token = await world.token(BY)
    for left in (4, 3, 2, 1, 0):
        answer = await world.call(BY, token)
        assert answer.status_code == 200
        assert answer.headers["ratelimit-policy"] == '"requests";q=5;w=60'
        assert answer.headers["ratelimit"] == f'"requests";r={left};t={RESET}'
    for _ in range(2):
        answer = await world.call(BY, token)
        turned_away(answer)
        assert answer.headers["ratelimit"] == f'"requests";r=0;t={RESET}'
    (entry,) = await world.entries("dossiers.read")
    assert (entry["result"], entry["reason"]) == ("refused", "too-many-requests"), "one entry for a window, not a flood"


async def test_a_client_that_was_turned_away_comes_back_in_the_next_window(world: World) -> None:
    limit(world, requests=replace(FIVE, most=1))
    token = await world.token(BY)
    assert [(await world.call(BY, token)).status_code for _ in range(2)] == [200, 429]
    world.clock.forward(RESET)
    assert (await world.call(BY, token)).status_code == 200


async def test_one_client_does_not_use_up_the_limit_of_another(world: World) -> None:
    limit(world, requests=replace(FIVE, most=1))
    token, other = await world.token(BY), await world.token(OTHER, "ngo-two")
    assert [(await world.call(BY, token)).status_code for _ in range(2)] == [200, 429]
    assert (await world.call(OTHER, other)).status_code == 200


async def test_what_proves_nothing_uses_nothing_up(world: World) -> None:
    """A thief of the token cannot stop the client: only who holds the key is counted."""
    limit(world, requests=replace(FIVE, most=1))
    token = await world.token(BY)
    for _ in range(5):
        assert (await world.call(OTHER, token)).status_code == 401
    assert (await world.call(BY, token)).status_code == 200


async def test_workers_admit_together_what_the_limit_says(world: World) -> None:
    """Four workers, more requests than the limit, all at once: never one too many."""
    quota = Quota("requests", 100, 60)
    workers = [Limits(world.database, alike(quota)) for _ in range(4)]
    client, now = await world.client(BY), world.clock()
    asked = [each.take(quota, client, now) for each in workers * 60]
    found = Counter(standing.admitted for standing in await asyncio.gather(*asked))
    assert found == {True: 100, False: 140}


async def test_a_worker_asks_the_database_once_for_a_block(world: World) -> None:
    quota = Quota("requests", 100, 60)
    limits, client = Limits(world.database, alike(quota)), await world.client(BY)
    for _ in range(quota.block):
        await limits.take(quota, client, world.clock())
    unit = world.database.unit(world.clock())
    row = await unit.one(Bound("SELECT taken FROM oauth.allowance WHERE subject = 'requests ngo-one'", ()))
    await unit.finish()
    assert row is not None
    assert row["taken"] == quota.block == 5


async def test_requests_that_come_together_lease_no_more_than_they_use(world: World) -> None:
    """Else one worker would hold the whole limit, unused, and the others refuse until the window ends."""
    quota = Quota("lookups", 100, 3_600)
    here, there = (Limits(world.database, alike(quota)) for _ in range(2))
    client, now = await world.client(BY), world.clock()
    assert all(each.admitted for each in await asyncio.gather(*(here.take(quota, client, now) for _ in range(20))))
    found = [await there.take(quota, client, now) for _ in range(81)]
    assert Counter(each.admitted for each in found) == {True: 80, False: 1}


async def test_a_request_that_began_in_the_window_before_loses_nobody_a_block(world: World) -> None:
    quota = Quota("requests", 40, 60)
    limits = Limits(world.database, alike(quota))
    client, before = await world.client(BY), world.clock()
    world.clock.forward(60)
    found = [await limits.take(quota, client, at) for at in (world.clock(), before) * 20]
    assert all(each.admitted for each in found)


async def test_a_worker_whose_clock_is_behind_gives_no_second_limit(world: World) -> None:
    quota = replace(FIVE, most=2)
    client, late = await world.client(BY), Limits(world.database, alike(quota))
    ahead = Limits(world.database, alike(quota))
    before = world.clock()
    world.clock.forward(60)
    found = [await each.take(quota, client, at) for each, at in ((ahead, world.clock()), (late, before))]
    found += [await each.take(quota, client, at) for each, at in ((ahead, world.clock()), (late, before))]
    assert Counter(each.admitted for each in found) == {True: 2, False: 2}


async def test_without_the_database_nobody_is_admitted(world: World) -> None:
    token = await world.token(BY)
    world.use(world.database)
    await world.database.close()
    answer = await world.call(BY, token)
    assert answer.status_code == 503


async def test_a_pool_of_one_connection_suffices(database: servers.Database) -> None:
    """Counting borrows a connection while the request holds none: they never wait for each other."""
    async with opened(database.app_url, size=1, wait=20.0) as world:
        await world.client(BY)
        limit(world, requests=Quota("requests", 20, 60), tokens=Quota("tokens", 20, 60))
        token = await world.token(BY)
        answers = await asyncio.gather(*(world.call(BY, token) for _ in range(20)))
        assert Counter(each.status_code for each in answers) == {200: 20}


async def test_persons_are_looked_up_within_a_limit_of_its_own(world: World) -> None:
    """Whoever may search by V-number could try out all of them: one limit counts these alone."""
    limit(world, requests=replace(FIVE, most=100), lookups=Quota("lookups", 1, 3_600))
    token = await world.token(BY)
    search = f"{kit.ISSUER}/v1/search"
    answers = [
        await world.http.get(search, headers=world.headers(BY, token, url=search)),
        await world.http.get(search, headers=world.headers(BY, token, url=search)),
    ]
    assert [each.status_code for each in answers] == [403, 429], "the scope is looked at after the limits"
    assert answers[0].headers.get_list("ratelimit-policy") == ['"requests";q=100;w=60', '"lookups";q=1;w=3600']
    assert (await world.call(BY, token)).status_code == 200


async def test_tokens_have_a_limit(world: World) -> None:
    """Each is an entry and a signature. Being turned away uses the assertion not up."""
    limit(world, tokens=Quota("tokens", 2, 60))
    for _ in range(2):
        assert (await world.ask(BY)).status_code == 200
    form = kit.form(BY, "ngo-one", "dossiers:read")
    for _ in range(2):
        turned_away(await world.ask(BY, form=form))
    assert [each["result"] for each in await world.entries("oauth.issue-token")] == [
        "permitted",
        "permitted",
        "refused",
    ]
    assert (await world.ask(OTHER, "ngo-two")).status_code == 200


async def test_revoking_tokens_counts_with_asking_for_them(world: World) -> None:
    """Each is an entry: without a limit a proven client floods the log."""
    limit(world, tokens=Quota("tokens", 2, 60))
    for _ in range(2):
        assert (await world.manage("/oauth/revoke", "x", BY, "ngo-one")).status_code == 200
    for _ in range(2):
        turned_away(await world.manage("/oauth/revoke", "x", BY, "ngo-one"))
    entries = await world.entries("oauth.revoke-token")
    assert [each.get("reason") == "too-many-requests" for each in entries] == [False, False, True]
    assert (await world.manage("/oauth/revoke", "x", OTHER, "ngo-two")).status_code == 200
    turned_away(await world.ask(BY))


async def test_asking_about_tokens_has_a_limit_of_its_own(world: World) -> None:
    """A resource server asks as often as it is asked; that must not keep it from its own tokens."""
    limit(world, introspections=Quota("introspections", 2, 60))
    for _ in range(2):
        assert (await world.manage("/oauth/introspect", "x", BY, "ngo-one")).status_code != 429
    for _ in range(2):
        turned_away(await world.manage("/oauth/introspect", "x", BY, "ngo-one"))
    entries = await world.entries("oauth.introspect-token")
    assert [each.get("reason") == "too-many-requests" for each in entries] == [False, False, True]
    assert (await world.manage("/oauth/introspect", "x", OTHER, "ngo-two")).status_code != 429
    assert (await world.ask(BY)).status_code == 200


def replayed(answer: httpx.Response) -> None:
    assert answer.status_code == 401
    assert 'error="invalid_dpop_proof"' in answer.headers["www-authenticate"]
    assert answer.json()["detail"] == "this proof was used before"


async def test_a_captured_request_costs_its_client_nothing(world: World) -> None:
    """The thief sends it again and again: one entry says so, and the client goes on within its whole limit."""
    limit(world, requests=FIVE)
    token = await world.token(BY)
    captured = world.headers(BY, token)
    assert (await world.http.get(PROBE, headers=captured)).status_code == 200
    for _ in range(10):
        replayed(await world.http.get(PROBE, headers=captured))
    entries = [each for each in await world.entries("dossiers.read") if each["result"] == "refused"]
    assert [each["reason"] for each in entries] == ["invalid-dpop-proof"], "no flood"
    assert world.unproven.waiting == 9, "the rest proves nothing, and is summarised"
    assert [(await world.call(BY, token)).status_code for _ in range(5)] == [200] * 4 + [429]


async def test_a_captured_request_costs_its_client_nothing_at_another_worker(world: World) -> None:
    """There it is counted, because it may be new; and given back, once the database says that it is not."""
    token = await world.token(BY)
    captured = world.headers(BY, token)
    assert (await world.http.get(PROBE, headers=captured)).status_code == 200
    limit(world, requests=replace(FIVE, name="other"))  # a worker that remembers nothing
    for _ in range(10):
        replayed(await world.http.get(PROBE, headers=captured))
    assert [(await world.call(BY, token)).status_code for _ in range(6)] == [200] * 5 + [429]


async def test_copies_that_come_together_are_shown_to_the_database_a_few_times(world: World) -> None:
    limit(world, requests=FIVE)
    token = await world.token(BY)
    captured = world.headers(BY, token)
    answers = await asyncio.gather(*(world.http.get(PROBE, headers=captured) for _ in range(20)))
    assert Counter(each.status_code for each in answers)[200] == 1
    refused = [each for each in await world.entries("dossiers.read") if each["result"] == "refused"]
    assert len(refused) + world.unproven.waiting + Counter(each.status_code for each in answers)[429] >= 19
    world.clock.forward(RESET)
    again = await world.token(BY)
    assert [(await world.call(BY, again)).status_code for _ in range(6)] == [200] * 5 + [429]


async def test_a_captured_assertion_costs_its_client_nothing(world: World) -> None:
    """With a proof by a key of the thief's own, as it may have at the token endpoint."""
    limit(world, tokens=Quota("tokens", 2, 60))
    form = kit.form(BY, "ngo-one", "dossiers:read")
    assert (await world.ask(BY, form=form)).status_code == 200
    for _ in range(10):
        answer = await world.ask(kit.key("es256-thief"), form=form)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    entries = [each for each in await world.entries("oauth.issue-token") if each["result"] == "refused"]
    assert [each["reason"] for each in entries] == ["invalid_client"], "no flood"
    assert [(await world.ask(BY)).status_code for _ in range(2)] == [200, 429]


async def test_a_captured_assertion_costs_its_client_nothing_at_another_worker(world: World) -> None:
    form = kit.form(BY, "ngo-one", "dossiers:read")
    assert (await world.ask(BY, form=form)).status_code == 200
    limit(world, tokens=Quota("other", 2, 60))
    for _ in range(3):
        assert (await world.ask(kit.key("es256-thief"), form=form)).status_code == 401
    assert [(await world.ask(BY)).status_code for _ in range(3)] == [200, 200, 429]


async def test_a_used_proof_with_a_new_assertion_is_the_clients_own_mistake(world: World) -> None:
    """Only the client can make that: if it cost nothing, a client could flood the log."""
    limit(world, tokens=Quota("tokens", 3, 60))
    proof = kit.proof(BY)
    assert [(await world.ask(BY, proof=proof)).status_code for _ in range(4)] == [200, 400, 400, 429]


@pytest.mark.parametrize("deed", ["revoke", "introspect"])
async def test_a_captured_question_about_a_token_costs_its_client_nothing(world: World, deed: str) -> None:
    limit(world, tokens=Quota("tokens", 2, 60), introspections=Quota("introspections", 2, 60))
    captured = {"client_assertion": kit.assertion(BY, "ngo-one", at=world.at)}
    first = await world.manage(f"/oauth/{deed}", "x", BY, "ngo-one", **captured)
    assert first.status_code != 401
    for _ in range(10):
        again = await world.manage(f"/oauth/{deed}", "x", BY, "ngo-one", **captured)
        assert (again.status_code, again.json()["error"]) == (401, "invalid_client")
    assert len(await world.entries(f"oauth.{deed}-token")) == 2
    answers = [await world.manage(f"/oauth/{deed}", "x", BY, "ngo-one") for _ in range(2)]
    assert [each.status_code for each in answers] == [first.status_code, 429]


async def test_what_is_given_back_late_is_lost_with_its_window(world: World) -> None:
    limits, client, now = Limits(world.database, alike(FIVE)), await world.client(BY), world.clock()
    await limits.take(FIVE, client, now)
    admission = Admission(limits.proofs.note(("key", "jti"), now), client, now, (FIVE,))
    world.clock.forward(60)
    limits.replayed(admission)
    found = [(await limits.take(FIVE, client, world.clock())).admitted for _ in range(6)]
    assert found == [True] * 5 + [False]
    Limits(world.database, alike(FIVE)).replayed(admission)


def test_copies_are_remembered_for_as_long_as_they_could_be_used(world: World) -> None:
    copies, key = Copies(120), ("key", "jti")
    noted = copies.note(key, world.clock())
    assert copies.note(key, world.clock()) is noted
    world.clock.forward(119)
    assert copies.find(key, world.clock()) is noted
    world.clock.forward(2)
    assert copies.find(key, world.clock()) is noted
    world.clock.forward(120)
    assert copies.find(key, world.clock()) is None
    copies.note(key, world.clock())
    world.clock.forward(1_000)
    assert copies.find(key, world.clock()) is None


async def test_one_person_is_looked_up_so_often_and_others_still(world: World) -> None:
    """Whoever asks after one person all day watches them. In memory alone: no row says who was looked for."""
    limits, client = Limits(world.database, alike(replace(FIVE, most=2))), await world.client(BY)
    found = [limits.look_up(client, person, world.clock()) for person in ("a", "a", "a", "b")]
    assert [each.admitted for each in found] == [True, True, False, True]
    assert [each.left for each in found] == [1, 0, 0, 1]
    assert limits.look_up(await world.client(OTHER, "ngo-two"), "a", world.clock()).admitted
    world.clock.forward(RESET)
    assert limits.look_up(client, "a", world.clock()).admitted


async def test_who_guesses_is_not_listened_to_and_locks_nobody_out(world: World) -> None:
    mallory, minute = kit.key("es256-mallory"), 60
    for _ in range(GUESSES_MOST):
        assert (await world.ask(mallory)).status_code == 401
    turned_away(await world.ask(mallory))
    assert (await world.ask(BY)).status_code == 200, "the client itself, with the key that it registered"
    assert (await world.ask(OTHER, "ngo-two")).status_code == 200
    assert (await world.ask(mallory, "no-such-client")).status_code == 401
    world.clock.forward(minute)
    assert (await world.ask(mallory)).status_code == 401


async def test_who_guesses_does_not_lock_out_a_client_with_a_proof_key_of_its_own(world: World) -> None:
    """Its proof is by a key that we do not know, as a guesser's is; its assertion is what tells them apart."""
    for _ in range(GUESSES_MOST):
        await world.ask(kit.key("es256-mallory"))
    turned_away(await world.ask(kit.key("es256-mallory")))
    form = kit.form(BY, "ngo-one", "dossiers:read")
    assert (await world.ask(BY, form=form, proof=kit.proof(kit.key("es256-proof")))).status_code == 200


async def test_a_client_that_errs_with_the_key_that_it_registered_is_told_what_is_wrong(world: World) -> None:
    for _ in range(GUESSES_MOST + 1):
        assert (await world.ask(BY, aud="https://elsewhere.example")).status_code == 401
