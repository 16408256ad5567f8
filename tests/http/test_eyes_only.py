"""What tells of a person goes to the eyes of its recipient only: answers to a client with a key, and posts to us."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from datetime import timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

import pytest

from api.crypto import inbox, jwe, release
from api.crypto.inbox import Kind
from api.oauth import operator, recipients
from api.schemas.advice import NewAdvice
from api.schemas.audit import AuditExport
from api.schemas.cases import CaseSearch
from api.vocabulary import AdviceAnswer, ClientId, DossierId, Purpose
from clients import _opening, _sealing
from clients.auditor import AsyncAuditorClient
from clients.chain import AsyncChainClient
from clients.errors import InvalidInput, NotFound, UnexpectedAnswer
from clients.errors import Misconfigured as Mistaken
from clients.ngo import AsyncNgoClient
from tests import audit_store
from tests.actor import OCCURRENCE, refused
from tests.dealings import BODY, Dealings
from tests.exchange import BASE
from tests.jwe_kit import KINDS, private, public

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import httpx

    from tests.exchange import Exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCREENING = Purpose.LEGAL_SCREENING
C = TypeVar("C", AsyncNgoClient, AsyncChainClient, AsyncAuditorClient)


async def _register(exchange: Exchange, key: str | None, member: str) -> None:
    unit = exchange.database.unit(exchange.clock())
    to = None if key is None else jwe.recipient(public(key))
    await recipients.register(unit, operator.local(), ClientId(exchange.members[member].client_id), to)
    await unit.finish()
    # A process that remembered the client reads it again, and asks whoever comes first to come again.
    assert (await exchange.actor(member).get("/organisations")).status_code in {200, 503}


@asynccontextmanager
async def sealing(exchange: Exchange, key: str, member: str = "ngo") -> AsyncGenerator[None]:
    """While the NGO, or another, has this key registered."""
    await _register(exchange, key, member)
    try:
        yield
    finally:
        await _register(exchange, None, member)


async def delivered(exchange: Exchange) -> DossierId:
    """A dossier that the NGO may read."""
    return DossierId(await (await (await Dealings.begin(exchange)).consented()).dossier())


@pytest.mark.parametrize("key", KINDS)
async def test_from_the_next_request_on_a_dossier_is_sealed_to_the_registered_key(exchange: Exchange, key: str) -> None:
    dossier, ngo = await delivered(exchange), exchange.actor("ngo")
    clear = await ngo.get(f"/dossiers/{dossier}", purpose=SCREENING)
    assert clear.headers["content-type"] == "application/json"
    async with sealing(exchange, key):
        sealed = await ngo.get(f"/dossiers/{dossier}", purpose=SCREENING)
        assert (sealed.status_code, sealed.headers["content-type"]) == (200, KINDS[key][1])
        assert "etag" not in sealed.headers
        assert "audit-receipt" in sealed.headers
        opened = json.loads(_opening.Opener(private(key)).open(sealed.content))
        assert opened == clear.json()
        entry = await exchange.entry(sealed.headers["request-id"])
        assert (entry["action"], entry["result"]) == ("dossiers.read", "permitted")
        ind = await exchange.actor("ind").get(f"/dossiers/{dossier}")
        assert ind.headers["content-type"] == "application/json"
    again = await ngo.get(f"/dossiers/{dossier}", purpose=SCREENING)
    assert again.json() == clear.json()


async def test_a_request_cannot_ask_for_less_than_what_was_registered(exchange: Exchange) -> None:
    """Who stands in between may rewrite an Accept: then nothing is disclosed, and nothing was."""
    dossier, ngo = await delivered(exchange), exchange.actor("ngo")
    async with sealing(exchange, "p-256"):
        before = len(await exchange.entries("dossiers.read"))
        for accept in ("application/json", "application/jose+json", "application/jose;q=0, application/json"):
            answer = await ngo.get(f"/dossiers/{dossier}", purpose=SCREENING, headers={"Accept": accept})
            refused(answer, 406, "not-acceptable")
        assert all(each["result"] != "permitted" for each in (await exchange.entries("dossiers.read"))[before:])
        for accept in ("application/jose", "*/*", "application/*"):
            answer = await ngo.get(f"/dossiers/{dossier}", purpose=SCREENING, headers={"Accept": accept})
            assert answer.headers["content-type"] == "application/jose"
    only = await ngo.get(f"/dossiers/{dossier}", purpose=SCREENING, headers={"Accept": "application/jose"})
    refused(only, 406, "not-acceptable")


async def test_a_refusal_is_a_problem_like_any_other(exchange: Exchange) -> None:
    nothing = (await Dealings.begin(exchange)).id
    async with sealing(exchange, "p-256"):
        refused(await exchange.actor("ngo").get(f"/dossiers/{nothing}", purpose=SCREENING), 404, "not-found")


async def test_whatever_tells_of_a_person_is_sealed_in_every_shape(exchange: Exchange) -> None:
    """Things, pages, previews, the person's own account, and what was just made; each opens to what it says else."""
    dealings = await (await Dealings.begin(exchange)).consented()
    dossier, ngo = DossierId(await dealings.dossier()), exchange.actor("ngo")
    advice = await dealings.advised(await dealings.asked())
    reads = (
        f"/cases/{dealings.id}",
        "/cases?limit=1",
        f"/consents?caseId={dealings.id}",
        f"/consents/{dealings.consents['ordinary'].id}",
        f"/dossiers/{dossier}/manifest",
        "/dossier-requests?limit=1",
        f"/screening-outcomes?caseId={dealings.id}",
        f"/advice?caseId={dealings.id}",
        f"/advice/{advice.id}",
        "/advice-requests?limit=1",
        "/events?limit=2",
    )
    purposes = {path: Purpose.RESIDENCE_ADVICE for path in reads if path.startswith("/advice")}
    purposes |= {path: SCREENING for path in reads if path.startswith("/dossiers/")}
    clear = {path: await ngo.get(path, purpose=purposes.get(path)) for path in reads}
    asked = dealings.new_request().model_dump(mode="json", by_alias=True)
    opener = _opening.Opener(private("x25519"))
    async with sealing(exchange, "x25519"):
        for path, before in clear.items():
            assert before.status_code == 200, path
            sealed = await ngo.get(path, purpose=purposes.get(path), headers=_same(before))
            assert (sealed.status_code, sealed.headers["content-type"]) == (200, "application/jose"), path
            text = opener.open(sealed.content)
            assert (json.loads(text).keys(), len(text) % 256) == (before.json().keys(), 0), path
            assert sealed.headers.get("link") == before.headers.get("link") or "cursor" in sealed.headers["link"]
        account = await ngo.get(f"/persons/{dealings.case.person_id}/disclosures")
        preview = await ngo.post("/dossier-requests/_preview", asked)
        found = await ngo.post("/cases/_search", {"vNumber": "0000000999"})
        made = await ngo.post("/dossier-requests", asked)
        for answer, status in ((account, 200), (preview, 200), (found, 200), (made, 201)):
            assert (answer.status_code, answer.headers["content-type"]) == (status, "application/jose")
            assert "etag" not in answer.headers
        assert made.headers["location"].endswith(json.loads(opener.open(made.content))["id"])
        for path in ("/agreements", "/organisations"):
            public = await ngo.get(path, headers={"Accept": "application/json"})
            assert (public.status_code, public.headers["content-type"]) == (200, "application/json")


