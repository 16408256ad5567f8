"""The person's account answers: who saw my file, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from api.vocabulary import CareFunction, Purpose
from tests import audit_store
from tests.actor import refused
from tests.dealings import ORDINARY, Dealings

if TYPE_CHECKING:
    from tests.exchange import Exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def settled(exchange: Exchange) -> None:
    """Let the sequencer put into the tree, and into the search columns, what there is."""
    async with exchange.database.connection() as connection:
        await audit_store.settle(connection)


async def test_the_person_sees_who_saw_what_when_and_why(exchange: Exchange) -> None:
    """Organisation, time, purpose, ground, the consent as it stood then, categories; nothing of the contents."""
    dealings = await Dealings.begin(exchange)
    await dealings.consented()
    dossier, asked = await dealings.dossier(), await dealings.requested()
    await exchange.ind.dossier_requests.read(asked.id, purpose=Purpose.LEGAL_SCREENING)
    answer = await exchange.ngo.dossiers.read(dossier, purpose=Purpose.LEGAL_SCREENING)
    await settled(exchange)
    lines = [each async for each in exchange.ngo.persons.disclosures(dealings.case.person_id)]
    (read,) = (each for each in lines if each.action == "dossiers.read")
    entry = await exchange.entry(answer.request_id)
    assert read.disclosed_at is not None
    assert read.disclosed_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ") == entry["at"]
    assert (read.organisation_id, read.purpose) == (exchange.id_of("ngo"), "legal-screening")
    assert read.organisation_name == exchange.members["ngo"].part.name
    assert [*read.grounds] == entry["ground"]
    assert [{"id": str(each.id), "version": each.version} for each in read.consents] == entry["consents"]
    assert read.shown
    assert {*read.categories} == {str(each.category) for each in answer.value.sections}
    assert [each.index for each in lines] == sorted((each.index for each in lines), reverse=True)
    assert {each.organisation_id for each in lines} == {exchange.id_of("ngo"), exchange.id_of("ind")}


async def test_what_was_refused_listed_or_previewed_is_no_disclosure(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange, number=None)
    await exchange.ngo.cases.read(dealings.id)
    assert [each async for each in exchange.ngo.cases.list(limit=1)]
    await exchange.ngo.dossier_requests.preview(dealings.new_request(categories=ORDINARY))
    await settled(exchange)
    assert [each async for each in exchange.ngo.persons.disclosures(dealings.case.person_id)] == []


async def test_the_account_is_paged_and_looking_at_it_is_an_entry(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    for _ in range(3):
        await exchange.ngo.cases.read(dealings.id)
    await settled(exchange)
    pages = [each async for each in exchange.ngo.persons.disclosures(dealings.case.person_id, limit=2).pages()]
    assert [len(each.value.items) for each in pages] == [2, 2]
    entry = await exchange.entry(pages[0].request_id)
    opened = (await exchange.entries("cases.open"))[-1]
    assert (entry["action"], entry["person"]) == ("persons.list-disclosures", opened["person"])
    assert entry["object"] == {"type": "person"}
    assert str(dealings.case.person_id) not in str(entry)
    assert "disclosed" not in entry


async def test_only_who_guides_the_person_may_ask_for_them(exchange: Exchange) -> None:
    """Shelter staff do not; to another NGO there is no such person."""
    dealings = await Dealings.begin(exchange)
    person = dealings.case.person_id
    refused(await exchange.actor("otherNgo").get(f"/persons/{person}/disclosures"), 404, "not-found")
    refused(await exchange.actor("ngo").get(f"/persons/{uuid4()}/disclosures"), 404, "not-found")
    await dealings.assign("otherNgo", CareFunction.SHELTER)
    refused(await exchange.actor("otherNgo").get(f"/persons/{person}/disclosures"), 404, "not-found")
    await dealings.assign("otherNgo", CareFunction.SOCIAL_GUIDANCE)
    theirs = (await exchange.other_ngo.cases.read(dealings.id)).value.person_id
    assert (await exchange.actor("otherNgo").get(f"/persons/{theirs}/disclosures")).status_code == 200


async def test_two_organisations_on_one_case_know_the_person_by_different_ids(exchange: Exchange) -> None:
    """So they cannot join what they know of other cases; another's id, and our own, is as if there were nobody."""
    dealings = await Dealings.begin(exchange)
    await dealings.assign("otherNgo", CareFunction.SOCIAL_GUIDANCE)
    ours, theirs = dealings.case.person_id, (await exchange.other_ngo.cases.read(dealings.id)).value.person_id
    (row,) = await exchange.rows("SELECT person_id FROM exchange.case WHERE id = $1", dealings.id)
    assert len({ours, theirs, row["person_id"]}) == 3
    for key, own, others in (("ngo", ours, theirs), ("otherNgo", theirs, ours)):
        actor = exchange.actor(key)
        assert (await actor.get(f"/persons/{own}/disclosures")).status_code == 200
        nobody = await actor.get(f"/persons/{uuid4()}/disclosures")
        for another in (others, row["person_id"], UUID(int=0)):
            answer = await actor.get(f"/persons/{another}/disclosures")
            refused(answer, 404, "not-found")
            changing = {"instance", "requestId"}
            assert {name: value for name, value in answer.json().items() if name not in changing} == {
                name: value for name, value in nobody.json().items() if name not in changing
            }


async def test_an_organisation_knows_a_person_by_one_id_in_all_its_cases(exchange: Exchange) -> None:
    first = await Dealings.begin(exchange)
    again = await Dealings.begin(exchange, number=first.case.v_number)
    assert again.id != first.id
    assert again.case.person_id == first.case.person_id


async def test_who_guided_the_person_once_does_not_go_on_seeing_their_account(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    ended = {"leavingReason": "mob", "closedDate": "2026-11-01"}
    await exchange.actor("ngo").post(f"/cases/{dealings.id}/closures", ended, headers={"If-Match": "*"})
    refused(await exchange.actor("ngo").get(f"/persons/{dealings.case.person_id}/disclosures"), 404, "not-found")


async def test_what_was_written_down_and_then_failed_was_not_shown(exchange: Exchange) -> None:
    """A section that was tampered with does not open: the person is not told that somebody saw it."""
    dealings = await Dealings.begin(exchange)
    await dealings.consented()
    dossier = await dealings.dossier()
    await exchange.rows(
        "UPDATE exchange.dossier_section SET content = set_bit(content, 160, 1 - get_bit(content, 160))"
        " WHERE dossier_id = $1 RETURNING 1",
        dossier,
    )
    assert (await exchange.actor("ngo").get(f"/dossiers/{dossier}", purpose=Purpose.LEGAL_SCREENING)).status_code == 500
    await settled(exchange)
    lines = [each async for each in exchange.ngo.persons.disclosures(dealings.case.person_id)]
    (read,) = (each for each in lines if each.action == "dossiers.read")
    assert not read.shown
