"""The token endpoint over HTTP and a real database: what leaves, what is written, and what is written once."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from api.oauth.copies import TRIES
from api.oauth.signing import SigningKeys
from api.oauth.tokens import Issuer
from api.vocabulary import Scope
from clients import receipts
from tests import oauth_kit as kit
from tests import signing_services
from tests.oauth_world import RECEIPTS, Disturbed, World, opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

    from tests import servers

BY = kit.key("es256")
ISSUED = "oauth.issue-token"


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


def error(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    assert set(body) == {"error", "error_description"}
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    return answer.status_code, body["error"]


@pytest.mark.parametrize("name", ["es256", "ps256", "ed25519"])
async def test_a_token_leaves_with_its_entry(world: World, name: str) -> None:
    by = kit.key(name)
    await world.client(by, f"with-{name}")
    answer = await world.ask(by, f"with-{name}", "cases:read dossiers:read")
    body = answer.json()
    assert answer.status_code == 200
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("DPoP", 300, "cases:read dossiers:read")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["api-version"] == "1.0.0"
    token = world.issuer.verify(body["access_token"], world.clock())
    assert (token.client_id, token.jkt) == (f"with-{name}", by.thumbprint)
    (entry,) = await world.entries(ISSUED)
    assert entry["result"] == "permitted"
    assert entry["actor"]["client"] == f"with-{name}"
    assert entry["origin"]["requestId"] == answer.headers["request-id"]
    assert body["access_token"] not in str(entry)


async def test_an_assertion_is_used_once(world: World) -> None:
    """RFC 7523 section 3, held in the database: also with another proof, and by another process."""
    form = kit.form(BY, "ngo-one", "dossiers:read")
    assert (await world.ask(BY, form=form)).status_code == 200
    assert error(await world.ask(BY, form=form)) == (401, "invalid_client")
    permitted, refused = await world.entries(ISSUED)
    assert (permitted["result"], refused["result"], refused["reason"]) == ("permitted", "refused", "invalid_client")


async def test_a_proof_is_used_once(world: World) -> None:
    proof = kit.proof(BY)
    assert (await world.ask(BY, proof=proof)).status_code == 200
    assert error(await world.ask(BY, proof=proof)) == (400, "invalid_dpop_proof")
    assert [entry["result"] for entry in await world.entries(ISSUED)] == ["permitted", "refused"]


async def test_a_used_assertion_of_one_client_does_not_burn_that_of_another(world: World) -> None:
    await world.client(kit.key("ed25519"), "ngo-two")
    for by, client_id in ((BY, "ngo-one"), (kit.key("ed25519"), "ngo-two")):
        form = kit.form(by, client_id, "dossiers:read", jti="the-same-for-both")
        answer = await world.ask(by, form=form, proof=kit.proof(by, jti="the-same-for-both"))
        assert answer.status_code == 200


async def test_of_twenty_equal_requests_at_once_one_wins(world: World) -> None:
    """Exactly one, and no 500: a concurrent duplicate is a replay."""
    form, proof = kit.form(BY, "ngo-one", "dossiers:read"), kit.proof(BY)
    answers = await asyncio.gather(*(world.ask(BY, form=form, proof=proof) for _ in range(20)))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 401: 19}
    told = Counter(entry["result"] for entry in await world.entries(ISSUED))
    assert told["permitted"] == 1
    assert TRIES <= told["refused"] <= 19, "those that came after the others were counted are turned away without one"


async def test_of_twenty_assertions_with_proofs_of_their_own_one_wins(world: World) -> None:
    form = kit.form(BY, "ngo-one", "dossiers:read")
    answers = await asyncio.gather(*(world.ask(BY, form=form) for _ in range(20)))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 401: 19}


async def test_a_refusal_of_a_proven_client_is_written_down_and_uses_the_assertion_up(world: World) -> None:
    form = kit.form(BY, "ngo-one", "cases:write")
    assert error(await world.ask(BY, form=form)) == (400, "invalid_scope")
    (entry,) = await world.entries(ISSUED)
    assert (entry["result"], entry["reason"], entry["actor"]["client"]) == ("refused", "invalid_scope", "ngo-one")
    assert error(await world.ask(BY, form=form)) == (401, "invalid_client")


async def test_nobody_unproven_leaves_a_trace(world: World) -> None:
    """So that nobody can flood the log: neither an entry nor a mark."""
    mallory = kit.key("es256-mallory")
    assert error(await world.ask(mallory)) == (401, "invalid_client")
    assert error(await world.ask(BY, "no-such-client")) == (401, "invalid_client")
    assert error(await world.ask(BY, proof=kit.proof(BY, htm="GET"))) == (400, "invalid_dpop_proof")
    assert await world.entries(ISSUED) == []
    assert await world.marks() == 0


async def test_whatever_a_proven_client_asks_is_one_entry_with_its_receipt(world: World) -> None:
    """Issued, refused, replayed, revoked, introspected: one each. Of who is not proven: none, and no receipt."""
    form = kit.form(BY, "ngo-one", "dossiers:read")
    issued = await world.ask(BY, form=form)
    token = issued.json()["access_token"]
    answers = [
        issued,
        await world.ask(BY, form=form),
        await world.ask(BY, scope="cases:write"),
        await world.manage("/oauth/introspect", token, BY, "ngo-one"),
        await world.manage("/oauth/revoke", token, BY, "ngo-one"),
    ]
    unproven = await world.ask(kit.key("es256-mallory"))
    entries = [json.loads(leaf) for leaf in await world.leaves()]
    entries = [each for each in entries if each["actor"]["client"] == "ngo-one"]
    assert [each["origin"]["requestId"] for each in entries] == [each.headers["request-id"] for each in answers]
    hashes = [sha256(b"\x00" + leaf).digest() for leaf in await world.leaves()][-len(answers) :]
    assert [receipts.read(each.headers["audit-receipt"], RECEIPTS.key.vkey).leaf_hash for each in answers] == hashes
    assert "audit-receipt" not in unproven.headers


async def test_an_assertion_is_not_used_up_by_a_proof_that_does_not_hold(world: World) -> None:
    form = kit.form(BY, "ngo-one", "dossiers:read")
    assert error(await world.ask(BY, form=form, proof="x")) == (400, "invalid_dpop_proof")
    assert (await world.ask(BY, form=form)).status_code == 200


async def test_a_disabled_client_gets_no_token_and_cannot_flood_the_log(world: World) -> None:
    """Whoever holds its key is no party any more: it is counted with the unproven (`tests/http/test_unproven.py`)."""
    await world.disable("ngo-one")
    form = kit.form(BY, "ngo-one", "dossiers:read")
    for _ in range(2):
        assert error(await world.ask(BY, form=form)) == (401, "invalid_client")
    assert await world.entries(ISSUED) == []
    assert await world.marks() == 0


async def test_a_client_disabled_in_between_gets_no_token(world: World) -> None:
    """It was read as enabled; the mark finds that it no longer is. The next request is told so."""
    done = False

    async def meanwhile() -> None:
        nonlocal done
        if not done:
            done = True
            await world.disable("ngo-one")

    world.use(Disturbed(world.database, "WITH carried_", meanwhile))
    answer = await world.ask(BY)
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert error(await world.ask(BY)) == (401, "invalid_client")
    assert await world.entries(ISSUED) == []


@pytest.mark.parametrize("nonce", [kit.GONE, "", "x", 7, kit.nonce(key=b"k" * 32), kit.nonce(kit.NOW - 120)], ids=str)
async def test_a_proof_without_our_nonce_is_asked_for_one(shared: World, nonce: object) -> None:
    """RFC 9449 section 8: the answer brings the nonce, and the same assertion serves with it."""
    form = kit.form(BY, "ngo-one", "dossiers:read")
    answer = await shared.ask(BY, form=form, proof=kit.proof(BY, nonce=nonce))
    assert error(answer) == (400, "use_dpop_nonce")
    again = await shared.ask(BY, form=form, proof=kit.proof(BY, nonce=answer.headers["dpop-nonce"]))
    assert again.status_code == 200
    assert again.headers["dpop-nonce"] == kit.nonce()


async def test_without_a_proof_there_is_no_token(shared: World) -> None:
    """DPoP from the first day: no Bearer token exists."""
    answer = await shared.http.post("/oauth/token", data=kit.form(BY, "ngo-one", "dossiers:read"))
    assert error(answer) == (400, "invalid_dpop_proof")


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x", "text/plain", ""])
async def test_what_is_no_form_is_no_request(shared: World, kind: str) -> None:
    headers = {"DPoP": kit.proof(BY)} | ({"Content-Type": kind} if kind else {})
    assert error(await shared.http.post("/oauth/token", content=b"{}", headers=headers)) == (400, "invalid_request")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"scope=dossiers:read",
        b"grant_type=",
        b"grant_type=client_credentials&grant_type=client_credentials",
        b"&".join(b"a%d=1" % n for n in range(30)),
        b"grant_type=\xff",
        b"grant_type=%FF",
        b"grant_type=client_credentials&x=" + b"A" * 20_000,
    ],
)
async def test_a_form_is_small_and_says_each_thing_once(shared: World, body: bytes) -> None:
    headers = {"DPoP": kit.proof(BY), "Content-Type": "application/x-www-form-urlencoded"}
    assert error(await shared.http.post("/oauth/token", content=body, headers=headers)) == (400, "invalid_request")


@pytest.mark.parametrize("sub", ["a\0b", "x" * 10_000, "NGO-ONE", "' OR 1=1", "\u202engo", "ngo-one "])
async def test_a_strange_client_id_never_reaches_the_database(shared: World, sub: str) -> None:
    """NUL in text is an error of PostgreSQL; it must not become one of ours."""
    assert error(await shared.ask(BY, sub[:60], sub=sub)) == (401, "invalid_client")


@pytest.mark.parametrize(
    "changes",
    [
        {"header": {"alg": 'x"y'}},
        {"header": {"kid": 'x"y'}},
        {"iss": 'x"y'},
        {"aud": 'x"y'},
        {"jti": 'x"y'},
        {"header": {'x"y': 'x"y'}, "jti": "x"},
    ],
    ids=str,
)
async def test_a_quotation_mark_never_becomes_a_500(shared: World, changes: dict[str, Any]) -> None:
    """Authlib's descriptions may not hold one, and raise a ValueError when the input does."""
    answer = await shared.ask(BY, **changes)
    assert answer.status_code in {200, 401}
    assert 'x\\"y' not in answer.text


