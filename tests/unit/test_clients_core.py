"""The flow of a call, driven by hand: what is sent, and what is made of the answer. No sockets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from joserfc import jwe
from joserfc.jwk import OKPKey

from api.schemas.base import Page
from api.schemas.cases import Case, CaseSummary, NewCase
from api.vocabulary import CareFunction, Municipality, Purpose
from clients._drivers import Blocking
from clients._messages import Call, Request, Response
from clients._rooms import Pages, creates, paged, reads
from clients.errors import (
    Misconfigured,
    ProblemError,
    UnexpectedAnswer,
)
from tests.clients_kit import (
    CASE,
    CASE_ID,
    NEW,
    READ,
    Exchange,
    Hand,
    problem,
    reply,
    session,
    with_a_case,
)

if TYPE_CHECKING:
    from clients.answers import Answer


@pytest.fixture
def exchange() -> Exchange:
    """A small exchange that knows one case."""
    return with_a_case()


@pytest.fixture
def hand(exchange: Exchange) -> Hand:
    """Who runs the flows."""
    return Hand(exchange)


def test_a_call_is_answered_with_a_value_and_what_came_with_it(exchange: Exchange, hand: Hand) -> None:
    answer = hand.run(session(exchange).call(READ))
    assert answer.value.id == CASE_ID
    assert (answer.status, answer.etag, answer.request_id, answer.receipt) == (200, '"a1"', "r-1", "receipt")
    assert not answer.unchanged
    assert not answer.replayed


def test_a_replayed_effect_is_told_from_a_new_one(exchange: Exchange, hand: Hand) -> None:
    exchange.answers["POST", "cases"] = reply(201, CASE, idempotency_replayed="true")
    assert hand.run(session(exchange).call(creates("cases", Case, NEW))).replayed


def test_a_version_that_is_known_is_not_sent_again(exchange: Exchange, hand: Hand) -> None:
    """RFC 9110 section 13.1.2. The reading is an access like any other, with a receipt of its own."""
    place = session(exchange)
    first = hand.run(place.call(READ))
    exchange.next_api.append(Response(304, {"etag": '"a1"', "request-id": "r-3", "audit-receipt": "second"}))
    again = hand.run(place.call(replace(READ, known=first)))
    assert exchange.api_requests()[-1].headers["If-None-Match"] == '"a1"'
    assert again.value is first.value
    assert again.unchanged
    assert (again.status, again.request_id, again.receipt, again.etag) == (304, "r-3", "second", '"a1"')
    once_more: Answer[Case] = hand.run(place.call(replace(READ, known=again)))
    assert exchange.api_requests()[-1].headers["If-None-Match"] == '"a1"'
    assert not once_more.unchanged


def test_a_304_that_was_not_asked_for_is_no_answer(exchange: Exchange, hand: Hand) -> None:
    exchange.next_api.append(Response(304, {}))
    with pytest.raises(UnexpectedAnswer):
        hand.run(session(exchange).call(READ))


@pytest.mark.parametrize(
    "answer", [Response(200, {}, b"<html>"), reply(200, {"id": "Fatima"}), reply(302), reply(204), Response(200, {})]
)
def test_what_is_not_described_is_no_answer_and_is_not_repeated(
    exchange: Exchange, hand: Hand, answer: Response
) -> None:
    exchange.next_api.append(answer)
    with pytest.raises(UnexpectedAnswer) as caught:
        hand.run(session(exchange).call(READ))
    assert "Fatima" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_member_that_a_newer_server_adds_is_no_error(exchange: Exchange, hand: Hand) -> None:
    """Additions do not break a version of the API (NL API Design Rules)."""
    exchange.answers["GET", f"cases/{CASE_ID}"] = reply(200, CASE | {"mood": "good"})
    assert hand.run(session(exchange).call(READ)).value.version == 1


def test_only_what_was_filled_in_is_sent(exchange: Exchange, hand: Hand) -> None:
    new = NewCase(municipality=Municipality.UTRECHT, functions=(CareFunction.SHELTER,))
    hand.run(session(exchange).call(creates("cases", Case, new)))
    sent = exchange.api_requests()[0]
    assert sent.content == b'{"municipality":"utrecht","functions":["shelter"]}'
    assert sent.headers["Content-Type"] == "application/json"


def test_a_purpose_is_declared_in_its_header(exchange: Exchange, hand: Hand) -> None:
    hand.run(session(exchange).call(replace(READ, purpose=Purpose.LEGAL_SCREENING)))
    sent = exchange.api_requests()[0]
    assert sent.headers["Purpose"] == "legal-screening"
    assert "Content-Type" not in sent.headers
    assert "Idempotency-Key" not in sent.headers


@pytest.mark.parametrize(
    "url",
    [
        "http://exchange.test",
        "ftp://exchange.test",
        "https://user:secret@exchange.test",
        "https://exchange.test/#x",
        "https://exchange.test:port",
        "exchange.test",
        "",
    ],
)
def test_plain_http_is_for_this_machine_only(exchange: Exchange, url: str) -> None:
    exchange.origin = url
    with pytest.raises(Misconfigured) as caught:
        session(exchange)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000", "http://localhost", "http://[::1]:1", "https://exchange.test"]
)
def test_what_cannot_be_overheard_is_fine(exchange: Exchange, url: str) -> None:
    exchange.origin = url
    assert repr(session(exchange)) == f"<Session at {url}/v1>"


def test_a_list_that_goes_round_in_circles_is_an_error(exchange: Exchange) -> None:
    page = {"items": [], "nextCursor": "c-1"}
    exchange.answers |= {("GET", "cases"): reply(200, page), ("GET", "cases?cursor=c-1"): reply(200, page)}
    pages = Pages(Blocking(session(exchange), _Direct(exchange)), paged(reads("cases", Page[CaseSummary])))
    with pytest.raises(UnexpectedAnswer):
        list(pages)


def test_a_problem_of_a_call_is_raised(exchange: Exchange, hand: Hand) -> None:
    with pytest.raises(ProblemError) as caught:
        hand.run(session(exchange).call(Call("GET", "nothing", lambda _: None)))
    assert caught.value.status == 404


class _Direct:
    """A transport without HTTP."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def send(self, request: Request, /) -> Response:
        return self._exchange.answer(request)

    def close(self) -> None:
        """Nothing to close."""


