"""The guard over HTTP and a real database: who gets in, what is written, and how each request ends."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from api.edge import again
from api.oauth import operator, registry
from api.oauth.model import Designation
from api.storage.statement import Bound
from api.vocabulary import ClientId, Scope
from tests import oauth_kit as kit
from tests.oauth_world import PROBE, Disturbed, World, opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import httpx

    from tests import servers

BY = kit.key("es256")
OTHER = kit.key("ed25519")
READ = "dossiers.read"


@pytest.fixture
async def world(database: servers.Database) -> AsyncIterator[World]:
    async with opened(database.app_url) as made:
        await made.client(BY)
        yield made


@pytest.fixture
async def shared(module_database: servers.Database) -> AsyncIterator[World]:
    """For tests that leave nothing behind that another would see."""
    async with opened(module_database.app_url) as made:
        await made.client(BY)
        yield made


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["nextStep"]
    return answer.status_code, body["type"].rpartition("/")[2]


def challenge(answer: httpx.Response) -> str:
    shown = answer.headers["www-authenticate"]
    assert shown.startswith("DPoP ")
    assert "algs=" in shown
    return shown


@pytest.mark.parametrize("name", ["es256", "ps256", "ed25519"])
async def test_a_token_with_its_proof_opens_the_door(world: World, name: str) -> None:
    by = kit.key(name)
    await world.client(by, f"with-{name}")
    token = await world.token(by, f"with-{name}")
    answer = await world.call(by, token, acting_person="worker-17")
    assert answer.status_code == 200
    assert answer.json() == {
        "client": f"with-{name}",
        "organisation": "an NGO",
        "designated": False,
        "scopes": ["dossiers:read"],
        "person": "worker-17",
        "trace": answer.json()["trace"],
        "carried": 1,
    }


async def test_the_trace_of_the_caller_goes_on(shared: World) -> None:
    token = await shared.token(BY)
    headers = shared.headers(BY, token) | {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    answer = await shared.http.get(PROBE, headers=headers)
    assert answer.json()["trace"] == "a" * 32
    version, trace, span, flags = answer.headers["traceparent"].split("-")
    assert (version, trace, flags) == ("00", "a" * 32, "01")
    assert span != "b" * 16


async def test_a_head_is_proven_as_a_head(shared: World) -> None:
    token = await shared.token(BY)
    assert (await shared.http.head(PROBE, headers=shared.headers(BY, token, "HEAD"))).status_code == 200
    assert (await shared.http.head(PROBE, headers=shared.headers(BY, token, "GET"))).status_code == 401


async def test_the_host_header_is_not_believed(shared: World) -> None:
    """RFC 9449 section 4.3: `htu` is compared with the configured address."""
    token = await shared.token(BY)
    evil = shared.headers(BY, token, url="https://evil.test/v1/probe") | {"Host": "evil.test"}
    assert problem(await shared.http.get(PROBE, headers=evil)) == (401, "invalid-dpop-proof")
    ours = shared.headers(BY, token) | {"Host": "evil.test"}
    assert (await shared.http.get(PROBE, headers=ours)).status_code == 200


async def test_nothing_is_sent_and_the_challenge_says_how(shared: World) -> None:
    """RFC 6750 section 3.1: without authentication there is no error code."""
    answer = await shared.http.get(PROBE)
    assert problem(answer) == (401, "unauthenticated")
    assert "error=" not in challenge(answer)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "Basic", "DPoPx", "DPoP\t", ""])
async def test_a_token_with_another_scheme_is_refused(shared: World, scheme: str) -> None:
    """The downgrade that a stock validator takes: a bound token, sent as Bearer."""
    token = await shared.token(BY)
    headers = shared.headers(BY, token) | {"Authorization": f"{scheme} {token}"}
    answer = await shared.http.get(PROBE, headers=headers)
    assert problem(answer) == (401, "unauthenticated")
    assert 'error="invalid_request"' in challenge(answer)


async def test_the_scheme_is_read_without_regard_to_case(shared: World) -> None:
    token = await shared.token(BY)
    headers = shared.headers(BY, token) | {"Authorization": f"dpop {token}"}
    assert (await shared.http.get(PROBE, headers=headers)).status_code == 200


async def test_a_token_in_the_address_is_refused(shared: World) -> None:
    """ASVS 14.2.1: addresses are logged."""
    token = await shared.token(BY)
    answer = await shared.http.get(f"{PROBE}?access_token={token}", headers=shared.headers(BY, token))
    assert problem(answer) == (401, "unauthenticated")
    assert problem(await shared.http.get(f"{PROBE}?access_token={token}")) == (401, "unauthenticated")


@pytest.mark.parametrize("doubled", ["Authorization", "DPoP"])
async def test_a_header_that_comes_twice_is_refused(shared: World, doubled: str) -> None:
    token = await shared.token(BY)
    headers = shared.headers(BY, token)
    answer = await shared.http.get(PROBE, headers=[*headers.items(), (doubled, headers[doubled])])
    assert answer.status_code == 401


@pytest.mark.parametrize("token", ["x", "a.b.c", 'x"y', "e30.e30.AA", "A" * 9_000, "\u00e9"])
async def test_what_is_no_token_of_ours_is_refused(shared: World, token: str) -> None:
    headers: list[tuple[bytes, bytes]] = [
        (b"authorization", b"DPoP " + token.encode()),
        (b"dpop", kit.proof(BY, "GET", PROBE, token=token).encode()),
    ]
    answer = await shared.http.get(PROBE, headers=headers)
    assert problem(answer) == (401, "invalid-token")
    assert 'error="invalid_token"' in challenge(answer)


@pytest.mark.parametrize(
    "changes",
    [
        {"htm": "POST"},
        {"htu": kit.AUDIENCE},
        {"iat": kit.NOW - 71},
        {"iat": kit.NOW + 11},
        {"ath": kit.GONE},
        {"ath": "A" * 43},
        {"jti": kit.GONE},
        {"jti": 'x"y\nz-xyz'},
        {"acting_person": "x" * 65},
        {"header": {"typ": "JWT"}},
        {"header": {"alg": "none"}},
        {"header": {"jwk": kit.key("rsa2048").public}},
        {"header": {"jwk": BY.public | {"d": "AA"}}},
    ],
    ids=kit.name,
)
async def test_a_proof_that_does_not_hold_is_refused(world: World, changes: dict[str, Any]) -> None:
    token = await world.token(BY)
    answer = await world.call(BY, token, **changes)
    assert problem(answer) == (401, "invalid-dpop-proof")
    assert 'error="invalid_dpop_proof"' in challenge(answer)
    assert await world.entries(READ) == [], "nobody is proven, so nothing is written"


async def test_a_stolen_token_is_useless(world: World) -> None:
    """The thief has a key too, and makes a perfect proof with it."""
    token = await world.token(BY)
    answer = await world.call(OTHER, token)
    assert problem(answer) == (401, "invalid-token")


async def test_a_proof_opens_the_door_once(world: World) -> None:
    token = await world.token(BY)
    headers = world.headers(BY, token)
    assert (await world.http.get(PROBE, headers=headers)).status_code == 200
    answer = await world.http.get(PROBE, headers=headers)
    assert problem(answer) == (401, "invalid-dpop-proof")
    assert 'error="invalid_dpop_proof"' in challenge(answer)
    (entry,) = await world.entries(READ)
    assert (entry["result"], entry["reason"]) == ("refused", "invalid-dpop-proof")


async def test_a_proof_used_at_the_token_endpoint_does_not_serve_again(world: World) -> None:
    """One memory for both: the same `jti` under the same key is the same use."""
    token = await world.token(BY)
    await world.ask(BY, proof=kit.proof(BY, jti="used-at-the-endpoint"))
    assert (await world.call(BY, token, jti="used-at-the-endpoint")).status_code == 401


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_of_twenty_equal_requests_at_once_one_gets_in(world: World, method: str) -> None:
    """Exactly one winner and one effect, and no 500."""
    token = await world.token(BY)
    before = await world.marks()
    headers = world.headers(BY, token, method)
    answers = await asyncio.gather(*(world.http.request(method, PROBE, headers=headers) for _ in range(20)))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 401: 19}
    assert await world.marks() == before + (2 if method == "POST" else 1), "the mark, and the one effect"


async def test_a_disabled_client_is_out_from_the_next_request(world: World) -> None:
    """Also with a token that was issued, verified and remembered before, in a process that nobody told."""
    token = await world.token(BY)
    assert (await world.call(BY, token)).status_code == 200
    await world.disable("ngo-one")
    for _ in range(2):
        answer = await world.call(BY, token)
        assert problem(answer) == (401, "invalid-token")
        assert 'error="invalid_token"' in challenge(answer)
    found = await world.entries(READ)
    reasons = [(entry["result"], entry["reason"]) for entry in found]
    assert reasons == [("refused", "invalid-token")], "once, when it was found out; then it is only counted"


async def test_a_write_of_a_disabled_client_has_no_effect(world: World) -> None:
    token = await world.token(BY)
    assert (await world.call(BY, token)).status_code == 200
    before = await world.marks()
    await world.disable("ngo-one")
    assert (await world.call(BY, token, "POST")).status_code == 401
    assert await world.marks() == before


@pytest.fixture
async def designate(world: World) -> Callable[[], Awaitable[None]]:
    """Change `ngo-two` as another process would: this one is not told, and remembers it."""
    organisation = await world.organisation("designated soon")
    await world.client(OTHER, "ngo-two", organisation=organisation)
    assert (await world.call(OTHER, await world.token(OTHER, "ngo-two"))).json()["designated"] is False

    async def change() -> None:
        unit = world.database.unit(world.clock())
        found = Designation("Stcrt. 2019, 1", datetime(2019, 1, 1, tzinfo=UTC).date())
        await registry.record_designation(unit, operator.local(), organisation, found)
        await unit.finish()

    return change


async def test_a_change_of_a_client_counts_at_once(world: World, designate: Callable[[], Awaitable[None]]) -> None:
    """What was remembered is not used, and nobody has to come again: the request is run once more."""
    token = await world.token(OTHER, "ngo-two")
    await designate()
    headers = world.headers(OTHER, token)
    assert (await world.http.get(PROBE, headers=headers)).json()["designated"] is True
    assert await world.entries(READ) == []
    assert problem(await world.http.get(PROBE, headers=headers)) == (401, "invalid-dpop-proof")


async def test_a_write_that_is_run_once_more_has_one_effect_and_its_body(
    world: World, designate: Callable[[], Awaitable[None]]
) -> None:
    token = await world.token(OTHER, "ngo-two")
    await designate()
    before, url = await world.marks(), f"{kit.ISSUER}/v1/told"
    answer = await world.http.post(url, headers=world.headers(OTHER, token, "POST", url), json={"a": "word"})
    assert answer.json() == {"client": "ngo-two", "designated": True, "told": {"a": "word"}}
    assert await world.marks() == before + 2, "its mark and its effect"


async def test_what_is_too_long_to_be_kept_comes_again(world: World, designate: Callable[[], Awaitable[None]]) -> None:
    token = await world.token(OTHER, "ngo-two")
    await designate()
    url = f"{kit.ISSUER}/v1/told"

    async def tell() -> httpx.Response:
        return await world.http.post(
            url, headers=world.headers(OTHER, token, "POST", url), json={"a": "x" * again.KEPT}
        )

    answer = await tell()
    assert problem(answer) == (503, "overloaded")
    assert answer.headers["retry-after"] == "1"
    assert [entry["result"] for entry in await world.entries(READ)] == ["failed"]
    assert (await tell()).status_code == 200


async def test_whose_client_changes_all_the_time_comes_again(
    world: World, designate: Callable[[], Awaitable[None]]
) -> None:
    """A request is run twice and no more."""
    token = await world.token(OTHER, "ngo-two")
    world.use(Disturbed(world.database, "WITH", designate))
    assert problem(await world.call(OTHER, token)) == (503, "overloaded")
    world.use(world.database)
    assert (await world.call(OTHER, token)).json()["designated"] is True


async def test_who_is_disabled_while_it_is_run_once_more_is_refused(
    world: World, designate: Callable[[], Awaitable[None]]
) -> None:
    """Running it again gives nobody a moment more."""
    token = await world.token(OTHER, "ngo-two")
    changes = iter((designate, lambda: world.disable("ngo-two")))

    async def happens() -> None:
        if (change := next(changes, None)) is not None:
            await change()

    world.use(Disturbed(world.database, "WITH", happens))
    assert problem(await world.call(OTHER, token)) == (401, "invalid-token")


async def test_a_scope_that_was_taken_away_is_gone_for_tokens_that_hold_it(world: World) -> None:
    token = await world.token(BY)
    unit = world.database.unit(world.clock())
    await unit.run(Bound("UPDATE oauth.client SET scopes = ARRAY['cases:read'], epoch = epoch + 1", ()))
    await unit.finish()
    assert problem(await world.call(BY, token)) == (403, "insufficient-scope")


async def test_a_client_that_is_no_more_is_refused(world: World) -> None:
    minted = await world.issuer.mint(ClientId("gone"), frozenset({Scope.DOSSIERS_READ}), BY.thumbprint, world.clock())
    assert problem(await world.call(BY, minted.text)) == (401, "invalid-token")


async def test_a_token_without_the_scope_is_refused_and_that_is_written_down(world: World) -> None:
    """RFC 6750 section 3.1. The proof is used up: the refusal committed."""
    token = await world.token(BY, scope="cases:read")
    headers = world.headers(BY, token)
    answer = await world.http.get(PROBE, headers=headers)
    assert problem(answer) == (403, "insufficient-scope")
    assert 'error="insufficient_scope"' in challenge(answer)
    (entry,) = await world.entries(READ)
    assert (entry["result"], entry["reason"], entry["object"]) == (
        "refused",
        "insufficient-scope",
        {"type": "dossiers"},
    )
    assert problem(await world.http.get(PROBE, headers=headers)) == (401, "invalid-dpop-proof")


async def test_an_expired_token_is_refused(world: World) -> None:
    token = await world.token(BY)
    world.clock.forward(299)
    assert (await world.call(BY, token)).status_code == 200
    world.clock.forward(1)
    assert problem(await world.call(BY, token)) == (401, "invalid-token")


# how a request ends


async def test_a_decided_no_uses_the_proof_up(world: World) -> None:
    """Refusals commit: otherwise a refused request could be replayed until it is not."""
    token = await world.token(BY)
    headers = world.headers(BY, token, url=f"{kit.ISSUER}/v1/refused")
    assert problem(await world.http.get("/v1/refused", headers=headers)) == (400, "purpose-missing")
    assert problem(await world.http.get("/v1/refused", headers=headers)) == (401, "invalid-dpop-proof")
    reasons = [(entry["result"], entry["reason"]) for entry in await world.entries(READ)]
    assert reasons == [("refused", "purpose-missing"), ("refused", "invalid-dpop-proof")]


async def test_invalid_input_uses_the_proof_up(world: World) -> None:
    token = await world.token(BY)
    headers = world.headers(BY, token, "POST", f"{kit.ISSUER}/v1/input")
    assert problem(await world.http.post("/v1/input?number=x", headers=headers)) == (400, "invalid-input")
    assert problem(await world.http.post("/v1/input?number=1", headers=headers)) == (401, "invalid-dpop-proof")


async def test_a_fault_of_ours_leaves_no_effect_but_the_mark_and_an_entry(world: World) -> None:
    token = await world.token(BY)
    before = await world.marks()
    headers = world.headers(BY, token, "POST", f"{kit.ISSUER}/v1/broken")
    assert problem(await world.http.post("/v1/broken", headers=headers)) == (500, "internal")
    assert await world.marks() == before + 1, "the mark survives, the effect does not"
    (entry,) = await world.entries(READ)
    assert (entry["result"], entry["actor"]["client"]) == ("failed", "ngo-one")
    assert problem(await world.http.post("/v1/broken", headers=headers)) == (401, "invalid-dpop-proof")


async def lost() -> None:
    """The server dies before the statement arrives."""
    raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")


@pytest.mark.parametrize(("method", "at"), [("POST", "COMMIT"), ("POST", "WITH carried_"), ("GET", "WITH carried_")])
async def test_when_the_commit_fails_the_answer_is_never_a_200(world: World, method: str, at: str) -> None:
    """Promise 2: what cannot be written down is not disclosed. The commit precedes the response."""
    token = await world.token(BY)
    before = await world.marks()
    world.use(Disturbed(world.database, at, lost))
    answer = await world.call(BY, token, method)
    assert problem(answer) == (503, "unavailable")
    world.use(world.database)
    assert await world.marks() == before + (1 if at == "COMMIT" else 0), "at most the mark: no effect"
    assert (await world.call(BY, token, method)).status_code == 200


async def test_a_slow_request_is_stopped_and_gives_its_connection_back(database: servers.Database) -> None:
    """Patience ends in 503; the pool of one connection serves the next request, and the mark is there."""
    async with opened(database.app_url, patience=0.5, size=1, wait=6.0) as world:
        await world.client(BY)
        token = await world.token(BY)
        headers = world.headers(BY, token, url=f"{kit.ISSUER}/v1/slow")
        assert problem(await world.http.get("/v1/slow", headers=headers)) == (503, "timed-out")
        assert (await world.call(BY, token)).status_code == 200
        assert [entry["result"] for entry in await world.entries(READ)] == ["failed"]
        assert await world.marks() == 4, "two at the token endpoint, one each for the two requests"


async def test_a_failing_request_that_lost_the_race_is_still_written_down(world: World) -> None:
    """Its mark collides with that of the winner; that it failed is an entry all the same."""
    token = await world.token(BY)
    headers = world.headers(BY, token, url=f"{kit.ISSUER}/v1/late")
    loser = asyncio.create_task(world.http.get("/v1/late", headers=headers))
    await world.held.reached.wait()
    assert (await world.http.get("/v1/late", headers=headers)).status_code == 200
    world.held.go.set()
    assert problem(await loser) == (500, "internal")
    assert [entry["result"] for entry in await world.entries(READ)] == ["failed"]


async def test_a_mark_without_a_guard_is_a_replay_too(world: World) -> None:
    assert (await world.http.post("/v1/unguarded")).status_code == 200
    assert problem(await world.http.post("/v1/unguarded")) == (401, "invalid-dpop-proof")


async def test_the_description_says_which_scope_each_operation_needs(shared: World) -> None:
    described = shared.inner.openapi()
    assert described["paths"]["/v1/probe"]["get"]["security"] == [{"oauth2": ["dossiers:read"]}]
    flow = described["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]
    assert set(flow["scopes"]) == {str(scope) for scope in Scope}
    assert flow["scopes"]["audit:read-own"] == "read own audit"