async def test_what_an_auditor_takes_out_is_sealed_while_it_streams(exchange: Exchange) -> None:
    async with exchange.database.connection() as connection:
        await audit_store.settle(connection)
    query = {"query": "action:oauth.*", "reason": "incident", "reference": "AUD-2026-14"}
    for form in ("ndjson", "csv"):
        asked = {**query, "format": form}
        clear = await exchange.actor("auditor").post("/audit/entries/_export", asked)
        assert (clear.status_code, clear.content.count(b"\n") > 3) == (200, True)
        async with sealing(exchange, "x25519", "auditor"):
            accepts = {"Accept": release.MEDIA_TYPE}
            sealed = await exchange.actor("auditor").post("/audit/entries/_export", asked, headers=accepts)
            assert (sealed.status_code, sealed.headers["content-type"]) == (200, release.MEDIA_TYPE)
            assert sealed.headers["content-disposition"] == clear.headers["content-disposition"]
            for other in (clear.headers["content-type"], "application/jose"):
                answer = await exchange.actor("auditor").post(
                    "/audit/entries/_export", asked, headers={"Accept": other}
                )
                refused(answer, 406, "not-acceptable")
            file = BytesIO()
            auditor = _client(exchange, "auditor", AsyncAuditorClient, opening_key=private("x25519"))
            await auditor.audit.export(AuditExport.model_validate(asked), file)
            assert file.getvalue() == clear.content
            with pytest.raises(UnexpectedAnswer, match="opening_key"):
                await exchange.auditor.audit.export(AuditExport.model_validate(asked), BytesIO())


def _same(before: httpx.Response) -> dict[str, str]:
    """The condition that would be met if a sealed answer had the tag of what is in it."""
    return {} if before.headers["etag"].strip('"').isdigit() else {"If-None-Match": before.headers["etag"]}