def _inbox(*keys: OKPKey) -> Response:
    """What the service publishes to be sealed to, those that it likes best first."""
    named = {"use": "enc", "alg": "ECDH-ES+A256KW"}
    return reply(200, {"keys": [{**key.as_dict(private=False), **named, "kid": key.thumbprint()} for key in keys]})


def test_what_is_posted_is_sealed_to_a_published_key_and_a_new_one_is_found(exchange: Exchange, hand: Hand) -> None:
    """The keys are kept for five minutes; one that no longer opens is asked for anew, once."""
    old, new = OKPKey.generate_key("X25519"), OKPKey.generate_key("X25519")
    exchange.answers["POST", "cases"] = reply(201, CASE)
    place, call = session(exchange, seals=frozenset()), creates("cases", Case, NEW)
    exchange.next_api.append(_inbox(old))
    assert hand.run(place.call(call)).value.id == CASE_ID
    exchange.now += 200
    exchange.next_api += [problem(400, "not-sealed-to-us"), _inbox(new, old)]
    hand.run(place.call(call))
    exchange.now += 301
    exchange.next_api.append(_inbox(new))
    hand.run(place.call(call))
    posts = [each for each in exchange.api_requests() if each.method == "POST"]
    assert {each.headers["Content-Type"] for each in posts} == {"application/jose"}
    texts = [
        jwe.decrypt_compact(each.content, key, algorithms=["ECDH-ES+A256KW", "A256GCM"]).plaintext
        for each, key in zip(posts, (old, old, new, new), strict=True)
    ]
    assert {(text or b"").rstrip() for text in texts} == {call.body}
    assert {len(text or b"") % 256 for text in texts} == {0}
    reading = hand.run(place.call(READ))
    assert reading.value.id == CASE_ID, "what has no body is sent as ever"


@pytest.mark.parametrize(
    "published",
    [reply(404), reply(200, {"keys": []}), reply(200, [7]), _inbox(OKPKey.generate_key("X25519"))],
    ids=["not there", "none", "unreadable", "not trusted"],
)
def test_what_cannot_be_sealed_is_not_sent(exchange: Exchange, hand: Hand, published: Response) -> None:
    place = session(exchange, seals=frozenset({"a thumbprint that was told by telephone"}))
    exchange.next_api.append(published)
    with pytest.raises(UnexpectedAnswer):
        hand.run(place.call(creates("cases", Case, NEW)))
    assert not exchange.api_requests()
    assert not exchange.token_requests()
