"""What is sent again, when, and with what: retries, keys, nonces. Driven by hand, no sockets."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from api.schemas.base import Page
from api.schemas.cases import Case, CaseSummary
from clients._messages import Pause, Request, Response
from clients._rooms import asks, creates
from clients._sending import Retries, ask, retry_after
from clients.errors import (
    Conflict,
    ConnectionFailed,
    Overloaded,
    Unauthenticated,
)
from tests.clients_kit import (
    CASE,
    CASE_ID,
    NEW,
    NOW,
    READ,
    Exchange,
    Hand,
    problem,
    reply,
    session,
    with_a_case,
)


@pytest.fixture
def exchange() -> Exchange:
    """A small exchange that knows one case."""
    return with_a_case()


@pytest.fixture
def hand(exchange: Exchange) -> Hand:
    """Who runs the flows."""
    return Hand(exchange)


def test_a_nonce_is_answered_with_one_retry_and_kept_for_the_origin(exchange: Exchange, hand: Hand) -> None:
    """RFC 9449 sections 8 and 9."""
    exchange.nonce = "n-1"
    place = session(exchange)
    hand.run(place.call(READ))
    assert len(exchange.token_requests()) == 2
    assert len(exchange.api_requests()) == 1  # the nonce of the origin was known by then
    exchange.nonce = "n-2"
    hand.run(place.call(READ))
    assert len(exchange.api_requests()) == 3
    assert exchange.proofs[-1]["nonce"] == "n-2"
    assert hand.pauses == []


def test_a_nonce_that_comes_with_an_answer_is_used_next(exchange: Exchange, hand: Hand) -> None:
    place = session(exchange)
    exchange.answers["GET", f"cases/{CASE_ID}"] = reply(200, CASE, dpop_nonce="n-9")
    hand.run(place.call(READ))
    exchange.nonce = "n-9"
    hand.run(place.call(READ))
    assert len(exchange.api_requests()) == 2


def test_a_nonce_that_is_demanded_for_ever_ends_in_an_error(exchange: Exchange, hand: Hand) -> None:
    demand = reply(401, None, dpop_nonce="n", www_authenticate='DPoP error="use_dpop_nonce"')
    exchange.next_api.extend([demand, demand])
    with pytest.raises(Unauthenticated):
        hand.run(session(exchange).call(READ))
    assert len(exchange.api_requests()) == 2


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_a_passing_failure_is_tried_again_twice(exchange: Exchange, hand: Hand, status: int) -> None:
    exchange.next_api.extend([reply(status), reply(status)])
    assert hand.run(session(exchange).call(READ)).status == 200
    assert hand.pauses == [0.375, 0.75]
    assert len({each.headers["DPoP"] for each in exchange.api_requests()}) == 3


def test_no_answer_is_tried_again_twice(exchange: Exchange, hand: Hand) -> None:
    exchange.next_api.extend([ConnectionFailed("ReadError"), ConnectionFailed("ConnectTimeout")])
    assert hand.run(session(exchange).call(READ)).status == 200
    exchange.next_api.extend([ConnectionFailed("ReadError")] * 3)
    with pytest.raises(ConnectionFailed, match="no answer"):
        hand.run(session(exchange).call(READ))


def test_the_last_failure_is_the_answer(exchange: Exchange, hand: Hand) -> None:
    exchange.next_api.extend([problem(503, "overloaded", headers={"retry-after": "1"})] * 3)
    with pytest.raises(Overloaded) as caught:
        hand.run(session(exchange).call(READ))
    assert caught.value.retry_after == 1.0
    assert len(exchange.api_requests()) == 3


def test_retry_after_is_waited_for_in_full(exchange: Exchange, hand: Hand) -> None:
    """RFC 9110 section 10.2.3: seconds or a date."""
    exchange.next_api.append(reply(429, retry_after="7"))
    hand.run(session(exchange).call(READ))
    assert hand.pauses == [7.25]


def test_a_retry_after_beyond_our_patience_is_left_to_the_caller(exchange: Exchange, hand: Hand) -> None:
    exchange.next_api.append(problem(429, "too-many-requests", headers={"retry-after": "31"}))
    with pytest.raises(Overloaded) as caught:
        hand.run(session(exchange).call(READ))
    assert caught.value.retry_after == 31.0
    assert hand.pauses == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 5.0),
        ("0", 0.0),
        ("Thu, 28 May 2026 20:26:50 GMT", 10.0),
        ("Thu, 28 May 2026 20:26:30 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("-1", None),
        ("٣", None),
        ("9" * 400, 999_999_999.0),
    ],
)
def test_retry_after_is_read_in_both_forms(text: str, seconds: float | None) -> None:
    assert retry_after(Response(503, {"retry-after": text}), NOW) == seconds


def test_the_pause_has_jitter_and_an_end() -> None:
    retries = Retries(most=50)
    pauses = [retries.after_silence(each) for each in range(40)]
    seconds = [each.seconds for each in pauses if isinstance(each, Pause)]
    assert len(seconds) == 40
    assert all(0.25 <= each <= 30.0 for each in seconds)
    assert len(set(seconds)) > 30


def test_what_makes_something_carries_one_key_through_all_its_retries(exchange: Exchange, hand: Hand) -> None:
    exchange.next_api.extend([ConnectionFailed("ReadTimeout"), reply(503)])
    answer = hand.run(session(exchange).call(creates("cases", Case, NEW)))
    assert answer.status == 201
    keys = {each.headers["Idempotency-Key"] for each in exchange.api_requests()}
    assert len(exchange.api_requests()) == 3
    assert len(keys) == 1
    assert uuid.UUID(keys.pop()).version == 4
    assert len({each.content for each in exchange.api_requests()}) == 1
    assert len({each.headers["DPoP"] for each in exchange.api_requests()}) == 3


def test_each_intention_has_a_key_of_its_own_unless_the_caller_names_one() -> None:
    assert creates("cases", Case, NEW).key != creates("cases", Case, NEW).key
    named = uuid.uuid4()
    assert creates("cases", Case, NEW, named).key == named


def test_the_error_of_a_change_names_its_key_so_that_it_can_be_tried_again_later(
    exchange: Exchange, hand: Hand
) -> None:
    exchange.next_api.extend([ConnectionFailed("ReadTimeout")] * 3)
    call = creates("cases", Case, NEW)
    with pytest.raises(ConnectionFailed) as caught:
        hand.run(session(exchange).call(call))
    assert caught.value.idempotency_key == call.key
    assert hand.run(session(exchange).call(creates("cases", Case, NEW, call.key))).status == 201


def test_a_conflict_is_final(exchange: Exchange, hand: Hand) -> None:
    exchange.next_api.append(problem(409, "wrong-state"))
    with pytest.raises(Conflict):
        hand.run(session(exchange).call(creates("cases", Case, NEW)))
    assert len(exchange.api_requests()) == 1


@pytest.mark.parametrize("failure", [ConnectionFailed("ReadTimeout"), problem(503, "unavailable")])
def test_what_could_have_two_effects_is_never_sent_twice(
    exchange: Exchange, hand: Hand, failure: Response | ConnectionFailed
) -> None:
    exchange.next_api.append(failure)
    unkeyed = replace(creates("cases", Case, NEW), key=None)
    assert not unkeyed.replayable
    with pytest.raises((ConnectionFailed, Overloaded)):
        hand.run(session(exchange).call(unkeyed))
    assert len(exchange.api_requests()) == 1


def test_a_question_may_be_asked_twice_without_a_key() -> None:
    call = asks("cases/_search", Page[CaseSummary], NEW)
    assert call.replayable
    assert call.key is None


def test_no_retries_means_none(exchange: Exchange, hand: Hand) -> None:
    exchange.next_api.append(reply(503))
    with pytest.raises(Overloaded):
        hand.run(session(exchange, retries=Retries(most=0)).call(READ))


def test_the_token_endpoint_is_tried_again_with_a_new_assertion(exchange: Exchange, hand: Hand) -> None:
    exchange.next_token.extend([ConnectionFailed("ConnectError"), problem(503, "overloaded")])
    assert hand.run(session(exchange).call(READ)).status == 200
    assert len({each.content for each in exchange.token_requests()}) == 3
    assert len(exchange.api_requests()) == 1


def test_a_token_endpoint_without_answer_is_not_tried_for_every_retry_of_the_call(
    exchange: Exchange, hand: Hand
) -> None:
    exchange.next_token.extend([ConnectionFailed("ConnectError")] * 9)
    with pytest.raises(ConnectionFailed):
        hand.run(session(exchange).call(READ))
    assert len(exchange.token_requests()) == 3


def test_a_driver_that_sends_no_response_is_a_mistake_of_ours() -> None:
    flow = ask(Request("GET", "https://exchange.test", {}))
    next(flow)
    with pytest.raises(TypeError):
        flow.send(None)