async def test_what_is_changed_under_if_match_keeps_its_version_when_it_is_sealed(exchange: Exchange) -> None:
    case, ngo = (await Dealings.begin(exchange)).id, exchange.actor("ngo")
    async with sealing(exchange, "p-256"):
        sealed = await ngo.get(f"/cases/{case}")
        tag = sealed.headers["etag"]
        assert (tag.strip('"').isdigit(), sealed.headers["content-type"]) == (True, "application/jose")
        known = await ngo.get(f"/cases/{case}", headers={"If-None-Match": tag})
        assert (known.status_code, known.content) == (304, b"")


async def test_our_client_opens_what_is_sealed_to_it(exchange: Exchange) -> None:
    dossier = await delivered(exchange)
    member = exchange.members["ngo"]
    clear = (await exchange.ngo.dossiers.read(dossier, purpose=SCREENING)).value
    account: dict[str, Any] = {
        "issuer": BASE,
        "client_id": member.client_id,
        "key": member.jwk,
        "scope": member.part.scopes,
        "retries": 0,
        "transport": exchange.ngo._driver.transport,
    }
    async with sealing(exchange, "nlgov"):
        opening = AsyncNgoClient(f"{BASE}/v1", opening_key=private("nlgov"), **account)
        assert (await opening.dossiers.read(dossier, purpose=SCREENING)).value == clear
        assert (await opening.cases.read(clear.case_id)).value.id == clear.case_id
        assert clear.case_id in [each.id async for each in opening.cases.list(limit=1)]
        with pytest.raises(NotFound):
            await opening.dossiers.read(clear.case_id, purpose=SCREENING)
        another = AsyncNgoClient(f"{BASE}/v1", opening_key=private("p-256"), **account)
        with pytest.raises(UnexpectedAnswer):
            await another.dossiers.read(dossier, purpose=SCREENING)
        with pytest.raises(InvalidInput, match="406"):
            await exchange.ngo.dossiers.read(dossier, purpose=SCREENING)


def _client(exchange: Exchange, key: str, kind: type[C], **more: Any) -> C:
    """A client of our own, with a key of its own or a will to seal."""
    member = exchange.members[key]
    return kind(
        f"{BASE}/v1",
        issuer=BASE,
        client_id=member.client_id,
        key=member.jwk,
        scope=member.part.scopes,
        retries=0,
        transport=exchange.ngo._driver.transport,
        **more,
    )


async def posted_to(exchange: Exchange, kind: Kind, *, compromised: bool = False) -> list[dict[str, Any]]:
    """Give the service a new inbox key of this kind, and have it look; what it then publishes, the new one first."""
    file, now = inbox.beside(exchange.key_file), exchange.clock()
    new = inbox.rotate(file, kind, now, now, compromised=compromised, like=file)
    with exchange.later(timedelta(seconds=30)):
        await _keys(exchange)
    return sorted(await _keys(exchange), key=lambda key: bool(key["kid"] != new.kid))


async def _keys(exchange: Exchange) -> list[dict[str, Any]]:
    told = (await exchange.http.get("/.well-known/oauth-protected-resource")).json()["jwks_uri"]
    answer = await exchange.http.get(told)
    assert answer.headers["cache-control"] == "public, max-age=300"
    found: list[dict[str, Any]] = answer.json()["keys"]
    return found


def _sealed(keys: list[dict[str, Any]], body: object) -> tuple[bytes, dict[str, str]]:
    key = _sealing.taken(keys[0])
    assert key is not None
    posted = key.seal(body if isinstance(body, bytes) else json.dumps(body).encode())
    return posted.content, {"Content-Type": posted.media_type}


async def test_the_ind_posts_to_our_eyes_only_in_both_profiles(exchange: Exchange) -> None:
    dealings = await (await Dealings.begin(exchange)).consented()
    for kind in (Kind.RSA, Kind.X25519):
        asked, keys = await dealings.asked(), await posted_to(exchange, kind)
        ind = _client(exchange, "ind", AsyncChainClient, seal_posts=[keys[0]["kid"]])
        new = NewAdvice(advice_request_id=asked.id, answer=AdviceAnswer.ADVICE, summary="None.", body=BODY)
        given = (await ind.advice.give(new)).value
        read = (await exchange.ngo.advice.read(given.id, purpose=Purpose.RESIDENCE_ADVICE)).value
        assert read.body == BODY


