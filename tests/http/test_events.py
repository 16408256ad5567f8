"""The event feed over HTTP: each hears what is for it, in order, misses nothing, and learns nothing of a person."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from api.vocabulary import Party, Scope
from tests.actor import refused
from tests.dealings import Dealings

if TYPE_CHECKING:
    from tests.actor import Actor
    from tests.exchange import Exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def after(actor: Actor, cursor: str | None = None, limit: int = 200) -> tuple[list[str], str]:
    """Ids of the events on one page, and where it ends."""
    query = f"?limit={limit}" + ("" if cursor is None else f"&cursor={cursor}")
    answer = await actor.get(f"/events{query}")
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["items"]], answer.json()["cursor"]


async def end(actor: Actor) -> str:
    """Where the feed ends now."""
    found, cursor = await after(actor)
    while found:
        found, cursor = await after(actor, cursor)
    return cursor


async def test_each_hears_what_is_for_it_in_order(exchange: Exchange) -> None:
    dealings = await (await Dealings.begin(exchange)).consented()
    ngo, ind, dtv = (exchange.actor(each) for each in ("ngo", "ind", "dtv"))
    starts = {actor.member.part.key: await end(actor) for actor in (ngo, ind, dtv)}
    request = await dealings.requested()
    await exchange.ind.dossier_requests.acknowledge(request.id)
    await dealings.delivered(request)
    answer = await ngo.get(f"/events?cursor={starts['ngo']}")
    kinds = [each["type"] for each in answer.json()["items"]]
    assert kinds == ["dossier-request.acknowledged", "dossier-request.completed"]
    asked = (await ind.get(f"/events?cursor={starts['ind']}")).json()["items"]
    assert [each["type"] for each in asked] == ["dossier-request.requested"]
    assert asked[0].keys() == {"id", "type", "subjectType", "subjectId", "recordedAt"}
    assert asked[0]["subjectId"] == str(request.id)
    assert (await dtv.get(f"/events?cursor={starts['dtv']}")).json()["items"] == []
    entry = await exchange.entry(answer.headers["request-id"])
    assert (entry["action"], entry["result"]) == ("events.read", "permitted")
    assert not entry.keys() & {"person", "persons", "disclosed"}


async def test_a_word_of_a_later_release_is_passed_on(exchange: Exchange) -> None:
    """Who reads has to expect words that it does not know; so have we, where a release was taken back."""
    ngo = exchange.actor("ngo")
    start = await end(ngo)
    sql = """
        INSERT INTO exchange.event (id, organisation_id, type, subject_type, subject_id, recorded_at)
        VALUES ($1, $2, 'case.dreamt-of', 'case', $1, now())"""
    await exchange.rows(sql, uuid4(), exchange.id_of("ngo"))
    answer = await ngo.get(f"/events?cursor={start}")
    assert [each["type"] for each in answer.json()["items"]] == ["case.dreamt-of"]


async def test_a_deed_that_is_refused_is_told_to_nobody(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    request = await dealings.requested()
    await exchange.ngo.dossier_requests.cancel(request.id)
    before = await exchange.rows("SELECT count(*) AS n FROM exchange.event")
    refused(await exchange.actor("ngo").post(f"/dossier-requests/{request.id}/cancellations"), 409, "wrong-state")
    assert await exchange.rows("SELECT count(*) AS n FROM exchange.event") == before


async def test_a_feed_that_is_read_page_by_page_misses_nothing_and_repeats_nothing(exchange: Exchange) -> None:
    ind = exchange.actor("ind")
    start = await end(ind)
    for _ in range(5):
        await (await Dealings.begin(exchange)).requested()
    whole, _ = await after(ind, start)
    pages: list[str] = []
    cursor = start
    while True:
        found, cursor = await after(ind, cursor, limit=2)
        if not found:
            break
        pages += found
    assert (pages, len(whole)) == (whole, 5)
    assert await after(ind, cursor) == ([], cursor)


async def test_what_is_committed_late_is_not_missed(exchange: Exchange) -> None:
    """Numbers are given before they are committed: who reads on must still get what a slow transaction tells."""
    ind = exchange.actor("ind")
    start = await end(ind)
    insert = (
        "INSERT INTO exchange.event (id, organisation_id, type, subject_type, subject_id, recorded_at)"
        " VALUES ($1, $2, 'dossier-request.requested', 'dossier-request', $1, now())"
    )
    slow = uuid4()
    async with exchange.database.connection() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(insert, slow, exchange.id_of("ind"))
        fast = await (await Dealings.begin(exchange)).requested()
        early, cursor = await after(ind, start)
        await transaction.commit()
    late, _ = await after(ind, cursor)
    subjects = await exchange.rows("SELECT subject_id FROM exchange.event WHERE id = ANY($1::uuid[])", [*early, *late])
    assert {row["subject_id"] for row in subjects} == {slow, fast.id}


async def test_a_cursor_of_another_or_made_up_is_refused(exchange: Exchange) -> None:
    ngo, ind = exchange.actor("ngo"), exchange.actor("ind")
    cursor = await end(ngo)
    for wrong in (cursor[:-2] + ("AA" if cursor[-2:] != "AA" else "BB"), "x", "0.0", "*"):
        refused(await ngo.get(f"/events?cursor={wrong}"), 400, "invalid-cursor")
    refused(await ind.get(f"/events?cursor={cursor}"), 400, "invalid-cursor")


async def test_many_tell_at_once_and_all_is_heard(exchange: Exchange) -> None:
    ind = exchange.actor("ind")
    start = await end(ind)
    begun = [await Dealings.begin(exchange) for _ in range(8)]
    made = await asyncio.gather(*(each.requested() for each in begun))
    answer = await ind.get(f"/events?cursor={start}&limit=200")
    assert {each["subjectId"] for each in answer.json()["items"]} == {str(each.id) for each in made}


async def test_only_parties_of_the_exchange_read_events(exchange: Exchange) -> None:
    programme = await exchange.join("programme", Party.PROGRAMME, scopes=frozenset({Scope.EVENTS_READ}))
    refused(await programme.get("/events"), 403, "wrong-party")
