"""The clients and the service, held against each other: what one says, the other understands."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from api.schemas.cases import CaseSearch, NewCase
from api.vocabulary import CareFunction, Municipality, Purpose
from clients.errors import Conflict, InvalidInput, NotFound, NotPermitted, TokenRefused
from clients.ngo import AsyncNgoClient
from tests import exchange as world

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from tests import servers
    from tests.exchange import Exchange

NEW = NewCase(municipality=Municipality.UTRECHT, v_number="0000009001", functions=(CareFunction.COORDINATION,))


@pytest.fixture
async def exchange(database: servers.Database, tmp_path: Path) -> AsyncGenerator[Exchange]:
    async with world.running(database, tmp_path) as running:
        yield running


async def test_a_known_version_is_not_sent_again_but_the_reading_is_logged(exchange: Exchange) -> None:
    opened = await exchange.ngo.cases.open(NEW)
    first = await exchange.ngo.cases.read(opened.value.id)
    again = await exchange.ngo.cases.read(opened.value.id, known=first)
    assert first.etag is not None
    assert (again.status, again.unchanged) == (304, True)
    assert again.value == first.value
    assert again.request_id not in {None, first.request_id}
    assert len(await exchange.entries("cases.read")) == 2


async def test_the_same_key_has_one_effect_and_says_so(exchange: Exchange) -> None:
    key = uuid4()
    first = await exchange.ngo.cases.open(NEW, key=key)
    second = await exchange.ngo.cases.open(NEW, key=key)
    assert (first.replayed, second.replayed) == (False, True)
    assert second.value.id == first.value.id
    other = NEW.model_copy(update={"municipality": Municipality.GRONINGEN})
    with pytest.raises((Conflict, InvalidInput)) as caught:
        await exchange.ngo.cases.open(other, key=key)
    assert caught.value.slug == "idempotency-key-reused"
    assert caught.value.idempotency_key == key


async def test_a_list_is_gone_through_page_by_page(exchange: Exchange) -> None:
    made = [(await exchange.ngo.cases.open(NEW)).value.id for _ in range(3)]
    assert [each.id async for each in exchange.ngo.cases.list(limit=1)] == made[::-1]
    assert len([page async for page in exchange.ngo.cases.list(limit=2).pages()]) == 2
    assert {each.id async for each in exchange.ngo.cases.search(CaseSearch(v_number="0000009001"))} == set(made)
    assert len([each async for each in exchange.ngo.organisations.list()]) == len(exchange.members)


async def test_a_feed_is_read_to_its_end_and_resumed(exchange: Exchange) -> None:
    pages = [page async for page in exchange.ngo.events.read().pages()]
    cursor = pages[-1].value.cursor
    assert [each async for each in exchange.ngo.events.read(cursor=cursor)] == []


async def test_who_acts_is_in_the_log(exchange: Exchange) -> None:
    await exchange.ngo.acting("worker-7").cases.open(NEW)
    (entry,) = await exchange.entries("cases.open")
    assert "worker-7" in str(entry["actor"])


async def test_what_is_absent_and_what_is_wrong_are_told_apart(exchange: Exchange) -> None:
    with pytest.raises(NotFound) as caught:
        await exchange.ngo.cases.read(uuid4())
    assert caught.value.slug == "not-found"
    assert caught.value.request_id is not None
    case = (await exchange.ngo.cases.open(NEW)).value.id
    with pytest.raises(NotFound):
        await exchange.other_ngo.cases.read(case)
    with pytest.raises((NotFound, NotPermitted)):
        await exchange.ngo.dossiers.read(uuid4(), purpose=Purpose.ENFORCEMENT)


async def test_many_at_once_share_one_token(exchange: Exchange) -> None:
    unknown = NEW.model_copy(update={"v_number": None})
    await asyncio.gather(*(exchange.ngo.cases.open(unknown) for _ in range(6)))
    client_id = exchange.members["ngo"].client_id
    issued = [each for each in await exchange.entries("oauth.issue-token") if client_id in str(each["actor"])]
    assert len(issued) == 1


async def test_a_scope_that_is_not_registered_gives_no_token(exchange: Exchange) -> None:
    member = exchange.members["ngo"]
    wide = AsyncNgoClient(
        f"{world.BASE}/v1",
        issuer=world.BASE,
        client_id=member.client_id,
        key=member.jwk,
        scope="audit:read",
        transport=exchange.ngo._driver.transport,
    )
    with pytest.raises(TokenRefused) as caught:
        await wide.cases.read(uuid4())
    assert caught.value.slug == "invalid_scope"


async def test_a_trace_goes_through_client_and_service_into_the_entry(exchange: Exchange) -> None:
    """W3C Trace Context: the parent of our span is that of the client's request, in the trace that its caller began."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    opened = await exchange.ngo.cases.open(NEW)
    answer = await exchange.ngo.within(f"00-{trace}-00f067aa0ba902b7-01").cases.read(opened.value.id)
    origin = (await exchange.entry(answer.request_id))["origin"]
    assert origin["traceId"] == trace
    assert origin["parentSpanId"] not in {"00f067aa0ba902b7", origin["spanId"]}
    alone = await exchange.ngo.cases.read(opened.value.id)
    assert (await exchange.entry(alone.request_id))["origin"]["traceId"] != trace
