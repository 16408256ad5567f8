"""Outcomes and advice that are signed for evidence: what is kept, who is shown it, what is refused, who must sign."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import orjson
import pytest
import pytest_asyncio
from joserfc.jwk import ECKey

from api.schemas.advice import NewAdvice
from api.schemas.evidence import Evidence
from api.vocabulary import AdviceAnswer, Purpose, Signable
from clients import evidence
from clients.chain import AsyncChainClient
from clients.errors import InvalidInput
from tests import oauth_kit as kit
from tests import payload_kit as sign
from tests.actor import refused, told
from tests.dealings import BODY, Dealings, wire
from tests.exchange import BASE

if TYPE_CHECKING:
    import httpx

    from tests.exchange import Exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")

RESIDENCE: Final = Purpose.RESIDENCE_ADVICE
KEYS: Final = {member: kit.key(kind) for member, kind in sign.KINDS.items()}


@pytest_asyncio.fixture(autouse=True, scope="module", loop_scope="module")
async def _registered(exchange: Exchange) -> None:
    await sign.registered(exchange)


async def new_advice(exchange: Exchange) -> bytes:
    """The body of an advice on a fresh request, written as no serialiser of ours would: every byte counts."""
    request = await (await (await Dealings.begin(exchange)).consented()).asked()
    said = {"adviceRequestId": str(request.id), "answer": "advice", "summary": "Verzonnen, met é.", "body": wire(BODY)}
    return b" " + orjson.dumps(said, option=orjson.OPT_INDENT_2) + b"\n"


async def give(exchange: Exchange, body: bytes, **changes: Any) -> httpx.Response:
    return await sign.posted(exchange, "ind", "/advice", body, **changes)


def sent(answer: httpx.Response) -> tuple[str, str]:
    """Digest and signature, as they were sent."""
    return answer.request.headers["digest"], answer.request.headers["payload-signature"]


async def test_what_was_signed_is_shown_byte_by_byte_to_author_and_requester(exchange: Exchange) -> None:
    body = await new_advice(exchange)
    given = await give(exchange, body)
    assert given.status_code == 201, given.text
    path = f"/advice/{given.json()['id']}/evidence"
    own = await exchange.actor("ind").get(path)
    theirs = await exchange.actor("ngo").get(path, purpose=RESIDENCE)
    assert own.json() == theirs.json()
    found = Evidence.model_validate_json(theirs.content)
    assert found.body.encode() == body
    assert (found.digest, found.payload_signature) == sent(given)
    assert found.key == KEYS["ind"].public
    assert evidence.verify(found, KEYS["ind"].thumbprint) == found.signed_at
    posting, reading = [await exchange.entry(each.headers["request-id"]) for each in (given, theirs)]
    assert posting["signed"] == {"key": KEYS["ind"].thumbprint, "digest": evidence.signature_digest(found)}
    assert (reading["action"], reading["disclosed"]) == ("advice.read-evidence", {"advice": ["signedPayload"]})
    assert [name.partition("/")[0] for name in reading["seals"]] == ["exchange.signed_payload"]


async def test_evidence_goes_as_far_as_the_advice_itself(exchange: Exchange) -> None:
    """The same gate: another NGO, another purpose, and an advice that nobody signed."""
    signed = await give(exchange, await new_advice(exchange))
    unsigned = await exchange.actor("ind").post("/advice", await new_advice(exchange))
    assert "signed" not in await exchange.entry(unsigned.headers["request-id"])
    path, bare = (f"/advice/{each.json()['id']}/evidence" for each in (signed, unsigned))
    ngo, absent = exchange.actor("ngo"), f"/advice/{uuid4()}/evidence"
    refused(await ngo.get(path), 400, "purpose-missing")
    refused(await ngo.get(path, purpose=Purpose.ENFORCEMENT), 403, "purpose-never-permitted")
    refused(await ngo.get(path, purpose=Purpose.RETURN_ADVICE), 403, "not-permitted")
    refused(await ngo.get(bare, purpose=RESIDENCE), 403, "not-permitted")
    refused(await exchange.actor("ind").get(bare), 404, "not-found")
    foreign, nothing = [await exchange.actor("otherNgo").get(each, purpose=RESIDENCE) for each in (path, absent)]
    refused(foreign, 404, "not-found")
    assert told(foreign) == told(nothing)


async def test_the_signed_outcome_is_shown_whole_to_its_author_alone(exchange: Exchange) -> None:
    """It holds the legal analysis and to whom it was addressed, which cross to nobody."""
    dealings = await (await Dealings.begin(exchange)).consented()
    body = dealings.new_outcome("ind").model_dump_json(by_alias=True, exclude_unset=True).encode()
    shared = await sign.posted(exchange, "ngo", "/screening-outcomes", body)
    path = f"/screening-outcomes/{shared.json()['id']}/evidence"
    own = await exchange.actor("ngo").get(path)
    assert own.json()["body"].encode() == body
    assert "legalAnalysis" in own.json()["body"]
    entry = await exchange.entry(own.headers["request-id"])
    assert entry["disclosed"] == {"legal-analysis": ["signedPayload"], "shared-outcome": ["signedPayload"]}
    refused(await exchange.actor("ind").get(path, purpose=RESIDENCE), 403, "wrong-party")
    refused(await exchange.actor("otherNgo").get(path), 404, "not-found")
    unsigned = await dealings.outcome("ind")
    refused(await exchange.actor("ngo").get(f"/screening-outcomes/{unsigned.id}/evidence"), 404, "not-found")


async def test_a_retry_is_verified_too_and_keeps_what_was_kept_first(exchange: Exchange) -> None:
    """Signed anew, as a retry is after five minutes: the effect is one, and so is the evidence."""
    body, key = await new_advice(exchange), str(uuid4())
    ind, at = exchange.actor("ind"), exchange.clock().timestamp()
    first = await ind.post("/advice", body, key=key, headers=sign.signed(KEYS["ind"], body, at - 60))
    again = await ind.post("/advice", body, key=key, headers=sign.signed(KEYS["ind"], body, at))
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    entries = [await exchange.entry(each.headers["request-id"]) for each in (first, again)]
    assert entries[1]["replayed"]
    assert entries[0]["signed"] != entries[1]["signed"]
    kept = await ind.get(f"/advice/{first.json()['id']}/evidence")
    assert (kept.json()["digest"], kept.json()["payloadSignature"]) == sent(first)
    broken = await ind.post("/advice", body, key=key, headers=sign.signed(KEYS["ngo"], body, at))
    refused(broken, 400, "payload-signature-invalid")


async def test_signed_and_unsigned_are_two_requests_to_one_key(exchange: Exchange) -> None:
    """No entry says `signed` of an effect that kept no evidence, nor the other way round."""
    ind, at = exchange.actor("ind"), exchange.clock().timestamp()
    for signed_first in (True, False):
        body, key = await new_advice(exchange), str(uuid4())
        ways: list[dict[str, str]] = [sign.signed(KEYS["ind"], body, at), {}]
        first, then = ways if signed_first else reversed(ways)
        assert (await ind.post("/advice", body, key=key, headers=first)).status_code == 201
        answer = await ind.post("/advice", body, key=key, headers=then)
        refused(answer, 422, "idempotency-key-reused")
        assert "signed" not in await exchange.entry(answer.headers["request-id"])


async def test_an_invalid_signature_is_one_refusal_without_any_effect(exchange: Exchange) -> None:
    """The key of another party, another body, no digest, no JWS, too old."""
    body = await new_advice(exchange)
    at = exchange.clock().timestamp()
    fields = sign.signed(KEYS["ind"], body, at)
    for headers, raw in (
        (sign.signed(KEYS["ngo"], body, at), body),
        (fields, body + b" "),
        ({name: value for name, value in fields.items() if name != "Digest"}, body),
        (fields | {"Payload-Signature": "made up"}, body),
        (sign.signed(KEYS["ind"], body, at - 400), body),
    ):
        answer = await exchange.actor("ind").post("/advice", raw, headers=headers)
        assert refused(answer, 400, "payload-signature-invalid")["nextStep"]
        entry = await exchange.entry(answer.headers["request-id"])
        assert (entry["action"], entry["result"], entry["reason"]) == (
            "advice.give",
            "refused",
            "payload-signature-invalid",
        )
        assert "signed" not in entry
    assert (await give(exchange, body)).status_code == 201, "the question was left open"


async def test_two_signatures_are_none(exchange: Exchange) -> None:
    """Signing module: a receiver of more than one such field must take the signature as invalid."""
    body = await new_advice(exchange)
    ind, at, url = exchange.actor("ind"), exchange.clock().timestamp(), f"{BASE}/v1/advice"
    fields, token = sign.signed(KEYS["ind"], body, at), await ind.token()
    for name in fields:
        proven = {
            "Authorization": f"DPoP {token}",
            "DPoP": kit.proof(ind.key, "POST", url, token=token, at=at),
            "Idempotency-Key": str(uuid4()),
            "Content-Type": "application/json",
        }
        twice = [*proven.items(), *fields.items(), (name, fields[name])]
        refused(await exchange.http.post(url, content=body, headers=twice), 400, "payload-signature-invalid")


async def test_who_must_sign_is_refused_without_and_told_what_to_do(exchange: Exchange) -> None:
    body = await new_advice(exchange)
    await sign.require(exchange, "ind", Signable.ADVICE)
    try:
        for headers in ({}, {"Digest": sign.digest(body)}):
            answer = await exchange.actor("ind").post("/advice", body, headers=headers)
            assert "Payload-Signature" in refused(answer, 400, "payload-signature-missing")["nextStep"]
            assert (await exchange.entry(answer.headers["request-id"]))["reason"] == "payload-signature-missing"
        assert (await give(exchange, body)).status_code == 201
    finally:
        await sign.require(exchange, "ind")
    assert (await exchange.actor("ind").post("/advice", await new_advice(exchange))).status_code == 201


async def test_a_key_counts_for_its_client_alone_and_no_longer_than_it_is_registered(exchange: Exchange) -> None:
    """From the next request on, as all else about a client."""
    body = await new_advice(exchange)
    public = KEYS["ind"].public | {"kid": sign.KID}
    await sign.register(exchange, "ind", kit.key("es256-new").public | {"kid": sign.KID})
    try:
        refused(await give(exchange, body), 400, "payload-signature-invalid")
        await sign.register(exchange, "ind")
        assert "operator" in refused(await give(exchange, body), 400, "payload-signature-invalid")["detail"]
    finally:
        await sign.register(exchange, "ind", public)
    assert (await give(exchange, body)).status_code == 201


async def test_our_client_signs_what_it_sends_and_holds_what_it_reads(exchange: Exchange) -> None:
    member, jwk = exchange.members["ind"], dict(ECKey.generate_key("P-256").as_dict(private=True))
    account: dict[str, Any] = {
        "issuer": BASE,
        "client_id": member.client_id,
        "key": member.jwk,
        "scope": member.part.scopes,
        "transport": exchange.ind._driver.transport,
    }
    request = await (await (await Dealings.begin(exchange)).consented()).asked()
    new = NewAdvice(advice_request_id=request.id, answer=AdviceAnswer.ADVICE, summary="An invented advice.", body=BODY)
    await sign.register(exchange, "ind", {name: jwk[name] for name in ("kty", "crv", "x", "y")})
    await sign.require(exchange, "ind", Signable.ADVICE)
    try:
        with pytest.raises(InvalidInput, match="payload-signature-missing"):
            await exchange.ind.advice.give(new)
        given = (await AsyncChainClient(f"{BASE}/v1", payload_key=jwk, **account).advice.give(new)).value
    finally:
        await sign.require(exchange, "ind")
        await sign.registered(exchange)
    found = (await exchange.ngo.advice.evidence(given.id, purpose=RESIDENCE)).value
    assert evidence.verify(found, ECKey.import_key(jwk).thumbprint()) == found.signed_at
