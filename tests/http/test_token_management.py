"""Revocation (RFC 7009) and introspection (RFC 7662) over HTTP and a real database."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from api.oauth import revocation
from api.storage.statement import Bound
from api.vocabulary import Party, Scope
from tests import oauth_kit as kit
from tests.oauth_world import Disturbed, World, opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from tests import servers

BY = kit.key("es256")
OTHER = kit.key("ed25519")
REVOKE = "oauth.revoke-token"
INTROSPECT = "oauth.introspect-token"


@pytest.fixture
async def world(database: servers.Database) -> AsyncIterator[World]:
    async with opened(database.work_url) as made:
        await made.client(BY)
        await made.client(OTHER, "ngo-two")
        operator = await made.organisation("an operator", Party.OPERATOR)
        await made.client(OTHER, "api-gateway", frozenset({Scope.ADMIN_WRITE}), operator)
        yield made


async def revoke(world: World, token: str, by: kit.Key = BY, client: str = "ngo-one", **more: Any) -> Any:
    return await world.manage("/oauth/revoke", token, by, client, **more)


async def introspect(world: World, token: str, by: kit.Key = OTHER, client: str = "api-gateway", **more: Any) -> Any:
    return await world.manage("/oauth/introspect", token, by, client, **more)


def error(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    assert set(body) == {"error", "error_description"}
    assert answer.headers["cache-control"] == "no-store"
    return answer.status_code, body["error"]


async def test_a_revoked_token_is_out_from_the_next_request(world: World) -> None:
    """Also where it was verified and remembered before, in a process that nobody told."""
    token = await world.token(BY)
    assert (await world.call(BY, token)).status_code == 200
    answer = await revoke(world, token, token_type_hint="access_token")
    assert (answer.status_code, answer.content) == (200, b"")
    refused = await world.call(BY, token)
    assert refused.status_code == 401
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]
    assert "revoked" in refused.json()["detail"]
    assert [each["result"] for each in await world.entries(REVOKE)] == ["permitted"]
    (entry,) = await world.entries("dossiers.read")
    assert (entry["result"], entry["reason"]) == ("refused", "invalid-token")


async def test_a_write_with_a_revoked_token_has_no_effect(world: World) -> None:
    token = await world.token(BY)
    await revoke(world, token)
    before = await world.marks()
    assert (await world.call(BY, token, "POST")).status_code == 401
    assert await world.marks() == before


async def test_other_tokens_of_the_client_go_on(world: World) -> None:
    one, other = await world.token(BY), await world.token(BY)
    await revoke(world, one)
    assert (await world.call(BY, other)).status_code == 200


@pytest.mark.parametrize("token", ["x", "a.b.c", "\u00e9"])
async def test_what_holds_no_longer_is_revoked_already(world: World, token: str) -> None:
    """RFC 7009 section 2.2: the purpose of the request is reached."""
    assert (await revoke(world, token)).status_code == 200


async def test_a_token_may_be_revoked_twice_and_after_its_end(world: World) -> None:
    token = await world.token(BY)
    assert [(await revoke(world, token)).status_code for _ in range(2)] == [200, 200]
    world.clock.forward(400)
    assert (await revoke(world, token)).status_code == 200


async def test_nobody_revokes_the_token_of_another(world: World) -> None:
    token = await world.token(BY)
    assert error(await revoke(world, token, OTHER, "ngo-two")) == (400, "unauthorized_client")
    assert (await world.call(BY, token)).status_code == 200
    (entry,) = await world.entries(REVOKE)
    assert (entry["result"], entry["reason"], entry["actor"]["client"]) == ("refused", "unauthorized_client", "ngo-two")


@pytest.mark.parametrize("path", ["/oauth/revoke", "/oauth/introspect"])
@pytest.mark.parametrize(
    "more",
    [
        {"client_assertion": "x"},
        {"client_assertion_type": "x"},
        {"client_assertion": ""},
        {"client_id": "ngo-two"},
    ],
    ids=str,
)
async def test_who_proves_nothing_gets_nothing(world: World, path: str, more: dict[str, str]) -> None:
    token = await world.token(BY)
    entries = len(await world.entries(REVOKE))
    assert error(await world.manage(path, token, BY, "ngo-one", **more)) == (401, "invalid_client")
    assert (await world.call(BY, token)).status_code == 200
    assert len(await world.entries(REVOKE)) == entries, "nobody unproven leaves a trace"


@pytest.mark.parametrize("path", ["/oauth/revoke", "/oauth/introspect"])
async def test_each_parameter_comes_once_and_the_token_comes(world: World, path: str) -> None:
    assert error(await world.manage(path, "", BY, "ngo-one")) == (400, "invalid_request")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert error(await world.http.post(path, content=b"token=a&token=a", headers=headers)) == (400, "invalid_request")


@pytest.mark.parametrize("path", ["/oauth/revoke", "/oauth/introspect"])
async def test_an_assertion_is_used_once_at_every_endpoint(world: World, path: str) -> None:
    form = kit.form(BY, "ngo-one", "dossiers:read", at=world.at)
    token = (await world.ask(BY, form=form)).json()["access_token"]
    assert error(await world.http.post(path, data=form | {"token": token})) == (401, "invalid_client")
    assert (await world.call(BY, token)).status_code == 200


async def test_of_twenty_equal_revocations_one_wins(world: World) -> None:
    token = await world.token(BY)
    same = kit.assertion(BY, "ngo-one", at=world.at)
    answers = await asyncio.gather(*(revoke(world, token, client_assertion=same) for _ in range(20)))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 401: 19}


async def test_a_disabled_client_manages_nothing_and_cannot_flood_the_log(world: World) -> None:
    token = await world.token(BY)
    await world.disable("ngo-one")
    assert error(await revoke(world, token)) == (401, "invalid_client")
    assert await world.entries(REVOKE) == []
    assert (await introspect(world, token)).json() == {"active": False}


async def test_a_client_disabled_in_between_manages_nothing(world: World) -> None:
    token, done = await world.token(BY), False

    async def meanwhile() -> None:
        nonlocal done
        if not done:
            done = True
            await world.disable("ngo-one")

    world.use(Disturbed(world.database, "WITH carried_", meanwhile))
    assert (await revoke(world, token)).status_code == 503


async def test_a_resource_server_of_the_operator_learns_what_a_token_means(world: World) -> None:
    token = await world.token(BY, scope="cases:read dossiers:read")
    told = (await introspect(world, token)).json()
    assert told | {"jti": "", "exp": 0} == {
        "active": True,
        "iss": kit.ISSUER,
        "aud": kit.AUDIENCE,
        "sub": "ngo-one",
        "client_id": "ngo-one",
        "scope": "cases:read dossiers:read",
        "token_type": "DPoP",
        "exp": 0,
        "jti": "",
        "cnf": {"jkt": BY.thumbprint},
    }
    assert told["exp"] == kit.NOW + 300
    await revoke(world, token)
    assert (await introspect(world, token)).json() == {"active": False}
    assert (await introspect(world, "x")).json() == {"active": False}
    assert [each["result"] for each in await world.entries(INTROSPECT)] == ["permitted"] * 3


async def test_nobody_else_learns_what_a_token_means(world: World) -> None:
    """RFC 7662 section 4: else it would serve to try out tokens."""
    token = await world.token(BY)
    assert error(await introspect(world, token, BY, "ngo-one")) == (400, "unauthorized_client")
    assert [each["result"] for each in await world.entries(INTROSPECT)] == ["refused"]


async def test_a_revocation_is_forgotten_when_the_token_has_expired(world: World) -> None:
    await revoke(world, await world.token(BY))
    unit = world.database.unit(world.clock())
    for seconds, left in ((0, 1), (301, 0)):
        world.clock.forward(seconds)
        unit = world.database.unit(world.clock())
        await revocation.sweep(unit)
        await unit.finish()
        row = await unit.one(Bound("SELECT count(*) AS n FROM oauth.revoked", ()))
        await unit.finish()
        assert row is not None
        assert row["n"] == left
