"""The advice on a case as a list: what reading each alone would show for that purpose, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio

from api.sandbox import agreements as shipped
from api.vocabulary import CareFunction, DataCategory, Municipality, Party, Purpose
from tests import agreeing
from tests.actor import ANY_VERSION, refused, told
from tests.dealings import Dealings, v_number

if TYPE_CHECKING:
    from collections.abc import Iterable

    import httpx

    from tests import servers
    from tests.actor import Actor
    from tests.exchange import Exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")

RESIDENCE: Final = Purpose.RESIDENCE_ADVICE
ROTTERDAM: Final = Municipality.ROTTERDAM
ADVICE: Final = (DataCategory.ADVICE,)
EMPTY: Final[dict[str, Any]] = {"items": [], "nextCursor": None}
WEEK: Final = timedelta(days=7)


async def listed(actor: Actor, case: UUID, purpose: Purpose | None = RESIDENCE, more: str = "") -> httpx.Response:
    return await actor.get(f"/advice?caseId={case}{more}", purpose=purpose)


async def singly(actor: Actor, ids: Iterable[UUID], purpose: Purpose = RESIDENCE) -> list[dict[str, Any]]:
    """What reading each alone shows, newest first."""
    answers = [await actor.get(f"/advice/{each}", purpose=purpose) for each in ids]
    return [each.json() for each in reversed(answers) if each.status_code == 200]


async def advised(exchange: Exchange, times: int = 1, **begun: Any) -> tuple[Dealings, list[UUID]]:
    """A case on which the IND gave advice so many times, oldest first."""
    dealings = await Dealings.begin(exchange, **begun)
    return dealings, [(await dealings.advised(await dealings.asked())).id for _ in range(times)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strict(exchange: Exchange) -> Municipality:
    """Where NGO and IND agreed that advice, too, takes the person's word."""
    (utrecht,) = (each for each in shipped.documents("2026") if each["municipality"] == Municipality.UTRECHT)
    asking, advising = (
        next(each for each in utrecht["rules"] if each["id"] == f"{way}-residence-advice")
        for way in ("ngo-ind", "ind-ngo")
    )
    strict = {name: each for name, each in advising.items() if name != "motive"}
    strict["categories"] = {"advice": "authorisation"}
    raw = agreeing.drafted(exchange, ROTTERDAM, "ngo", "ind", rules=[asking, strict])
    await exchange.revoke(ROTTERDAM, "ngo")
    await agreeing.in_force(exchange, raw, "ngo", "ind")
    return ROTTERDAM


async def say(dealings: Dealings, said: str) -> None:
    """The person says this about the advice of the IND to the NGO."""
    yes, ngo = (RESIDENCE, "ngo", ADVICE), dealings.exchange.ngo
    match said:
        case "given" | "expired":
            await dealings.consent(*yes, valid_until_at=dealings.exchange.clock() + WEEK)
        case "refused":
            await dealings.consent(*yes, given=False)
        case "withdrawn":
            await ngo.consents.withdraw((await dealings.consent(*yes)).id)
        case "for another purpose":
            await dealings.consent(Purpose.LEGAL_SCREENING, "ngo", ADVICE)
        case "for another recipient":
            await dealings.consent(RESIDENCE, "otherNgo", ADVICE)
        case "for another category":
            await dealings.consent(RESIDENCE, "ngo", (DataCategory.IDENTITY,))
        case "a yes, then a no":
            await dealings.consent(*yes)
            await dealings.consent(*yes, given=False)
        case _:
            assert said == "never asked"


