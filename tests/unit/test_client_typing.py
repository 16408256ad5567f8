"""How the clients are used, as type checkers see it: `mypy --strict` runs over this file with all the others.

`assert_type` fails the check when a type is not exactly that one; an ignore that is not needed fails it too, so that
every ignored line below proves that the mistake on it is seen.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, TypeVar, assert_type
from uuid import UUID

import httpx
import pytest

from api.schemas.base import Page
from api.schemas.cases import Case, CaseSummary, NewCase
from api.schemas.dossiers import Dossier
from api.schemas.events import Event
from api.vocabulary import CareFunction, Municipality, Purpose
from clients._transport import AsyncHttp
from clients.answers import Answer
from clients.chain import AsyncChainClient, ChainClient
from clients.errors import NotPermitted
from clients.ngo import AsyncNgoClient, NgoClient
from tests.clients_kit import CASE, CASE_ID, CLIENT_ID, Asgi, Exchange, problem, reply, served

if TYPE_CHECKING:
    from collections.abc import Callable

C = TypeVar("C", NgoClient, ChainClient)

EVENT = {
    "id": str(CASE_ID),
    "type": "dossier.delivered",
    "subjectType": "dossier",
    "subjectId": str(CASE_ID),
    "recordedAt": "2026-11-24T10:00:00Z",
}


def blocking(client: NgoClient) -> str:
    """Blocking: a call gives an answer, a list is gone through."""
    new = NewCase(municipality=Municipality.UTRECHT, functions=(CareFunction.COORDINATION,))
    opened = client.cases.open(new)
    assert_type(opened, Answer[Case])
    assert_type(opened.value.id, UUID)
    again = client.cases.read(opened.value.id, known=opened)
    assert_type(again, Answer[Case])
    for case in client.cases.list(limit=10):
        assert_type(case, CaseSummary)
    for page in client.cases.list().pages():
        assert_type(page, Answer[Page[CaseSummary]])
    cursor = ""
    for events in client.events.read(cursor=None).pages():
        for event in events.value.items:
            assert_type(event, Event)
        cursor = events.value.cursor
    try:
        dossier = client.dossiers.read(CASE_ID, purpose=Purpose.LEGAL_SCREENING)
        assert_type(dossier, Answer[Dossier])
    except NotPermitted as refused:
        for withheld in refused.reasons:
            assert_type(withheld.next_step, str)
    return cursor


async def awaiting(client: AsyncNgoClient) -> str:
    """Awaiting: the same, with `await` and `async for`."""
    new = NewCase(municipality=Municipality.UTRECHT, functions=(CareFunction.COORDINATION,))
    opened = await client.cases.open(new)
    assert_type(opened, Answer[Case])
    assert_type(opened.value.id, UUID)
    again = await client.cases.read(opened.value.id, known=opened)
    assert_type(again, Answer[Case])
    async for case in client.cases.list(limit=10):
        assert_type(case, CaseSummary)
    async for page in client.cases.list().pages():
        assert_type(page, Answer[Page[CaseSummary]])
    cursor = ""
    async for events in client.events.read(cursor=None).pages():
        for event in events.value.items:
            assert_type(event, Event)
        cursor = events.value.cursor
    try:
        dossier = await client.dossiers.read(CASE_ID, purpose=Purpose.LEGAL_SCREENING)
        assert_type(dossier, Answer[Dossier])
    except NotPermitted as refused:
        for withheld in refused.reasons:
            assert_type(withheld.next_step, str)
    return cursor


def mistakes(client: NgoClient, ind: ChainClient) -> list[Callable[[], object]]:
    """What a type checker must see, and what goes wrong before anything is sent."""
    return [
        lambda: client.cases.read(known=None),  # type: ignore[call-arg]
        lambda: client.dossiers.read(CASE_ID),  # type: ignore[call-arg]
        lambda: client.dossier_requests.deliver,  # type: ignore[attr-defined]
        lambda: ind.consents,  # type: ignore[attr-defined]
        lambda: ind.cases,  # type: ignore[attr-defined]
    ]


async def unseen_mistakes(client: NgoClient, twin: AsyncNgoClient, ind: AsyncChainClient) -> None:
    """What only a type checker sees; never run."""
    client.cases.read("0197")  # type: ignore[arg-type]
    assert client.cases.read(CASE_ID).value.name  # type: ignore[attr-defined]
    twin.cases.read(CASE_ID)  # type: ignore[unused-coroutine]
    await twin.cases.read("0197")  # type: ignore[arg-type]
    for _ in twin.cases.list():  # type: ignore[attr-defined]
        break
    await ind.advice.give()  # type: ignore[call-arg]


def test_the_blocking_example_runs() -> None:
    exchange = prepared()
    with served(exchange):
        client = NgoClient(
            f"{exchange.origin}/v1", issuer=exchange.issuer, client_id=CLIENT_ID, key=exchange.jwk, scope="cases:read"
        )
        with client:
            assert blocking(client) == "c-1"


async def test_the_awaiting_example_runs() -> None:
    exchange = prepared()
    transport = AsyncHttp(timeout=5, inner=httpx.ASGITransport(Asgi(exchange)))
    async with AsyncNgoClient(
        f"{exchange.origin}/v1",
        issuer=exchange.issuer,
        client_id=CLIENT_ID,
        key=exchange.jwk,
        scope="cases:read",
        transport=transport,
    ) as client:
        assert await awaiting(client) == "c-1"


@pytest.mark.parametrize("number", range(5))
def test_every_mistake_that_a_type_checker_sees_is_one(number: int) -> None:
    with made(NgoClient) as client, made(ChainClient) as ind, pytest.raises((TypeError, AttributeError)):
        mistakes(client, ind)[number]()


def test_the_methods_can_be_asked_what_they_take() -> None:
    """`help()` and editors show the parameters and the sentence of the description."""
    with made(NgoClient) as client:
        assert list(inspect.signature(client.dossiers.read).parameters) == ["dossier_id", "purpose", "known"]
        assert list(inspect.signature(client.cases.list).parameters) == ["limit"]
        assert "next step" in str(inspect.getdoc(client.dossiers.read))
        assert type(client.cases).list.__doc__ == client.cases.list.__doc__


def made(kind: type[C]) -> C:
    """A client that asks nothing."""
    exchange = prepared()
    key, url = exchange.jwk, f"{exchange.origin}/v1"
    return kind(url, issuer=exchange.issuer, client_id=CLIENT_ID, key=key, scope="cases:read")


def prepared() -> Exchange:
    """A small exchange that answers the example."""
    import time  # noqa: PLC0415 - the clients' own clock

    page = {"items": [{"id": str(CASE_ID), "municipality": "utrecht", "openedAt": "2026-11-24T10:00:00Z"}]}
    return Exchange(
        now=time.time(),
        answers={
            ("POST", "cases"): reply(201, CASE),
            ("GET", f"cases/{CASE_ID}"): reply(200, CASE),
            ("GET", "cases"): reply(200, page),
            ("GET", "cases?limit=10"): reply(200, page),
            ("GET", "events"): reply(200, {"items": [EVENT], "cursor": "c-1"}),
            ("GET", "events?cursor=c-1"): reply(200, {"items": [], "cursor": "c-1"}),
            ("GET", f"dossiers/{CASE_ID}"): problem(
                403,
                "not-permitted",
                reasons=[{"category": "medical", "reason": "consent-withdrawn", "nextStep": "Work without."}],
            ),
        },
    )
