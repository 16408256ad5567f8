"""Cases over HTTP: who may open, see, assign and close one, and what nobody else learns."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from api.schemas.cases import CaseSearch, Closure
from api.vocabulary import CareFunction, LeavingReason, Municipality, Party
from tests import exchange as world
from tests.actor import ANY_VERSION, refused, told
from tests.dealings import Dealings, v_number

if TYPE_CHECKING:
    from tests.exchange import Exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")

MOB = {"closedDate": "2026-11-24", "leavingReason": "mob"}


async def test_a_case_is_opened_and_read_by_the_ngo_that_guides(exchange: Exchange) -> None:
    number = v_number()
    dealings = await Dealings.begin(exchange, number=number)
    answer = await exchange.ngo.cases.read(dealings.id)
    seen = answer.value
    assert (seen.v_number, seen.municipality, seen.with_status) == (number, Municipality.UTRECHT, True)
    assert {each.organisation_id for each in seen.assignments} == {exchange.id_of("ngo")}
    assert len(seen.assignments) == 3
    assert seen.closed_date is None
    entry = await exchange.entry(answer.request_id)
    member = exchange.members["ngo"]
    assert entry["actor"] == {
        "organisation": str(member.organisation_id),
        "kind": "ngo",
        "client": member.client_id,
    }
    assert entry["object"] == {"type": "case", "id": str(dealings.id), "version": seen.version}
    assert entry["disclosed"] == {"identity": ["vNumber"]}
    assert "person" in entry
    assert not entry.keys() & {"purpose", "ground", "agreements", "consents", "withheld", "reason"}


async def test_a_person_may_have_no_v_number_at_intake(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange, number=None)
    answer = await exchange.ngo.cases.read(dealings.id)
    assert answer.value.v_number is None
    assert "disclosed" not in await exchange.entry(answer.request_id)


async def test_a_case_is_opened_only_where_the_organisation_is_registered(exchange: Exchange) -> None:
    new = {"municipality": "amsterdam", "functions": ["coordination"]}
    answer = await exchange.actor("municipality").post("/cases", new)
    refused(answer, 403, "wrong-municipality")
    entry = await exchange.entry(answer.headers["request-id"])
    assert (entry["result"], entry["reason"]) == ("refused", "wrong-municipality")


async def test_who_is_known_elsewhere_is_told_to_nobody(exchange: Exchange) -> None:
    """Two organisations can help one person and not know it of each other; the log knows one person."""
    number = v_number()
    first = await Dealings.begin(exchange, number=number)
    new = {"municipality": "groningen", "vNumber": number, "functions": ["coordination"]}
    fresh = {"municipality": "groningen", "vNumber": v_number(), "functions": ["coordination"]}
    other = exchange.actor("otherNgo")
    opened, unknown = await other.post("/cases", new), await other.post("/cases", fresh)
    assert (opened.status_code, unknown.status_code) == (201, 201)
    assert opened.json().keys() == unknown.json().keys()
    theirs = await exchange.entry(opened.headers["request-id"])
    ours = await exchange.entry((await exchange.ngo.cases.read(first.id)).request_id)
    assert theirs["person"] == ours["person"]
    wanted = CaseSearch(v_number=number)
    assert [each.id async for each in exchange.ngo.cases.search(wanted)] == [first.id]
    assert [str(each.id) async for each in exchange.other_ngo.cases.search(wanted)] == [opened.json()["id"]]


async def test_people_who_come_at_once_with_one_number_are_one_person(exchange: Exchange) -> None:
    new = {"municipality": "utrecht", "vNumber": v_number(), "functions": ["coordination"]}
    actor = exchange.actor("ngo")
    await actor.token()
    came = await asyncio.gather(*(actor.post("/cases", new) for _ in range(6)))
    assert {each.status_code for each in came} <= {201, 503}
    done = [each for each in came if each.status_code == 201]
    assert done
    entries = [await exchange.entry(each.headers["request-id"]) for each in done]
    assert len({entry["person"] for entry in entries}) == 1


async def test_a_case_of_others_is_as_absent(exchange: Exchange) -> None:
    """Absent, or not yours to know about: nobody can tell which, on read, list, search and each deed."""
    number = v_number()
    dealings = await Dealings.begin(exchange, number=number)
    other = exchange.actor("otherNgo")
    for path, body in (
        ("", None),
        ("/assignments", {"organisationId": str(exchange.id_of("otherNgo")), "function": "shelter"}),
        ("/closures", MOB),
    ):
        method = "GET" if body is None else "POST"
        foreign = await other.send(method, f"/cases/{dealings.id}{path}", body, headers=ANY_VERSION)
        absent = await other.send(method, f"/cases/{uuid4()}{path}", body, headers=ANY_VERSION)
        refused(foreign, 404, "not-found")
        assert told(foreign) == told(absent)
        entries = [await exchange.entry(each.headers["request-id"]) for each in (foreign, absent)]
        assert all(entry["reason"] == "not-found" and "person" not in entry for entry in entries)
        assert entries[0].keys() == entries[1].keys()
    assert dealings.id not in {each.id async for each in exchange.other_ngo.cases.list()}
    looked = [await other.post("/cases/_search", {"vNumber": each}) for each in (number, v_number())]
    assert told(looked[0]) == told(looked[1])
    assert looked[0].json() == {"items": [], "nextCursor": None}


async def test_one_person_is_not_looked_up_all_day(exchange: Exchange) -> None:
    """Whoever asks after the same person again and again watches them; others may be looked up all the same."""
    ngo, number = exchange.actor("ngo"), v_number()
    most = 30
    for _ in range(2 * most + 1):  # an hour may end meanwhile
        answer = await ngo.post("/cases/_search", {"vNumber": number})
        if answer.status_code != 200:
            break
    refused(answer, 429, "too-many-requests")
    assert answer.headers.get_list("ratelimit-policy")[-1] == f'"same-person";q={most};w=3600'
    assert int(answer.headers["retry-after"]) > 0
    entry = await exchange.entry(answer.headers["request-id"])
    assert (entry["action"], entry["reason"]) == ("cases.search", "too-many-requests")
    new = {"municipality": "utrecht", "functions": ["coordination"], "vNumber": number}
    refused(await ngo.post("/cases", new), 429, "too-many-requests")
    assert (await ngo.post("/cases/_search", {"vNumber": v_number()})).status_code == 200


async def test_no_chain_party_looks_up_a_person(exchange: Exchange) -> None:
    """Chain parties find a case only through a request addressed to them, never by V-number."""
    number = v_number()
    dealings = await Dealings.begin(exchange, number=number)
    await dealings.consented()
    ind = exchange.actor("ind")
    refused(await ind.post("/cases/_search", {"vNumber": number}), 403, "wrong-party")
    refused(await ind.get("/cases"), 403, "wrong-party")
    answer = await ind.get(f"/cases/{dealings.id}")
    refused(answer, 403, "wrong-party")
    assert told(answer) == told(await ind.get(f"/cases/{uuid4()}"))


async def test_who_coordinates_brings_another_organisation_in(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    await dealings.assign("otherNgo", CareFunction.SHELTER)
    seen = (await exchange.other_ngo.cases.read(dealings.id)).value
    assert {each.function for each in seen.assignments if each.organisation_id == exchange.id_of("otherNgo")} == {
        CareFunction.SHELTER
    }
    told_of = [each async for each in exchange.other_ngo.events.read() if each.subject_id == dealings.id]
    assert [each.type for each in told_of] == ["case.assigned"]
    listed = await exchange.actor("otherNgo").get("/cases?limit=200")
    assert str(dealings.id) in {each["id"] for each in listed.json()["items"]}
    entry = await exchange.entry(listed.headers["request-id"])
    ours = await exchange.entry((await exchange.ngo.cases.read(dealings.id)).request_id)
    assert ours["person"] in entry.get("persons", [entry.get("person")])


async def test_only_who_coordinates_assigns_and_closes(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    await dealings.assign("otherNgo", CareFunction.LEGAL_SCREENING)
    other = exchange.actor("otherNgo")
    new = {"organisationId": str(exchange.id_of("municipality")), "function": "housing"}
    for path, body in (("assignments", new), ("closures", MOB)):
        answer = await other.post(f"/cases/{dealings.id}/{path}", body, headers=ANY_VERSION)
        refused(answer, 403, "wrong-function")
        assert (await exchange.entry(answer.headers["request-id"]))["reason"] == "wrong-function"


async def test_only_organisations_that_guide_and_are_there_are_assigned(exchange: Exchange) -> None:
    """Also not one that is registered for other municipalities than that of the case."""
    dealings = await Dealings.begin(exchange)
    ngo = exchange.actor("ngo")
    elsewhere = exchange.id_of("municipality-amsterdam")
    for organisation in (uuid4(), exchange.id_of("ind"), exchange.id_of("auditor"), elsewhere):
        new = {"organisationId": str(organisation), "function": "shelter"}
        refused(await ngo.post(f"/cases/{dealings.id}/assignments", new), 409, "not-assignable")


async def test_an_assignment_is_made_once_and_while_the_case_is_open(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    await dealings.assign("otherNgo", CareFunction.SHELTER)
    ngo = exchange.actor("ngo")
    new = {"organisationId": str(exchange.id_of("otherNgo")), "function": "shelter"}
    refused(await ngo.post(f"/cases/{dealings.id}/assignments", new), 409, "wrong-state")
    await exchange.ngo.cases.close(
        dealings.id,
        Closure(closed_date=world.today(), leaving_reason=LeavingReason.HANDOVER),
        version=(await exchange.ngo.cases.read(dealings.id)).value.version,
    )
    refused(await ngo.post(f"/cases/{dealings.id}/assignments", new | {"function": "housing"}), 409, "wrong-state")


async def test_who_left_for_an_unknown_destination_is_an_event_to_nobody(exchange: Exchange) -> None:
    """An end by unknown destination (MOB) is never an event to AVIM or DT&V; closures are told to nobody."""
    dealings = await (await Dealings.begin(exchange)).consented()
    await dealings.asked("avim")
    await dealings.asked("dtv")
    before = await exchange.rows("SELECT count(*) AS n FROM exchange.event")
    closed = (await exchange.actor("ngo").post(f"/cases/{dealings.id}/closures", MOB, headers=ANY_VERSION)).json()
    assert (closed["closedDate"], closed["leavingReason"]) == ("2026-11-24", "mob")
    assert await exchange.rows("SELECT count(*) AS n FROM exchange.event") == before
    refused(
        await exchange.actor("ngo").post(f"/cases/{dealings.id}/closures", MOB, headers=ANY_VERSION), 409, "wrong-state"
    )


async def test_a_version_that_the_caller_has_is_an_access_too(exchange: Exchange) -> None:
    """A 304 tells that nothing changed: it is audited as the reading that it is. HEAD as well."""
    dealings = await Dealings.begin(exchange)
    ngo = exchange.actor("ngo")
    first = await ngo.get(f"/cases/{dealings.id}")
    again = await ngo.get(f"/cases/{dealings.id}", headers={"If-None-Match": first.headers["etag"]})
    head = await ngo.send("HEAD", f"/cases/{dealings.id}")
    assert (again.status_code, again.content) == (304, b"")
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", first.headers["etag"])
    for answer in (first, again, head):
        entry = await exchange.entry(answer.headers["request-id"])
        assert (entry["result"], entry["disclosed"]) == ("permitted", {"identity": ["vNumber"]})


async def test_a_municipality_may_open_a_case_of_its_own(exchange: Exchange) -> None:
    new = {"municipality": "utrecht", "functions": ["coordination"], "withStatus": False}
    made = await exchange.actor("municipality").post("/cases", new)
    assert made.status_code == 201
    assert made.headers["location"] == f"/v1/cases/{made.json()['id']}"
    assert made.json()["withStatus"] is False


async def test_other_kinds_of_parties_have_no_cases(exchange: Exchange) -> None:
    auditor = await exchange.join("reads-everything", Party.AUDITOR)
    for answer in (
        await auditor.get("/cases"),
        await auditor.post("/cases/_search", {"vNumber": v_number()}),
        await auditor.post("/cases", {"municipality": "utrecht", "functions": ["shelter"]}),
    ):
        refused(answer, 403, "wrong-party")


async def test_a_case_is_ended_as_it_was_read(exchange: Exchange) -> None:
    """Who did not see the last assignment is told to read again; nothing changes, and the refusal is an entry."""
    dealings = await Dealings.begin(exchange)
    ngo, path = exchange.actor("ngo"), f"/cases/{dealings.id}"
    read = await ngo.get(path)
    assert read.headers["etag"] == f'"{read.json()["version"]}"'
    assert (await ngo.get(path, headers={"If-None-Match": read.headers["etag"]})).status_code == 304
    await dealings.assign("otherNgo", CareFunction.SHELTER)
    stale = await ngo.post(f"{path}/closures", MOB, headers={"If-Match": read.headers["etag"]})
    refused(stale, 412, "precondition-failed")
    entry = await exchange.entry(stale.headers["request-id"])
    assert (entry["action"], entry["result"], entry["reason"]) == ("cases.close", "refused", "precondition-failed")
    refused(await ngo.post(f"{path}/closures", MOB), 428, "precondition-required")
    seen = (await ngo.get(path)).headers["etag"]
    for _ in range(2):
        ended = await ngo.post(f"{path}/closures", MOB, key="ended-as-it-was-read", headers={"If-Match": seen})
        assert (ended.status_code, ended.json()["closedDate"]) == (201, MOB["closedDate"])
    assert ended.headers["etag"] == f'"{ended.json()["version"]}"' != seen
