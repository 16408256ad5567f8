"""Documents of a dossier over HTTP: announced, sent, listed, read, whole or in ranges; and each refusal."""

from __future__ import annotations

import asyncio
import io
import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio
from joserfc.jwk import OKPKey

from api.crypto import release, stream
from api.crypto.inbox import Kind
from api.crypto.stream import CHUNK, HEADER, SEALED_CHUNK
from api.dossiers import document_store, withdrawal_store
from api.oauth import operator
from api.persons import holds
from api.vocabulary import DOCUMENT_MOST, DataCategory, DocumentType, HoldGround, Municipality, Party, Purpose
from clients import _opening, _releasing, _sealing, _transport
from clients._messages import Request
from clients._released import Receiver
from clients.chain import AsyncChainClient
from clients.documents import Content
from clients.errors import Conflict, UnexpectedAnswer
from clients.ngo import AsyncNgoClient
from tests import agreeing
from tests.actor import ANY_VERSION, OCCURRENCE, reasons, refused, told
from tests.dealings import Dealings, wire
from tests.documents_kit import SCREENING, TITLE, Attached, announced, pdf, proven, scope
from tests.exchange import BASE
from tests.http.test_account import settled
from tests.http.test_eyes_only import posted_to, sealing
from tests.jwe_kit import private

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.exchange import Exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")