@pytest.mark.parametrize("value", ['x"y', "\\", "\u00e9", "'; --", "a b"])
async def test_a_quotation_mark_in_the_form_never_becomes_a_500(shared: World, value: str) -> None:
    form = kit.form(BY, "ngo-one", "dossiers:read")
    for name in form:
        answer = await shared.ask(BY, form=form | {name: value})
        assert answer.status_code in {400, 401}
        assert value not in answer.json()["error_description"]


async def test_the_database_away_is_a_503_and_no_token(world: World) -> None:
    await world.database.close()
    answer = await world.ask(BY)
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert "retry-after" in answer.headers


async def test_the_documents_describe_what_there_is(shared: World) -> None:
    """RFC 8414, and the same at the path of OpenID Connect Discovery (NL GOV profile)."""
    document = (await shared.http.get("/.well-known/oauth-authorization-server")).json()
    assert document == (await shared.http.get("/.well-known/openid-configuration")).json()
    assert document["issuer"] == kit.ISSUER
    assert document["token_endpoint"] == kit.TOKEN_URL
    assert document["revocation_endpoint"] == f"{kit.ISSUER}/oauth/revoke"
    assert document["introspection_endpoint"] == f"{kit.ISSUER}/oauth/introspect"
    assert document["token_endpoint_auth_methods_supported"] == ["private_key_jwt", "tls_client_auth"]
    assert document["grant_types_supported"] == ["client_credentials"]
    assert set(document["dpop_signing_alg_values_supported"]) == {"ES256", "PS256", "EdDSA", "Ed25519"}
    assert set(document["scopes_supported"]) == {str(scope) for scope in Scope}
    keys = (await shared.http.get(document["jwks_uri"])).json()
    assert keys == shared.issuer.jwks(shared.clock())


