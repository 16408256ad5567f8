"""OAuth software of others against the whole service over HTTP: with its issuer, a client id and a key, nothing more.

`openid-client` is certified by the OpenID Foundation; `oauth4webapi` also plays the attacker and the resource server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pytest

from tests.foreign.tools import python

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.foreign.tools import Node

Answers: TypeAlias = list[dict[str, Any]]

SECTIONS_LEAST: Final = 8

# What goes wrong, in a sentence, and the error code that names it.

AT_TOKEN_ENDPOINT: Final = {
    "assertion-for-another": ("an assertion for another server", "invalid_client"),
    "assertion-expired": ("an assertion whose time is over", "invalid_client"),
    "assertion-of-another": ("an assertion in the name of another client", "invalid_client"),
    "assertion-by-another-key": ("an assertion by a key that nobody registered", "invalid_client"),
    "client-secret": ("a client secret in the body", "invalid_client"),
    "client-secret-basic": ("a client secret in the header", "invalid_client"),
    "no-authentication": ("a client that says who it is and proves nothing", "invalid_client"),
    "token-without-proof": ("no proof of possession", "invalid_dpop_proof"),
    "short-rsa-proof-key": ("a proof by an RSA key of 2048 bits", "invalid_dpop_proof"),
    "scope-of-others": ("a scope that the client does not have", "invalid_scope"),
    "scope-unknown": ("a scope that nobody has", "invalid_scope"),
}
AT_API: Final = {
    "bearer-downgrade": ("the token as a bearer token", None),
    "bearer-with-proof": ("the token as a bearer token, with its proof", None),
    "bearer": ("a proof without a token", None),
    "token-in-the-address": ("the token in the address", None),
    "read-without-proof": ("no proof of possession", "invalid_dpop_proof"),
    "stolen-token": ("a stolen token, with a proof by the thief's key", "invalid_token"),
    "proof-of-another-token": ("a proof that was made for another token", "invalid_dpop_proof"),
    "proof-for-another-url": ("a proof that was made for another address", "invalid_dpop_proof"),
    "proof-for-another-method": ("a proof that was made for another method", "invalid_dpop_proof"),
    "proof-too-old": ("a proof of ten minutes ago", "invalid_dpop_proof"),
    "proof-of-tomorrow": ("a proof made for tomorrow", "invalid_dpop_proof"),
    "proof-without-token-hash": ("a proof that names no token", "invalid_dpop_proof"),
    "token-altered": ("a token that names another client", "invalid_token"),
    "token-unsigned": ("a token that nobody signed", "invalid_token"),
    "assertion-as-token": ("the client's own assertion for a token", "invalid_token"),
}


ALGORITHMS: Final = ("ES256", "EdDSA", "PS256")


@pytest.fixture(scope="module", params=ALGORITHMS)
def story(request: pytest.FixtureRequest, stories: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What a client with a key of each algorithm knows."""
    return stories[request.param]


@pytest.fixture(scope="module")
def attempts(node: Node, story: dict[str, Any]) -> dict[str, Answers]:
    """What the service answered to each attempt, request by request."""
    found: dict[str, Answers] = node.run("oauth4webapi", story)
    return found


def sentences(of: Mapping[str, tuple[str, str | None]]) -> pytest.MarkDecorator:
    """One test for each, under its sentence."""
    values = [(check, error) for check, (_, error) in of.items()]
    return pytest.mark.parametrize(("check", "error"), values, ids=[sentence for sentence, _ in of.values()])


@pytest.mark.parametrize("proof_algorithm", ALGORITHMS)
def test_a_certified_client_reads_a_dossier(node: Node, story: dict[str, Any], proof_algorithm: str) -> None:
    """Discovery, client credentials with private_key_jwt and DPoP, a bound read; the two keys need not be of a kind."""
    told = node.run("openid-client", story | {"proofAlgorithm": proof_algorithm})

    assert (told["status"], told["tokenType"], told["scope"]) == (200, "dpop", "dossiers:read")
    assert told["expiresIn"] > 0
    assert len(told["body"]["sections"]) >= SECTIONS_LEAST