PART = 32 * CHUNK
"""Bytes of a document in one row."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ranged(exchange: Exchange) -> tuple[Attached, str, bytes]:
    """One document that several tests read."""
    dossier, content = await Attached.to(exchange), pdf(PART + 5_000)
    return dossier, await dossier.stored(content), content


async def parts(exchange: Exchange) -> int:
    (row,) = await exchange.rows("SELECT count(*) FROM exchange.document_part")
    return int(row["count"])


@pytest.mark.parametrize("length", [9, CHUNK, PART, 2 * PART + 17])
async def test_what_was_sent_is_read_as_it_was(exchange: Exchange, length: int) -> None:
    """At the edges of a chunk and of a part too; with a head that nobody can take for a page."""
    dossier, content = await Attached.to(exchange), pdf(length)
    at = await dossier.stored(content)
    answer = await dossier.read(at)
    assert (answer.status_code, answer.content) == (200, content)
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-length"] == str(length)
    assert answer.headers["content-disposition"] == f'attachment; filename="document-{at.rpartition("/")[2]}.pdf"'
    assert (answer.headers["x-content-type-options"], answer.headers["cache-control"]) == ("nosniff", "no-store")
    head = await exchange.actor("ngo").send("HEAD", at, purpose=SCREENING)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "etag", "content-type", "accept-ranges"):
        assert head.headers[name] == answer.headers[name]
    assert (await exchange.actor("ind").get(at)).content == content


async def test_each_reading_is_one_entry_that_says_what_left(exchange: Exchange) -> None:
    """Design promise 2: names, never values; the seal of the row; receipt in the head, so before the first byte."""
    dossier = await Attached.to(exchange)
    at = await dossier.stored(pdf(100))
    listed = await exchange.actor("ngo").get(dossier.path, purpose=SCREENING)
    (item,) = listed.json()["items"]
    assert (item["title"], item["category"], item["state"], item["length"]) == (TITLE, "decisions", "stored", 100)
    entry = await exchange.entry(listed.headers["request-id"])
    assert entry["disclosed"]["decisions"] == ["documentTitles"]
    answer = await dossier.read(at)
    assert await exchange.is_promised(answer)
    entry = await exchange.entry(answer.headers["request-id"])
    assert (entry["action"], entry["result"], entry["purpose"]) == ("documents.read", "permitted", "legal-screening")
    assert entry["disclosed"] == {"decisions": ["documentContent"]}
    assert [each["id"] for each in entry["consents"]] == [str(dossier.dealings.consents["special"].id)]
    assert list(entry["seals"]) == [f"exchange.document/{item['id']}"]
    for leaf in await exchange.leaves():
        assert b"VOORBEELD" not in leaf
    told = [each.type async for each in exchange.ngo.events.read() if each.subject_id == dossier.dossier]
    assert told == ["dossier.document-stored"]


@pytest.mark.parametrize(
    ("asked", "status", "span"),
    [
        ("bytes=0-0", 206, (0, 1)),
        ("bytes=5-", 206, (5, None)),
        ("bytes=-7", 206, (-7, None)),
        (f"bytes=-{10**14}", 206, (0, None)),
        (f"bytes={CHUNK - 1}-{CHUNK}", 206, (CHUNK - 1, CHUNK + 1)),
        (f"bytes={PART - 3}-{PART + 3}", 206, (PART - 3, PART + 4)),
        (f"bytes=10-{10**14}", 206, (10, None)),
        ("bytes=0-1,4-5", 200, (0, None)),
        ("bytes=9-3", 200, (0, None)),
        ("bytes=-", 200, (0, None)),
        ("lines=1-2", 200, (0, None)),
        (f"bytes={10**14}-", 416, (0, 0)),
        ("bytes=-0", 416, (0, 0)),
    ],
)
async def test_a_range_is_its_own_answer(
    exchange: Exchange, ranged: tuple[Attached, str, bytes], asked: str, status: int, span: tuple[int, int | None]
) -> None:
    """RFC 9110 section 14: one range; what is no range that we take is ignored; behind the end is 416."""
    dossier, at, content = ranged
    answer = await dossier.read(at, Range=asked)
    assert answer.status_code == status
    if status == 416:
        refused(answer, 416, "range-not-satisfiable")
        assert answer.headers["content-range"] == f"bytes */{len(content)}"
        return
    wanted = content[slice(*span)]
    assert answer.content == wanted
    assert answer.headers["content-length"] == str(len(wanted))
    if status == 206:
        first, stop, _ = slice(*span).indices(len(content))
        assert answer.headers["content-range"] == f"bytes {first}-{stop - 1}/{len(content)}"
    assert (await exchange.entry(answer.headers["request-id"]))["result"] == "permitted"


async def test_a_range_holds_for_the_version_that_it_is_of(ranged: tuple[Attached, str, bytes]) -> None:
    dossier, at, content = ranged
    tag = (await dossier.read(at, Range="bytes=0-0")).headers["etag"]
    assert (await dossier.read(at, Range="bytes=1-2", **{"If-Range": tag})).content == content[1:3]
    for other in ('"another"', f"W/{tag}", "Tue, 24 Nov 2026 10:00:00 GMT"):
        assert (await dossier.read(at, Range="bytes=1-2", **{"If-Range": other})).content == content
    same = await dossier.read(at, **{"If-None-Match": tag})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)


# sending


async def test_announcing_has_one_effect_and_so_has_sending(exchange: Exchange) -> None:
    """A retry after a lost answer, of either; another content is refused, and what is there stays."""
    dossier, content, before = await Attached.to(exchange), pdf(1_000), await parts(exchange)
    key = str(uuid4())
    first, again = await dossier.announce(key=key), await dossier.announce(key=key)
    assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
    assert first.json() == again.json()
    at = first.headers["location"].removeprefix("/v1")
    sent, repeated = await dossier.send(at, content), await dossier.send(at, content)
    assert (sent.status_code, repeated.status_code) == (204, 204)
    refused(await dossier.send(at, pdf(999)), 409, "wrong-state")
    assert (await dossier.read(at)).content == content
    assert await parts(exchange) == before + 1


def _said(content: bytes, **headers: str) -> dict[str, str]:
    return announced(content) | headers


GOOD = pdf(3_000)
CUT = GOOD[:-1]


@pytest.mark.parametrize(
    ("content", "headers", "status", "problem"),
    [
        (CUT, _said(GOOD), 400, "content-not-as-declared"),
        (GOOD, _said(GOOD, **{"Repr-Digest": announced(CUT)["Content-Digest"]}), 400, "content-not-as-declared"),
        (b"GIF89a" + GOOD, _said(b"GIF89a" + GOOD), 400, "content-not-as-declared"),
        (b"", _said(b""), 400, "content-not-as-declared"),
        (GOOD, _said(GOOD, **{"Content-Type": "image/png"}), 400, "content-not-as-declared"),
        (GOOD, _said(GOOD, **{"Content-Type": "text/html"}), 415, "unsupported-media-type"),
        (GOOD, _said(GOOD, **{"Content-Encoding": "gzip"}), 415, "unsupported-media-type"),
        (GOOD, {"Content-Type": "application/pdf"}, 400, "invalid-input"),
        (GOOD, _said(GOOD, **{"Content-Digest": "md5=:AAAA:"}), 400, "invalid-input"),
        (GOOD, _said(GOOD, **{"Content-Length": str(DOCUMENT_MOST + 1)}), 413, "payload-too-large"),
    ],
)
async def test_what_is_not_as_announced_leaves_nothing(
    exchange: Exchange, content: bytes, headers: dict[str, str], status: int, problem: str
) -> None:
    """Length, digest, kind: nothing of it can be read, and not a part of it stays. The right one may still come."""
    dossier, before = await Attached.to(exchange), await parts(exchange)
    at = await dossier.awaited()
    answer = await dossier.send(at, content, headers)
    refused(answer, status, problem)
    assert await parts(exchange) == before
    refused(await dossier.read(at), 404, "not-found")
    (entry,) = await exchange.entries_of(answer.headers["request-id"])
    assert (entry["action"], entry["result"], entry["reason"]) == ("documents.store", "refused", problem)
    if status == 400:
        assert (await dossier.send(at, GOOD)).status_code == 204


async def test_a_text_is_utf_8_without_nul(exchange: Exchange) -> None:
    dossier = await Attached.to(exchange)
    for content, status in (
        ("Verzonnen brief: é\n".encode(), 204),
        (b"caf\xe9", 400),
        (b"a\x00b", 400),
        (b"\xc3", 400),
    ):
        at = await dossier.awaited("decisions", "text/plain")
        assert (await dossier.send(at, content, announced(content, "text/plain"))).status_code == status
        if status == 204:
            assert (await dossier.read(at)).headers["content-type"] == "text/plain; charset=utf-8"


async def test_a_digest_stands_among_others_and_a_length_need_not_be_told(exchange: Exchange) -> None:
    """RFC 9530 section 2; and a body in chunks."""
    dossier = await Attached.to(exchange)
    at = await dossier.awaited()

    async def chunks() -> AsyncIterator[bytes]:
        yield GOOD[:1_000]
        yield GOOD[1_000:]

    named = f"sha-512=:AAAA:, {announced(GOOD)['Content-Digest']}"
    url = f"{dossier.exchange.actor('ind').base}/v1{at}"
    sent = await proven(exchange.actor("ind"), "PUT", at)
    answer = await exchange.http.put(url, content=chunks(), headers=_said(GOOD, **sent, **{"Content-Digest": named}))
    assert answer.status_code == 204, answer.text
    assert (await dossier.read(at)).content == GOOD


async def test_an_upload_that_breaks_off_leaves_nothing(exchange: Exchange) -> None:
    """The sender goes away after a part was stored: what came is deleted, the entry says that it failed."""
    dossier, before = await Attached.to(exchange), await parts(exchange)
    at = await dossier.awaited()
    content, seen = pdf(2 * PART), list[int]()

    async def receive() -> dict[str, Any]:
        seen.append(await parts(exchange))
        if len(seen) > 2:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": content[: PART + CHUNK], "more_body": True}

    async def send(_message: Any) -> None:
        raise AssertionError("nobody is there to be answered")

    await exchange.app(await scope(exchange.actor("ind"), "PUT", at, announced(content)), receive, send)
    assert seen[-1] > before, "the control: a part was stored"
    assert await parts(exchange) == before
    refused(await dossier.read(at), 404, "not-found")
    assert (await exchange.entries("documents.store"))[-1]["result"] == "failed"


async def test_what_nobody_names_is_collected(exchange: Exchange) -> None:
    """Parts of an attempt whose process died go within the hour, an announcement without content in a day."""
    dossier = await Attached.to(exchange)
    at, there = await dossier.awaited(), await dossier.stored(GOOD)
    unit, upload = exchange.unit(), uuid4()
    for number in range(2):
        await document_store.add_part(unit, upload, number, b"noise")
    await unit.finish()
    for hours, left, announcements in ((0, 2, 2), (2, 0, 2), (25, 0, 1)):
        await _collected(exchange, hours)
        of_it = await exchange.rows("SELECT 1 FROM exchange.document_part WHERE upload = $1", upload)
        of_dossier = await exchange.rows("SELECT 1 FROM exchange.document WHERE dossier_id = $1", dossier.dossier)
        assert (len(of_it), len(of_dossier)) == (left, announcements)
    assert (await dossier.read(there)).content == GOOD
    refused(await dossier.send(at, GOOD), 404, "not-found")


async def _collected(exchange: Exchange, hours: int) -> None:
    unit = exchange.database.unit(exchange.clock() + timedelta(hours=hours))
    await withdrawal_store.collect(unit)
    await document_store.collect(unit)
    await unit.finish()


# taken back


async def _withdrawn(exchange: Exchange, at: str, reason: str = "wrong-person", **asked: Any) -> httpx.Response:
    return await exchange.actor("ind").post(f"{at}/withdrawals", {"reason": reason}, **asked)


async def test_what_was_taken_back_is_gone_and_that_it_was_there_stays(exchange: Exchange) -> None:
    """Also after the request has ended: content, key and title at once; who may have it is told which, and why."""
    dossier, before = await Attached.to(exchange), await parts(exchange)
    at, kept, awaited = await dossier.stored(GOOD), await dossier.stored(GOOD), await dossier.awaited()
    document = at.rpartition("/")[2]
    await dossier.dealings.delivered(await _request(exchange, dossier), [], complete=True)
    assert (await dossier.read(at)).content == GOOD
    key = str(uuid4())
    answer = await _withdrawn(exchange, at, key=key)
    told = answer.json()
    assert (answer.status_code, told["state"], told["withdrawal"]["reason"]) == (201, "withdrawn", "wrong-person")
    assert (told.get("length"), told["storedAt"] is None) == (None, False)
    assert answer.headers["location"] == f"/v1{dossier.path}"
    entry = await exchange.entry(answer.headers["request-id"])
    assert (entry["action"], entry["result"], entry["object"]["id"]) == ("documents.withdraw", "permitted", document)
    assert list(entry["seals"]) == [f"exchange.document/{document}"]
    assert await parts(exchange) == before + 1
    for who in ("ngo", "ind"):
        refused(await exchange.actor(who).get(at, purpose=SCREENING), 404, "not-found")
    refused(await dossier.send(at, GOOD), 404, "not-found")
    again, another = await _withdrawn(exchange, at, key=key), await _withdrawn(exchange, at, "too-much")
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == another.json() == told, "whatever the reason is, it is withdrawn already"
    assert (await _withdrawn(exchange, awaited)).status_code == 201
    seen = [each async for each in exchange.ngo.documents.list(dossier.dossier, purpose=SCREENING, limit=1)]
    assert [(str(each.id), each.state, each.title) for each in seen] == [
        (kept.rpartition("/")[2], "stored", TITLE),
        (document, "withdrawn", None),
    ]
    supplied = [each async for each in exchange.ind.documents.list(dossier.dossier)]
    assert [each.state for each in supplied] == ["withdrawn", "stored", "withdrawn"]
    events = [each async for each in exchange.ngo.events.read() if str(each.subject_id) in {at[-36:], awaited[-36:]}]
    assert [(each.type, each.subject_type, str(each.subject_id)) for each in events] == [
        ("dossier.document-withdrawn", "document", document)
    ]
    for elsewhere in (at.replace(str(dossier.dossier), str(uuid4())), f"{dossier.path}/{uuid4()}"):
        refused(await _withdrawn(exchange, elsewhere), 404, "not-found")


async def test_while_a_hold_stands_it_is_kept_out_of_reach(exchange: Exchange) -> None:
    dossier, before = await Attached.to(exchange), await parts(exchange)
    at = await dossier.stored(GOOD)
    await _held(exchange, dossier, HoldGround.INVESTIGATION)
    assert (await _withdrawn(exchange, at)).json()["state"] == "withdrawn"
    rows = "SELECT 1 FROM exchange.document WHERE dossier_id = $1"
    for ground, left in ((HoldGround.INVESTIGATION, 1), (None, 0)):
        await _held(exchange, dossier, ground)
        await _collected(exchange, 2)
        for who in ("ngo", "ind"):
            refused(await exchange.actor(who).get(at, purpose=SCREENING), 404, "not-found")
            listed = await exchange.actor(who).get(dossier.path, purpose=SCREENING)
            assert [each["state"] for each in listed.json()["items"]] == ["withdrawn"]
        assert len(await exchange.rows(rows, dossier.dossier)) == left
        assert await parts(exchange) == before + left


async def _held(exchange: Exchange, dossier: Attached, ground: HoldGround | None) -> None:
    unit, case = exchange.unit(), dossier.dealings.id
    await (
        holds.release(unit, operator.local(), case)
        if ground is None
        else holds.place(unit, operator.local(), case, ground)
    )
    await unit.finish()


async def test_what_is_under_way_when_it_is_taken_back_leaves_nothing(exchange: Exchange) -> None:
    """An upload that has not ended, and a download."""
    dossier, before = await Attached.to(exchange), await parts(exchange)
    at, content = await dossier.awaited(), pdf(2 * PART)

    async def blocks() -> AsyncIterator[bytes]:
        yield content[:PART]
        assert (await _withdrawn(exchange, at)).status_code == 201
        yield content[PART:]

    headers = announced(content) | await proven(exchange.actor("ind"), "PUT", at)
    refused(await exchange.http.put(f"{BASE}/v1{at}", content=blocks(), headers=headers), 404, "not-found")
    assert await parts(exchange) == before
    at, came = await dossier.stored(content), bytearray()

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError("nobody goes away")

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body" and message.get("body"):
            came.extend(message["body"])
            await _withdrawn(exchange, at)

    reading = await scope(exchange.actor("ngo"), "GET", at, {"Purpose": str(SCREENING)})
    await exchange.app(reading, receive, send)
    assert 0 < len(came) <= PART
    assert (await exchange.entries("documents.read"))[-1]["result"] == "failed"


# who may not


async def test_a_document_crosses_as_its_section_does(exchange: Exchange) -> None:
    """Refused, withdrawn or never asked: of that category neither title nor content; of the others, both."""
    dossier = await Attached.to(exchange)
    seen, hidden = await dossier.stored(GOOD, "identity"), await dossier.stored(GOOD, "medical")
    await exchange.ngo.consents.withdraw(dossier.dealings.consents["special"].id)
    listed = await exchange.actor("ngo").get(dossier.path, purpose=SCREENING)
    assert [each["category"] for each in listed.json()["items"]] == ["identity"]
    entry = await exchange.entry(listed.headers["request-id"])
    assert "medical" not in entry["disclosed"]
    assert entry["withheld"]["medical"] == "consent-withdrawn"
    assert (await dossier.read(seen)).status_code == 200
    answer = await dossier.read(hidden)
    refused(answer, 403, "not-permitted")
    assert reasons(answer) == {"medical": "consent-withdrawn"}
    supplied = (await exchange.actor("ind").get(dossier.path)).json()["items"]
    assert [each["category"] for each in supplied] == ["medical", "identity"]


async def test_for_another_purpose_or_none_nothing_is_there(exchange: Exchange) -> None:
    dossier = await Attached.to(exchange)
    at = await dossier.stored(GOOD)
    ngo = exchange.actor("ngo")
    for path in (at, dossier.path):
        refused(await ngo.get(path), 400, "purpose-missing")
        refused(await ngo.get(path, purpose="enforcement"), 403, "purpose-never-permitted")
        refused(await ngo.get(path, purpose="case-meeting"), 403, "not-permitted")


async def test_who_was_agreed_to_supply_may_be_asked_and_attaches(exchange: Exchange) -> None:
    """DT&V has travel papers, where an agreement says that it gives them; of the IND's dossier it sees nothing."""
    dtv, ngo = await exchange.join("travel", Party.DTV), exchange.actor("ngo")
    raw = agreeing.drafted(exchange, Municipality.UTRECHT, "ngo", "travel", **_TRAVEL)
    dealings = await (await Dealings.begin(exchange)).consented()
    papers = (DataCategory.TRAVEL_DOCUMENTS,)
    await dealings.consent(Purpose.RETURN_ADVICE, "ngo", papers)
    new = dealings.new_request(papers, supplier_id=exchange.id_of("travel"), purpose=Purpose.RETURN_ADVICE)
    refused(await ngo.post("/dossier-requests", wire(new)), 403, "no-agreement")
    await agreeing.in_force(exchange, raw, "ngo", "travel")
    beside = ["travel-documents", "orientation", "belief", "medical"]
    for changes in ({"categories": ["decisions"]}, {"categories": beside}, {"purpose": "legal-screening"}):
        refused(await ngo.post("/dossier-requests", wire(new) | changes), 409, "wrong-addressee")
    asked = await ngo.post("/dossier-requests", wire(new))
    assert asked.status_code == 201, asked.text
    part = {"sections": [], "missing": [], "complete": False}
    made = (await dtv.post(f"/dossier-requests/{asked.json()['id']}/deliveries", part)).json()
    where = f"/dossiers/{made['dossierId']}/documents"
    announcement = {"category": "travel-documents", "mediaType": "application/pdf", "title": TITLE}
    at = (await dtv.post(where, announcement)).headers["location"].removeprefix("/v1")
    assert (await dtv.send("PUT", at, GOOD, headers=announced(GOOD))).status_code == 204
    answer = await ngo.get(at, purpose="return-advice")
    assert (answer.status_code, answer.content) == (200, GOOD)
    assert (await exchange.entry(answer.headers["request-id"]))["ground"] == ["vw-107-8"]
    theirs = await Attached.of(exchange, dealings)
    supplied = await theirs.stored(GOOD)
    for who, path in (("ind", at), ("travel", supplied), ("travel", theirs.path)):
        refused(await exchange.actor(who).get(path, purpose=SCREENING), 404, "not-found")


