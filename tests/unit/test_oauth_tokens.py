"""Access tokens (RFC 9068): what is minted, what is refused, and what is remembered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from api.errors import Unauthenticated
from api.oauth import tokens
from api.oauth.signing import SigningKeys
from api.vocabulary import ClientId, Reason, Scope
from tests import oauth_kit as kit

NOW = datetime.fromtimestamp(kit.NOW, UTC)
CLIENT = ClientId("ngo-one")
SCOPES = frozenset({Scope.DOSSIERS_READ, Scope.CASES_READ})
SERVER = kit.key("es256-server")


def native(by: kit.Key) -> ECKey:
    numbers = by.native.private_numbers()
    return ECKey.import_key({**by.public, "d": kit.b64(numbers.private_value.to_bytes(32, "big"))})


@pytest.fixture
def issuer() -> tokens.Issuer:
    return tokens.Issuer(kit.ISSUER, kit.AUDIENCE, SigningKeys(native(SERVER)))


def forged(by: kit.Key = SERVER, **changes: Any) -> str:
    """A token signed with the server's own key: only what it says is wrong."""
    return kit.access_token(by, **({"kid": SERVER.thumbprint} | changes))


async def test_a_token_is_what_rfc_9068_and_nl_gov_ask(issuer: tokens.Issuer) -> None:
    minted = await issuer.mint(CLIENT, SCOPES, "a-thumbprint", NOW)
    read = jwt.decode(minted.text, native(SERVER), algorithms=["ES256"])
    assert read.header == {"alg": "ES256", "typ": "at+jwt", "kid": SERVER.thumbprint}
    assert read.claims == {
        "iss": kit.ISSUER,
        "sub": "ngo-one",
        "aud": kit.AUDIENCE,
        "client_id": "ngo-one",
        "azp": "ngo-one",
        "iat": kit.NOW,
        "exp": kit.NOW + 300,
        "jti": minted.id,
        "scope": "cases:read dossiers:read",
        "cnf": {"jkt": "a-thumbprint"},
    }
    assert len(minted.id) >= 22, "128 bits at least"


async def test_a_minted_token_is_verified(issuer: tokens.Issuer) -> None:
    minted = await issuer.mint(CLIENT, SCOPES, "a-thumbprint", NOW)
    token = issuer.verify(minted.text, NOW)
    assert token == tokens.Token(CLIENT, SCOPES, "a-thumbprint", minted.id, kit.NOW + 300.0)


def test_a_token_made_by_hand_with_the_same_key_is_verified(issuer: tokens.Issuer) -> None:
    """The control of this file: each refusal below differs from this in one thing."""
    assert issuer.verify(forged(), NOW).client_id == CLIENT
    assert issuer.verify(forged(aud=[kit.AUDIENCE], nbf=kit.NOW), NOW).client_id == CLIENT
    assert issuer.verify(forged(header={"typ": "application/AT+JWT"}), NOW).client_id == CLIENT


