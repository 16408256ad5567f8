"""Admission checks over HTTP: asked by who helps, answered by the IND, decided by the municipality."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from api.vocabulary import CareFunction, Criterion, Municipality, Party, Purpose
from tests import dealings as dealing
from tests.actor import refused, told
from tests.dealings import IDENTITY, Dealings, v_number, wire

if TYPE_CHECKING:
    from tests.exchange import Exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADMISSION = Purpose.ADMISSION
ANSWERS = wire(dealing.answers())
ADMITTED = {"result": "admitted"}


async def asked(exchange: Exchange, **begin: Any) -> tuple[Dealings, str]:
    """A check that the person agreed to, and its address."""
    dealings = await Dealings.begin(exchange, **begin)
    await dealings.consent(ADMISSION, "ind", IDENTITY)
    return dealings, f"/admission-checks/{(await dealings.check()).id}"


async def test_the_ind_answers_and_the_municipality_decides(exchange: Exchange) -> None:
    number = v_number()
    _, path = await asked(exchange, number=number)
    ind, municipality, ngo = (exchange.actor(each) for each in ("ind", "municipality", "ngo"))
    seen = await ind.get(path, purpose=ADMISSION)
    assert (seen.json()["vNumber"], seen.json()["findings"]) == (number, None)
    entry = await exchange.entry(seen.headers["request-id"])
    assert entry["disclosed"] == {"identity": ["vNumber"]}
    answered = await ind.post(f"{path}/answers", ANSWERS)
    assert (answered.status_code, answered.json()["vNumber"]) == (201, None)
    exception = {
        "result": "admitted-by-exception",
        "conditions": "An invented condition.",
        "reviewDate": "2027-01-01",
    }
    decided = await municipality.post(f"{path}/decisions", exception)
    assert (decided.json()["result"], decided.json()["conditions"]) == ("admitted-by-exception", None)
    for actor in (municipality, ngo):
        answer = await actor.get(path, purpose=ADMISSION)
        body = answer.json()
        assert {each["criterion"] for each in body["findings"]} == set(Criterion)
        assert (body["conditions"], body["reviewDate"]) == ("An invented condition.", "2027-01-01")
        assert body["vNumber"] is None
        entry = await exchange.entry(answer.headers["request-id"])
        names = sorted([*map(str, Criterion), "conditions", "result", "reviewDate"])
        assert entry["disclosed"] == {"admission-facts": names}
        assert entry["purpose"] == "admission"
        assert "consents" not in entry
    again = await ind.get(path, purpose=ADMISSION)
    assert (again.json()["findings"], again.json()["conditions"]) == (None, None)


async def test_an_unanswered_check_holds_nothing_to_whoever_asked(exchange: Exchange) -> None:
    _, path = await asked(exchange)
    for key in ("ngo", "municipality"):
        answer = await exchange.actor(key).get(path, purpose=ADMISSION)
        assert (answer.json()["findings"], answer.json()["vNumber"]) == (None, None)
        assert "disclosed" not in await exchange.entry(answer.headers["request-id"])


async def test_a_check_is_read_for_its_purpose(exchange: Exchange) -> None:
    _, path = await asked(exchange)
    ind = exchange.actor("ind")
    refused(await ind.get(path), 400, "purpose-missing")
    refused(await ind.get(path, purpose=Purpose.ENFORCEMENT), 403, "purpose-never-permitted")
    assert (await ind.get(path, purpose=Purpose.CASE_MEETING)).json()["vNumber"] is None
    await ind.post(f"{path}/answers", ANSWERS)
    wrong = await exchange.actor("municipality").get(path, purpose=Purpose.CASE_MEETING)
    refused(wrong, 404, "not-found")


async def test_without_a_word_of_the_person_the_ind_learns_nothing(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    path = f"/admission-checks/{(await dealings.check()).id}"
    ind = exchange.actor("ind")
    never = await ind.get(path, purpose=ADMISSION)
    await dealings.consent(ADMISSION, "ind", IDENTITY, given=False)
    no = await ind.get(path, purpose=ADMISSION)
    assert never.json()["vNumber"] is None
    assert never.json() == no.json()


async def test_only_the_ind_is_asked_and_only_where_it_was_agreed(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    ngo = exchange.actor("ngo")
    for addressee in (exchange.id_of("dtv"), exchange.id_of("municipality"), uuid4()):
        new = {"caseId": str(dealings.id), "addresseeId": str(addressee)}
        refused(await ngo.post("/admission-checks", new), 403, "no-agreement")
    unsigned = await exchange.join("unsigned", Party.NGO)
    await dealings.assign("unsigned", CareFunction.COORDINATION)
    new = {"caseId": str(dealings.id), "addresseeId": str(exchange.id_of("ind"))}
    refused(await unsigned.post("/admission-checks", new), 403, "no-agreement")


async def test_who_has_no_part_in_it_finds_nothing(exchange: Exchange) -> None:
    """A municipality decides on its own people only; another IND, or another NGO, finds nothing."""
    dealings, path = await asked(exchange)
    await exchange.actor("ind").post(f"{path}/answers", ANSWERS)
    second = await exchange.join("second-ind", Party.IND)
    absent = f"/admission-checks/{uuid4()}"
    elsewhere = exchange.actor("municipality-amsterdam")
    case = {"addresseeId": str(exchange.id_of("ind"))}
    for actor, method, deed, body in (
        (exchange.actor("otherNgo"), "GET", "", None),
        (elsewhere, "GET", "", None),
        (second, "GET", "", None),
        (second, "POST", "/answers", ANSWERS),
        (elsewhere, "POST", "/decisions", ADMITTED),
    ):
        answers = [await actor.send(method, each + deed, body, purpose=ADMISSION) for each in (path, absent)]
        refused(answers[0], 404, "not-found")
        assert told(answers[0]) == told(answers[1])
    foreign, none = [
        await exchange.actor("otherNgo").post("/admission-checks", case | {"caseId": str(each)})
        for each in (dealings.id, uuid4())
    ]
    assert told(foreign) == told(none)


async def test_answers_are_whole_and_come_once(exchange: Exchange) -> None:
    _, path = await asked(exchange)
    ind = exchange.actor("ind")
    twice = {"findings": [ANSWERS["findings"][0]] * len(Criterion)}
    refused(await ind.post(f"{path}/answers", twice), 409, "incomplete")
    refused(await ind.post(f"{path}/answers", {"findings": ANSWERS["findings"][1:]}), 400, "invalid-input")
    assert (await ind.post(f"{path}/answers", ANSWERS)).status_code == 201
    refused(await ind.post(f"{path}/answers", ANSWERS), 409, "wrong-state")


async def test_a_decision_follows_on_the_answers_and_comes_once(exchange: Exchange) -> None:
    """Target group LVV: an admission by exception has conditions and a review date."""
    _, path = await asked(exchange)
    municipality = exchange.actor("municipality")
    refused(await municipality.post(f"{path}/decisions", ADMITTED), 409, "wrong-state")
    await exchange.actor("ind").post(f"{path}/answers", ANSWERS)
    for lacking in ({}, {"conditions": "Some."}, {"reviewDate": "2027-01-01"}):
        exception = {"result": "admitted-by-exception"} | lacking
        refused(await municipality.post(f"{path}/decisions", exception), 409, "incomplete")
    assert (await municipality.post(f"{path}/decisions", ADMITTED)).json()["result"] == "admitted"
    refused(await municipality.post(f"{path}/decisions", ADMITTED), 409, "wrong-state")


async def test_parties_are_told_step_by_step(exchange: Exchange) -> None:
    _, path = await asked(exchange)
    check = path.rpartition("/")[2]
    await exchange.actor("ind").post(f"{path}/answers", ANSWERS)
    await exchange.actor("municipality").post(f"{path}/decisions", ADMITTED)
    heard = {
        key: [each.type async for each in client.events.read() if str(each.subject_id) == check]
        for key, client in (("ind", exchange.ind), ("ngo", exchange.ngo), ("dtv", exchange.dtv))
    }
    assert heard == {
        "ind": ["admission-check.asked"],
        "ngo": ["admission-check.answered", "admission-check.decided"],
        "dtv": [],
    }


async def test_a_deed_that_is_repeated_with_its_key_shows_the_check_as_it_stands(exchange: Exchange) -> None:
    dealings, path = await asked(exchange)
    ind, municipality, ngo = (exchange.actor(each) for each in ("ind", "municipality", "ngo"))
    new = {"caseId": str(dealings.id), "addresseeId": str(exchange.id_of("ind"))}
    for actor, address, body in (
        (ngo, "/admission-checks", new),
        (ind, f"{path}/answers", ANSWERS),
        (municipality, f"{path}/decisions", ADMITTED),
    ):
        key = str(uuid4())
        first, again = [await actor.post(address, body, key=key) for _ in range(2)]
        assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
        assert again.json()["id"] == first.json()["id"]
        entry = await exchange.entry(again.headers["request-id"])
        assert (entry["replayed"], entry["result"]) == (True, "permitted")
        assert "disclosed" not in entry


async def test_a_check_in_another_municipality_is_decided_there(exchange: Exchange) -> None:
    _, path = await asked(exchange, municipality=Municipality.GRONINGEN)
    await exchange.actor("ind").post(f"{path}/answers", ANSWERS)
    refused(await exchange.actor("municipality").post(f"{path}/decisions", ADMITTED), 404, "not-found")
    assert (await exchange.actor("municipality-groningen").post(f"{path}/decisions", ADMITTED)).status_code == 201