@pytest.mark.parametrize(
    "said",
    [
        "given",
        "never asked",
        "refused",
        "withdrawn",
        "expired",
        "for another purpose",
        "for another recipient",
        "for another category",
        "a yes, then a no",
    ],
)
async def test_the_list_is_what_reading_each_alone_shows(exchange: Exchange, strict: Municipality, said: str) -> None:
    dealings, ids = await advised(exchange, 2, municipality=strict)
    await say(dealings, said)
    ngo = exchange.actor("ngo")
    with exchange.later(WEEK if said == "expired" else timedelta()):
        for purpose in (RESIDENCE, Purpose.RETURN_ADVICE, Purpose.LEGAL_SCREENING):
            answer = await listed(ngo, dealings.id, purpose)
            alone = await singly(ngo, ids, purpose)
            assert answer.json() == {"items": alone, "nextCursor": None}
            assert len(alone) == (len(ids) if said == "given" and purpose is RESIDENCE else 0)
            if not alone:
                assert told(answer) == told(await listed(ngo, uuid4(), purpose))


async def test_one_entry_tells_of_the_page(exchange: Exchange) -> None:
    """Whom it is about, what carried it, and by their seals which advice it showed: none that was not shown."""
    dealings, ids = await advised(exchange, 3)
    ngo = exchange.actor("ngo")
    answer = await listed(ngo, dealings.id, more="&limit=2")
    assert [each["id"] for each in answer.json()["items"]] == [str(ids[2]), str(ids[1])]
    assert await exchange.is_promised(answer)
    read = await ngo.get(f"/advice/{ids[1]}", purpose=RESIDENCE)
    entry, alone = [await exchange.entry(each.headers["request-id"]) for each in (answer, read)]
    assert (entry["action"], entry["object"]) == ("advice.list", {"type": "advice"})
    for member in ("person", "purpose", "ground", "agreements", "disclosed", "policy"):
        assert entry[member] == alone[member]
    assert entry["seals"].keys() == {f"exchange.advice/{each}" for each in ids[1:]}
    assert alone["seals"].items() <= entry["seals"].items()


async def test_pages_begin_where_the_one_before_ended(exchange: Exchange) -> None:
    dealings, ids = await advised(exchange, 4)
    for limit, sizes in ((1, [1, 1, 1, 1]), (2, [2, 2]), (3, [3, 1]), (4, [4]), (5, [4])):
        pages = exchange.ngo.advice.list(case_id=dealings.id, purpose=RESIDENCE, limit=limit).pages()
        seen = [page.value.items async for page in pages]
        assert [len(items) for items in seen] == sizes
        assert [each.id for items in seen for each in items] == ids[::-1]


async def test_a_cursor_is_of_its_case_its_purpose_and_its_client(exchange: Exchange) -> None:
    dealings, ids = await advised(exchange, 2)
    other, _ = await advised(exchange)
    ngo = exchange.actor("ngo")
    first = await listed(ngo, dealings.id, more="&limit=1")
    cursor = f"&limit=1&cursor={first.json()['nextCursor']}"
    for actor, case, purpose in (
        (ngo, other.id, RESIDENCE),
        (ngo, dealings.id, Purpose.RETURN_ADVICE),
        (exchange.actor("municipality"), dealings.id, RESIDENCE),
    ):
        refused(await listed(actor, case, purpose, cursor), 400, "invalid-cursor")
    assert [each["id"] for each in (await listed(ngo, dealings.id, more=cursor)).json()["items"]] == [str(ids[0])]


async def test_a_purpose_is_declared_and_is_never_enforcement(exchange: Exchange) -> None:
    """Before anything is looked at: a case that does not exist answers the same."""
    dealings, _ = await advised(exchange)
    ngo = exchange.actor("ngo")
    for purpose, status, problem in (
        (None, 400, "purpose-missing"),
        (Purpose.ENFORCEMENT, 403, "purpose-never-permitted"),
    ):
        there, absent = [await listed(ngo, case, purpose) for case in (dealings.id, uuid4())]
        refused(there, status, problem)
        assert told(there) == told(absent)
    refused(await ngo.get("/advice", purpose=RESIDENCE), 400, "invalid-input")


