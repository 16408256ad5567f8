"""Dossier requests, deliveries, dossiers and manifests over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from api.sandbox.cast import SECTIONS
from api.vocabulary import CareFunction, DataCategory, Municipality, Party, Purpose
from tests import agreeing
from tests.actor import reasons, refused, told
from tests.dealings import IDENTITY, NOTE, ORDINARY, SPECIAL, Dealings, v_number, wire

if TYPE_CHECKING:
    import httpx

    from tests.exchange import Exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")

C = DataCategory
SCREENING = Purpose.LEGAL_SCREENING
IDS = {str(each) for each in SECTIONS}


def lines(answer: httpx.Response) -> dict[str, dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return {each["category"]: each for each in answer.json()["lines"]}


def section(category: str, **content: Any) -> dict[str, Any]:
    return {"category": category, "content": content or {"note": "made up"}}


# asking


async def test_a_request_names_the_term_that_was_agreed(exchange: Exchange) -> None:
    """Terms come from the agreement, in working days; overdue is computed, never stored."""
    dealings = await Dealings.begin(exchange)
    made = await dealings.requested()
    assert (made.state, made.working_days_term, made.overdue) == ("requested", 15, False)
    assert made.due_date is not None
    assert made.v_number is None
    with exchange.later(timedelta(days=40)):
        seen = (await exchange.actor("ngo").get(f"/dossier-requests/{made.id}")).json()
        listed = (await exchange.actor("ngo").get("/dossier-requests?limit=200")).json()["items"]
    assert seen["overdue"] is True
    assert {each["id"]: each["overdue"] for each in listed}[str(made.id)] is True


async def test_a_dossier_is_asked_of_whom_it_was_agreed_with_and_of_nobody_else(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    ngo = exchange.actor("ngo")
    for supplier in (*(exchange.id_of(each) for each in ("dtv", "avim", "municipality", "ngo", "otherNgo")), uuid4()):
        new = wire(dealings.new_request(supplier_id=supplier))
        refused(await ngo.post("/dossier-requests", new), 409, "wrong-addressee")


async def test_nothing_is_asked_where_nothing_is_agreed(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    unsigned = await exchange.join("unsigned", Party.NGO)
    await dealings.assign("unsigned", CareFunction.LEGAL_SCREENING)
    answer = await unsigned.post("/dossier-requests", wire(dealings.new_request()))
    refused(answer, 403, "no-agreement")
    assert (await exchange.entry(answer.headers["request-id"]))["reason"] == "no-agreement"


async def test_a_case_of_others_cannot_be_asked_about(exchange: Exchange) -> None:
    dealings = await (await Dealings.begin(exchange)).consented()
    other = exchange.actor("otherNgo")
    for path in ("/dossier-requests", "/dossier-requests/_preview"):
        foreign = await other.post(path, wire(dealings.new_request()))
        absent = await other.post(path, wire(dealings.new_request(case_id=uuid4())))
        refused(foreign, 404, "not-found")
        assert told(foreign) == told(absent)


async def test_a_municipality_asks_no_dossier_though_it_is_assigned(exchange: Exchange) -> None:
    """It has a part in the case and is of the wrong kind: Aliens Act 2000 article 107(8) is for organisations."""
    dealings = await (await Dealings.begin(exchange)).consented()
    home = frozenset({Municipality.UTRECHT})
    directs = await exchange.join("directs", Party.MUNICIPALITY, municipalities=home)
    await agreeing.in_force(
        exchange, agreeing.drafted(exchange, Municipality.UTRECHT, "ngo", "ind", "directs"), "directs", "ind"
    )
    await dealings.assign("directs", CareFunction.LEGAL_SCREENING)
    for path, body in (
        ("/dossier-requests", wire(dealings.new_request())),
        ("/dossier-requests/_preview", wire(dealings.new_request())),
        ("/screening-outcomes", wire(dealings.new_outcome())),
    ):
        refused(await directs.post(path, body), 403, "wrong-party")


async def test_a_section_that_no_dossier_has_cannot_be_asked(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    new = wire(dealings.new_request()) | {"categories": ["advice"]}
    refused(await exchange.actor("ngo").post("/dossier-requests", new), 400, "invalid-input")


# preview


async def test_a_preview_says_what_would_come_and_discloses_nothing(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    await dealings.consent(SCREENING, "ngo", ORDINARY)
    await dealings.consent(SCREENING, "ngo", [C.MEDICAL], given=False)
    answer = await exchange.actor("ngo").post("/dossier-requests/_preview", wire(dealings.new_request()))
    shown = lines(answer)
    assert {each for each, line in shown.items() if line["permitted"]} == set(ORDINARY)
    assert shown["identity"]["ground"] == "vw-107-8"
    assert shown["medical"]["reason"] == "consent-refused"
    assert shown["hearings"]["reason"] == "consent-never-asked"
    assert shown["hearings"]["nextStep"]
    entry = await exchange.entry(answer.headers["request-id"])
    assert (entry["action"], entry["purpose"]) == ("dossier-requests.preview", "legal-screening")
    assert "disclosed" not in entry
    assert entry["withheld"]["medical"] == "consent-refused"


async def test_a_preview_without_weighing_says_that_it_is_needed(exchange: Exchange) -> None:
    """Aliens Act 2000 article 107(10)."""
    dealings = await (await Dealings.begin(exchange)).consented()
    new = wire(dealings.new_request())
    del new["proportionalityNote"]
    shown = lines(await exchange.actor("ngo").post("/dossier-requests/_preview", new))
    assert {line["reason"] for line in shown.values()} == {"proportionality-note-missing"}


async def test_a_preview_tells_shelter_staff_nothing_of_consent(exchange: Exchange) -> None:
    """Shelter staff never read hearings, and no one who decides about the bed learns of a refusal."""
    dealings = await Dealings.begin(exchange)
    shelters = await exchange.join("sheltering", Party.NGO)
    await dealings.assign("sheltering", CareFunction.SHELTER)
    new = wire(dealings.new_request())
    before = await shelters.post("/dossier-requests/_preview", new)
    function = CareFunction.SHELTER
    await dealings.consent(SCREENING, "sheltering", ORDINARY, given=False, function=function)
    after = await shelters.post("/dossier-requests/_preview", new)
    assert told(before) == told(after)
    assert not any(line["permitted"] or "consent" in line["reason"] for line in lines(after).values())


# the supplier


async def test_the_supplier_reads_a_request_for_a_purpose_and_gets_the_v_number(exchange: Exchange) -> None:
    number = v_number()
    dealings = await (await Dealings.begin(exchange, number=number)).consented()
    made = await dealings.requested()
    ind = exchange.actor("ind")
    refused(await ind.get(f"/dossier-requests/{made.id}"), 400, "purpose-missing")
    answer = await ind.get(f"/dossier-requests/{made.id}", purpose=SCREENING)
    assert answer.json()["vNumber"] == number
    entry = await exchange.entry(answer.headers["request-id"])
    assert entry["disclosed"] == {"identity": ["vNumber"]}
    assert (entry["purpose"], entry["ground"]) == ("legal-screening", ["public-task"])
    assert [each["id"] for each in entry["consents"]] == [str(dealings.consents["ind-screening"].id)]
    assert entry["agreements"][0]["rule"] == "ngo-ind-legal-screening"
    never = await ind.get(f"/dossier-requests/{made.id}", purpose=Purpose.ENFORCEMENT)
    refused(never, 403, "purpose-never-permitted")
    wrong = await ind.get(f"/dossier-requests/{made.id}", purpose=Purpose.CASE_MEETING)
    assert (wrong.status_code, wrong.json()["vNumber"]) == (200, None)


async def test_a_purpose_that_is_no_word_is_no_purpose(exchange: Exchange) -> None:
    dealings = await (await Dealings.begin(exchange)).consented()
    dossier = await dealings.dossier(IDENTITY)
    refused(await exchange.actor("ngo").get(f"/dossiers/{dossier}", purpose="curiosity"), 400, "invalid-input")


async def test_without_a_word_of_the_person_the_supplier_learns_nothing_of_whom(exchange: Exchange) -> None:
    """Never asked, refused and withdrawn are one to the supplier, and as a person without a V-number."""
    dealings = await Dealings.begin(exchange)
    made = await dealings.requested()
    ind = exchange.actor("ind")
    path = f"/dossier-requests/{made.id}"
    never = await ind.get(path, purpose=SCREENING)
    consent = await dealings.consent(SCREENING, "ind", IDENTITY)
    assert (await ind.get(path, purpose=SCREENING)).status_code == 200
    await exchange.ngo.consents.withdraw(consent.id)
    withdrawn = await ind.get(path, purpose=SCREENING)
    await dealings.consent(SCREENING, "ind", IDENTITY, given=False)
    no = await ind.get(path, purpose=SCREENING)
    assert never.json()["vNumber"] is None
    assert never.json() == withdrawn.json() == no.json()


async def test_a_request_goes_its_way_and_no_other(exchange: Exchange) -> None:
    dealings = await (await Dealings.begin(exchange)).consented()
    ngo, ind = exchange.actor("ngo"), exchange.actor("ind")
    path = f"/dossier-requests/{(await dealings.requested()).id}"
    acknowledged = await ind.post(f"{path}/acknowledgements")
    assert (acknowledged.status_code, acknowledged.json()["state"]) == (201, "acknowledged")
    assert acknowledged.headers["location"] == f"/v1{path}"
    assert acknowledged.json()["vNumber"] is None
    refused(await ind.post(f"{path}/acknowledgements"), 409, "wrong-state")
    no = await ind.post(f"{path}/refusals", {"reason": "disproportionate"})
    assert (no.json()["state"], no.json()["refusalReason"]) == ("refused", "disproportionate")
    delivery = {"sections": [section("identity")], "complete": True}
    for answer in (
        await ind.post(f"{path}/refusals", {"reason": "no-file-found"}),
        await ind.post(f"{path}/deliveries", delivery),
        await ngo.post(f"{path}/cancellations"),
    ):
        refused(answer, 409, "wrong-state")
        assert (await exchange.entry(answer.headers["request-id"]))["reason"] == "wrong-state"


async def test_a_requester_takes_its_request_back(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    made = await dealings.requested()
    gone = (await exchange.ngo.dossier_requests.cancel(made.id)).value
    assert gone.state == "cancelled"
    told_of = [each.type async for each in exchange.ind.events.read() if each.subject_id == made.id]
    assert told_of == ["dossier-request.requested", "dossier-request.cancelled"]


async def test_a_request_of_others_is_as_absent(exchange: Exchange) -> None:
    dealings = await (await Dealings.begin(exchange)).consented()
    made = await dealings.requested()
    other = exchange.actor("otherNgo")
    second_ind = await exchange.join("second-ind", Party.IND)
    delivery = {"sections": [section("identity")], "complete": True}
    for actor, attacks in (
        (other, (("GET", "", None), ("POST", "/cancellations", None))),
        (
            second_ind,
            (
                ("GET", "", None),
                ("POST", "/acknowledgements", None),
                ("POST", "/refusals", {"reason": "no-file-found"}),
                ("POST", "/deliveries", delivery),
            ),
        ),
    ):
        for method, path, body in attacks:
            foreign, absent = [
                await actor.send(method, f"/dossier-requests/{each}{path}", body, purpose=SCREENING)
                for each in (made.id, uuid4())
            ]
            refused(foreign, 404, "not-found")
            assert told(foreign) == told(absent)
        assert (await actor.get("/dossier-requests")).json()["items"] == []


async def test_only_what_was_asked_is_taken_in(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    made = await dealings.requested(ORDINARY)
    ind = exchange.actor("ind")
    path = f"/dossier-requests/{made.id}/deliveries"
    for delivery in (
        {"sections": [section("medical")], "complete": True},
        {"sections": [section("identity"), section("identity")], "complete": True},
        {"sections": [], "complete": True, "missing": [{"category": "hearings", "reason": "not-found"}]},
        {
            "sections": [section("identity")],
            "complete": True,
            "missing": [{"category": "identity", "reason": "not-found"}],
        },
    ):
        refused(await ind.post(path, delivery), 409, "section-not-asked")
    seen = (await exchange.ngo.dossier_requests.read(made.id)).value
    assert (seen.state, seen.dossier_id) == ("requested", None)


# the dossier


async def test_what_was_delivered_is_read_as_far_as_the_person_said_yes(exchange: Exchange) -> None:
    """The entry names purpose, ground, agreement, consents, what was disclosed and what was withheld, and why."""
    dealings = await (await Dealings.begin(exchange)).consented()
    await dealings.consent(SCREENING, "ngo", [C.MEDICAL], given=False)
    dossier = await dealings.dossier()
    answer = await exchange.actor("ngo").get(f"/dossiers/{dossier}", purpose=SCREENING)
    body = answer.json()
    content = {each["category"]: each["content"] for each in body["sections"]}
    assert content == {str(each): SECTIONS[each] for each in SECTIONS if each is not C.MEDICAL}
    assert [(each["category"], each["reason"]) for each in body["withheld"]] == [("medical", "consent-refused")]
    assert body["withheld"][0]["nextStep"]
    entry = await exchange.entry(answer.headers["request-id"])
    assert (entry["result"], entry["purpose"], entry["ground"]) == ("permitted", "legal-screening", ["vw-107-8"])
    assert entry["disclosed"] == {category: sorted(fields) for category, fields in content.items()}
    assert entry["withheld"] == {"medical": "consent-refused"}
    carried = {str(dealings.consents[which].id) for which in ("ordinary", "special")}
    assert {each["id"] for each in entry["consents"]} == carried
    assert {each["version"] for each in entry["consents"]} == {1}
    assert [each["rule"] for each in entry["agreements"]] == ["ind-ngo-legal-screening"]
    assert entry["object"] == {"type": "dossier", "id": str(dossier), "version": body["version"]}


async def test_what_comes_later_is_there_later_and_replaces_what_was_there(exchange: Exchange) -> None:
    dealings = await (await Dealings.begin(exchange)).consented()
    made = await dealings.requested()
    ind, ngo = exchange.actor("ind"), exchange.actor("ngo")
    path = f"/dossier-requests/{made.id}/deliveries"
    first = {"sections": [section("identity", name="one"), section("contact")], "complete": False}
    part = (await ind.post(path, first)).json()
    assert part["state"] == "delivered"
    dossier = f"/dossiers/{part['dossierId']}"
    seen = (await ngo.get(dossier, purpose=SCREENING)).json()
    assert (seen["complete"], len(seen["sections"]), seen["version"]) == (False, 2, 1)
    assert {each["reason"] for each in seen["withheld"]} == {"not-available"}
    missing = [
        {"category": "medical", "reason": "withheld-by-law"},
        {"category": "hearings", "reason": "not-found"},
    ]
    second = {"sections": [section("identity", name="two")], "complete": True, "missing": missing}
    assert (await ind.post(path, second)).json()["state"] == "complete"
    seen = (await ngo.get(dossier, purpose=SCREENING)).json()
    content = {each["category"]: each["content"] for each in seen["sections"]}
    assert content == {"identity": {"name": "two"}, "contact": {"note": "made up"}}
    assert (seen["complete"], seen["version"]) == (True, 2)
    manifest = lines(await ngo.get(f"{dossier}/manifest", purpose=SCREENING))
    assert manifest["identity"] == {"category": "identity", "status": "delivered", "fieldCount": 1, "reason": None}
    assert manifest["medical"]["status"] == "withheld-by-law"
    assert manifest["hearings"]["status"] == "not-found"
    assert manifest["family"]["status"] == "not-found"


async def test_a_manifest_tells_what_is_awaited_and_what_is_withheld(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    await dealings.consent(SCREENING, "ngo", ORDINARY)
    made = await dealings.delivered(await dealings.requested(), [C.IDENTITY, C.MEDICAL], complete=False)
    answer = await exchange.actor("ngo").get(f"/dossiers/{made.dossier_id}/manifest", purpose=SCREENING)
    shown = lines(answer)
    assert shown["identity"]["status"] == "delivered"
    assert shown["contact"]["status"] == "awaited"
    assert (shown["medical"]["status"], shown["medical"]["reason"]) == ("withheld", "consent-never-asked")
    assert shown["medical"]["fieldCount"] is None
    assert shown.keys() == IDS


async def test_the_supplier_reads_what_it_supplied_without_a_purpose(exchange: Exchange) -> None:
    """A party always reads what it supplied."""
    dealings = await Dealings.begin(exchange)
    dossier = await dealings.dossier()
    answer = await exchange.actor("ind").get(f"/dossiers/{dossier}")
    assert {each["category"] for each in answer.json()["sections"]} == IDS
    assert answer.json()["purpose"] is None
    assert (await exchange.entry(answer.headers["request-id"]))["disclosed"].keys() == IDS
    manifest = lines(await exchange.actor("ind").get(f"/dossiers/{dossier}/manifest"))
    assert {each["status"] for each in manifest.values()} == {"delivered"}


async def test_a_dossier_is_asked_for_a_purpose_that_a_rule_knows(exchange: Exchange) -> None:
    """GDPR article 5(1)(b): enforcement never matches, whatever was agreed or said."""
    dealings = await (await Dealings.begin(exchange)).consented()
    dossier = await dealings.dossier()
    ngo = exchange.actor("ngo")
    for path in (f"/dossiers/{dossier}", f"/dossiers/{dossier}/manifest"):
        refused(await ngo.get(path), 400, "purpose-missing")
        refused(await ngo.get(path, purpose=Purpose.ENFORCEMENT), 403, "purpose-never-permitted")
        wrong = await ngo.get(path, purpose=Purpose.CASE_MEETING)
        refused(wrong, 403, "not-permitted")
        assert set(reasons(wrong).values()) == {"no-rule"}


async def test_without_weighing_or_designation_nothing_comes(exchange: Exchange) -> None:
    """Aliens Act 2000 article 107(8) and (10): to designated organisations, and weighed against private life."""
    dealings = await (await Dealings.begin(exchange)).consented()
    request = await dealings.requested(proportionality_note=None)
    made = await dealings.delivered(request)
    answer = await exchange.actor("ngo").get(f"/dossiers/{made.dossier_id}", purpose=SCREENING)
    refused(answer, 403, "not-permitted")
    assert set(reasons(answer).values()) == {"proportionality-note-missing"}


async def test_a_dossier_of_others_is_as_absent(exchange: Exchange) -> None:
    """Also to an organisation that is assigned to the case, and to shelter staff."""
    dealings = await (await Dealings.begin(exchange)).consented()
    dossier = await dealings.dossier()
    await dealings.assign("otherNgo", CareFunction.SHELTER)
    second_ind = await exchange.join("second-ind", Party.IND)
    for actor in (exchange.actor("otherNgo"), second_ind):
        for path in ("", "/manifest"):
            foreign, absent = [
                await actor.get(f"/dossiers/{each}{path}", purpose=SCREENING) for each in (dossier, uuid4())
            ]
            refused(foreign, 404, "not-found")
            assert told(foreign) == told(absent)
            entry = await exchange.entry(foreign.headers["request-id"])
            assert not entry.keys() & {"person", "withheld", "purpose"}


async def test_who_is_not_to_read_a_dossier_does_not_ask_it(exchange: Exchange) -> None:
    """Who could never read the answer does not tell the IND of the case: it shelters, or no rule names its function."""
    dealings = await (await Dealings.begin(exchange)).consented()
    other = exchange.actor("otherNgo")
    for function in (CareFunction.SHELTER, CareFunction.SOCIAL_GUIDANCE):
        await dealings.assign("otherNgo", function)
        refused(await other.post("/dossier-requests", wire(dealings.new_request())), 403, "wrong-function")


async def test_an_agreement_of_one_municipality_opens_nothing_in_another(exchange: Exchange) -> None:
    """What parties agreed holds in that municipality. A signature taken back ends it from the next request."""
    dealings = await Dealings.begin(exchange, municipality=Municipality.EINDHOVEN)
    await dealings.consented()
    dossier = await dealings.dossier()
    ngo = exchange.actor("ngo")
    assert (await ngo.get(f"/dossiers/{dossier}", purpose=SCREENING)).status_code == 200
    await exchange.revoke(Municipality.EINDHOVEN, "ngo")
    for path in ("", "/manifest"):
        answer = await ngo.get(f"/dossiers/{dossier}{path}", purpose=SCREENING)
        refused(answer, 403, "not-permitted")
        assert set(reasons(answer).values()) == {"no-agreement"}
    refused(await ngo.post("/dossier-requests", wire(dealings.new_request())), 403, "no-agreement")


async def test_a_special_section_needs_explicit_consent(exchange: Exchange) -> None:
    """GDPR articles 9 and 10: an authorisation for ordinary sections opens no special or criminal one."""
    dealings = await Dealings.begin(exchange)
    await dealings.consent(SCREENING, "ngo", ORDINARY)
    dossier = await dealings.dossier()
    body = (await exchange.actor("ngo").get(f"/dossiers/{dossier}", purpose=SCREENING)).json()
    assert {each["category"] for each in body["sections"]} == set(ORDINARY)
    assert {each["category"] for each in body["withheld"]} == set(SPECIAL)
    assert {each["reason"] for each in body["withheld"]} == {"consent-never-asked"}


async def test_the_note_is_read_by_nobody(exchange: Exchange) -> None:
    """Why it does not harm the person too much may itself say much: it is sealed and never shown."""
    dealings = await (await Dealings.begin(exchange)).consented()
    made = await dealings.requested()
    for key in ("ngo", "ind"):
        answer = await exchange.actor(key).get(f"/dossier-requests/{made.id}", purpose=SCREENING)
        assert answer.status_code == 200
        assert NOTE not in answer.text


async def test_a_version_that_the_caller_has_is_an_access_too(exchange: Exchange) -> None:
    dealings = await (await Dealings.begin(exchange)).consented()
    dossier = await dealings.dossier()
    ngo = exchange.actor("ngo")
    first = await ngo.get(f"/dossiers/{dossier}", purpose=SCREENING)
    known = {"If-None-Match": first.headers["etag"]}
    again = await ngo.get(f"/dossiers/{dossier}", purpose=SCREENING, headers=known)
    head = await ngo.send("HEAD", f"/dossiers/{dossier}", purpose=SCREENING)
    assert (again.status_code, again.content, head.status_code, head.content) == (304, b"", 200, b"")
    entries = [await exchange.entry(each.headers["request-id"]) for each in (first, again, head)]
    assert entries[0]["disclosed"] == entries[1]["disclosed"] == entries[2]["disclosed"]


async def test_an_organisation_that_is_not_designated_gets_no_dossier(exchange: Exchange) -> None:
    """Aliens Act 2000 article 107(8): only who was designated receives data from the aliens administration."""
    dealings = await Dealings.begin(exchange)
    plain = await exchange.join("undesignated-ngo", Party.NGO)
    await agreeing.in_force(
        exchange, agreeing.drafted(exchange, Municipality.UTRECHT, "undesignated-ngo", "ind"), "undesignated-ngo", "ind"
    )
    await dealings.assign("undesignated-ngo", CareFunction.LEGAL_SCREENING)
    await dealings.consent(SCREENING, "undesignated-ngo", IDENTITY)
    made = (await plain.post("/dossier-requests", wire(dealings.new_request(IDENTITY)))).json()
    delivery = {"sections": [section("identity")], "complete": True}
    delivered = await exchange.actor("ind").post(f"/dossier-requests/{made['id']}/deliveries", delivery)
    answer = await plain.get(f"/dossiers/{delivered.json()['dossierId']}", purpose=SCREENING)
    refused(answer, 403, "not-permitted")
    assert reasons(answer) == {"identity": "no-designation"}
