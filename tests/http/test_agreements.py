"""Agreements over HTTP: read by everybody, taken in and signed by their parties, in force between two signers."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from api.consent import document
from api.schemas.agreements import NewAgreement
from api.vocabulary import Municipality, Party, Scope
from clients import signing
from tests import agreeing
from tests.actor import refused, told

if TYPE_CHECKING:
    from tests.exchange import Exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")

UTRECHT, GRONINGEN = Municipality.UTRECHT, Municipality.GRONINGEN


async def test_what_parties_agreed_is_no_secret_among_them(exchange: Exchange) -> None:
    for client in (exchange.ngo, exchange.ind, exchange.municipality, exchange.auditor, exchange.operator):
        seen = [each async for each in client.agreements.list()]
        assert {each.municipality for each in seen} == set(Municipality)
    one = next(each for each in seen if each.municipality is UTRECHT)
    read = (await exchange.auditor.agreements.read(one.id)).value
    assert read == one
    assert read.version == 2
    assert hashlib.sha256(document.canonical(read.document)).hexdigest() == read.digest
    assert all(party.signed_at is not None and party.revoked_at is None for party in read.parties)
    older = (await exchange.auditor.agreements.read(one.id, version=1)).value
    assert (older.version, older.valid_until_date is None) == (1, False)


async def test_an_agreement_or_version_that_is_not_there_is_not_found(exchange: Exchange) -> None:
    auditor = exchange.actor("auditor")
    one = next(iter([each async for each in exchange.ngo.agreements.list()]))
    for path in (f"/agreements/{uuid4()}", f"/agreements/{one.id}?version=9"):
        answer = await auditor.get(path)
        refused(answer, 404, "not-found")
        assert (await exchange.entry(answer.headers["request-id"]))["result"] == "refused"
    refused(await auditor.get(f"/agreements/{one.id}?version=0"), 400, "invalid-input")


async def test_an_agreement_is_taken_in_signed_and_told_to_its_parties(exchange: Exchange) -> None:
    raw = agreeing.drafted(exchange, UTRECHT, "ngo", "otherNgo", "ind")
    made = (await exchange.operator.agreements.add(NewAgreement(document=raw))).value
    assert (made.id, made.version) == (UUID(raw["id"]), 1)
    assert {party.signed_at for party in made.parties} == {None}
    member = exchange.members["ngo"]
    mine = await exchange.ngo.agreements.sign(made.id, signing.signature(made, member.signing_jwk))
    states = {party.organisation_id: party.signed_at for party in mine.value.parties}
    assert states[member.organisation_id] is not None
    assert states[exchange.id_of("ind")] is None
    heard = [each.type async for each in exchange.ind.events.read() if each.subject_id == made.id]
    assert heard == ["agreement.added", "agreement.signed"]
    entry = (await exchange.entries("agreements.sign"))[-1]
    assert entry["object"] == {"type": "agreement", "id": raw["id"], "version": 1}


async def test_a_signature_is_of_a_party_over_exactly_this_version_and_once(exchange: Exchange) -> None:
    raw = agreeing.drafted(exchange, UTRECHT, "ngo", "ind")
    await agreeing.in_force(exchange, raw, "ngo")
    ngo, path = exchange.actor("ngo"), f"/agreements/{raw['id']}/signatures"
    refused(await ngo.post(path, agreeing.signed(exchange, raw, "ngo")), 409, "already-signed")
    refused(await exchange.actor("dtv").post(path, agreeing.signed(exchange, raw, "dtv")), 403, "wrong-party")
    ind = exchange.actor("ind")
    another = agreeing.signed(exchange, raw | {"title": "Another text"}, "ind")
    borrowed = agreeing.signed(exchange, raw, "ngo")
    for wrong in (another, borrowed, {"version": 1, "signature": "none"}, {"version": 1, "signature": ""}):
        refused(await ind.post(path, wrong), 400, "signature-invalid")
    refused(await ind.post(path, agreeing.signed(exchange, raw | {"version": 2}, "ind")), 404, "not-found")
    absent = f"/agreements/{uuid4()}/signatures"
    refused(await ind.post(absent, agreeing.signed(exchange, raw, "ind")), 404, "not-found")
    refused(
        await (await exchange.join("supervises", Party.AUDITOR)).post(path, agreeing.signed(exchange, raw, "ngo")),
        403,
        "wrong-party",
    )


async def test_who_registered_no_signing_key_signs_nothing(exchange: Exchange) -> None:
    raw = agreeing.drafted(exchange, UTRECHT, "ngo", "ind")
    await agreeing.in_force(exchange, raw)
    keyless = await exchange.join("keyless", Party.NGO)
    signature = agreeing.signed(exchange, raw, "keyless")
    await exchange.forget_signing_key("keyless")
    answer = await keyless.post(f"/agreements/{raw['id']}/signatures", signature)
    refused(answer, 400, "signature-invalid")


async def test_everything_wrong_in_a_document_is_told_at_once(exchange: Exchange) -> None:
    raw = agreeing.drafted(exchange, UTRECHT, "ngo", "ind") | {"version": 7}
    raw["parties"][0] = raw["parties"][0] | {"slot": "avim"}
    operator = exchange.actor("operator")
    body = refused(await operator.post("/agreements", {"document": raw}), 400, "agreement-invalid")
    assert body["errors"]
    whole = agreeing.drafted(exchange, UTRECHT, "ngo", "ind") | {"version": 7}
    whole["parties"][1] = whole["parties"][1] | {"organisationId": str(uuid4())}
    body = refused(await operator.post("/agreements", {"document": whole}), 400, "agreement-invalid")
    assert {each["pointer"] for each in body["errors"]} == {"/version", "/parties/1"}
    for unreadable in ({}, {"id": "x"}, {"rules": [1.5]}):
        refused(await operator.post("/agreements", {"document": unreadable}), 400, "agreement-invalid")


async def test_no_document_opens_what_the_law_closes(exchange: Exchange) -> None:
    """A rule for enforcement, or for hearings towards DT&V, cannot even be agreed."""
    raw = agreeing.drafted(exchange, UTRECHT, "ngo", "ind")
    rule = raw["rules"][0] | {"purpose": "enforcement"}
    answer = await exchange.actor("operator").post("/agreements", {"document": raw | {"rules": [rule]}})
    refused(answer, 400, "agreement-invalid")


async def test_a_municipality_brings_in_its_own_agreements_only(exchange: Exchange) -> None:
    """A version that it put before that of another municipality would stand in its way."""
    municipality = exchange.actor("municipality")
    for about, status in ((UTRECHT, 201), (GRONINGEN, 403)):
        raw = agreeing.drafted(exchange, about, "ngo", "ind")
        answer = await municipality.post("/agreements", {"document": raw})
        assert answer.status_code == status
        if status == 403:
            refused(answer, 403, "wrong-municipality")
            assert (await exchange.entry(answer.headers["request-id"]))["reason"] == "wrong-municipality"
    refused(await municipality.post("/agreements", {"document": {}}), 400, "agreement-invalid")
    ngo = await exchange.join("would-agree", Party.NGO, scopes=frozenset({Scope.AGREEMENTS_WRITE}))
    refused(await ngo.post("/agreements", {"document": raw}), 403, "wrong-party")


async def test_a_next_version_replaces_the_one_before(exchange: Exchange) -> None:
    raw = agreeing.drafted(exchange, UTRECHT, "ngo", "ind")
    operator = exchange.actor("operator")
    await agreeing.in_force(exchange, raw, "ngo", "ind")
    refused(await operator.post("/agreements", {"document": raw}), 400, "agreement-invalid")
    assert (await operator.post("/agreements", {"document": raw | {"version": 2}})).status_code == 201
    refused(
        await operator.post("/agreements", {"document": raw | {"version": 3, "municipality": "groningen"}}),
        400,
        "agreement-invalid",
    )
    assert (await operator.get(f"/agreements/{raw['id']}")).json()["version"] == 2


async def test_a_document_that_is_sent_again_with_its_key_is_shown_as_it_stands(exchange: Exchange) -> None:
    raw = agreeing.drafted(exchange, UTRECHT, "ngo", "ind")
    key, operator = str(uuid4()), exchange.actor("operator")
    first, again = [await operator.post("/agreements", {"document": raw}, key=key) for _ in range(2)]
    assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
    assert again.json() == first.json()
    assert again.headers["location"] == f"/v1/agreements/{raw['id']}?version=1"
    signature = agreeing.signed(exchange, raw, "ngo")
    path = f"/agreements/{raw['id']}/signatures"
    signed = [await exchange.actor("ngo").post(path, signature, key=key) for _ in range(2)]
    assert [each.status_code for each in signed] == [201, 201]
    assert signed[0].json() == signed[1].json()


async def test_everybody_sees_who_takes_part_and_who_is_designated(exchange: Exchange) -> None:
    """Aliens Act 2000 article 107(8): a designation is public."""
    everybody = {each.id: each async for each in exchange.auditor.organisations.list()}
    ngo = everybody[exchange.id_of("ngo")]
    assert (ngo.kind, ngo.designated, set(ngo.municipalities)) == (Party.NGO, True, set(Municipality))
    assert everybody[exchange.id_of("ind")].designated is False
    answer = await exchange.actor("ngo").get("/organisations")
    assert "person" not in await exchange.entry(answer.headers["request-id"])
    assert told(answer)[0] == 200