async def test_what_is_agreed_no_longer_is_not_taken_in_and_what_came_stays(exchange: Exchange) -> None:
    """By section: a later version that has less given counts from the next delivery, announcement and content."""
    dtv = await exchange.join("papers", Party.DTV)
    ngo, identity = exchange.actor("ngo"), {"identity": "authorisation"}
    rule = _TRAVEL["rules"][0]
    wide = rule | {"categories": rule["categories"] | identity}
    raw = agreeing.drafted(exchange, Municipality.UTRECHT, "ngo", "papers", **_TRAVEL | {"rules": [wide]})
    await agreeing.in_force(exchange, raw, "ngo", "papers")
    dealings, asked = await Dealings.begin(exchange), (DataCategory.TRAVEL_DOCUMENTS, DataCategory.IDENTITY)
    new = dealings.new_request(asked, supplier_id=exchange.id_of("papers"), purpose=Purpose.RETURN_ADVICE)
    where = f"/dossier-requests/{(await ngo.post('/dossier-requests', wire(new))).json()['id']}/deliveries"
    none: dict[str, Any] = {"sections": [], "missing": [], "complete": False}
    paper = {"category": "travel-documents", "content": {"note": "made up"}}
    made = (await dtv.post(where, none | {"sections": [paper]})).json()
    there = f"/dossiers/{made['dossierId']}/documents"
    announcement = {"category": "travel-documents", "mediaType": "application/pdf", "title": TITLE}
    kept, late = [(await dtv.post(there, announcement)).headers["location"].removeprefix("/v1") for _ in range(2)]
    assert (await dtv.send("PUT", kept, GOOD, headers=announced(GOOD))).status_code == 204
    await agreeing.in_force(exchange, raw | {"version": 2, "rules": [rule | {"categories": identity}]}, "ngo", "papers")
    missing = {"missing": [{"category": "travel-documents", "reason": "not-found"}]}
    for answer in (
        await dtv.post(where, none | {"sections": [paper]}),
        await dtv.post(where, none | missing),
        await dtv.post(there, announcement),
        await dtv.send("PUT", late, GOOD, headers=announced(GOOD)),
    ):
        refused(answer, 403, "no-agreement")
        assert (await exchange.entry(answer.headers["request-id"]))["reason"] == "no-agreement"
    assert (await dtv.send("PUT", kept, GOOD, headers=announced(GOOD))).status_code == 204
    assert (await dtv.get(kept)).content == GOOD
    assert (await dtv.post(where, none | {"sections": [paper | {"category": "identity"}]})).status_code == 201
    other = rule | {"purpose": "residence-advice"}
    await agreeing.in_force(exchange, raw | {"version": 3, "rules": [other]}, "ngo", "papers")
    refused(await dtv.post(where, none), 403, "no-agreement")
    assert {each["category"] for each in (await dtv.get(there.removesuffix("/documents"))).json()["sections"]} == {
        "travel-documents",
        "identity",
    }


