"""Advice over HTTP: who is asked on what, who reads the question, and who the answer."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from api.vocabulary import AdviceAnswer, CareFunction, Municipality, Party, Purpose
from tests.actor import ANY_VERSION, reasons, refused, told
from tests.dealings import BODY, IDENTITY, QUESTION, SHARED, TO, Dealings, v_number, wire

if TYPE_CHECKING:
    from tests.exchange import Exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")

RESIDENCE = Purpose.RESIDENCE_ADVICE
BODIES: dict[str, dict[str, Any]] = {
    "ind": {"kind": "residence", "perspective": "likely", "routes": ["One", "Two"]},
    "dtv": {"kind": "return", "possible": "with-cooperation", "obstacles": []},
    "avim": {"kind": "identity", "established": "plausible", "source": "an invented register"},
}


def advice(request: object, body: object, **changes: Any) -> dict[str, Any]:
    given = {"adviceRequestId": str(request), "answer": "advice", "summary": "Made up.", "body": body}
    return given | changes


@pytest.mark.parametrize("key", ["ind", "dtv", "avim"])
async def test_each_authority_reads_its_question_and_advises_in_its_own_terms(exchange: Exchange, key: str) -> None:
    """IND on residence, DT&V on return, AVIM on identity, with its source."""
    number = v_number()
    dealings = await (await Dealings.begin(exchange, number=number)).consented()
    request = await dealings.asked(key)
    assert (request.question, request.v_number) == (QUESTION, None)
    actor, purpose = exchange.actor(key), TO[key]
    seen = await actor.get(f"/advice-requests/{request.id}", purpose=purpose)
    assert (seen.json()["question"], seen.json()["vNumber"]) == (QUESTION, number)
    entry = await exchange.entry(seen.headers["request-id"])
    both = {"identity": ["vNumber"], "shared-outcome": ["question"]}
    assert entry["disclosed"] == ({"identity": ["question", "vNumber"]} if key == "avim" else both)
    given = await actor.post("/advice", advice(request.id, BODIES[key], validUntilDate="2027-06-01"))
    assert given.status_code == 201
    assert given.headers["location"] == f"/v1/advice/{given.json()['id']}"
    read = await exchange.actor("ngo").get(f"/advice/{given.json()['id']}", purpose=purpose)
    assert read.json() == given.json()
    assert (read.json()["body"], read.json()["validUntilDate"]) == (BODIES[key], "2027-06-01")
    entry = await exchange.entry(read.headers["request-id"])
    assert entry["disclosed"] == {"advice": ["body", "summary"]}
    assert (entry["ground"], entry["purpose"]) == (["public-task"], str(purpose))
    own = await actor.get(f"/advice/{given.json()['id']}")
    assert own.json() == given.json()


async def test_a_question_is_put_to_whose_task_it_is(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    ngo = exchange.actor("ngo")
    for addressee, purpose in (
        (exchange.id_of("dtv"), "residence-advice"),
        (exchange.id_of("ind"), "identity-advice"),
        (exchange.id_of("municipality"), "return-advice"),
        (uuid4(), "return-advice"),
    ):
        new = {"caseId": str(dealings.id), "addresseeId": str(addressee), "purpose": purpose, "question": "?"}
        refused(await ngo.post("/advice-requests", new), 409, "wrong-addressee")
    new |= {"addresseeId": str(exchange.id_of("ind")), "purpose": "enforcement"}
    refused(await ngo.post("/advice-requests", new), 400, "invalid-input")


async def test_nobody_is_asked_where_nothing_is_agreed(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange, municipality=Municipality.ROTTERDAM)
    new = {
        "caseId": str(dealings.id),
        "addresseeId": str(exchange.id_of("dtv")),
        "purpose": "return-advice",
        "question": "?",
    }
    refused(await exchange.actor("ngo").post("/advice-requests", new), 403, "no-agreement")


async def test_a_case_of_others_cannot_be_asked_about(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    new = {"addresseeId": str(exchange.id_of("ind")), "purpose": "residence-advice", "question": "?"}
    foreign, absent = [
        await exchange.actor("otherNgo").post("/advice-requests", new | {"caseId": str(each)})
        for each in (dealings.id, uuid4())
    ]
    refused(foreign, 404, "not-found")
    assert told(foreign) == told(absent)


async def test_a_question_is_read_for_a_purpose_that_a_rule_knows(exchange: Exchange) -> None:
    dealings = await (await Dealings.begin(exchange)).consented()
    path = f"/advice-requests/{(await dealings.asked()).id}"
    ind = exchange.actor("ind")
    refused(await ind.get(path), 400, "purpose-missing")
    refused(await ind.get(path, purpose=Purpose.ENFORCEMENT), 403, "purpose-never-permitted")
    wrong = (await ind.get(path, purpose=Purpose.CASE_MEETING)).json()
    assert (wrong["question"], wrong["vNumber"]) == (None, None)
    own = await exchange.actor("ngo").get(path)
    assert own.json()["question"] == QUESTION
    entry = await exchange.entry(own.headers["request-id"])
    assert entry["disclosed"] == {"identity": ["vNumber"], "shared-outcome": ["question"]}


async def test_a_question_comes_as_far_as_the_person_said_yes(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    path = f"/advice-requests/{(await dealings.asked()).id}"
    ind = exchange.actor("ind")
    never = await ind.get(path, purpose=RESIDENCE)
    consent = await dealings.consent(RESIDENCE, "ind", IDENTITY)
    part = await ind.get(path, purpose=RESIDENCE)
    assert part.json()["vNumber"] == dealings.case.v_number
    assert part.json()["question"] is None
    assert (await exchange.entry(part.headers["request-id"]))["withheld"] == {"shared-outcome": "not-available"}
    await exchange.ngo.consents.withdraw(consent.id)
    withdrawn = await ind.get(path, purpose=RESIDENCE)
    assert (never.json()["question"], never.json()["vNumber"]) == (None, None)
    assert never.json() == withdrawn.json()


async def test_an_addressee_reads_no_more_than_was_asked_of_it(exchange: Exchange) -> None:
    """A request, an advice of others is as absent: to other authorities, NGOs, and who shelters."""
    dealings = await (await Dealings.begin(exchange)).consented()
    request = await dealings.asked()
    given = await dealings.advised(request)
    stranger = await exchange.join("stranger", Party.NGO)
    for actor in (exchange.actor("dtv"), exchange.actor("avim"), stranger):
        for path, there in (("advice-requests", request.id), ("advice", given.id)):
            foreign, absent = [await actor.get(f"/{path}/{each}", purpose=RESIDENCE) for each in (there, uuid4())]
            refused(foreign, 404, "not-found")
            assert told(foreign) == told(absent)
    for actor in (exchange.actor("dtv"), exchange.actor("avim")):
        body = BODIES["dtv"]
        foreign, absent = [await actor.post("/advice", advice(each, body)) for each in (request.id, uuid4())]
        refused(foreign, 404, "not-found")
        assert told(foreign) == told(absent)
        assert (await actor.get("/advice-requests")).json()["items"] == [
            each for each in (await actor.get("/advice-requests")).json()["items"] if each["id"] != str(request.id)
        ]


async def test_advice_is_read_for_its_purpose_by_those_who_guide(exchange: Exchange) -> None:
    dealings = await (await Dealings.begin(exchange)).consented()
    given = await dealings.advised(await dealings.asked())
    path = f"/advice/{given.id}"
    ngo = exchange.actor("ngo")
    refused(await ngo.get(path), 400, "purpose-missing")
    refused(await ngo.get(path, purpose=Purpose.ENFORCEMENT), 403, "purpose-never-permitted")
    assert reasons(await ngo.get(path, purpose=Purpose.RETURN_ADVICE)) == {"advice": "no-rule"}
    await dealings.assign("otherNgo", CareFunction.SHELTER)
    refused(await exchange.actor("otherNgo").get(path, purpose=RESIDENCE), 404, "not-found")
    await dealings.assign("municipality", CareFunction.HOUSING)
    seen = await exchange.actor("municipality").get(path, purpose=RESIDENCE)
    assert seen.json()["body"] == wire(BODY)
    assert (await exchange.entry(seen.headers["request-id"]))["ground"] == ["vw-107-4"]


async def test_an_answer_fits_the_question_and_comes_once(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    request = await dealings.asked()
    ind = exchange.actor("ind")
    for incomplete in (
        advice(request.id, None),
        advice(request.id, BODIES["dtv"]),
        advice(request.id, BODIES["ind"], answer="no-advice"),
        advice(request.id, BODIES["ind"], answer="more-information-needed"),
    ):
        refused(await ind.post("/advice", incomplete), 409, "incomplete")
    more = await ind.post("/advice", advice(request.id, None, answer="more-information-needed"))
    assert (more.status_code, more.json()["body"]) == (201, None)
    assert (await exchange.ngo.advice_requests.read(request.id)).value.advice_id is not None
    final = await ind.post("/advice", advice(request.id, None, answer="no-advice"))
    assert final.status_code == 201
    refused(await ind.post("/advice", advice(request.id, BODIES["ind"])), 409, "wrong-state")
    seen = (await exchange.ngo.advice_requests.read(request.id)).value
    assert str(seen.advice_id) == final.json()["id"]


async def test_a_term_runs_until_it_is_answered(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    outcome = await dealings.outcome("ind")
    request = await dealings.asked("ind", screening_outcome_id=outcome.id)
    assert request.due_date is not None
    assert request.screening_outcome_id == outcome.id
    ngo = exchange.actor("ngo")
    with exchange.later(timedelta(days=40)):
        assert (await ngo.get(f"/advice-requests/{request.id}")).json()["overdue"] is True
    await dealings.advised(request, answer=AdviceAnswer.NO_ADVICE, body=None)
    with exchange.later(timedelta(days=40)):
        assert (await ngo.get(f"/advice-requests/{request.id}")).json()["overdue"] is False


async def test_an_outcome_of_another_case_goes_with_no_question(exchange: Exchange) -> None:
    """It would tie two persons together."""
    dealings, another = await Dealings.begin(exchange), await Dealings.begin(exchange)
    outcome = await another.outcome()
    for which in (outcome.id, uuid4()):
        new = wire(dealings.new_question(screening_outcome_id=which))
        refused(await exchange.actor("ngo").post("/advice-requests", new), 404, "not-found")


async def test_an_outcome_goes_with_a_question_to_whom_it_was_shared_with(exchange: Exchange) -> None:
    """Shared with an authority it was explained to the person before; its id alone tells nobody else of it."""
    dealings, ngo = await Dealings.begin(exchange), exchange.actor("ngo")
    for outcome in (await dealings.outcome("otherNgo", explanations=()), await dealings.outcome("dtv")):
        new = wire(dealings.new_question(screening_outcome_id=outcome.id))
        refused(await ngo.post("/advice-requests", new), 409, "outcome-not-explained")
    outcome = await dealings.outcome("ind", explanations=(), not_explained_reason="incapacity")
    assert (await dealings.asked("ind", screening_outcome_id=outcome.id)).screening_outcome_id == outcome.id


async def test_nothing_begins_in_a_case_that_has_ended(exchange: Exchange) -> None:
    """And who was asked before finds nobody's number any more."""
    dealings = await (await Dealings.begin(exchange)).consented()
    request = await dealings.asked()
    ngo, ind = exchange.actor("ngo"), exchange.actor("ind")
    await ngo.post(
        f"/cases/{dealings.id}/closures", {"closedDate": "2026-11-24", "leavingReason": "mob"}, headers=ANY_VERSION
    )
    refused(await ngo.post("/advice-requests", wire(dealings.new_question())), 409, "wrong-state")
    refused(await ngo.post("/dossier-requests", wire(dealings.new_request())), 409, "wrong-state")
    refused(await ngo.post("/screening-outcomes", wire(dealings.new_outcome())), 409, "wrong-state")
    check = {"caseId": str(dealings.id), "addresseeId": str(exchange.id_of("ind"))}
    refused(await ngo.post("/admission-checks", check), 409, "wrong-state")
    seen = (await ind.get(f"/advice-requests/{request.id}", purpose=RESIDENCE)).json()
    assert (seen["question"], seen["vNumber"]) == (None, None)


