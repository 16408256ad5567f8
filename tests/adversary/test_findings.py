"""What an adversary found once, and what has held since."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from importlib import import_module
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import pytest_asyncio

from api.vocabulary import DOSSIER_SECTIONS, CareFunction, Municipality, Purpose
from tests import agreeing
from tests import dealings as dealing
from tests import exchange as world
from tests.actor import refused
from tests.dealings import IDENTITY, Dealings, v_number, wire

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from tests import servers
    from tests.exchange import Exchange, Furnished

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADMISSION = Purpose.ADMISSION
SCREENING = Purpose.LEGAL_SCREENING
EINDHOVEN = Municipality.EINDHOVEN
SECRET = {"content", "question", "summary", "body", "v_number", "analysis", "shared", "explanations", "conditions"}
SECRET |= {"proportionality_note", "findings"}


@pytest.fixture(scope="module")
def own(furnished: Furnished) -> Iterator[servers.Database]:
    """A furnished database of this file's own."""
    with furnished.clone() as database:
        yield database


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def exchange(
    furnished: Furnished, own: servers.Database, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Exchange]:
    """The whole service and every party, on that database."""
    async with world.running(own, tmp_path_factory.mktemp("exchange"), furnished.members) as running:
        yield running


async def test_how_an_admission_was_decided_does_not_reach_the_ind(exchange: Exchange) -> None:
    """The decision is the municipality's: no rule lets it cross to the IND, on reading or on repeating a deed."""
    dealings = await (await Dealings.begin(exchange)).consented()
    path = f"/admission-checks/{(await dealings.check()).id}"
    ind, municipality, ngo = (exchange.actor(each) for each in ("ind", "municipality", "ngo"))
    key, answers = str(uuid4()), wire(dealing.answers())
    await ind.post(f"{path}/answers", answers, key=key)
    exception = {"result": "admitted-by-exception", "conditions": "Invented.", "reviewDate": "2027-01-01"}
    decided = await municipality.post(f"{path}/decisions", exception)
    assert decided.json()["result"] == "admitted-by-exception"
    for answer in (await ind.get(path, purpose=ADMISSION), await ind.post(f"{path}/answers", answers, key=key)):
        body = answer.json()
        assert (body["result"], body["reviewDate"], body["decidedAt"]) == (None, None, None)
    seen = await ngo.get(path, purpose=ADMISSION)
    assert (seen.json()["result"], seen.json()["reviewDate"]) == ("admitted-by-exception", "2027-01-01")
    entry = await exchange.entry(seen.headers["request-id"])
    assert {"conditions", "result", "reviewDate"} <= set(entry["disclosed"]["admission-facts"])


async def test_a_consent_for_one_purpose_opens_nothing_that_was_asked_for_another(exchange: Exchange) -> None:
    """GDPR article 5(1)(b): the person said no to screening and yes to admission; what is declared changes nothing."""
    dealings = await Dealings.begin(exchange)
    await dealings.consent(ADMISSION, "ind", IDENTITY)
    await dealings.consent(SCREENING, "ind", IDENTITY, given=False)
    ind = exchange.actor("ind")
    for kind, made in (
        ("dossier-requests", await dealings.requested()),
        ("advice-requests", await dealings.asked()),
    ):
        answer = await ind.get(f"/{kind}/{made.id}", purpose=ADMISSION)
        assert (answer.status_code, answer.json()["vNumber"]) == (200, None)
        assert "disclosed" not in await exchange.entry(answer.headers["request-id"])


async def test_the_v_number_does_not_leave_for_a_request_that_has_ended(exchange: Exchange) -> None:
    """Aliens Act 2000 article 107(9): it is used to find the file; a request that was taken back needs none."""
    dealings = await (await Dealings.begin(exchange)).consented()
    request = await dealings.requested()
    path, ind = f"/dossier-requests/{request.id}", exchange.actor("ind")
    assert (await ind.get(path, purpose=SCREENING)).json()["vNumber"] == dealings.case.v_number
    await exchange.actor("ngo").post(f"{path}/cancellations")
    after = await ind.get(path, purpose=SCREENING)
    assert (after.status_code, after.json()["state"], after.json()["vNumber"]) == (200, "cancelled", None)
    assert "disclosed" not in await exchange.entry(after.headers["request-id"])
    refused(await ind.get(path, purpose=Purpose.ENFORCEMENT), 403, "purpose-never-permitted")