async def test_to_whoever_supplies_a_case_that_has_ended_is_as_any_other(exchange: Exchange) -> None:
    """Who is refused then and only then knows that somebody left, perhaps for an unknown destination."""
    seen = list[list[Any]]()
    for ends in (False, True):
        dossier, ind = await Attached.to(exchange), exchange.actor("ind")
        at, asked = await dossier.awaited(), f"/dossier-requests/{dossier.request}"
        if ends:
            closed = {"closedDate": "2026-11-24", "leavingReason": "mob"}
            ended = await exchange.actor("ngo").post(
                f"/cases/{dossier.dealings.id}/closures", closed, headers=ANY_VERSION
            )
            assert ended.status_code == 201
        answers = [
            await dossier.send(at, GOOD),
            await dossier.announce(),
            await ind.post(f"{asked}/deliveries", {"sections": [], "complete": True}),
            await dossier.announce(),
        ]
        state = (await ind.get(asked, purpose=SCREENING)).json()["state"]
        seen.append([*(each.status_code for each in answers), told(answers[-1]), state])
        assert (await dossier.read(at)).content == GOOD, "who guides the person still reads it"
    assert seen[0] == seen[1] == [204, 201, 201, 409, told(answers[-1]), "complete"]


_TRAVEL: Final[dict[str, Any]] = {
    "controllers": [{"slot": slot, "responsibleFor": "What it holds."} for slot in ("dtv", "ngo")],
    "rules": [
        {
            "id": "travel-papers",
            "from": "dtv",
            "to": "ngo",
            "functions": ["legal-screening"],
            "purpose": "return-advice",
            "ground": "vw-107-8",
            "article": "Vreemdelingenwet 2000 article 107(8) and (10).",
            "categories": {"travel-documents": "authorisation"},
            "retention": "P5Y",
            "note": "Invented.",
        }
    ],
}


