"""What may come in: one reading of a body or none, and every fault of it told together, without the input."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.edge import strict_json
from api.edge.failures import told
from api.problems import Stopped
from tests import edge_kit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx
    from starlette.types import Message

JSON = {"content-type": "application/json"}
MADE = "2026-11-24T10:00:00Z"


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with edge_kit.client(edge_kit.enclosed()) as client:
        yield client


async def post(client: httpx.AsyncClient, body: str | bytes, **headers: str) -> httpx.Response:
    return await client.post("/v1/things", content=body, headers={**JSON, **headers})


def body(**members: Any) -> str:
    return json.dumps({"name": "a thing", "madeAt": MADE, **members})


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "",
        " ",
        "{'name': 1}",
        '{"name": "x",}',
        "[1, 2",
        '{"name": NaN}',
        '{"name": Infinity}',
        '{"name": -Infinity}',
        '{"count": 1e400}',
        '{"count": ' + "9" * 5000 + "}",
        '{"name": "a\tb"}',
        '{"name": "\\u0000"}',
        '{"na\\u0000me": 1}',
        '{"name": "\\ud800"}',
        '{"name": ["\\uDC00"]}',
        '{"name": "\\ud800\\u0041"}',
        "\ufeff{}",
        "[" * 33 + "]" * 33,
        '{"a":' * 40 + "1" + "}" * 40,
        "[" * 100_000,
    ],
)
async def test_what_is_not_strict_json_is_refused(client: httpx.AsyncClient, text: str) -> None:
    """RFC 7493, and no more nesting than anything of ours has."""
    answer = await post(client, text)
    slug = "malformed-json" if text else "invalid-input"
    edge_kit.assert_problem(answer, 400, slug)


@pytest.mark.parametrize(
    "raw", [b'{"name": "\xff"}', '{"name": "x"}'.encode("utf-16"), b"\x00", b'{"name": "\xed\xa0\x80"}']
)
async def test_a_body_is_utf_8(client: httpx.AsyncClient, raw: bytes) -> None:
    edge_kit.assert_problem(await post(client, raw), 400, "malformed-json")


@pytest.mark.parametrize("text", ['{"name": "a", "name": "b"}', '[{"x": {"a": 1, "\\u0061": 2}}]'])
async def test_a_key_that_is_there_twice_is_refused(client: httpx.AsyncClient, text: str) -> None:
    """At any depth, and however it is written."""
    edge_kit.assert_problem(await post(client, text), 400, "duplicate-key")


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(_json, st.booleans())
def test_strict_json_is_read_as_it_is(value: Any, ascii_only: bool) -> None:
    assert strict_json.parse(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


def test_nesting_may_be_as_deep_as_the_bound_and_no_deeper() -> None:
    depth = strict_json.MAX_DEPTH
    strict_json.parse(b"[" * depth + b"]" * depth)
    with pytest.raises(Stopped):
        strict_json.parse(b"[" * (depth + 1) + b"]" * (depth + 1))


@pytest.mark.parametrize(
    "name",
    [
        "علی رضا",
        "\u202eاسم\u202c",  # noqa: RUF001 - Arabic, from right to left
        "שם",
        "ትግርኛ",
        "n" * 300,
        "👩‍👧",
        "Ǧ̈",
        "\\u0000 as text is no NUL",
    ],
)
async def test_a_name_may_be_of_any_script_and_300_characters_long(client: httpx.AsyncClient, name: str) -> None:
    for ascii_only in (True, False):
        text = json.dumps({"name": name, "madeAt": MADE}, ensure_ascii=ascii_only)
        answer = await post(client, text)
        assert answer.status_code == 201
        assert answer.json()["name"] == name


async def test_every_fault_is_told_together_and_no_value_is_repeated(client: httpx.AsyncClient) -> None:
    """/core/error-handling/invalid-input, /all-errors: 400, never 422, and the input may be personal data."""
    faulty = {
        "name": "", "madeAt": "Canary-1", "count": "Canary-2", "dueDate": "Canary-3", "V 0123456789": "Canary-4",
        "surplus": "Canary-5", "parts": [{"name": "x", "madeAt": MADE, "count": 11}],
    }  # fmt: skip
    answer = await post(client, json.dumps(faulty))
    found = edge_kit.assert_problem(answer, 400, "invalid-input")["errors"]
    assert {(each["in"], each["pointer"], each["code"]) for each in found} == {
        ("body", "/name", "string-too-short"),
        ("body", "/madeAt", "value-error"),
        ("body", "/count", "int-parsing"),
        ("body", "/dueDate", "value-error"),
        ("body", "/*", "unknown-member"),
        ("body", "/surplus", "unknown-member"),
        ("body", "/parts/0/count", "less-than-equal"),
    }
    assert all(each["message"] for each in found)
    assert "Canary" not in answer.text
    assert "0123456789" not in answer.text


async def test_a_fault_of_a_parameter_is_told_by_its_name(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/things", params={"limit": "Canary", "municipality": "Canary"})
    found = edge_kit.assert_problem(answer, 400, "invalid-input")["errors"]
    assert {(each["in"], each["name"]) for each in found} == {("query", "limit"), ("query", "municipality")}
    assert "Canary" not in answer.text
    answer = await client.get("/v1/things/Canary")
    (fault,) = edge_kit.assert_problem(answer, 400, "invalid-input")["errors"]
    assert (fault["in"], fault["name"], fault["code"]) == ("path", "thingId", "uuid")
    assert "Canary" not in answer.text


def test_a_finding_without_a_known_place_is_told_of_the_body() -> None:
    """What FastAPI may one day report from elsewhere still says nothing of the value."""
    loc_less = {"type": "assertion_error", "loc": ("somewhere", "x"), "msg": "Canary"}
    cookie = {"type": "missing", "loc": ("cookie", "session"), "msg": "Field required"}
    first, second = told([loc_less, cookie])
    assert (first.place, first.name, first.message) == ("body", "/somewhere/x", "The value is not as described.")
    assert (second.place, second.name) == ("header", "cookie.session")


def test_faults_are_bounded() -> None:
    one = {"type": "missing", "loc": ("body", "x"), "msg": "Field required"}
    assert len(told([one] * 1000)) == 100


@pytest.mark.parametrize(
    ("text", "understood"),
    [
        ("2026-11-24T10:00:00Z", "2026-11-24T10:00:00Z"),
        ("2026-11-24T10:00:00+02:00", "2026-11-24T08:00:00Z"),
        ("2026-11-24T10:00:00+00:00", "2026-11-24T10:00:00Z"),
        ("2026-11-24T00:30:00+01:00", "2026-11-23T23:30:00Z"),
        ("2026-11-24T10:00:00.25Z", "2026-11-24T10:00:00.250000Z"),
        ("2026-11-24T10:00:00", None),
        ("2026-11-24 10:00:00Z", None),
        ("2026-11-24t10:00:00Z", None),
        ("2026-11-24T10:00:00z", None),
        ("2026-11-24T10:00:00-00:00", None),
        ("2026-11-24", None),
        ("2026-11-24T10:00Z", None),
        ("2026-11-24T25:00:00Z", None),
        ("0001-01-01T00:00:00+02:00", None),
        ("9999-12-31T23:59:59-02:00", None),
        ("2199-12-31T23:59:59-12:00", "2200-01-01T11:59:59Z"),
        ("2026-02-30T10:00:00Z", None),
        ("20261124T100000Z", None),
        ("٢٠٢٦-11-24T10:00:00Z", None),
        (1_795_514_400, None),
        ("1795514400", None),
        (1795514400.5, None),
        (None, None),
        (True, None),
    ],
)
async def test_an_instant_has_one_form_and_is_answered_in_utc(
    client: httpx.AsyncClient, text: Any, understood: str | None
) -> None:
    """API Design Rules /core/date-time: any offset in, `Z` out; naive, lower case, epochs and -00:00 refused."""
    answer = await post(client, body(madeAt=text))
    if understood is None:
        edge_kit.assert_problem(answer, 400, "invalid-input")
    else:
        assert answer.status_code == 201
        assert answer.json()["madeAt"] == understood


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("2026-11-24", True),
        ("2026-11-24T00:00:00Z", False),
        ("24-11-2026", False),
        (20261124, False),
        ("2026-2-3", False),
    ],
)
async def test_a_date_has_one_form(client: httpx.AsyncClient, text: Any, good: bool) -> None:
    answer = await post(client, body(dueDate=text))
    assert answer.status_code == (201 if good else 400)


async def test_ten_megabytes_are_refused_before_they_are_read(client: httpx.AsyncClient) -> None:
    edge_kit.assert_problem(await post(client, b'"' + b"x" * 10_000_000 + b'"'), 413, "payload-too-large")


@pytest.mark.parametrize("declared", [None, b"10", b"not a number"])
async def test_a_body_is_counted_whatever_it_says_of_itself(declared: bytes | None) -> None:
    """Chunked without a length, and a Content-Length that lies."""
    headers = [(b"content-type", b"application/json"), (b"transfer-encoding", b"chunked")]
    if declared is not None:
        headers.append((b"content-length", declared))
    chunks: list[Message] = [{"type": "http.request", "body": b"x" * 65_536, "more_body": True} for _ in range(40)]
    sent = await edge_kit.speak(edge_kit.enclosed(), "/v1/things", method="POST", headers=headers, messages=chunks)
    assert sent[0]["status"] == 413
    assert len(chunks) == 40 - 17  # the rest was never asked for


async def test_a_route_may_take_more_and_then_no_more(client: httpx.AsyncClient) -> None:
    octets = {"content-type": "application/octet-stream"}
    taken = await client.post("/v1/raw", content=b"x" * 1_900_000, headers=octets)
    assert taken.json() == {"size": 1_900_000}
    for swallow in ("false", "true"):
        answer = await client.post(f"/v1/raw?swallow={swallow}", content=b"x" * 2_100_000, headers=octets)
        edge_kit.assert_problem(answer, 413, "payload-too-large")


@pytest.mark.parametrize(
    ("path", "content_type", "status"),
    [
        ("/v1/things", "application/json", 201),
        ("/v1/things", "Application/JSON; charset=UTF-8", 201),
        ("/v1/things", "application/json; charset=latin-1", 415),
        ("/v1/things", "text/plain", 415),
        ("/v1/things", "application/x-www-form-urlencoded", 415),
        ("/v1/things", "application/jsonx", 415),
        ("/v1/things", "application/problem+json", 415),
        ("/v1/things", "", 415),
        ("/v1/things", None, 415),
        (f"/v1/things/{edge_kit.THING}/endings", "application/json", 415),
        ("/v1/raw", "application/json", 415),
        ("/v1/raw", "application/octet-stream", 200),
    ],
)
async def test_a_body_of_another_kind_is_refused(
    client: httpx.AsyncClient, path: str, content_type: str | None, status: int
) -> None:
    """A missing or unexpected content type is 415; so is a body where the description has none."""
    headers = {} if content_type is None else {"content-type": content_type}
    answer = await client.post(path, content=body(), headers=headers)
    assert answer.status_code == status
    if status == 415:
        edge_kit.assert_problem(answer, 415, "unsupported-media-type")


async def test_a_packed_body_is_refused(client: httpx.AsyncClient) -> None:
    """Nothing is unpacked, so that nothing can burst."""
    edge_kit.assert_problem(await post(client, body(), **{"content-encoding": "gzip"}), 415, "unsupported-media-type")


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        (None, 200),
        ("", 406),
        ("*/*", 200),
        ("application/json", 200),
        ("application/*;q=0.2", 200),
        ("text/html, application/json;q=0.9", 200),
        ("APPLICATION/JSON", 200),
        ("application/json;q=0", 406),
        ("application/json;q=0, */*", 406),
        ("*/*;q=0, application/json", 200),
        ("application/json;q=high", 406),
        ("text/html", 406),
        ("application/xml", 406),
        ("nonsense", 406),
        (", ,", 406),
    ],
)
async def test_an_accept_that_matches_nothing_is_refused(
    client: httpx.AsyncClient, accept: str | None, status: int
) -> None:
    """RFC 9110 section 12.5.1; the refusal never repeats what was sent."""
    del client.headers["accept"]
    answer = await client.get("/v1/things", headers={} if accept is None else {"accept": accept})
    assert answer.status_code == status
    if status == 406:
        edge_kit.assert_problem(answer, 406, "not-acceptable")
