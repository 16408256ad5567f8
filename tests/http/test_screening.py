"""Screening outcomes over HTTP: explained before they cross, and the legal analysis stays with NGO and lawyer."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from api.vocabulary import CareFunction, DataCategory, Municipality, Party, Purpose
from tests.actor import reasons, refused, told
from tests.dealings import ANALYSIS, QUESTION, SHARED, Dealings, wire

if TYPE_CHECKING:
    from tests.exchange import Exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")

C = DataCategory
ADVICE = Purpose.RESIDENCE_ADVICE
SCREENING = Purpose.LEGAL_SCREENING
SHARED_FIELDS = ["explanations", "nextSteps", "perspective", "question"]


async def test_an_outcome_is_shared_and_its_author_reads_all_of_it(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    made = await dealings.outcome("ind")
    assert (made.legal_analysis, made.version) == (ANALYSIS, 1)
    answer = await exchange.actor("ngo").get(f"/screening-outcomes/{made.id}")
    body = answer.json()
    assert body["sharedOutcome"] == {
        "perspective": "legalisation",
        "question": QUESTION,
        "nextSteps": ["Advice"],
    }
    assert (body["legalAnalysis"], body["explanations"][0]["reaction"]) == (ANALYSIS, "understood")
    entry = await exchange.entry(answer.headers["request-id"])
    assert entry["disclosed"] == {"shared-outcome": SHARED_FIELDS, "legal-analysis": ["legalAnalysis"]}
    assert not entry.keys() & {"ground", "consents", "purpose"}


async def test_an_authority_sees_the_outcome_and_never_the_analysis(exchange: Exchange) -> None:
    dealings = await (await Dealings.begin(exchange)).consented()
    outcome = await dealings.outcome("ind", "dtv")
    for key, purpose in (("ind", ADVICE), ("dtv", Purpose.RETURN_ADVICE)):
        answer = await exchange.actor(key).get(f"/screening-outcomes/{outcome.id}", purpose=purpose)
        assert answer.json()["legalAnalysis"] is None
        assert answer.json()["sharedOutcome"]["question"] == QUESTION
        assert ANALYSIS not in answer.text
        entry = await exchange.entry(answer.headers["request-id"])
        assert entry["disclosed"] == {"shared-outcome": SHARED_FIELDS}
        assert [each["id"] for each in entry["consents"]] == [str(dealings.consents[key].id)]
        assert (entry["purpose"], entry["ground"]) == (str(purpose), ["public-task"])


async def test_an_outcome_is_read_for_a_purpose_that_a_rule_knows(exchange: Exchange) -> None:
    dealings = await (await Dealings.begin(exchange)).consented()
    path = f"/screening-outcomes/{(await dealings.outcome('ind')).id}"
    ind = exchange.actor("ind")
    refused(await ind.get(path), 400, "purpose-missing")
    refused(await ind.get(path, purpose=Purpose.ENFORCEMENT), 403, "purpose-never-permitted")
    refused(await ind.get(path, purpose=Purpose.CASE_MEETING), 404, "not-found")


async def test_an_outcome_is_as_absent_to_whom_it_was_not_addressed(exchange: Exchange) -> None:
    """Chain parties find a case only through what was addressed to them; a consent alone shows nothing."""
    dealings = await (await Dealings.begin(exchange)).consented()
    outcome = await dealings.outcome("ind")
    other = exchange.actor("otherNgo")
    for actor, purpose in (
        (exchange.actor("dtv"), Purpose.RETURN_ADVICE),
        (exchange.actor("avim"), Purpose.IDENTITY_ADVICE),
        (other, SCREENING),
        (exchange.actor("municipality"), Purpose.CASE_MEETING),
    ):
        foreign, absent = [
            await actor.get(f"/screening-outcomes/{each}", purpose=purpose) for each in (outcome.id, uuid4())
        ]
        refused(foreign, 404, "not-found")
        assert told(foreign) == told(absent)
    listed = [await other.get(f"/screening-outcomes?caseId={each}") for each in (dealings.id, uuid4())]
    assert told(listed[0]) == told(listed[1])
    assert listed[0].json()["items"] == []


async def test_a_refusal_is_told_to_no_municipality(exchange: Exchange) -> None:
    """No one who decides about the bed learns of a refusal: not even who coordinates."""
    dealings = await Dealings.begin(exchange)
    await dealings.assign("municipality", CareFunction.COORDINATION)
    outcome = await dealings.outcome("municipality")
    municipality = exchange.actor("municipality")
    path, purpose = f"/screening-outcomes/{outcome.id}", Purpose.CASE_MEETING
    absent = await municipality.get(f"/screening-outcomes/{uuid4()}", purpose=purpose)
    never = await municipality.get(path, purpose=purpose)
    no = await dealings.consent(purpose, "municipality", [C.SHARED_OUTCOME], given=False)
    said_no = await municipality.get(path, purpose=purpose)
    named = {"consent_id": no.id, "version": no.version}
    yes = await dealings.consent(purpose, "municipality", [C.SHARED_OUTCOME], supersedes=[named])
    assert (await municipality.get(path, purpose=purpose)).status_code == 200
    await exchange.ngo.consents.withdraw(yes.id)
    withdrawn = await municipality.get(path, purpose=purpose)
    refused(never, 404, "not-found")
    assert told(never) == told(said_no) == told(withdrawn) == told(absent)
    assert no.state == "refused"


async def test_another_ngo_reads_the_analysis_with_a_consent_of_its_own(exchange: Exchange) -> None:
    """The legal analysis is special: it has a consent of its own, and goes to who takes the screening over."""
    dealings = await Dealings.begin(exchange)
    await dealings.assign("otherNgo", CareFunction.LEGAL_SCREENING)
    outcome = await dealings.outcome()
    other = exchange.actor("otherNgo")
    path = f"/screening-outcomes/{outcome.id}"
    none = await other.get(path, purpose=SCREENING)
    refused(none, 403, "not-permitted")
    assert set(reasons(none).values()) == {"consent-never-asked"}
    await dealings.consent(SCREENING, "otherNgo", [C.SHARED_OUTCOME])
    part = (await other.get(path, purpose=SCREENING)).json()
    assert (part["legalAnalysis"], part["sharedOutcome"]["question"]) == (None, QUESTION)
    await dealings.consent(SCREENING, "otherNgo", [C.LEGAL_ANALYSIS])
    assert (await other.get(path, purpose=SCREENING)).json()["legalAnalysis"] == ANALYSIS


async def test_where_there_is_no_analysis_none_is_named(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    made = await dealings.outcome(legal_analysis=None)
    answer = await exchange.actor("ngo").get(f"/screening-outcomes/{made.id}")
    assert answer.json()["legalAnalysis"] is None
    assert (await exchange.entry(answer.headers["request-id"]))["disclosed"].keys() == {"shared-outcome"}


async def test_an_outcome_crosses_to_an_authority_only_once_it_was_explained(exchange: Exchange) -> None:
    """First the person, then the authority; or a coded reason why not."""
    dealings = await Dealings.begin(exchange)
    ngo = exchange.actor("ngo")
    for key in ("ind", "municipality"):
        new = wire(dealings.new_outcome(key, explanations=()))
        refused(await ngo.post("/screening-outcomes", new), 409, "outcome-not-explained")
        coded = new | {"notExplainedReason": "left-unknown-destination"}
        assert (await ngo.post("/screening-outcomes", coded)).status_code == 201
    for keys in ((), ("otherNgo",)):
        new = wire(dealings.new_outcome(*keys, explanations=()))
        assert (await ngo.post("/screening-outcomes", new)).status_code == 201


async def test_an_outcome_goes_to_those_who_can_ever_receive_data(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    ngo = exchange.actor("ngo")
    for addressee in (uuid4(), exchange.id_of("auditor"), exchange.id_of("operator")):
        new = wire(dealings.new_outcome(addressee_ids=(addressee,)))
        refused(await ngo.post("/screening-outcomes", new), 409, "wrong-addressee")


async def test_only_who_screens_shares_an_outcome(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    await dealings.assign("otherNgo", CareFunction.SHELTER)
    other = exchange.actor("otherNgo")
    refused(await other.post("/screening-outcomes", wire(dealings.new_outcome())), 403, "wrong-function")
    stranger = await exchange.join("stranger", Party.NGO)
    foreign = await stranger.post("/screening-outcomes", wire(dealings.new_outcome()))
    absent = await stranger.post("/screening-outcomes", wire(dealings.new_outcome(case_id=uuid4())))
    refused(foreign, 404, "not-found")
    assert told(foreign) == told(absent)


async def test_those_who_may_see_it_are_told_and_nobody_else(exchange: Exchange) -> None:
    """An event that led to nothing would tell that the person said no."""
    dealings = await Dealings.begin(exchange)
    await dealings.consent(ADVICE, "ind", SHARED)
    outcome = await dealings.outcome("ind", "dtv")
    heard = {
        key: [each.type async for each in client.events.read() if each.subject_id == outcome.id]
        for key, client in (("ind", exchange.ind), ("dtv", exchange.dtv), ("ngo", exchange.ngo))
    }
    assert heard == {"ind": ["screening-outcome.shared"], "dtv": [], "ngo": []}


async def test_an_author_lists_its_own_outcomes_of_a_case(exchange: Exchange) -> None:
    dealings, another = await Dealings.begin(exchange), await Dealings.begin(exchange)
    made = [(await dealings.outcome()).id for _ in range(3)]
    await another.outcome()
    listed = [each async for each in exchange.ngo.screening_outcomes.list(case_id=dealings.id, limit=2)]
    assert [each.id for each in listed] == made[::-1]


async def test_no_outcome_crosses_where_nothing_is_agreed(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange, municipality=Municipality.GRONINGEN)
    await dealings.consent(ADVICE, "ind", SHARED)
    outcome = await dealings.outcome("ind")
    ind = exchange.actor("ind")
    path = f"/screening-outcomes/{outcome.id}"
    assert (await ind.get(path, purpose=ADVICE)).status_code == 200
    await exchange.revoke(Municipality.GRONINGEN, "ind")
    answer = await ind.get(path, purpose=ADVICE)
    refused(answer, 404, "not-found")