async def test_only_while_the_request_runs_and_only_what_was_asked(exchange: Exchange) -> None:
    dossier = await Attached.to(exchange)
    at = await dossier.awaited()
    other = await Attached.to(exchange)
    elsewhere = at.replace(str(dossier.dossier), str(other.dossier))
    refused(await dossier.send(elsewhere, GOOD), 404, "not-found")
    refused(await dossier.announce("detention"), 409, "section-not-asked")
    await dossier.dealings.delivered(await _request(exchange, dossier), [], complete=True)
    refused(await dossier.announce(), 409, "wrong-state")
    refused(await dossier.send(at, GOOD), 409, "wrong-state")


async def _request(exchange: Exchange, dossier: Attached) -> Any:
    return (await exchange.ngo.dossier_requests.read(dossier.request)).value


async def test_who_registered_an_encryption_key_gets_nothing_in_the_clear(exchange: Exchange) -> None:
    """Titles come sealed to that key, and a content, or a range of it, as a release: under a key of this one answer."""
    dossier, content = await Attached.to(exchange), pdf(2 * CHUNK + 5)
    at, other = await dossier.stored(content), await dossier.stored(content)
    member, into, rest, plain = exchange.members["ngo"], io.BytesIO(), io.BytesIO(), io.BytesIO()
    document = UUID(at.rpartition("/")[2])
    opener = _opening.Opener(private("p-256"))
    async with sealing(exchange, "p-256"):
        listed = await exchange.actor("ngo").get(dossier.path, purpose=SCREENING)
        assert (listed.status_code, listed.headers["content-type"]) == (200, "application/jose")
        refused(await dossier.read(at, Accept="application/jose"), 406, "not-acceptable")
        answer = await dossier.read(at, Range="bytes=0-3", Accept=release.MEDIA_TYPE)
        assert (answer.status_code, answer.headers["content-type"]) == (200, release.MEDIA_TYPE)
        assert answer.headers["accept-ranges"] == "content"
        assert content[:64] not in answer.content
        assert not {"etag", "content-range", "content-length"} & set(answer.headers)
        for method, asked, status in (("GET", "content=9-", 206), ("HEAD", "content=9-", 206), ("HEAD", "", 200)):
            ranged = await exchange.actor("ngo").send(method, at, purpose=SCREENING, headers={"Range": asked})
            assert (ranged.status_code, bool(ranged.content)) == (status, method == "GET")
            assert ranged.headers["content-type"] == release.MEDIA_TYPE
            wanted = f"content 9-{len(content) - 1}/{len(content)}" if asked else None
            assert ranged.headers.get("content-range") == wanted
        behind = await dossier.read(at, Range=f"content={len(content)}-")
        refused(behind, 416, "range-not-satisfiable")
        assert behind.headers["content-range"] == f"content */{len(content)}"
        ranged = await dossier.read(at, Range=f"content={CHUNK + 1}-")
        assert len(ranged.content) < len(content)
        told = json.loads(opener.open(ranged.content.partition(b"\n")[0]))
        assert (told["documentId"], told["start"]) == (str(document), CHUNK + 1)
        async with AsyncNgoClient(
            f"{BASE}/v1",
            issuer=BASE,
            client_id=member.client_id,
            key=member.jwk,
            scope=member.part.scopes,
            opening_key=private("p-256"),
            transport=_transport.AsyncHttp(timeout=30, inner=httpx.ASGITransport(app=exchange.app)),
        ) as ngo:
            await ngo.documents.read(dossier.dossier, document, into, purpose=SCREENING)
            done = await ngo.documents.read(dossier.dossier, document, rest, purpose=SCREENING, start=CHUNK + 1)
            assert done.status == 206
        elsewhere = await dossier.read(other)
    assert (into.getvalue(), rest.getvalue()) == (content, content[CHUNK + 1 :])
    await exchange.ngo.documents.read(dossier.dossier, document, plain, purpose=SCREENING, start=9)
    assert plain.getvalue() == content[9:]
    for came, start, which in ((elsewhere, 0, document), (ranged, CHUNK, document), (answer, 0, None)):
        file = io.BytesIO()
        with pytest.raises(UnexpectedAnswer, match="not whole"):
            Receiver(file, opener, start, which).begin(release.MEDIA_TYPE, 0).write(came.content)
        assert file.getvalue() == b""