def test_authlib_reads_a_dossier(story: dict[str, Any]) -> None:
    """Its client is unmodified; a transport of some lines adds the proofs, which Authlib does not know."""
    told = python("authlib_client", story)

    assert (told["issuer"], told["scope"]) == (story["issuer"], "dossiers:read")
    assert told["expiresIn"] > 0
    assert (told["status"], told["sections"] >= SECTIONS_LEAST) == (200, True)
    assert told["refused"] == "invalid_scope"
    assert told["bearer"] == 401


def test_the_attacker_reads_the_dossier_when_it_does_nothing_wrong(attempts: dict[str, Answers]) -> None:
    """Else the refusals below would prove nothing."""
    granted, read = attempts["nothing"]

    assert (granted["status"], read["status"]) == (200, 200)
    assert read["sections"] >= SECTIONS_LEAST


@sentences(AT_TOKEN_ENDPOINT)
def test_no_token_for(attempts: dict[str, Answers], check: str, error: str) -> None:
    """RFC 6749 section 5.2, RFC 9449 section 5: an error code, and a sentence."""
    (refused,) = attempts[check]

    assert refused["status"] == (401 if error == "invalid_client" else 400)
    assert refused["error"] == error
    assert refused["detail"]


@pytest.mark.parametrize(
    ("check", "error"),
    [("assertion-replayed", "invalid_client"), ("token-proof-replayed", "invalid_dpop_proof")],
    ids=["an assertion", "a proof"],
)
def test_no_second_token_for(attempts: dict[str, Answers], check: str, error: str) -> None:
    """RFC 7523 section 3 and RFC 9449 section 11.1: what was used once is used up, also beside something fresh."""
    granted, refused = attempts[check]

    assert (granted["status"], granted["error"]) == (200, None)
    assert (refused["status"], refused["error"]) == (401 if error == "invalid_client" else 400, error)


@sentences(AT_API)
def test_no_dossier_for(attempts: dict[str, Answers], check: str, error: str | None) -> None:
    """RFC 9449 section 7: 401 with a DPoP challenge, which the library could read, and nothing of the dossier."""
    *granted, refused = attempts[check]

    assert {each["status"] for each in granted} == {200}
    assert refused["status"] == 401
    assert refused["sections"] is None
    assert refused["challenge"].startswith("DPoP ")
    if error is not None:
        assert f'error="{error}"' in refused["challenge"]


def test_a_proof_opens_the_dossier_once(attempts: dict[str, Answers]) -> None:
    """RFC 9449 section 11.1: whoever copies a whole request from the wire gets nothing for it."""
    _, read, replayed = attempts["read-proof-replayed"]

    assert (read["status"], replayed["status"]) == (200, 401)
    assert 'error="invalid_dpop_proof"' in replayed["challenge"]
    assert replayed["sections"] is None


def test_no_attempt_breaks_the_service(attempts: dict[str, Answers]) -> None:
    """Whatever is sent is refused as theirs (4xx), never as ours (5xx); and every attempt has its test above."""
    twice = {"assertion-replayed", "token-proof-replayed", "read-proof-replayed"}
    assert set(attempts) == {"nothing", *twice, *AT_TOKEN_ENDPOINT, *AT_API}
    broken = {check: seen for check, seen in attempts.items() if any(each["status"] >= 500 for each in seen)}
    assert broken == {}


def test_a_resource_server_of_others_accepts_our_tokens(node: Node, story: dict[str, Any]) -> None:
    """RFC 9068 and RFC 9449, by the keys that our metadata lead to; and it refuses what was not meant for it."""
    told = node.run("resource-server", story)

    claims = told["accepted"]["claims"]
    assert (claims["iss"], claims["aud"]) == (story["issuer"], story["audience"])
    assert claims["sub"] == claims["client_id"] == story["clientId"]
    assert claims["scope"] == "dossiers:read"
    assert set(claims["cnf"]) == {"jkt"}
    assert told["header"]["typ"] == "at+jwt"
    assert [set(told[each]) for each in ("elsewhere", "altered", "unbound")] == [{"refused"}] * 3
