"""Emergencies: what saves a life goes without consent, for a day, to who cares for the person; and two look at it."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from api.cases.emergencies.operations import LASTS
from api.schemas.emergencies import NewEmergency, NewEmergencyReview
from api.vocabulary import (
    CareFunction,
    DataCategory,
    EmergencyOutcome,
    EmergencyReason,
    Purpose,
)
from tests import audit_store
from tests.actor import reasons, refused, told
from tests.dealings import ORDINARY, Dealings
from tests.documents_kit import Attached, pdf

if TYPE_CHECKING:
    import httpx

    from tests.exchange import Exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")

C = DataCategory
EMERGENCY = Purpose.EMERGENCY
REFERENCE = "NGO-2026-7"
SAVES = {"identity", "contact", "family", "medical"}


async def sheltered(exchange: Exchange) -> Dealings:
    """A case that the NGO coordinates and screens; the other NGO shelters the person, and was never asked about."""
    dealings = await Dealings.begin(exchange)
    await dealings.assign("otherNgo", CareFunction.SHELTER)
    return dealings


async def declared(exchange: Exchange, case: Any, who: str = "otherNgo", **asked: Any) -> httpx.Response:
    """An NGO declares an emergency; by one of its workers, unless told otherwise."""
    body = {"caseId": str(case), "reason": "unconscious", "reference": REFERENCE}
    return await exchange.actor(who).post("/emergencies", body, **({"person": "worker-1"} | asked))


async def stands(exchange: Exchange, case: Any, who: str = "otherNgo") -> str:
    """The id of an emergency that was just declared."""
    answer = await declared(exchange, case, who)
    assert answer.status_code == 201, answer.text
    made: str = answer.json()["id"]
    return made


async def read(exchange: Exchange, at: str, who: str = "otherNgo", purpose: Purpose = EMERGENCY) -> httpx.Response:
    return await exchange.actor(who).get(at, purpose=purpose, person="worker-1")


def sections(answer: httpx.Response) -> set[str]:
    assert answer.status_code == 200, answer.text
    return {each["category"] for each in answer.json()["sections"]}


async def settled(exchange: Exchange) -> None:
    async with exchange.database.connection() as connection:
        await audit_store.settle(connection)


# what it opens


async def test_who_shelters_the_person_sees_what_saves_a_life_and_for_a_day(exchange: Exchange) -> None:
    """Nothing was asked of the person, and nothing is agreed about shelter: before and after there is no dossier."""
    dealings = await sheltered(exchange)
    dossier = await dealings.dossier()
    at = f"/dossiers/{dossier}"
    absent = await read(exchange, f"/dossiers/{uuid4()}")
    refused(absent, 404, "not-found")
    assert told(await read(exchange, at)) == told(absent)
    answer = await declared(exchange, dealings.id)
    made = answer.json()
    assert answer.headers["location"].endswith(f"/emergencies/{made['id']}")
    assert made["dossierIds"] == [str(dossier)]
    assert (made["reason"], made["reference"], made["declaredBy"]) == ("unconscious", REFERENCE, "worker-1")
    seen = await read(exchange, at)
    assert sections(seen) == SAVES
    assert seen.json()["withheld"] == []  # what others asked for is not told either
    manifest = await read(exchange, f"{at}/manifest")
    assert {each["category"] for each in manifest.json()["lines"]} == SAVES
    assert told(await read(exchange, at, purpose=Purpose.LEGAL_SCREENING)) == told(absent)
    with exchange.later(LASTS - timedelta(minutes=1)):
        assert sections(await read(exchange, at)) == SAVES
    with exchange.later(LASTS):
        assert told(await read(exchange, at)) == told(absent)
        over = await exchange.actor("otherNgo").get(f"/emergencies/{made['id']}")
        assert over.json()["dossierIds"] == []
        assert (await declared(exchange, dealings.id)).status_code == 201  # anew: it is not prolonged
        assert sections(await read(exchange, at)) == SAVES


async def test_an_entry_says_on_which_ground_and_in_which_emergency(exchange: Exchange) -> None:
    """The declaration says why, and the person sees who read what, with the ground."""
    dealings = await sheltered(exchange)
    dossier = await dealings.dossier()
    answer = await declared(exchange, dealings.id)
    entry = await exchange.entry(answer.headers["request-id"])
    made = answer.json()["id"]
    assert (entry["action"], entry["cause"]) == ("emergencies.declare", "unconscious")
    assert entry["object"] == {"type": "emergency", "id": made}
    seen = await read(exchange, f"/dossiers/{dossier}")
    told_of = await exchange.entry(seen.headers["request-id"])
    assert (told_of["ground"], told_of["emergency"], told_of["purpose"]) == (["vital-interest"], made, "emergency")
    assert told_of["person"] == entry["person"]
    assert not told_of.keys() & {"agreements", "consents"}
    assert told_of["disclosed"].keys() == SAVES
    await settled(exchange)
    lines = [each async for each in exchange.ngo.persons.disclosures(dealings.case.person_id)]
    (line,) = (each for each in lines if each.action == "dossiers.read")
    assert (line.organisation_id, [*line.grounds]) == (exchange.id_of("otherNgo"), ["vital-interest"])
    assert {*line.categories} == SAVES


async def test_documents_of_these_categories_go_with_it(exchange: Exchange) -> None:
    """As sections do; of others not even an id is known."""
    attached = await Attached.to(exchange, consented=False)
    await attached.dealings.assign("otherNgo", CareFunction.SHELTER)
    medical, hearing = [await attached.stored(pdf(60), each) for each in ("medical", "hearings")]
    await stands(exchange, attached.dealings.id)
    listed = (await read(exchange, attached.path)).json()["items"]
    assert {each["category"] for each in listed} == {"medical"}
    content = await read(exchange, medical)
    assert (content.status_code, content.content) == (200, pdf(60))
    assert (await exchange.entry(content.headers["request-id"]))["ground"] == ["vital-interest"]
    foreign, absent = await read(exchange, hearing), await read(exchange, f"{attached.path}/{uuid4()}")
    refused(absent, 404, "not-found")
    assert told(foreign) == told(absent)


async def test_who_had_a_document_in_an_emergency_hears_that_it_was_taken_back(exchange: Exchange) -> None:
    """So that it goes there too (GDPR article 19), also when it is over; of others not even an event tells."""
    attached = await Attached.to(exchange, consented=False)
    await attached.dealings.assign("otherNgo", CareFunction.SHELTER)
    made = await stands(exchange, attached.dealings.id)
    titled = await attached.stored(pdf(60), "family")
    assert (await read(exchange, attached.path)).status_code == 200
    had, hearing, unread = [await attached.stored(pdf(60), each) for each in ("medical", "hearings", "contact")]
    assert (await read(exchange, had)).status_code == 200
    await _taken_back(exchange, unread)  # it could be read a moment ago, and the log is a second behind
    await settled(exchange)
    await exchange.actor("otherNgo").post(f"/emergencies/{made}/endings")
    later = await attached.stored(pdf(60), "medical")
    for at in (titled, had, hearing, later):
        await _taken_back(exchange, at)
    ids = {at[-36:]: at for at in (titled, had, hearing, unread, later)}
    heard = [ids.get(str(each.subject_id)) async for each in exchange.other_ngo.events.read()]
    assert [each for each in heard if each is not None] == [unread, titled, had]


async def _taken_back(exchange: Exchange, at: str) -> None:
    assert (await exchange.actor("ind").post(f"{at}/withdrawals", {"reason": "wrong-person"})).status_code == 201


async def test_what_the_person_refused_stays_and_shelter_does_not_learn_that_they_did(exchange: Exchange) -> None:
    """A no to this organisation, of whatever it was asked; to shelter it is as what is not there."""
    dealings = await sheltered(exchange)
    dossier = await dealings.dossier()
    await dealings.consent(Purpose.CASE_MEETING, "otherNgo", (C.MEDICAL,), given=False, function=CareFunction.SHELTER)
    await stands(exchange, dealings.id)
    answer = await read(exchange, f"/dossiers/{dossier}")
    assert sections(answer) == SAVES - {"medical"}
    assert {each["category"]: each["reason"] for each in answer.json()["withheld"]} == {"medical": "not-available"}


async def test_who_guides_the_person_is_told_of_the_no(exchange: Exchange) -> None:
    """The NGO asked for the dossier; consent was withdrawn, which an emergency does not undo."""
    dealings = await (await Dealings.begin(exchange)).consented()
    dossier = await dealings.dossier()
    at = f"/dossiers/{dossier}"
    refused(await read(exchange, at, "ngo"), 403, "not-permitted")  # nothing was declared
    await stands(exchange, dealings.id, "ngo")
    assert sections(await read(exchange, at, "ngo")) == SAVES
    everything = sections(await read(exchange, at, "ngo", Purpose.LEGAL_SCREENING))
    assert everything > SAVES
    await exchange.actor("ngo").post(f"/consents/{dealings.consents['ordinary'].id}/withdrawals", {"note": "Enough."})
    after = await read(exchange, at, "ngo")
    assert sections(after) == {"medical"}
    why = {each["category"]: each["reason"] for each in after.json()["withheld"]}
    assert {each: why[each] for each in SAVES - {"medical"}} == dict.fromkeys(SAVES - {"medical"}, "consent-withdrawn")
    assert why["hearings"] == "no-rule"


async def test_who_reads_in_it_is_named_as_who_declared_it(exchange: Exchange) -> None:
    """Else nothing is looked at, so it is the same of what is not there; who supplied it needs no emergency."""
    attached = await Attached.to(exchange, consented=False)
    medical = await attached.stored(pdf(60), "medical")
    dossier = f"/dossiers/{attached.dossier}"
    await stands(exchange, attached.dealings.id, "ngo")
    absent = await exchange.actor("ngo").get(f"/dossiers/{uuid4()}", purpose=EMERGENCY)
    for at in (dossier, f"{dossier}/manifest", attached.path, medical):
        nameless = await exchange.actor("ngo").get(at, purpose=EMERGENCY)
        refused(nameless, 400, "acting-person-missing")
        assert told(nameless) == told(absent)
        entry = await exchange.entry(nameless.headers["request-id"])
        assert (entry["reason"], entry["purpose"]) == ("acting-person-missing", "emergency")
        assert not entry.keys() & {"person", "withheld"}
        assert (await read(exchange, at, "ngo")).status_code == 200
        assert (await exchange.actor("ind").get(at, purpose=EMERGENCY)).status_code == 200


async def test_an_emergency_is_nobody_elses_and_of_no_other_case(exchange: Exchange) -> None:
    dealings, elsewhere = await sheltered(exchange), await sheltered(exchange)
    dossier = await elsewhere.dossier()
    made = await stands(exchange, dealings.id)
    refused(await read(exchange, f"/dossiers/{dossier}"), 404, "not-found")
    refused(await exchange.actor("ngo").get(f"/emergencies/{made}"), 404, "not-found")
    refused(await exchange.actor("ngo").post(f"/emergencies/{made}/endings"), 404, "not-found")
    own = await dealings.dossier(ORDINARY)
    answer = await read(exchange, f"/dossiers/{own}", "ngo")
    assert set(reasons(answer).values()) == {"no-rule"}


# declaring and ending


async def test_it_can_be_ended_before_its_time_and_then_is_over(exchange: Exchange) -> None:
    dealings = await sheltered(exchange)
    dossier = await dealings.dossier()
    made, other = await stands(exchange, dealings.id), exchange.actor("otherNgo")
    key = str(uuid4())
    first, again = [await other.post(f"/emergencies/{made}/endings", key=key) for _ in range(2)]
    assert (first.status_code, again.headers["idempotency-replayed"]) == (201, "true")
    assert first.json() == again.json() | {"dossierIds": []}
    refused(await read(exchange, f"/dossiers/{dossier}"), 404, "not-found")
    anew = await other.post(f"/emergencies/{made}/endings")
    assert (anew.status_code, anew.json()) == (201, again.json()), "over is over, and ended when it was ended first"
    with exchange.later(LASTS):
        assert (await other.post(f"/emergencies/{made}/endings")).json() == again.json()


async def test_a_copy_of_the_service_whose_clock_is_behind_says_the_same(exchange: Exchange) -> None:
    """What was declared carries there too, is not declared twice, and is over as soon as it was ended."""
    dealings = await sheltered(exchange)
    dossier = await dealings.dossier()
    made, other = await stands(exchange, dealings.id), exchange.actor("otherNgo")
    with exchange.later(timedelta(seconds=-4)):
        assert sections(await read(exchange, f"/dossiers/{dossier}")) == SAVES
        refused(await declared(exchange, dealings.id), 409, "emergency-stands")
        first, second = [await other.post(f"/emergencies/{made}/endings") for _ in range(2)]
        assert (first.status_code, second.json()) == (201, first.json())
        assert first.json()["endsAt"] == first.json()["declaredAt"]
        refused(await read(exchange, f"/dossiers/{dossier}"), 404, "not-found")
        assert (await declared(exchange, dealings.id)).status_code == 201


async def test_a_retry_is_one_declaration_and_a_second_one_waits(exchange: Exchange) -> None:
    dealings = await sheltered(exchange)
    key = str(uuid4())
    first, again = [await declared(exchange, dealings.id, key=key) for _ in range(2)]
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    refused(await declared(exchange, dealings.id, person="worker-2"), 409, "emergency-stands")
    at_once = await asyncio.gather(*(declared(exchange, dealings.id, "ngo", person=f"worker-{n}") for n in range(4)))
    assert sorted(each.status_code for each in at_once) == [201, 409, 409, 409]


async def test_who_may_not_declare_one(exchange: Exchange) -> None:
    """Each refusal is an entry; without a relation there is no case."""
    dealings = await Dealings.begin(exchange)
    absent = await declared(exchange, uuid4())
    refused(absent, 404, "not-found")
    assert told(await declared(exchange, dealings.id)) == told(absent)
    await dealings.assign("otherNgo", CareFunction.LEGAL_SCREENING)
    wrong = await declared(exchange, dealings.id)
    refused(wrong, 403, "wrong-function")
    assert (await exchange.entry(wrong.headers["request-id"]))["reason"] == "wrong-function"
    await dealings.assign("municipality", CareFunction.COORDINATION)
    refused(await declared(exchange, dealings.id, "municipality"), 403, "wrong-party")
    refused(await declared(exchange, dealings.id, "ngo", person=None), 400, "acting-person-missing")
    body = {"caseId": str(dealings.id), "reason": "curious", "reference": REFERENCE}
    refused(await exchange.actor("ngo").post("/emergencies", body), 400, "invalid-input")


async def test_the_end_of_a_case_ends_it_too(exchange: Exchange) -> None:
    dealings = await sheltered(exchange)
    dossier, made = await dealings.dossier(), await stands(exchange, dealings.id)
    closure = {"closedDate": str(date(2026, 11, 24)), "leavingReason": "deceased"}
    closed = await exchange.actor("ngo").post(f"/cases/{dealings.id}/closures", closure, headers={"If-Match": "*"})
    assert closed.status_code == 201, closed.text
    refused(await read(exchange, f"/dossiers/{dossier}"), 404, "not-found")
    assert (await exchange.actor("otherNgo").get(f"/emergencies/{made}")).json()["dossierIds"] == []
    with exchange.later(LASTS):
        refused(await declared(exchange, dealings.id), 409, "wrong-state")


# reviewing


async def reviewed(exchange: Exchange, made: str, outcome: str, person: str | None, **asked: Any) -> httpx.Response:
    body = {"outcome": outcome, "reference": "AUD-2026-40"}
    return await exchange.actor("auditor").post(f"/audit/emergencies/{made}/reviews", body, person=person, **asked)


async def test_two_people_review_it_and_nobody_twice(exchange: Exchange) -> None:
    """Once it is over; each review is an entry with what was found and the number of a file."""
    dealings = await sheltered(exchange)
    made = await stands(exchange, dealings.id)
    refused(await reviewed(exchange, made, "justified", "officer-1"), 409, "wrong-state")
    with exchange.later(LASTS):
        refused(await reviewed(exchange, str(uuid4()), "justified", "officer-1"), 404, "not-found")
        refused(await reviewed(exchange, made, "justified", None), 400, "acting-person-missing")
        key = str(uuid4())
        first, again = [await reviewed(exchange, made, "justified", "officer-1", key=key) for _ in range(2)]
        assert first.json() == again.json()
        assert (first.json()["state"], len(first.json()["reviews"])) == ("open", 1)
        refused(await reviewed(exchange, made, "breach", "officer-1"), 409, "own-review")
        second = await reviewed(exchange, made, "justified", "officer-2")
        assert second.json()["state"] == "reviewed"
        assert [each["reviewedBy"] for each in second.json()["reviews"]] == ["officer-1", "officer-2"]
        refused(await reviewed(exchange, made, "breach", "officer-3"), 409, "own-review")
        entry = await exchange.entry(second.headers["request-id"])
        assert entry["stated"] == {"reason": "justified", "reference": "AUD-2026-40"}
        assert (entry["action"], entry["actor"]["person"]) == ("audit.review-emergency", "officer-2")
        alias = await exchange.rows(
            'SELECT a.alias FROM exchange.person_alias a JOIN exchange."case" c USING (person_id) WHERE c.id = $1',
            dealings.id,
        )
        listed = await exchange.actor("auditor").get("/audit/emergencies?limit=1")
        shown = await exchange.actor("auditor").get(f"/audit/emergencies/{made}")
        for each in (second, shown, listed):
            assert (await exchange.entry(each.headers["request-id"]))["person"] == str(alias[0]["alias"])


async def test_where_the_two_differ_it_is_disputed(exchange: Exchange) -> None:
    dealings = await sheltered(exchange)
    made = await stands(exchange, dealings.id)
    with exchange.later(LASTS):
        await reviewed(exchange, made, "justified", "officer-1")
        assert (await reviewed(exchange, made, "breach", "officer-2")).json()["state"] == "disputed"


async def test_auditors_list_them_with_what_is_due(exchange: Exchange) -> None:
    """Within two working days; what was reviewed in time is never overdue, and what was late stays so."""
    late, timely = [await stands(exchange, (await sheltered(exchange)).id) for _ in range(2)]
    listed = [each async for each in exchange.auditor.emergencies.list(limit=1)]
    newest = listed[0]
    assert (str(newest.id), newest.state, newest.overdue) == (timely, "open", False)
    assert (newest.organisation_id, newest.declared_by) == (exchange.id_of("otherNgo"), "worker-1")
    assert timedelta(days=2) <= newest.due_date - newest.declared_at.date() <= timedelta(days=10)
    with exchange.later(LASTS):
        for officer in ("officer-1", "officer-2"):
            await reviewed(exchange, timely, "unclear", officer)
    auditor = exchange.actor("auditor")
    with exchange.later(timedelta(days=15)):
        first = await reviewed(exchange, late, "unclear", "officer-1")
        assert (first.json()["overdue"], first.json()["state"]) == (True, "open")
        await reviewed(exchange, late, "unclear", "officer-2")
        shown = {made: (await auditor.get(f"/audit/emergencies/{made}")).json() for made in (late, timely)}
    assert [shown[each]["overdue"] for each in (late, timely)] == [True, False]
    refused(await auditor.get(f"/audit/emergencies/{uuid4()}"), 404, "not-found")


async def test_the_clients_do_it_too(exchange: Exchange) -> None:
    """Declared, read with its purpose, ended, reviewed: with the typed clients."""
    dealings = await sheltered(exchange)
    dossier = await dealings.dossier()
    worker = exchange.other_ngo.acting("worker-9")
    made = await worker.emergencies.declare(
        NewEmergency(case_id=dealings.id, reason=EmergencyReason.MISSING_IN_DANGER, reference=REFERENCE)
    )
    assert made.value.dossier_ids == (dossier,)
    assert {each.category for each in (await worker.dossiers.read(dossier, purpose=EMERGENCY)).value.sections} == SAVES
    assert (await worker.emergencies.read(made.value.id)).value == made.value
    await worker.emergencies.end(made.value.id)
    new = NewEmergencyReview(outcome=EmergencyOutcome.JUSTIFIED, reference="AUD-2026-41")
    said = await exchange.auditor.acting("officer-1").emergencies.review(made.value.id, new)
    assert (await exchange.auditor.emergencies.read(made.value.id)).value == said.value


async def test_what_was_written_of_an_emergency_stays_as_it_was(exchange: Exchange) -> None:
    """The service itself cannot have it go on after its end, nor be another's; what names somebody can only go."""
    made = await stands(exchange, (await sheltered(exchange)).id)
    await exchange.actor("otherNgo").post(f"/emergencies/{made}/endings")
    for change in ("ended_at = NULL", "ended_at = until_at", "reference = 'X-1'", "actor = 'worker-2'"):
        async with exchange.database.connection() as connection:
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
                await connection.execute(f"UPDATE exchange.emergency SET {change} WHERE id = $1", UUID(made))  # noqa: S608


async def test_who_was_erased_leaves_an_emergency_of_nobody(exchange: Exchange) -> None:
    """To the NGO it is gone; supervision still sees that it was, and whose it was leads nowhere."""
    dealings = await sheltered(exchange)
    made = await stands(exchange, dealings.id)
    erased = await exchange.actor("operator").post("/erasures", {"caseId": str(dealings.id), "ground": "objection"})
    assert erased.status_code == 201, erased.text
    refused(await exchange.actor("otherNgo").get(f"/emergencies/{made}"), 404, "not-found")
    refused(await declared(exchange, dealings.id), 404, "not-found")
    left = await exchange.actor("auditor").get(f"/audit/emergencies/{made}")
    assert (left.json()["state"], left.json()["reason"]) == ("open", "unconscious")
    assert (left.json()["reference"], left.json()["declaredBy"]) == (None, None)
    assert "person" not in await exchange.entry(left.headers["request-id"])