# sealed to us


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def key(exchange: Exchange) -> _sealing.SealingKey:
    """A key that the service publishes."""
    taken = _sealing.taken((await posted_to(exchange, Kind.X25519))[0])
    assert taken is not None
    return taken


def sealed(key: _sealing.SealingKey, at: str, content: bytes, **changes: Any) -> tuple[bytes, dict[str, str]]:
    """A content as our client seals it for the document at an address, and what it says of it."""
    told = replace(Content.of(content, DocumentType.PDF), **changes)
    request = _releasing.released(Request("PUT", at, dict(told.headers())), key, told, UUID(at.rpartition("/")[2]))
    assert request.source is not None
    return b"".join(request.source()), dict(request.headers)


async def test_a_client_that_seals_its_posts_seals_contents(exchange: Exchange, key: _sealing.SealingKey) -> None:
    """What is seen on the way is a release; within it is the content that was sent in the clear, once more."""
    dossier, member, seen = await Attached.to(exchange), exchange.members["ind"], list[httpx.Request]()
    at, before = await dossier.awaited(), await parts(exchange)
    content = pdf(PART + CHUNK + 7)

    class Watched(httpx.ASGITransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await request.aread()
            seen.append(request)
            return await super().handle_async_request(request)

    async with AsyncChainClient(
        f"{BASE}/v1",
        issuer=BASE,
        client_id=member.client_id,
        key=member.jwk,
        scope=member.part.scopes,
        seal_posts=[key.kid],
        transport=_transport.AsyncHttp(timeout=30, inner=Watched(app=exchange.app)),
    ) as ind:
        document, told = UUID(at.rpartition("/")[2]), Content.of(content, DocumentType.PDF)
        await ind.documents.store(dossier.dossier, document, told)
        await ind.documents.store(dossier.dossier, document, told)
        with pytest.raises(Conflict):
            await ind.documents.store(dossier.dossier, document, Content.of(content + b"x", DocumentType.PDF))
    assert (await dossier.read(at)).content == content
    assert (await dossier.send(at, content)).status_code == 204, "sealed or not, it is the same content"
    assert await parts(exchange) == before + 2
    sent = [each for each in seen if each.method == "PUT"]
    assert {each.headers["content-type"] for each in sent} == {release.MEDIA_TYPE}
    assert not any("content-digest" in each.headers or content[:32] in each.content for each in sent)
    assert len({each.content[:2_000] for each in sent}) == 3, "each is under a key of its own"


async def test_a_release_that_does_not_open_leaves_nothing_and_is_one_problem(
    exchange: Exchange, key: _sealing.SealingKey
) -> None:
    """Cut, turned, changed, under another key, for another document: nobody is told which, and not a part stays."""
    dossier = await Attached.to(exchange)
    at, elsewhere = await dossier.awaited(), await dossier.awaited()
    content = pdf(PART + 2 * CHUNK + 5)
    good, headers = sealed(key, at, content)
    line, _, body = good.partition(b"\n")
    other = sealed(key, at, content)[0].partition(b"\n")[2]
    unknown = replace(key, native=OKPKey.generate_key("X25519"))
    second = HEADER + SEALED_CHUNK
    bad = {
        "no line": body,
        "a line alone": line,
        "an endless line": b"e" * 70_000,
        "nothing behind its line": line + b"\n",
        "without its last chunk": good[: -(5 + 16)],
        "cut in a chunk": good[:-1],
        "with more": good + b"x",
        "turned round": line
        + b"\n"
        + body[:HEADER]
        + body[second : second + SEALED_CHUNK]
        + body[HEADER:second]
        + body[second + SEALED_CHUNK :],
        "flipped": good[:-9] + bytes((good[-9] ^ 1,)) + good[-8:],
        "under the key of another": line + b"\n" + other,
        "for another document": sealed(key, elsewhere, content)[0],
        "to a key of somebody else": sealed(unknown, at, content)[0],
    }
    before, texts = await parts(exchange), set[str]()
    for name, each in bad.items():
        answer = await dossier.send(at, each, {"Content-Type": release.MEDIA_TYPE})
        problem = refused(answer, 400, "not-sealed-to-us")
        texts.add(json.dumps({member: text for member, text in problem.items() if member not in OCCURRENCE}))
        (entry,) = await exchange.entries_of(answer.headers["request-id"])
        told = ("documents.store", "refused", "not-sealed-to-us")
        assert (entry["action"], entry["result"], entry["reason"]) == told, name
        assert await parts(exchange) == before, name
    assert len(texts) == 1
    refused(await dossier.read(at), 404, "not-found")
    unproven = await exchange.http.put(f"{BASE}/v1{at}", content=good, headers=headers)
    assert unproven.status_code == 401
    assert (await dossier.send(at, good, headers)).status_code == 204
    assert (await dossier.read(at)).content == content


async def test_what_was_opened_is_held_to_what_is_said_of_it(exchange: Exchange, key: _sealing.SealingKey) -> None:
    """Within: digest and kind. In the head: the digest of what is sent, if there is one, and a length that fits."""
    dossier = await Attached.to(exchange)
    at, before = await dossier.awaited(), await parts(exchange)
    good, headers = sealed(key, at, GOOD)
    ciphered = announced(good, release.MEDIA_TYPE)
    most = good.index(b"\n") + 1 + stream.sealed_length(DOCUMENT_MOST)
    for body, said, status, problem in (
        (sealed(key, at, GOOD, digest=bytes(32))[0], headers, 400, "content-not-as-declared"),
        (sealed(key, at, GOOD, media_type=DocumentType.PNG)[0], headers, 400, "content-not-as-declared"),
        (good, ciphered | {"Repr-Digest": announced(GOOD)["Content-Digest"]}, 400, "content-not-as-declared"),
        (good, headers | {"Content-Digest": announced(GOOD)["Content-Digest"]}, 400, "content-not-as-declared"),
        (good, headers | {"Content-Length": str(most + 1)}, 413, "payload-too-large"),
        (good, headers | {"Content-Encoding": "gzip"}, 415, "unsupported-media-type"),
        (good, {"Content-Type": "application/jose"}, 415, "unsupported-media-type"),
    ):
        refused(await dossier.send(at, body, said), status, problem)
        assert await parts(exchange) == before
    assert (await dossier.send(at, good, ciphered | {"Content-Length": str(most)})).status_code == 204
    assert (await dossier.read(at)).content == GOOD


async def test_what_is_withdrawn_while_the_list_is_read_is_there_or_gone_and_never_neither(exchange: Exchange) -> None:
    """The list waits for the documents; meanwhile one of them is taken back."""
    dossier = await Attached.to(exchange)
    document = UUID((await dossier.stored(GOOD))[-36:])
    async with exchange.database.connection() as connection:
        async with connection.transaction():
            await connection.execute("LOCK TABLE exchange.document IN ACCESS EXCLUSIVE MODE")
            listing = asyncio.create_task(exchange.actor("ngo").get(dossier.path, purpose=SCREENING))
            await asyncio.sleep(0.5)
            await connection.execute(_TAKEN_BACK, document)
            await connection.execute("DELETE FROM exchange.document WHERE id = $1", document)
        answer = await listing
    assert [each["state"] for each in answer.json()["items"]] == ["withdrawn"]


_TAKEN_BACK: Final = """
INSERT INTO exchange.document_withdrawal
SELECT id, dossier_id, category, media_type, added_at, stored_at, 'too-much', now()
FROM exchange.document WHERE id = $1"""


async def test_what_a_hold_keeps_goes_when_it_is_released_and_the_log_says_so(exchange: Exchange) -> None:
    """Also what was announced and never came, however long the hold stands; each destruction is an entry."""
    dossier = await Attached.to(exchange)
    made = [await dossier.stored(GOOD), await dossier.awaited()]
    await _held(exchange, dossier, HoldGround.INVESTIGATION)
    for at in made:
        assert (await _withdrawn(exchange, at)).status_code == 201
    await _collected(exchange, 48)
    rows = "SELECT 1 FROM exchange.document WHERE dossier_id = $1"
    assert len(await exchange.rows(rows, dossier.dossier)) == 2
    before = await exchange.entries("documents.destroy")
    await _held(exchange, dossier, None)
    await _collected(exchange, 0)
    assert await exchange.rows(rows, dossier.dossier) == []
    entries = (await exchange.entries("documents.destroy"))[len(before) :]
    assert {each["object"]["id"] for each in entries} == {at[-36:] for at in made}
    (whose,) = {each["person"] for each in entries}
    assert whose == (await exchange.entries("documents.withdraw"))[-1]["person"]
    assert {(each["result"], each["actor"]["client"]) for each in entries} == {("permitted", "local-operator")}


async def test_no_event_tells_of_a_document_that_could_not_be_seen(exchange: Exchange) -> None:
    """Of what was taken back hears who may see it now, or had it, so that it goes there too; and nobody else."""
    dossier = await Attached.to(exchange)
    titled = await dossier.stored(GOOD, "medical")
    assert (await exchange.actor("ngo").get(dossier.path, purpose=SCREENING)).status_code == 200
    seen, unseen = [await dossier.stored(GOOD, "medical") for _ in range(2)]
    assert (await dossier.read(seen)).status_code == 200
    await settled(exchange)
    await exchange.ngo.consents.withdraw(dossier.dealings.consents["special"].id)
    later, allowed = await dossier.stored(GOOD, "medical"), await dossier.stored(GOOD, "identity")
    for at in (titled, seen, unseen, later, allowed):
        answer = await _withdrawn(exchange, at, "too-much")
        assert (await exchange.entry(answer.headers["request-id"]))["cause"] == "too-much"
    ids = {str(dossier.dossier), *(at[-36:] for at in (titled, seen, unseen, later, allowed))}
    told = [each async for each in exchange.ngo.events.read() if str(each.subject_id) in ids]
    assert [each.type for each in told] == 4 * ["dossier.document-stored"] + 3 * ["dossier.document-withdrawn"]
    assert [str(each.subject_id) for each in told[4:]] == [at[-36:] for at in (titled, seen, allowed)]