async def test_a_sealed_post_and_a_clear_one_are_one_intention(exchange: Exchange) -> None:
    """The idempotency key stands for what is said, not for the bytes: each sealing has others."""
    dealings = await (await Dealings.begin(exchange)).consented()
    ngo, body = exchange.actor("ngo"), dealings.new_request().model_dump(mode="json", by_alias=True)
    keys, key = await posted_to(exchange, Kind.X25519), str(uuid4())
    first, headers = _sealed(keys, body)
    made = await ngo.post("/dossier-requests", first, key=key, headers=headers)
    assert made.status_code == 201, made.text
    for sent, said in (_sealed(keys, body), (first, headers), (json.dumps(body).encode(), {})):
        again = await ngo.post("/dossier-requests", sent, key=key, headers=said)
        assert (again.status_code, again.json()["id"]) == (201, made.json()["id"])
        assert again.headers["idempotency-replayed"] == "true"
    other, headers = _sealed(keys, body | {"proportionalityNote": "Weighed again."})
    refused(await ngo.post("/dossier-requests", other, key=key, headers=headers), 422, "idempotency-key-reused")


async def test_what_does_not_open_is_one_problem_and_an_entry(exchange: Exchange) -> None:
    ngo = exchange.actor("ngo")
    keys = await posted_to(exchange, Kind.X25519)
    good, jose = _sealed(keys, {"vNumber": "0000000999"})
    parts = good.split(b".")
    texts = set[str]()
    for bad in (
        b"x",
        b"",
        b".".join([*parts[:3], parts[3][::-1], parts[4]]),
        b".".join([parts[0], parts[1][::-1], *parts[2:]]),
        b'{"recipients": []}',
    ):
        answer = await ngo.post("/cases/_search", bad, headers=jose)
        problem = refused(answer, 400, "not-sealed-to-us")
        texts.add(json.dumps({name: text for name, text in problem.items() if name not in OCCURRENCE}))
        entry = await exchange.entry(answer.headers["request-id"])
        assert (entry["result"], entry["reason"]) == ("refused", "not-sealed-to-us")
    assert len(texts) == 1
    assert "/.well-known/encryption-keys" in problem["nextStep"]
    assert (await ngo.post("/cases/_search", good, headers=jose)).status_code == 200
    unproven = await exchange.http.post(f"{BASE}/v1/cases/_search", content=good, headers=jose)
    assert (unproven.status_code, unproven.headers["content-type"]) == (401, "application/problem+json")


async def test_what_was_opened_is_read_like_any_other_body(exchange: Exchange) -> None:
    ngo = exchange.actor("ngo")
    keys = await posted_to(exchange, Kind.X25519)
    for text, status, slug in (
        (b'{"vNumber": "1", "vNumber": "2"}', 400, "duplicate-key"),
        (b"{", 400, "malformed-json"),
        (b"[]", 400, "invalid-input"),
        (b"{}", 400, "invalid-input"),
        (b'{"vNumber": "' + b"1" * 1024 * 1024 + b'"}', 413, "payload-too-large"),
    ):
        sent, jose = _sealed(keys, text)
        problem = refused(await ngo.post("/cases/_search", sent, headers=jose), status, slug)
        assert "vNumber" not in json.dumps(problem) or slug == "invalid-input"
    refused(await ngo.post("/cases/_search", b"x" * 2_000_000, headers=jose), 413, "payload-too-large")
    filled = b'{"vNumber": "0000000999"' + b" " * (1024 * 1024 - 40) + b"}"
    sent, jose = _sealed(keys, filled)
    assert len(sent) > 1024 * 1024
    assert (await ngo.post("/cases/_search", sent, headers=jose)).status_code == 200
    refused(await ngo.get("/cases", headers=jose | {"Content-Length": "1"}), 415, "unsupported-media-type")


async def test_a_client_finds_the_next_key_by_itself_and_never_posts_in_the_clear(exchange: Exchange) -> None:
    before = await posted_to(exchange, Kind.X25519)
    ngo, wanted = _client(exchange, "ngo", AsyncNgoClient, seal_posts=True), CaseSearch(v_number="0000000999")
    assert [each async for each in ngo.cases.search(wanted)] == []
    await posted_to(exchange, Kind.X25519, compromised=True)
    assert [each async for each in ngo.cases.search(wanted)] == [], "its key leaked, and another is published"
    pinned = _client(exchange, "ngo", AsyncNgoClient, seal_posts=[before[0]["kid"]])
    with pytest.raises(UnexpectedAnswer, match="publishes no key"):
        await anext(aiter(pinned.cases.search(wanted)))
    with pytest.raises(Mistaken):
        _client(exchange, "ngo", AsyncNgoClient, seal_posts=[])