async def test_the_api_describes_itself_as_a_resource(shared: World) -> None:
    """RFC 9728 section 3.1: the path of the resource follows the well-known path."""
    document = (await shared.http.get("/.well-known/oauth-protected-resource/v1")).json()
    assert document["resource"] == kit.AUDIENCE
    assert document["authorization_servers"] == [kit.ISSUER]
    assert document["dpop_bound_access_tokens_required"] is True
    assert document["bearer_methods_supported"] == ["header"]


async def test_none_of_this_is_in_the_description_of_the_api(shared: World) -> None:
    assert not any("oauth" in path for path in shared.inner.openapi()["paths"])


async def test_without_who_signs_no_token_leaves_and_nothing_is_used_up(world: World, tmp_path: Path) -> None:
    """The token of PKCS#11 that keeps the key is away: 503, and the same request succeeds once it is back."""
    file = tmp_path / "signing"
    signing_services.in_a_token(file)
    world.issuer = Issuer(kit.ISSUER, kit.AUDIENCE, SigningKeys(world.key, file))
    world.use(world.database)
    form, proof = kit.form(BY, "ngo-one", "dossiers:read", at=world.at), kit.proof(BY, at=world.at)
    before, marks = len(await world.leaves()), await world.marks()
    answer = await world.ask(BY, form=form, proof=proof)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["type"].endswith("/unavailable")
    assert (len(await world.leaves()), await world.marks()) == (before, marks)
    file.unlink()
    world.issuer = Issuer(kit.ISSUER, kit.AUDIENCE, SigningKeys(world.key, file))
    world.use(world.database)
    assert (await world.ask(BY, form=form, proof=proof)).status_code == 200
    assert len(await world.leaves()) == before + 1
