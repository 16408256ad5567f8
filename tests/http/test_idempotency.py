"""Idempotency keys over HTTP: one effect per key, whatever is repeated, and a replay goes through the gate anew."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from api.vocabulary import CareFunction, Purpose
from tests.actor import ANY_VERSION, NONE, refused
from tests.dealings import BODY, IDENTITY, Dealings, v_number, wire

if TYPE_CHECKING:
    from tests.exchange import Exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")


def new_case(number: str | None = None) -> dict[str, Any]:
    return {"municipality": "utrecht", "vNumber": number or v_number(), "functions": ["coordination"]}


async def effects(exchange: Exchange, number: str) -> int:
    found = await exchange.actor("ngo").post("/cases/_search", {"vNumber": number})
    return len(found.json()["items"])


async def test_fifty_equal_requests_at_once_have_one_effect(exchange: Exchange) -> None:
    """Who is told to come back later may; who got an answer got that of the one case."""
    number, key = v_number(), str(uuid4())
    ngo, body = exchange.actor("ngo"), new_case(number)
    await ngo.token()
    came = await asyncio.gather(*(ngo.post("/cases", body, key=key) for _ in range(50)))
    assert {each.status_code for each in came} <= {201, 503}
    done = [each for each in came if each.status_code == 201]
    assert len({each.json()["id"] for each in done}) == 1
    assert len([each for each in done if "idempotency-replayed" not in each.headers]) == 1
    assert await effects(exchange, number) == 1
    last = await ngo.post("/cases", body, key=key)
    assert (last.status_code, last.headers["idempotency-replayed"]) == (201, "true")


async def test_a_replay_is_an_access_like_any_other(exchange: Exchange) -> None:
    key, ngo, body = str(uuid4()), exchange.actor("ngo"), new_case()
    first, again = [await ngo.post("/cases", body, key=key) for _ in range(2)]
    assert (again.json(), again.headers["location"]) == (first.json(), first.headers["location"])
    entries = [await exchange.entry(each.headers["request-id"]) for each in (first, again)]
    assert ["replayed" in entry for entry in entries] == [False, True]
    assert entries[0]["person"] == entries[1]["person"]
    assert entries[1]["disclosed"] == {"identity": ["vNumber"]}


async def test_a_key_is_of_one_request(exchange: Exchange) -> None:
    """The same key with another body, or at another address, is refused; another client may use the same word."""
    key, ngo, number = str(uuid4()), exchange.actor("ngo"), v_number()
    made = (await ngo.post("/cases", new_case(number), key=key)).json()
    answer = await ngo.post("/cases", new_case(), key=key)
    refused(answer, 422, "idempotency-key-reused")
    entry = await exchange.entry(answer.headers["request-id"])
    assert (entry["action"], entry["reason"]) == ("cases.open", "idempotency-key-reused")
    assert (await exchange.actor("otherNgo").post("/cases", new_case(number), key=key)).status_code == 201
    another = (await ngo.post("/cases", new_case())).json()
    closure = {"closedDate": "2026-11-24", "leavingReason": "other"}
    assert (await ngo.post(f"/cases/{made['id']}/closures", closure, key=key, headers=ANY_VERSION)).status_code == 201
    refused(
        await ngo.post(f"/cases/{another['id']}/closures", closure, key=key, headers=ANY_VERSION),
        422,
        "idempotency-key-reused",
    )


async def test_a_key_is_needed_and_has_a_form(exchange: Exchange) -> None:
    ngo = exchange.actor("ngo")
    answer = await ngo.post("/cases", new_case(), key=NONE)
    refused(answer, 400, "idempotency-key-missing")
    assert (await exchange.entry(answer.headers["request-id"]))["reason"] == "idempotency-key-missing"
    for wrong in ("short", "x" * 129, "with space in it"):
        refused(await ngo.post("/cases", new_case(), key=wrong), 400, "invalid-input")
    quoted, bare = f'"{(key := str(uuid4()))}"', new_case()
    first, again = await ngo.post("/cases", bare, key=quoted), await ngo.post("/cases", bare, key=key)
    assert again.json()["id"] == first.json()["id"]


async def test_a_refused_request_leaves_its_key_free(exchange: Exchange) -> None:
    """It had no effect: once what stood in the way is gone, the same request with the same key has its one effect."""
    dealings = await Dealings.begin(exchange)
    await dealings.assign("otherNgo", CareFunction.SHELTER)
    other, key = exchange.actor("otherNgo"), str(uuid4())
    body = wire(dealings.new_outcome())
    refused(await other.post("/screening-outcomes", body, key=key), 403, "wrong-function")
    refused(await other.post("/screening-outcomes", body, key=key), 403, "wrong-function")
    changed = body | {"legalAnalysis": "Another one."}
    refused(await other.post("/screening-outcomes", changed, key=key), 422, "idempotency-key-reused")
    await dealings.assign("otherNgo", CareFunction.LEGAL_SCREENING)
    made = await other.post("/screening-outcomes", body, key=key)
    assert (made.status_code, "idempotency-replayed" in made.headers) == (201, False)
    again = await other.post("/screening-outcomes", body, key=key)
    assert (again.json()["id"], again.headers["idempotency-replayed"]) == (made.json()["id"], "true")


async def test_an_invalid_request_does_not_take_its_key(exchange: Exchange) -> None:
    ngo, key = exchange.actor("ngo"), str(uuid4())
    refused(await ngo.post("/cases", {"municipality": "paris"}, key=key), 400, "invalid-input")
    assert (await ngo.post("/cases", new_case(), key=key)).status_code == 201


async def test_a_replay_shows_no_more_than_the_caller_may_see_by_now(exchange: Exchange) -> None:
    """A replay renders the resource anew, through the gate: nothing is kept that could be shown without it."""
    dealings = await (await Dealings.begin(exchange)).consented()
    ind, ngo = exchange.actor("ind"), exchange.actor("ngo")
    request = await dealings.requested()
    path = f"/dossier-requests/{request.id}"
    for actor, address, body in (
        (ngo, "/dossier-requests", wire(dealings.new_request())),
        (ngo, "/screening-outcomes", wire(dealings.new_outcome("ind"))),
        (ngo, "/consents", wire(dealings.new_consent(Purpose.CASE_MEETING, "municipality", IDENTITY))),
        (ngo, f"/consents/{dealings.consents['avim'].id}/withdrawals", {}),
        (
            ngo,
            f"/cases/{dealings.id}/assignments",
            {"organisationId": str(exchange.id_of("otherNgo")), "function": "shelter"},
        ),
        (ind, f"{path}/acknowledgements", None),
        (ind, f"{path}/deliveries", {"sections": [], "complete": False}),
        (ngo, f"{path}/cancellations", None),
    ):
        key = str(uuid4())
        first, again = [await actor.post(address, body, key=key) for _ in range(2)]
        assert (first.status_code, again.status_code) == (201, 201), address
        assert again.headers["idempotency-replayed"] == "true"
        assert again.json() == first.json(), address
        entry = await exchange.entry(again.headers["request-id"])
        assert (entry["replayed"], entry["result"]) == (True, "permitted")


async def test_a_question_and_its_answer_are_put_once(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    ngo, ind, key = exchange.actor("ngo"), exchange.actor("ind"), str(uuid4())
    new = {
        "caseId": str(dealings.id),
        "addresseeId": str(exchange.id_of("ind")),
        "purpose": "residence-advice",
        "question": "?",
    }
    asked = [await ngo.post("/advice-requests", new, key=key) for _ in range(2)]
    assert asked[1].json() | {"vNumber": None} == asked[0].json()
    given = {"adviceRequestId": asked[0].json()["id"], "answer": "advice", "summary": "Made up.", "body": wire(BODY)}
    gave = [await ind.post("/advice", given, key=key) for _ in range(2)]
    assert [each.status_code for each in gave] == [201, 201]
    assert gave[0].json() == gave[1].json()
    request = await dealings.requested()
    no = [
        await ind.post(f"/dossier-requests/{request.id}/refusals", {"reason": "no-file-found"}, key=key)
        for _ in range(2)
    ]
    assert no[0].json() == no[1].json()
    closure = {"closedDate": "2026-11-24", "leavingReason": "return"}
    ended = [await ngo.post(f"/cases/{dealings.id}/closures", closure, key=key, headers=ANY_VERSION) for _ in range(2)]
    assert ended[0].json() == ended[1].json()


async def test_a_row_holds_no_body(exchange: Exchange) -> None:
    """The row of a key holds an HMAC of the request, a status and an id: nothing to steal."""
    number = v_number()
    await exchange.actor("ngo").post("/cases", new_case(number), key="canary-key")
    rows = await exchange.rows("SELECT * FROM exchange.idempotency_key WHERE key = 'canary-key'")
    assert len(rows) == 1
    assert number not in str(dict(rows[0]))
    assert len(rows[0]["fingerprint"]) == 32
