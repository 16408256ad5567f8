"""Lists over HTTP: pages that hold together, and cursors that are of one client, one list and its filters."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from api.vocabulary import DataCategory, Purpose
from tests import audit_store
from tests.actor import refused
from tests.dealings import IDENTITY, Dealings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.actor import Actor
    from tests.exchange import Exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def pages(actor: Actor, path: str, limit: int) -> AsyncIterator[list[dict[str, Any]]]:
    """Page by page, by the header `Link` that every page but the last has."""
    more = f"{path}{'&' if '?' in path else '?'}limit={limit}"
    while more:
        answer = await actor.get(more)
        assert answer.status_code == 200, answer.text
        yield answer.json()["items"]
        assert ("link" in answer.headers) == (answer.json()["nextCursor"] is not None)
        more = answer.links["next"]["url"].removeprefix("/v1") if "link" in answer.headers else ""


async def test_each_list_is_gone_through_without_gap_or_double(exchange: Exchange) -> None:
    dealings = [await Dealings.begin(exchange) for _ in range(5)]
    one = dealings[0]
    made = {
        "/cases": [each.id for each in dealings],
        "/dossier-requests": [(await each.requested()).id for each in dealings],
        "/advice-requests": [(await each.asked()).id for each in dealings],
        f"/consents?caseId={one.id}": [
            (await one.consent(Purpose.LEGAL_SCREENING, "ngo", IDENTITY)).id for _ in range(5)
        ],
        f"/screening-outcomes?caseId={one.id}": [(await one.outcome()).id for _ in range(5)],
    }
    ngo = exchange.actor("ngo")
    for path, ids in made.items():
        found = [page async for page in pages(ngo, path, 2)]
        assert [len(page) for page in found] == [2, 2, 1], path
        assert [each["id"] for page in found for each in page] == [str(each) for each in reversed(ids)]


async def test_the_one_entry_of_a_page_names_everybody_on_it(exchange: Exchange) -> None:
    ngo = exchange.actor("ngo")
    begun = [await Dealings.begin(exchange) for _ in range(3)]
    answer = await ngo.get("/cases?limit=3")
    assert {each["id"] for each in answer.json()["items"]} == {str(each.id) for each in begun}
    entry = await exchange.entry(answer.headers["request-id"])
    each_of = [(await exchange.entry((await exchange.ngo.cases.read(one.id)).request_id))["person"] for one in begun]
    assert set(each_of) <= set(entry["persons"])
    assert entry["object"] == {"type": "case"}


async def test_a_cursor_is_of_one_client_one_list_and_its_filters(exchange: Exchange) -> None:
    one = await Dealings.begin(exchange)
    for _ in range(3):
        await one.consent(Purpose.LEGAL_SCREENING, "ngo", [DataCategory.FAMILY])
        await Dealings.begin(exchange)
    await one.requested()
    ngo, other = exchange.actor("ngo"), exchange.actor("otherNgo")
    cases = (await ngo.get("/cases?limit=1")).json()["nextCursor"]
    consents = (await ngo.get(f"/consents?caseId={one.id}&limit=1")).json()["nextCursor"]
    for actor, path in (
        (other, f"/cases?cursor={cases}"),
        (ngo, f"/dossier-requests?cursor={cases}"),
        (ngo, f"/advice-requests?cursor={cases}"),
        (ngo, f"/agreements?cursor={cases}"),
        (ngo, f"/consents?caseId={one.id}&cursor={cases}"),
        (ngo, f"/consents?caseId={uuid4()}&cursor={consents}"),
        (ngo, f"/screening-outcomes?caseId={one.id}&cursor={consents}"),
    ):
        refused(await actor.get(path), 400, "invalid-cursor")
    assert (await ngo.get(f"/cases?cursor={cases}")).status_code == 200
    assert (await ngo.get(f"/consents?caseId={one.id}&cursor={consents}")).status_code == 200


async def test_a_forged_cursor_is_refused(exchange: Exchange) -> None:
    for _ in range(2):
        await Dealings.begin(exchange)
    ngo = exchange.actor("ngo")
    sealed = (await ngo.get("/cases?limit=1")).json()["nextCursor"]
    raw = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
    moved = raw[:16] + str(uuid4()).encode()
    flipped = bytes((raw[0] ^ 1,)) + raw[1:]
    forged = [base64.urlsafe_b64encode(each).rstrip(b"=").decode() for each in (moved, flipped, b"", raw[:8], raw[16:])]
    for wrong in (*forged[:2], *forged[3:], "-", "\u00e9", sealed + "A", sealed[:-1]):
        refused(await ngo.get(f"/cases?cursor={wrong}"), 400, "invalid-cursor")
    for wrong in ("limit=0", "limit=201", "limit=x", f"cursor={'x' * 201}"):
        refused(await ngo.get(f"/cases?{wrong}"), 400, "invalid-input")


async def test_a_cursor_holds_nothing_about_a_person(exchange: Exchange) -> None:
    """It travels in addresses, and those are written down everywhere."""
    begun = [await Dealings.begin(exchange) for _ in range(2)]
    ngo = exchange.actor("ngo")
    sealed = (await ngo.get("/cases?limit=1")).json()["nextCursor"]
    raw = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
    assert raw[16:].decode() == str(begun[1].id)


async def test_a_list_holds_only_ones_own(exchange: Exchange) -> None:
    """Requests show to who made them and to whom they are addressed; cases to those assigned."""
    dealings = await (await Dealings.begin(exchange)).consented()
    request, asked = await dealings.requested(), await dealings.asked()
    for key, path, ours in (
        ("ngo", "/dossier-requests", request.id),
        ("ind", "/dossier-requests", request.id),
        ("ngo", "/advice-requests", asked.id),
        ("ind", "/advice-requests", asked.id),
    ):
        listed = (await exchange.actor(key).get(f"{path}?limit=200")).json()["items"]
        assert str(ours) in {each["id"] for each in listed}
    for key, path in (
        ("otherNgo", "/dossier-requests"),
        ("otherNgo", "/cases"),
        ("otherNgo", "/advice-requests"),
        ("dtv", "/advice-requests"),
        ("avim", "/advice-requests"),
        ("municipality", "/advice-requests"),
    ):
        assert (await exchange.actor(key).get(path)).json() == {"items": [], "nextCursor": None}


async def test_a_cursor_is_of_the_filters_in_the_body(exchange: Exchange) -> None:
    """They stand in the body here: with others it is refused, and written otherwise it is the same."""
    auditor = exchange.actor("auditor")
    await auditor.get("/organisations")
    async with exchange.database.connection() as connection:
        await audit_store.settle(connection)
    path, asked = "/audit/entries/_search?limit=1", b'{"result": "permitted", "beforeAt": "2100-01-01T00:00:00Z"}'
    cursor = (await auditor.post(path, asked)).json()["nextCursor"]
    again = b'{ "beforeAt":"2100-01-01T00:00:00Z","result":"permitted" }'
    assert (await auditor.post(f"{path}&cursor={cursor}", again)).status_code == 200
    for others in (b"{}", b'{"result": "refused", "beforeAt": "2100-01-01T00:00:00Z"}', b'{"result": "permitted"}'):
        answer = await auditor.post(f"{path}&cursor={cursor}", others)
        refused(answer, 400, "invalid-cursor")
        assert (await exchange.entry(answer.headers["request-id"]))["reason"] == "invalid-cursor"