@pytest.mark.parametrize(
    "changes",
    [
        {"kid": kit.GONE},
        {"kid": None},
        {"kid": "other"},
        {"kid": ["a"]},
        {"by": kit.key("es256-mallory")},
        {"by": kit.key("ed25519")},
        {"header": {"typ": kit.GONE}},
        {"header": {"typ": "JWT"}},
        {"header": {"typ": "dpop+jwt"}},
        {"header": {"typ": ["at+jwt"]}},
        {"header": {"alg": "none"}},
        {"header": {"alg": "HS256"}},
        {"header": {"alg": "Ed25519"}, "by": kit.key("ed25519")},
        {"header": {"crit": ["zz"], "zz": 1}},
        {"iss": kit.GONE},
        {"iss": "https://evil.test"},
        {"iss": [kit.ISSUER]},
        {"aud": kit.GONE},
        {"aud": kit.ISSUER},
        {"aud": [kit.AUDIENCE, "https://evil.test"]},
        {"aud": []},
        {"exp": kit.GONE},
        {"exp": kit.NOW},
        {"exp": kit.NOW - 1},
        {"exp": "later"},
        {"exp": True},
        {"iat": kit.GONE},
        {"iat": kit.NOW + 11},
        {"nbf": kit.NOW + 11},
        {"nbf": "now"},
        {"sub": kit.GONE},
        {"sub": "other"},
        {"client_id": kit.GONE},
        {"client_id": 7, "sub": 7},
        {"jti": kit.GONE},
        {"scope": kit.GONE},
        {"scope": ["dossiers:read"]},
        {"cnf": kit.GONE},
        {"cnf": {}},
        {"cnf": "jkt"},
        {"cnf": {"jkt": 7}},
        {"cnf": {"x5t#S256": "A" * 43}},
        {"cnf": {"jkt": "a-thumbprint", "x5t#S256": None}},
        {"cnf": {"jkt": "a-thumbprint", "x5t#S256": ["A" * 43]}},
    ],
    ids=str,
)
def test_a_token_that_differs_in_one_thing_is_refused(issuer: tokens.Issuer, changes: dict[str, Any]) -> None:
    """RFC 9068 section 4, RFC 9449 section 7.2: no default, no leniency, no Bearer."""
    text = forged(**changes)
    with pytest.raises(Unauthenticated) as caught:
        issuer.verify(text, NOW)
    assert (caught.value.reason, caught.value.error) == (Reason.INVALID_TOKEN, "invalid_token")


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "e30.e30.AA", "A" * 20_000, "caf\u00e9", 'x"y'])
def test_what_is_no_token_is_refused(issuer: tokens.Issuer, text: str) -> None:
    with pytest.raises(Unauthenticated):
        issuer.verify(text, NOW)


def test_a_scope_that_is_no_word_of_ours_opens_nothing(issuer: tokens.Issuer) -> None:
    assert issuer.verify(forged(scope="dossiers:read dossiers:* "), NOW).scopes == {Scope.DOSSIERS_READ}


def test_a_verified_token_is_remembered_for_a_minute_and_never_past_its_end(issuer: tokens.Issuer) -> None:
    text = forged(exp=kit.NOW + 90)
    first = issuer.verify(text, NOW)
    assert issuer.verify(text, NOW + timedelta(seconds=59)) is first
    assert issuer.verify(text, NOW + timedelta(seconds=61)) is not first
    with pytest.raises(Unauthenticated):
        issuer.verify(text, NOW + timedelta(seconds=90))


def test_a_refused_token_is_not_remembered(issuer: tokens.Issuer) -> None:
    text = forged(nbf=kit.NOW + 30)
    with pytest.raises(Unauthenticated):
        issuer.verify(text, NOW)
    assert issuer.verify(text, NOW + timedelta(seconds=30)).client_id == CLIENT


def test_the_memory_is_bounded() -> None:
    small = tokens.Issuer(kit.ISSUER, kit.AUDIENCE, SigningKeys(native(SERVER)), most=2)
    texts = [forged() for _ in range(3)]
    first, *_ = [small.verify(text, NOW) for text in texts]
    assert small.verify(texts[-1], NOW) is small.verify(texts[-1], NOW)
    assert small.verify(texts[0], NOW) is not first


def test_the_published_keys_are_public(issuer: tokens.Issuer) -> None:
    """RFC 7517, with the members that NL GOV requires: kid, kty and alg."""
    expected = SERVER.public | {"kid": SERVER.thumbprint, "use": "sig", "alg": "ES256"}
    assert issuer.jwks(NOW) == {"keys": [expected]}


async def test_nothing_shows_a_token(issuer: tokens.Issuer) -> None:
    minted = await issuer.mint(CLIENT, SCOPES, "a-thumbprint", NOW)
    shown = repr(minted) + repr(issuer) + repr(issuer.verify(minted.text, NOW))
    assert minted.text not in shown
    assert minted.id not in shown
