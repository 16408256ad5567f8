"""What a person does not get to see yet: the exception, bounded on every side, and unseen while it lasts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from api.persons.model import UNREVIEWED
from api.schemas.delays import NewDelay, NewReview
from api.vocabulary import Purpose, RestrictionGround, ReviewOutcome
from tests import audit_store
from tests.actor import refused
from tests.dealings import Dealings

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from api.schemas.delays import Delay
    from tests.exchange import Exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")

DELAYS = "/audit/delays"
REFERENCE = "AUD-2026-30"


async def settled(exchange: Exchange) -> None:
    async with exchange.database.connection() as connection:
        await audit_store.settle(connection)


async def account(exchange: Exchange, dealings: Dealings, **asked: Any) -> list[int]:
    """The places in the log that the person gets to see, on the clock of the service."""
    answer = await exchange.actor("ngo").get(f"/persons/{dealings.case.person_id}/disclosures", **asked)
    assert answer.status_code == 200, answer.text
    return [each["index"] for each in answer.json()["items"]]


async def read_thrice(exchange: Exchange) -> tuple[Dealings, list[int]]:
    """A person of whom three disclosures are known beside that of the opening; the newest first."""
    dealings = await Dealings.begin(exchange)
    for _ in range(3):
        await exchange.ngo.cases.read(dealings.id)
    await settled(exchange)
    return dealings, await account(exchange, dealings)


def new(index: int, until: datetime) -> NewDelay:
    ground = RestrictionGround.CRIMINAL_INVESTIGATION
    return NewDelay(index=index, ground=ground, reference=REFERENCE, until_at=until)


async def decided(exchange: Exchange, index: int, days: int = 60) -> Delay:
    auditor = exchange.auditor.acting("officer-1")
    return (await auditor.delays.decide(new(index, exchange.clock() + timedelta(days=days)))).value


async def reviewed(exchange: Exchange, delay: UUID, outcome: ReviewOutcome) -> Delay:
    auditor = exchange.auditor.acting("officer-2")
    return (await auditor.delays.review(delay, NewReview(outcome=outcome, reference=REFERENCE))).value


async def test_a_delayed_disclosure_appears_later_and_then_in_its_place(exchange: Exchange) -> None:
    dealings, there = await read_thrice(exchange)
    delay = await decided(exchange, there[1])
    assert await account(exchange, dealings) == [there[0], *there[2:]]
    assert (await reviewed(exchange, delay.id, ReviewOutcome.UPHELD)).ends_at == delay.until_at
    with exchange.later(timedelta(days=59)):
        assert await account(exchange, dealings) == [there[0], *there[2:]]
    with exchange.later(timedelta(days=60)):
        assert await account(exchange, dealings) == there


async def test_neither_a_page_nor_its_length_tells_of_it(exchange: Exchange) -> None:
    """The answers are those of a log in which the entry is about somebody else."""
    dealings, there = await read_thrice(exchange)
    await decided(exchange, there[1])
    path = f"/persons/{dealings.case.person_id}/disclosures?limit=2"
    first = await exchange.actor("ngo").get(path)
    assert [each["index"] for each in first.json()["items"]] == [there[0], there[2]]
    second = await exchange.actor("ngo").get(f"{path}&cursor={first.json()['nextCursor']}")
    assert [each["index"] for each in second.json()["items"]] == there[3:]
    assert second.json()["nextCursor"] is None
    assert "delay" not in first.text + second.text
    entry = await exchange.entry(first.headers["request-id"])
    assert "stated" not in entry


async def test_what_nobody_reviews_ends_by_itself(exchange: Exchange) -> None:
    dealings, there = await read_thrice(exchange)
    delay = await decided(exchange, there[0])
    assert delay.ends_at == delay.decided_at + UNREVIEWED
    with exchange.later(UNREVIEWED - timedelta(hours=1)):
        assert await account(exchange, dealings) == there[1:]
    with exchange.later(UNREVIEWED):
        assert await account(exchange, dealings) == there
        answer = await exchange.actor("auditor").post(
            f"{DELAYS}/{delay.id}/reviews", {"outcome": "upheld", "reference": REFERENCE}
        )
        refused(answer, 409, "own-review")


async def test_a_second_person_lifts_it_at_once(exchange: Exchange) -> None:
    dealings, there = await read_thrice(exchange)
    delay = await decided(exchange, there[0])
    lifted = await reviewed(exchange, delay.id, ReviewOutcome.LIFTED)
    assert lifted.ends_at == lifted.reviewed_at
    assert await account(exchange, dealings) == there
    again = await decided(exchange, there[0])
    assert await account(exchange, dealings) == there[1:]
    assert again.id != delay.id


async def test_nobody_reviews_a_decision_of_their_own_nor_one_that_was_reviewed(exchange: Exchange) -> None:
    _, there = await read_thrice(exchange)
    auditor = exchange.actor("auditor")
    body = {"index": there[0], "ground": "oversight", "reference": REFERENCE, "untilAt": _instant(exchange, days=9)}
    delay = (await auditor.post(DELAYS, body)).json()
    review = {"outcome": "upheld", "reference": REFERENCE}
    refused(await auditor.post(f"{DELAYS}/{delay['id']}/reviews", review), 409, "own-review")
    await reviewed(exchange, delay["id"], ReviewOutcome.UPHELD)
    refused(await auditor.post(f"{DELAYS}/{delay['id']}/reviews", review), 409, "own-review")
    refused(await auditor.post(f"{DELAYS}/{uuid4()}/reviews", review), 404, "not-found")
    refused(await auditor.get(f"{DELAYS}/{uuid4()}"), 404, "not-found")


def _instant(exchange: Exchange, **ahead: int) -> str:
    return (exchange.clock() + timedelta(**ahead)).strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_a_delay_is_bounded(exchange: Exchange) -> None:
    """Not in the past, not for longer than 180 days, not beyond a year after the disclosure, and one at a time."""
    dealings, there = await read_thrice(exchange)
    auditor = exchange.actor("auditor")
    usual = {"index": there[0], "ground": "oversight", "reference": REFERENCE}
    for days in (-1, 181):
        answer = await auditor.post(DELAYS, usual | {"untilAt": _instant(exchange, days=days)})
        refused(answer, 409, "not-delayable")
    with exchange.later(timedelta(days=300)):
        answer = await auditor.post(DELAYS, usual | {"untilAt": _instant(exchange, days=66)})
        refused(answer, 409, "not-delayable")
    assert (await auditor.post(DELAYS, usual | {"untilAt": _instant(exchange, days=179)})).status_code == 201
    answer = await auditor.post(DELAYS, usual | {"untilAt": _instant(exchange, days=1)})
    refused(answer, 409, "not-delayable")
    until = {"untilAt": _instant(exchange, days=1)}
    refused(await auditor.post(DELAYS, usual | until | {"index": 2**40}), 404, "not-found")
    refused(await auditor.post(DELAYS, usual | until | {"reference": "Jan"}), 400, "invalid-input")
    refused(await auditor.post(DELAYS, usual | until | {"ground": "embarrassment"}), 400, "invalid-input")
    await exchange.actor("otherNgo").get(f"/dossiers/{uuid4()}", purpose=Purpose.LEGAL_SCREENING)
    await settled(exchange)
    (newest,) = await exchange.rows("SELECT max(index) AS index FROM audit.projection WHERE result = 'refused'")
    refused(await auditor.post(DELAYS, usual | until | {"index": newest["index"]}), 409, "not-delayable")
    assert await account(exchange, dealings) == there[1:]


async def test_each_decision_is_an_entry_that_auditors_find(exchange: Exchange) -> None:
    """With its ground and the number of the file; and of whom, the entry that it names tells."""
    _, there = await read_thrice(exchange)
    delay = await decided(exchange, there[0])
    await reviewed(exchange, delay.id, ReviewOutcome.UPHELD)
    entry = (await exchange.entries("audit.delay-disclosure"))[-1]
    about = (await exchange.auditor.audit.entry(there[0])).value.content
    assert entry["object"] == {"type": "audit-entry", "id": about["id"]}
    assert entry["stated"] == {"reason": "criminal-investigation", "reference": REFERENCE}
    assert entry["actor"]["person"] == "officer-1"
    review = (await exchange.entries("audit.review-delay"))[-1]
    assert (review["actor"]["person"], review["stated"]["reason"]) == ("officer-2", "upheld")
    assert review["object"] == {"type": "disclosure-delay", "id": str(delay.id)}
    assert (await exchange.auditor.delays.read(delay.id)).value.outcome is ReviewOutcome.UPHELD
    listed = [each async for each in exchange.auditor.delays.list(limit=1)]
    assert listed[0].id == delay.id
    assert len({each.id for each in listed}) == len(listed)


async def test_a_retry_is_one_decision(exchange: Exchange) -> None:
    _, there = await read_thrice(exchange)
    auditor, key = exchange.actor("auditor"), str(uuid4())
    body = {"index": there[0], "ground": "defence", "reference": REFERENCE, "untilAt": _instant(exchange, days=9)}
    first, second = [await auditor.post(DELAYS, body, key=key) for _ in range(2)]
    assert first.json()["id"] == second.json()["id"]
    assert second.headers["idempotency-replayed"] == "true"
    delay, review = first.json()["id"], NewReview(outcome=ReviewOutcome.LIFTED, reference=REFERENCE)
    once = uuid4()
    officer = exchange.auditor.acting("officer-2")
    answers = [await officer.delays.review(delay, review, key=once) for _ in range(2)]
    assert [each.replayed for each in answers] == [False, True]
    assert answers[0].value == answers[1].value
