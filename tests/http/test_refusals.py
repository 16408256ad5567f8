"""Design promise 2: every refusal of a proven client is one entry, also when its operation was never reached."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import pytest

from api.disclosure.authority import STORE_DOCUMENT
from tests.actor import NONE, refused
from tests.authority.attacks import ATTACKS

if TYPE_CHECKING:
    from tests.authority.attacks import Attack
    from tests.exchange import Exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANSWERING: Final = {name: attack for name, attack in ATTACKS.items() if attack.operation is not STORE_DOCUMENT}
TAKING: Final = {name: attack for name, attack in ANSWERING.items() if attack.body is not None}
"""Takes JSON."""
LISTS: Final = {
    name: attack
    for name, attack in ATTACKS.items()
    if attack.method == "GET" and attack.path.partition("?")[0] in {"/cases", "/consents", "/events", "/agreements"}
}


async def assert_refused(
    exchange: Exchange, attack: Attack, status: int, problem: str, *, query: str = "", body: Any = None, **asked: Any
) -> None:
    """Send it, about something that does not exist, and hold the refusal to have its one entry."""
    nobody: dict[str, Any] = defaultdict(uuid4)
    path = attack.path.format_map(nobody)
    path += query if "?" not in path else query.replace("?", "&")
    headers = {**attack.headers, **asked.pop("headers", {})}
    answer = await exchange.actor(attack.by).send(
        attack.method, path, body, purpose=attack.purpose, headers=headers, **asked
    )
    refused(answer, status, problem)
    entry = await exchange.entry(answer.headers["request-id"])
    assert (entry["action"], entry["result"], entry["reason"]) == (attack.operation.name, "refused", problem)
    assert entry["actor"]["client"] == exchange.members[attack.by].client_id
    assert "person" not in entry


@pytest.mark.parametrize("name", ANSWERING)
async def test_an_answer_that_nobody_accepts(exchange: Exchange, name: str) -> None:
    await assert_refused(exchange, ATTACKS[name], 406, "not-acceptable", headers={"Accept": "video/mp4"})


@pytest.mark.parametrize("name", ATTACKS)
async def test_a_body_of_another_kind(exchange: Exchange, name: str) -> None:
    await assert_refused(
        exchange, ATTACKS[name], 415, "unsupported-media-type", body=b"x", headers={"Content-Encoding": "gzip"}
    )


@pytest.mark.parametrize("name", TAKING)
async def test_a_body_that_is_no_strict_json(exchange: Exchange, name: str) -> None:
    await assert_refused(exchange, TAKING[name], 400, "malformed-json", body=b"{")
    await assert_refused(exchange, TAKING[name], 400, "duplicate-key", body=b'{"a": 1, "a": 2}')


@pytest.mark.parametrize("name", TAKING)
async def test_a_body_that_is_not_as_described(exchange: Exchange, name: str) -> None:
    await assert_refused(exchange, TAKING[name], 400, "invalid-input", body={"noSuchMember": 1})


async def test_a_key_that_is_missing_malformed_or_of_another_request(exchange: Exchange) -> None:
    opening, body = ATTACKS["openCase"], {"municipality": "utrecht", "functions": ["coordination"]}
    await assert_refused(exchange, opening, 400, "idempotency-key-missing", body=body, key=NONE)
    await assert_refused(exchange, opening, 400, "invalid-input", body=body, key="short")
    assert (await exchange.actor("ngo").post("/cases", body, key="used-before")).status_code == 201
    await assert_refused(
        exchange, opening, 422, "idempotency-key-reused", body=body | {"withStatus": False}, key="used-before"
    )


@pytest.mark.parametrize("name", [name for name, attack in ATTACKS.items() if "{" in attack.path and attack.about])
async def test_an_id_that_is_none(exchange: Exchange, name: str) -> None:
    attack = ATTACKS[name]
    path = attack.path.format_map(defaultdict(lambda: "no-uuid"))
    answer = await exchange.actor(attack.by).send(
        attack.method, path, purpose=attack.purpose, headers=dict(attack.headers)
    )
    refused(answer, 400, "invalid-input")
    assert (await exchange.entry(answer.headers["request-id"]))["reason"] == "invalid-input"


@pytest.mark.parametrize("name", LISTS)
async def test_a_page_that_cannot_be(exchange: Exchange, name: str) -> None:
    await assert_refused(exchange, LISTS[name], 400, "invalid-input", query="?limit=0")
    await assert_refused(exchange, LISTS[name], 400, "invalid-cursor", query="?cursor=made-up")


async def test_a_body_that_is_too_large(exchange: Exchange) -> None:
    await assert_refused(exchange, ATTACKS["openCase"], 413, "payload-too-large", body=b" " * 1_100_000)


async def test_a_request_that_was_refused_for_its_form_uses_the_proof_up(exchange: Exchange) -> None:
    """Else a bad request could be sent again and again with one proof."""
    ngo = exchange.actor("ngo")
    token = await ngo.token()
    first = await ngo.get("/cases", token=token, headers={"Accept": "image/png"})
    again = await exchange.http.get(first.request.url, headers=first.request.headers)
    refused(again, 401, "invalid-dpop-proof")