async def test_an_assignment_does_not_bring_the_v_number_across(exchange: Exchange) -> None:
    """Between organisations identity has a rule, a purpose and a consent; to be on the case is none of them."""
    number = v_number()
    dealings = await Dealings.begin(exchange, number=number)
    for key, function in (("otherNgo", CareFunction.HOUSING), ("municipality", CareFunction.SHELTER)):
        await dealings.assign(key, function)
        answer = await exchange.actor(key).get(f"/cases/{dealings.id}")
        assert (answer.status_code, answer.json()["vNumber"]) == (200, None)
        assert "disclosed" not in await exchange.entry(answer.headers["request-id"])
    assert (await exchange.actor("ngo").get(f"/cases/{dealings.id}")).json()["vNumber"] == number


async def test_the_entry_of_a_list_names_exactly_whom_it_shows(exchange: Exchange) -> None:
    """One entry per list names, by alias, every person disclosed, and nobody who only stands on the next page."""
    for _ in range(2):
        dealings = await (await Dealings.begin(exchange)).consented()
        await dealings.requested()
        await dealings.asked()
        await dealings.outcome("ind")
    whom = (await exchange.entry((await exchange.ngo.cases.read(dealings.id)).request_id))["person"]
    for key, path in (
        ("ngo", "/cases?limit=1"),
        ("ind", "/dossier-requests?limit=1"),
        ("ngo", "/dossier-requests?limit=1"),
        ("ind", "/advice-requests?limit=1"),
        ("ngo", f"/screening-outcomes?limit=1&caseId={dealings.id}"),
    ):
        answer = await exchange.actor(key).get(path)
        assert len(answer.json()["items"]) == 1
        assert (await exchange.entry(answer.headers["request-id"])).get("person") == whom, path


async def test_a_dossier_of_the_most_fields_can_still_be_read(exchange: Exchange) -> None:
    """The entry names every field and has 65,535 bytes: what may be delivered always fits."""
    raw = agreeing.drafted(exchange, EINDHOVEN, "ngo", "ind")
    (rule,) = (each for each in raw["rules"] if (each["from"], each["purpose"]) == ("ind", SCREENING))
    beside = {str(each): "authorisation" for each in DOSSIER_SECTIONS if str(each) not in rule["categories"]}
    whole = rule | {"categories": rule["categories"] | beside}
    await agreeing.in_force(exchange, raw | {"rules": [whole]}, "ngo", "ind")
    dealings = await Dealings.begin(exchange, municipality=EINDHOVEN)
    request = await dealings.requested(DOSSIER_SECTIONS)
    longest = {f"f{number:02}".ljust(48, "x"): 1 for number in range(64)}
    sections = [{"category": str(each), "content": longest} for each in DOSSIER_SECTIONS]
    ind, path = exchange.actor("ind"), f"/dossier-requests/{request.id}/deliveries"
    too_long = [{"category": "identity", "content": {"f".ljust(49, "x"): 1}}]
    refused(await ind.post(path, {"sections": too_long, "complete": False}), 400, "invalid-input")
    made = await ind.post(path, {"sections": sections, "complete": True})
    assert (await ind.get(f"/dossiers/{made.json()['dossierId']}")).status_code == 200


@pytest.mark.parametrize("room", ["advice", "cases", "dossiers", "screening"])
async def test_values_about_a_person_do_not_show_themselves(room: str) -> None:
    """A repr may end in a traceback, and a traceback anywhere."""
    module = import_module(f"api.{room}.model")
    kinds = [each for each in vars(module).values() if isinstance(each, type) and is_dataclass(each)]
    shown = [f"{kind.__name__}.{each.name}" for kind in kinds for each in fields(kind) if each.repr]
    assert kinds
    assert not [name for name in shown if name.partition(".")[2] in SECRET]
