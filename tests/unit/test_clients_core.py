"""The flow of a call, driven by hand: token, proof, retries, nonces, answer. No sockets."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from api.schemas.base import Page
from api.schemas.cases import Case, CaseSummary, NewCase
from api.vocabulary import CareFunction, Municipality, Purpose
from clients._drivers import Blocking
from clients._messages import Call, Pause, Request, Response
from clients._rooms import Pages, asks, creates, paged, reads
from clients._sending import Retries, ask, retry_after
from clients.errors import (
    Conflict,
    ConnectionFailed,
    Misconfigured,
    NotFound,
    Overloaded,
    ProblemError,
    ServerFailed,
    TokenRefused,
    Unauthenticated,
    UnexpectedAnswer,
)
from tests.clients_kit import CLIENT_ID, NOW, SCOPE, Exchange, Hand, private_jwk, problem, reply, session

if TYPE_CHECKING:
    from clients.answers import Answer

CASE_ID = UUID("0197d1e0-0000-7000-8000-000000000001")
CASE: dict[str, Any] = {
    "id": str(CASE_ID),
    "municipality": "utrecht",
    "vNumber": "0000000042",
    "withStatus": True,
    "openedAt": "2026-11-24T10:00:00Z",
    "assignments": [],
    "version": 1,
}
READ = reads(f"cases/{CASE_ID}", Case)
NEW = NewCase(municipality=Municipality.UTRECHT, v_number="0000000042", functions=(CareFunction.COORDINATION,))


@pytest.fixture
def exchange() -> Exchange:
    """A small exchange that knows one case."""
    return Exchange(
        answers={
            ("GET", f"cases/{CASE_ID}"): reply(200, CASE, etag='"a1"', request_id="r-1", audit_receipt="receipt"),
            ("POST", "cases"): reply(201, CASE, request_id="r-2"),
        }
    )


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


def test_everything_about_the_issuer_is_learnt_from_its_metadata(exchange: Exchange, hand: Hand) -> None:
    hand.run(session(exchange).call(READ))
    assert [each.url for each in exchange.asked] == [
        "https://exchange.test/.well-known/oauth-authorization-server",
        "https://exchange.test/oauth/token",
        f"https://exchange.test/v1/cases/{CASE_ID}",
    ]


def test_the_path_of_an_issuer_follows_the_well_known_one(exchange: Exchange, hand: Hand) -> None:
    """RFC 8414 section 3."""
    exchange.tenant = "/tenant"
    hand.run(session(exchange).call(READ))
    assert exchange.asked[0].url == "https://exchange.test/.well-known/oauth-authorization-server/tenant"


def test_an_assertion_is_for_the_issuer_alone_and_for_one_minute(exchange: Exchange, hand: Hand) -> None:
    """FAPI 2.0 section 5.3.3.1: the audience is the issuer, as a string."""
    hand.run(session(exchange).call(READ))
    (claims,) = exchange.assertions
    assert claims["aud"] == "https://exchange.test"
    assert claims["exp"] - claims["iat"] == 60
    assert claims["iss"] == CLIENT_ID
    assert SCOPE.replace(" ", "+").replace(":", "%3A").encode() in exchange.token_requests()[0].content


def test_each_request_has_a_proof_of_its_own_over_the_token(exchange: Exchange, hand: Hand) -> None:
    """RFC 9449 section 4.2; the query is no part of `htu`."""
    exchange.answers["GET", "cases?limit=2"] = reply(200, {"items": []})
    place = session(exchange)
    hand.run(place.call(READ))
    hand.run(place.call(reads("cases", Page[CaseSummary], query=(("limit", 2),))))
    at_issuer, first, second = exchange.proofs
    assert "ath" not in at_issuer
    assert first["ath"] == second["ath"]
    assert second["htu"] == "https://exchange.test/v1/cases"
    assert len({each["jti"] for each in exchange.proofs}) == 3


def test_an_acting_person_is_named_in_the_proof_of_the_request_and_not_in_that_of_the_token(
    exchange: Exchange, hand: Hand
) -> None:
    hand.run(session(exchange).call(READ, "worker-7"))
    assert [each.get("acting_person") for each in exchange.proofs] == [None, "worker-7"]


def test_an_ed25519_key_serves_as_well(hand: Hand) -> None:
    hand.exchange = Exchange(jwk=private_jwk("Ed25519"), answers={("GET", f"cases/{CASE_ID}"): reply(200, CASE)})
    assert hand.run(session(hand.exchange).call(READ)).value.id == CASE_ID


def test_a_token_is_used_until_eighty_per_cent_of_its_life(exchange: Exchange, hand: Hand) -> None:
    place = session(exchange)
    hand.run(place.call(READ))
    exchange.now = NOW + 239
    hand.run(place.call(READ))
    assert exchange.issued == ["token-1"]
    exchange.now = NOW + 240
    hand.run(place.call(READ))
    assert exchange.issued == ["token-1", "token-2"]
    assert exchange.api_requests()[-1].headers["Authorization"] == "DPoP token-2"


def test_the_metadata_is_read_once_and_again_after_a_failure(exchange: Exchange, hand: Hand) -> None:
    def discoveries() -> int:
        return sum("well-known" in each.url for each in exchange.asked)

    place = session(exchange)
    hand.run(place.call(READ))
    exchange.now += 300
    hand.run(place.call(READ))
    assert discoveries() == 1
    exchange.now += 300
    exchange.next_token.append(reply(400, {"error": "invalid_request"}))
    with pytest.raises(TokenRefused):
        hand.run(place.call(READ))
    hand.run(place.call(READ))
    assert discoveries() == 2


def test_a_revoked_token_is_replaced_once(exchange: Exchange, hand: Hand) -> None:
    place = session(exchange)
    hand.run(place.call(READ))
    exchange.revoked.add("token-1")
    assert hand.run(place.call(READ)).value.id == CASE_ID
    assert len(exchange.issued) == 2


def test_a_token_that_is_refused_again_and_again_ends_in_an_error(exchange: Exchange, hand: Hand) -> None:
    exchange.revoked.update({"token-1", "token-2"})
    with pytest.raises(Unauthenticated) as caught:
        hand.run(session(exchange).call(READ))
    assert caught.value.slug == "invalid-token"
    assert len(exchange.issued) == 2


def test_a_stale_token_is_also_recognised_by_the_problem_alone(exchange: Exchange, hand: Hand) -> None:
    exchange.next_api.append(problem(401, "invalid-token"))
    assert hand.run(session(exchange).call(READ)).status == 200
    exchange.next_api.append(problem(401, "invalid-dpop-proof"))
    with pytest.raises(Unauthenticated):
        hand.run(session(exchange).call(READ))


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


def test_a_replayed_effect_is_told_from_a_new_one(exchange: Exchange, hand: Hand) -> None:
    exchange.answers["POST", "cases"] = reply(201, CASE, idempotency_replayed="true")
    assert hand.run(session(exchange).call(creates("cases", Case, NEW))).replayed


def test_a_request_that_is_still_running_is_waited_for(exchange: Exchange, hand: Hand) -> None:
    exchange.next_api.append(problem(409, "idempotency-in-progress", headers={"retry-after": "1"}))
    assert hand.run(session(exchange).call(creates("cases", Case, NEW))).status == 201
    assert hand.pauses == [1.25]


def test_any_other_conflict_is_final(exchange: Exchange, hand: Hand) -> None:
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


def test_a_refusal_of_the_token_endpoint_names_its_error(exchange: Exchange, hand: Hand) -> None:
    """RFC 6749 section 5.2."""
    exchange.next_token.append(
        reply(401, {"error": "invalid_client", "error_description": "sign a new assertion"}, request_id="r-9")
    )
    with pytest.raises(TokenRefused) as caught:
        hand.run(session(exchange).call(READ))
    assert caught.value.slug == "invalid_client"
    assert caught.value.status == 401
    assert str(caught.value) == (
        "The token endpoint gave no token. sign a new assertion. (HTTP 401 invalid_client, request r-9)"
    )


def test_a_problem_of_the_token_endpoint_is_a_problem(exchange: Exchange, hand: Hand) -> None:
    exchange.next_token.append(problem(500, "internal"))
    with pytest.raises(ServerFailed):
        hand.run(session(exchange).call(READ))
    exchange.next_token.append(reply(302))
    with pytest.raises(UnexpectedAnswer):
        hand.run(session(exchange).call(READ))


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://other.test"},
        {"issuer": "https://exchange.test/"},
        {"token_endpoint": "http://exchange.test/oauth/token"},
        {"token_endpoint": "https://user@exchange.test/oauth/token"},
        {"token_endpoint": 7},
    ],
)
def test_the_metadata_must_be_of_the_issuer_and_secure(
    exchange: Exchange, hand: Hand, metadata: dict[str, object]
) -> None:
    """RFC 8414 section 3.3: otherwise another server could pose as the issuer."""
    exchange.metadata = metadata
    with pytest.raises(UnexpectedAnswer):
        hand.run(session(exchange).call(READ))
    assert exchange.token_requests() == []


def test_an_issuer_that_is_not_there_is_an_error(exchange: Exchange, hand: Hand) -> None:
    class Elsewhere(Exchange):
        def answer(self, request: Request) -> Response:
            self.asked.append(request)
            return problem(404, "not-found")

    hand.exchange = Elsewhere()
    with pytest.raises(NotFound):
        hand.run(session(exchange).call(READ))


@pytest.mark.parametrize(
    "grant",
    [
        {"access_token": "t", "token_type": "Bearer", "expires_in": 300},
        {"access_token": "a b\r\nX: y", "token_type": "DPoP", "expires_in": 300},
        {"access_token": "t", "token_type": "DPoP", "expires_in": 0},
        {"token_type": "DPoP"},
        [],
    ],
)
def test_a_token_that_is_not_bound_or_not_a_token_is_refused(exchange: Exchange, hand: Hand, grant: object) -> None:
    exchange.next_token.append(reply(200, grant))
    with pytest.raises(UnexpectedAnswer) as caught:
        hand.run(session(exchange).call(READ))
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert exchange.api_requests() == []


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


def test_a_driver_that_sends_no_response_is_a_mistake_of_ours() -> None:
    flow = ask(Request("GET", "https://exchange.test", {}))
    next(flow)
    with pytest.raises(TypeError):
        flow.send(None)


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
