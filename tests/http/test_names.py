"""Names as people have them: any script, from right to left, 300 characters; and what is no text is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from api.vocabulary import DataCategory, Purpose
from tests.actor import refused
from tests.dealings import Dealings, wire

if TYPE_CHECKING:
    from tests.exchange import Exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAMES = (
    "علی رضا",
    "\u202eاسم\u202c و \u2067שם\u2069",  # noqa: RUF001 - Arabic and Hebrew, from right to left
    "ትግርኛ ስም",
    "n" * 300,
    "علی" * 100,
    "👩\u200d👧 Ǧ̈",
    "\\u0000 as text",
    "e\u0301 is not \u00e9",
    " leading, trailing ",
    "\ufeffbyte order mark",
    "\U0010ffff",
)
SCREENING = Purpose.LEGAL_SCREENING
IDENTITY = [DataCategory.IDENTITY]


async def test_a_name_comes_out_of_a_dossier_exactly_as_it_went_in(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    await dealings.consent(SCREENING, "ngo", IDENTITY)
    ind, ngo = exchange.actor("ind"), exchange.actor("ngo")
    for ascii_only in (False, True):
        request = await dealings.requested(IDENTITY)
        content = {"names": list(NAMES), "deep": {name: [name] for name in NAMES}}
        body = {"sections": [{"category": "identity", "content": content}], "complete": True}
        sent = json.dumps(body, ensure_ascii=ascii_only).encode()
        made = await ind.post(f"/dossier-requests/{request.id}/deliveries", sent)
        assert made.status_code == 201, made.text
        seen = await ngo.get(f"/dossiers/{made.json()['dossierId']}", purpose=SCREENING)
        assert seen.json()["sections"][0]["content"] == content


@pytest.mark.parametrize("name", NAMES)
async def test_a_text_comes_out_exactly_as_it_went_in(exchange: Exchange, name: str) -> None:
    dealings = await Dealings.begin(exchange)
    ngo = exchange.actor("ngo")
    shared = {"perspective": "return", "question": name, "nextSteps": [name]}
    new = wire(dealings.new_outcome()) | {"sharedOutcome": shared, "legalAnalysis": name}
    made = await ngo.post("/screening-outcomes", new)
    assert made.status_code == 201, made.text
    seen = (await ngo.get(made.headers["location"].removeprefix("/v1"))).json()
    assert (seen["sharedOutcome"], seen["legalAnalysis"]) == (shared, name)


@pytest.mark.parametrize(
    "value",
    ['"\\u0000"', '"\\ud800"', '"\\udfff\\ud800"', '{"\\u0000": 1}', "1e999", "NaN", "9007199254740993", "1" * 400],
)
async def test_what_is_no_text_or_number_is_refused_and_changes_nothing(exchange: Exchange, value: str) -> None:
    """RFC 7493: NUL and half a surrogate pair are no text, and a number is one that every reader reads alike."""
    dealings = await Dealings.begin(exchange)
    request = await dealings.requested(IDENTITY)
    body = f'{{"sections": [{{"category": "identity", "content": {{"name": {value}}}}}], "complete": true}}'
    path = f"/dossier-requests/{request.id}/deliveries"
    refused(await exchange.actor("ind").post(path, body.encode()), 400, "malformed-json")
    assert (await exchange.ngo.dossier_requests.read(request.id)).value.state == "requested"


@pytest.mark.parametrize("raw", [b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\x00"])
async def test_bytes_that_are_no_text_are_refused(exchange: Exchange, raw: bytes) -> None:
    body = b'{"vNumber": "' + raw + b'"}'
    refused(await exchange.actor("ngo").post("/cases/_search", body), 400, "malformed-json")


@pytest.mark.parametrize("value", ["\x01", "a\x1bb", "", "x" * 20_001])
async def test_a_text_has_bounds(exchange: Exchange, value: str) -> None:
    dealings = await Dealings.begin(exchange)
    new = wire(dealings.new_outcome()) | {"legalAnalysis": value}
    refused(await exchange.actor("ngo").post("/screening-outcomes", new), 400, "invalid-input")


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"Name": 1},
        {"a b": 1},
        {f"f{n}": n for n in range(65)},
        {"deep": [[[[[[1]]]]]]},
        {"علی": 1},
    ],
)
async def test_a_section_has_fields_of_a_form(exchange: Exchange, content: dict[str, Any]) -> None:
    """Field names stand in the log, so they are names and never values."""
    dealings = await Dealings.begin(exchange)
    request = await dealings.requested(IDENTITY)
    body = {"sections": [{"category": "identity", "content": content}], "complete": True}
    path = f"/dossier-requests/{request.id}/deliveries"
    refused(await exchange.actor("ind").post(path, orjson.dumps(body)), 400, "invalid-input")


async def test_numbers_come_out_as_they_went_in(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    await dealings.consent(SCREENING, "ngo", IDENTITY)
    request = await dealings.requested(IDENTITY)
    content = {"numbers": [0, -1, 1.5, 1e300, 2**53, -(2**53), 0.1, True, None]}
    body = {"sections": [{"category": "identity", "content": content}], "complete": True}
    made = await exchange.actor("ind").post(f"/dossier-requests/{request.id}/deliveries", body)
    assert made.status_code == 201, made.text
    seen = await exchange.actor("ngo").get(f"/dossiers/{made.json()['dossierId']}", purpose=SCREENING)
    assert seen.json()["sections"][0]["content"] == content
