"""Pages, cursors, entity tags and preconditions."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from api.edge import etags
from api.vocabulary import ClientId
from tests import edge_kit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with edge_kit.client(edge_kit.enclosed()) as client:
        yield client


async def test_following_the_cursor_gives_everything_once(client: httpx.AsyncClient) -> None:
    seen: list[str] = []
    cursor = None
    for _ in range(9):
        page = (await client.get("/v1/things", params={"limit": 3} | ({"cursor": cursor} if cursor else {}))).json()
        seen += [each["name"] for each in page["items"]]
        if (cursor := page["nextCursor"]) is None:
            break
    assert seen == [f"thing {number}" for number in range(25, 0, -1)]


async def test_a_feed_runs_the_other_way(client: httpx.AsyncClient) -> None:
    first = (await client.get("/v1/numbers", params={"limit": 4})).json()
    rest = (await client.get("/v1/numbers", params={"limit": 4, "cursor": first["nextCursor"]})).json()
    assert [each["name"] for each in first["items"] + rest["items"]] == ["1", "2", "3", "4", "5", "6", "7"]
    assert rest["nextCursor"] is None


async def test_a_page_links_to_the_next(client: httpx.AsyncClient) -> None:
    """RFC 8288; the last page links nowhere."""
    answer = await client.get("/v1/things", params={"municipality": "utrecht", "limit": 20})
    target, _, relation = answer.headers["link"].partition(">; ")
    assert relation == 'rel="next"'
    following = await client.get(target.removeprefix("<"))
    assert [each["name"] for each in following.json()["items"]] == [f"thing {number}" for number in range(5, 0, -1)]
    assert "link" not in following.headers


async def test_a_cursor_holds_for_its_list_its_filters_and_its_client_only(client: httpx.AsyncClient) -> None:
    """Foreign is refused like forged: whose it was stays untold."""
    params: dict[str, Any] = {"municipality": "utrecht", "limit": 3}
    cursor = (await client.get("/v1/things", params=params)).json()["nextCursor"]
    good = await client.get("/v1/things", params={**params, "limit": 5, "cursor": cursor})
    assert good.status_code == 200
    for path, query, headers in (
        ("/v1/numbers", params, {}),
        ("/v1/things", {"limit": 3}, {}),
        ("/v1/things", {**params, "municipality": "groningen"}, {}),
        ("/v1/things", params, {"X-Client": "another"}),
    ):
        answer = await client.get(path, params={**query, "cursor": cursor}, headers=headers)
        edge_kit.assert_problem(answer, 400, "invalid-cursor")


async def test_a_cursor_that_we_did_not_make_is_refused(client: httpx.AsyncClient) -> None:
    good = (await client.get("/v1/things", params={"limit": 3})).json()["nextCursor"]
    sealed = base64.urlsafe_b64decode(good + "==")
    forged = [
        "", "x", "!!!!", "é", "AAAA", "A" * 60, good[:-2], good + "AAAA", "A" + good[1:],
        base64.urlsafe_b64encode(sealed[:16] + b"00000000-0000-0000-0000-000000000002").decode().rstrip("="),
        base64.urlsafe_b64encode(b"\0" * 16 + sealed[16:]).decode().rstrip("="),
    ]  # fmt: skip
    for cursor in forged:
        edge_kit.assert_problem(await client.get("/v1/things", params={"cursor": cursor}), 400, "invalid-cursor")
    edge_kit.assert_problem(await client.get("/v1/things", params={"cursor": "A" * 201}), 400, "invalid-input")


async def test_a_cursor_of_another_kind_is_refused_even_when_it_is_sealed(client: httpx.AsyncClient) -> None:
    """Should a list change from numbers to ids, old cursors are refused and not misread."""
    for path, position in (("/v1/things", "7"), ("/v1/numbers", "not a number")):
        cursor = edge_kit.page_of(path).seal(position, ClientId("ngo"))
        edge_kit.assert_problem(await client.get(path, params={"cursor": cursor}), 400, "invalid-cursor")


@pytest.mark.parametrize(("limit", "status"), [(0, 400), (1, 200), (200, 200), (201, 400), (-1, 400), ("many", 400)])
async def test_a_page_has_1_to_200_items(client: httpx.AsyncClient, limit: Any, status: int) -> None:
    assert (await client.get("/v1/things", params={"limit": limit})).status_code == status


async def test_what_the_caller_has_already_is_not_sent_again(client: httpx.AsyncClient) -> None:
    """RFC 9110 section 13.1.2, with weak comparison; the 304 carries the tag."""
    path = f"/v1/things/{edge_kit.THING}"
    tag = (await client.get(path)).headers["etag"]
    assert tag.startswith('"')
    for sent in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        answer = await client.get(path, headers={"If-None-Match": sent})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
        edge_kit.assert_carried(answer)
    assert (await client.get(path, headers={"If-None-Match": '"other"'})).status_code == 200
    assert (await client.get(path, headers={"If-None-Match": "nonsense"})).status_code == 200


def test_a_tag_is_over_what_is_shown() -> None:
    assert etags.of(b"one section") != etags.of(b"two sections")
    assert etags.of(b"one section") == etags.of(b"one section")


@pytest.mark.parametrize(
    ("sent", "status", "slug"),
    [
        ('"1"', 200, ""),
        ('"0", "1"', 200, ""),
        ("*", 200, ""),
        ('"2"', 412, "precondition-failed"),
        ('W/"1"', 412, "precondition-failed"),
        ("1", 400, "invalid-input"),
        ('"1" "2"', 400, "invalid-input"),
        ("", 400, "invalid-input"),
        ('"' + "x" * 1001 + '"', 400, "invalid-input"),
        (None, 428, "precondition-required"),
    ],
)
async def test_a_change_names_the_version_that_it_changes(
    client: httpx.AsyncClient, sent: str | None, status: int, slug: str
) -> None:
    """RFC 9110 section 13.1.1 and RFC 6585 section 3: nobody overwrites what they have not seen."""
    headers = {} if sent is None else {"If-Match": sent}
    made = {"name": "a thing", "madeAt": "2026-11-24T10:00:00Z"}
    answer = await client.put(f"/v1/things/{edge_kit.THING}", json=made, headers=headers)
    if slug:
        edge_kit.assert_problem(answer, status, slug)
    else:
        assert answer.status_code == 200