async def test_a_case_of_others_has_the_list_of_one_that_is_not_there(exchange: Exchange) -> None:
    """To who is outside, and to who is in it with a function that no rule names; and so do their entries."""
    dealings, _ = await advised(exchange)
    await dealings.assign("otherNgo", CareFunction.SHELTER)
    stranger = await exchange.join("stranger", Party.NGO)
    for actor in (exchange.actor("otherNgo"), stranger, exchange.actor("municipality")):
        foreign, absent = [await listed(actor, case) for case in (dealings.id, uuid4())]
        assert (foreign.status_code, foreign.json()) == (200, EMPTY)
        assert told(foreign) == told(absent)
        entries = [await exchange.entry(each.headers["request-id"]) for each in (foreign, absent)]
        assert entries[0].keys() == entries[1].keys()
        assert not entries[0].keys() & {"person", "persons", "disclosed", "seals"}
    refused(await listed(exchange.actor("ind"), dealings.id), 403, "wrong-party")


async def test_a_municipality_sees_what_the_law_lets_it_see(exchange: Exchange) -> None:
    dealings, ids = await advised(exchange)
    await dealings.assign("municipality", CareFunction.HOUSING)
    municipality = exchange.actor("municipality")
    answer = await listed(municipality, dealings.id)
    assert [each["id"] for each in answer.json()["items"]] == [str(each) for each in ids]
    assert answer.json()["items"] == await singly(municipality, ids)
    assert (await exchange.entry(answer.headers["request-id"]))["ground"] == ["vw-107-4"]


async def test_when_a_case_has_ended_those_in_it_still_see_its_advice(exchange: Exchange) -> None:
    dealings, ids = await advised(exchange)
    ngo = exchange.actor("ngo")
    before = (await listed(ngo, dealings.id)).json()
    closed = {"closedDate": "2026-11-24", "leavingReason": "mob"}
    await ngo.post(f"/cases/{dealings.id}/closures", closed, headers=ANY_VERSION)
    assert (await listed(ngo, dealings.id)).json() == before == {"items": await singly(ngo, ids), "nextCursor": None}
    assert len(before["items"]) == len(ids)


async def test_a_list_ends_with_the_agreement(exchange: Exchange) -> None:
    dealings, ids = await advised(exchange, municipality=Municipality.GRONINGEN)
    ngo = exchange.actor("ngo")
    assert len((await listed(ngo, dealings.id)).json()["items"]) == len(ids)
    await exchange.revoke(Municipality.GRONINGEN, "ind")
    assert (await listed(ngo, dealings.id)).json() == EMPTY
    assert await singly(ngo, ids) == []


async def test_who_asked_and_left_sees_the_answer_until_the_case_ends(
    exchange: Exchange, furnished_database: servers.Database
) -> None:
    """After that nothing is there for who is outside, in the list as alone."""
    municipality = exchange.actor("municipality")
    opened = {"municipality": "utrecht", "vNumber": v_number(), "functions": ["coordination"]}
    case = UUID((await municipality.post("/cases", opened)).json()["id"])
    question = {"addresseeId": str(exchange.id_of("ind")), "purpose": str(RESIDENCE), "question": "?"}
    asked = (await municipality.post("/advice-requests", question | {"caseId": str(case)})).json()
    answer = {"adviceRequestId": asked["id"], "answer": "no-advice", "summary": "Made up."}
    given = (await exchange.actor("ind").post("/advice", answer)).json()
    owner = await asyncpg.connect(furnished_database.owner_url)
    for change, shown in (
        ("UPDATE exchange.assignment SET until_at = now() WHERE case_id = $1", [given]),
        ("UPDATE exchange.case SET closed_date = '2026-11-24' WHERE id = $1", []),
    ):
        await owner.execute(change, case)
        assert (await listed(municipality, case)).json()["items"] == shown
        assert await singly(municipality, [UUID(given["id"])]) == shown
    await owner.close()
