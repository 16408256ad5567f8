"""The access token, driven by hand: where it comes from, how long it serves, what is proven with it. No sockets."""

from __future__ import annotations

import warnings
from datetime import date
from typing import TYPE_CHECKING

import pytest

from api.oauth import jose
from api.schemas.base import Page
from api.schemas.cases import CaseSummary
from clients._rooms import reads
from clients.errors import (
    KeysAreOld,
    NotFound,
    ServerFailed,
    TokenRefused,
    Unauthenticated,
    UnexpectedAnswer,
)
from tests.clients_kit import (
    CASE,
    CASE_ID,
    CLIENT_ID,
    NOW,
    READ,
    SCOPE,
    Exchange,
    Hand,
    private_jwk,
    problem,
    reply,
    session,
    with_a_case,
)

if TYPE_CHECKING:
    from clients._messages import Request, Response


@pytest.fixture
def exchange() -> Exchange:
    """A small exchange that knows one case."""
    return with_a_case()


@pytest.fixture
def hand(exchange: Exchange) -> Hand:
    """Who runs the flows."""
    return Hand(exchange)


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


def test_a_client_with_a_certificate_asks_at_the_address_for_it_and_signs_no_assertion(
    exchange: Exchange, hand: Hand
) -> None:
    """RFC 8705 sections 2 and 5; the proof names that address."""
    alias = "https://mtls.exchange.test/oauth/token"
    exchange.metadata = {"mtls_endpoint_aliases": {"token_endpoint": alias}}
    assert hand.run(session(exchange, by_certificate=True).call(READ)).value.id == CASE_ID
    (asked,) = exchange.token_requests()
    assert asked.url == alias
    assert exchange.assertions == []
    assert jose.peek(asked.headers["DPoP"]).claims["htu"] == alias


@pytest.mark.parametrize("aliases", [{}, {"mtls_endpoint_aliases": {"revocation_endpoint": "https://x"}}], ids=str)
def test_an_issuer_without_such_an_address_is_not_asked(
    exchange: Exchange, hand: Hand, aliases: dict[str, object]
) -> None:
    exchange.metadata = aliases
    with pytest.raises(UnexpectedAnswer, match="no address for clients with a certificate"):
        hand.run(session(exchange, by_certificate=True).call(READ))


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


def test_a_client_is_warned_once_of_each_day_by_which_its_keys_are_to_be_renewed(
    exchange: Exchange, hand: Hand
) -> None:
    place, due = session(exchange), date(2026, 12, 1)
    hand.run(place.call(READ))
    assert place.renew_keys_by is None
    exchange.renew_by = due.isoformat()
    exchange.now += exchange.lifetime
    with pytest.warns(KeysAreOld, match="by 2026-12-01: `ketenbrug client renew`") as warned:
        hand.run(place.call(READ))
    exchange.now += exchange.lifetime
    with warnings.catch_warnings(action="error"):
        hand.run(place.call(READ))
    assert [each.message.due for each in warned if isinstance(each.message, KeysAreOld)] == [due]
    assert place.renew_keys_by == due
    exchange.renew_by = None
    exchange.now += exchange.lifetime
    hand.run(place.call(READ))
    assert place.renew_keys_by is None, "they were renewed"


@pytest.mark.parametrize("said", ["soon", "", 7, ["2026-12-01"], {}])
def test_what_is_no_day_stops_nobody(exchange: Exchange, hand: Hand, said: object) -> None:
    exchange.renew_by = said
    place = session(exchange)
    hand.run(place.call(READ))
    assert place.renew_keys_by is None