async def test_a_municipality_asks_and_reads_what_it_asked(exchange: Exchange) -> None:
    case = (
        await exchange.actor("municipality").post(
            "/cases", {"municipality": "utrecht", "vNumber": v_number(), "functions": ["coordination"]}
        )
    ).json()
    new = {
        "caseId": case["id"],
        "addresseeId": str(exchange.id_of("dtv")),
        "purpose": "return-advice",
        "question": "May the person go back?",
    }
    made = await exchange.actor("municipality").post("/advice-requests", new)
    assert (made.status_code, made.json()["question"]) == (201, "May the person go back?")
    given = await exchange.actor("dtv").post("/advice", advice(made.json()["id"], BODIES["dtv"]))
    read = await exchange.actor("municipality").get(f"/advice/{given.json()['id']}", purpose="return-advice")
    assert read.json()["body"] == BODIES["dtv"]


async def test_those_who_are_asked_and_those_who_asked_are_told(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    request = await dealings.asked()
    given = await dealings.advised(request)
    mine = {request.id: "advice-request.requested", given.id: "advice.given"}
    heard = {
        key: {each.subject_id: each.type async for each in client.events.read() if each.subject_id in mine}
        for key, client in (("ind", exchange.ind), ("ngo", exchange.ngo), ("avim", exchange.avim))
    }
    assert heard == {
        "ind": {request.id: "advice-request.requested"},
        "ngo": {given.id: "advice.given"},
        "avim": {},
    }


async def test_advice_that_was_given_stays_while_nothing_is_agreed_any_more(exchange: Exchange) -> None:
    """The author still reads its own; to who asked it closes, until something is agreed again."""
    dealings = await Dealings.begin(exchange, municipality=Municipality.GRONINGEN)
    await dealings.consent(RESIDENCE, "ind", SHARED)
    request = await dealings.asked()
    given = await dealings.advised(request)
    await exchange.revoke(Municipality.GRONINGEN, "ngo")
    ngo, ind = exchange.actor("ngo"), exchange.actor("ind")
    assert reasons(await ngo.get(f"/advice/{given.id}", purpose=RESIDENCE)) == {"advice": "no-agreement"}
    closed = await ind.get(f"/advice-requests/{request.id}", purpose=RESIDENCE)
    assert (closed.json()["question"], closed.json()["vNumber"]) == (None, None)
    assert (await ind.get(f"/advice/{given.id}")).status_code == 200
