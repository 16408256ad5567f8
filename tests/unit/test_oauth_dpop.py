"""DPoP proofs (RFC 9449 section 4.3): each of the twelve checks, and what a hostile client makes of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.errors import Unauthenticated
from api.oauth import dpop
from api.vocabulary import Reason
from tests import oauth_kit as kit

NOW = datetime.fromtimestamp(kit.NOW, UTC)
URL = f"{kit.AUDIENCE}/dossiers/0197a1b2-0000-7000-8000-000000000000"
BY = kit.key("es256")


def verify(*headers: str, method: str = "GET", url: str = URL, token: str | None = "a.token") -> dpop.Proof:
    return dpop.verify(headers, method=method, url=url, now=NOW, token=token)


def made(by: kit.Key = BY, **changes: Any) -> str:
    return kit.proof(by, "GET", changes.pop("url", URL), token="a.token", **changes)


@pytest.mark.parametrize("name", ["es256", "ps256", "ed25519"])
def test_a_proof_by_each_kind_of_key_holds(name: str) -> None:
    proof = verify(made(kit.key(name), jti="an-id-of-one-use"))
    assert (proof.jkt, proof.jti, proof.person) == (kit.key(name).thumbprint, "an-id-of-one-use", None)


def test_a_proof_is_remembered_for_longer_than_it_is_taken() -> None:
    """A `jti` that is forgotten while its proof would still be taken could be used twice."""
    last = NOW + timedelta(seconds=dpop.LIFETIME + dpop.SKEW)
    text = made()
    assert dpop.verify([text], method="GET", url=URL, now=last, token="a.token").forget_at > last


def test_the_proof_of_the_token_endpoint_goes_with_no_token() -> None:
    assert verify(kit.proof(BY), method="POST", url=kit.TOKEN_URL, token=None).jkt == BY.thumbprint


def test_the_acting_person_is_read_from_what_the_client_signed() -> None:
    assert verify(made(acting_person="worker-17")).person == "worker-17"


@pytest.mark.parametrize("person", ["", "x" * 65, "a b", "jos\u00e9", 'a"\n', 7, ["a"], {}])
def test_an_acting_person_is_opaque_ascii_or_the_proof_is_refused(person: object) -> None:
    assert refused(made(acting_person=person)) == "acting_person must be at most 64 visible ASCII characters"


def refused(*headers: str, **how: Any) -> str:
    with pytest.raises(Unauthenticated) as caught:
        verify(*headers, **how)
    assert (caught.value.reason, caught.value.error) == (Reason.INVALID_PROOF, "invalid_dpop_proof")
    return caught.value.detail


def test_exactly_one_header_is_taken() -> None:
    assert refused() == refused(made(), made()) == "send exactly one DPoP header"


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "\u00e9", 'x"y', "e30.e30.AA", "A" * 20_000])
def test_what_is_no_jws_is_refused(text: str) -> None:
    assert refused(text)


@pytest.mark.parametrize("kind", [kit.GONE, "JWT", "DPOP+JWT", "at+jwt", "", 7, None, ["dpop+jwt"]])
def test_the_type_keeps_other_tokens_out(kind: object) -> None:
    """A client assertion or access token of the same key must never pass for a proof."""
    assert refused(made(header={"typ": kind})) == "the typ of the proof must be dpop+jwt"


@pytest.mark.parametrize("alg", ["none", "HS256", "RS256", "ES384", 'x"y', "", kit.GONE])
def test_only_asymmetric_algorithms_of_ours_are_taken(alg: object) -> None:
    text = BY.jws({"typ": "dpop+jwt", "jwk": BY.public, "alg": alg}, {}, sign_as="none")
    assert refused(text)


@pytest.mark.parametrize(
    "jwk",
    [
        kit.GONE,
        None,
        "text",
        {},
        {"kty": "oct", "k": "AA"},
        BY.public | {"d": "AA"},
        kit.key("rsa2048").public,
        kit.key("p384").public,
        kit.key("es256-other").public,
    ],
    ids=["gone", "null", "text", "empty", "symmetric", "private", "rsa 2048", "p-384", "of another"],
)
def test_the_embedded_key_is_a_strong_public_one_and_signs(jwk: object) -> None:
    assert refused(made(header={"jwk": jwk}))


@pytest.mark.parametrize("jti", [kit.GONE, None, 7, "", "short", "x" * 129, "with space", "caf\u00e9-caf\u00e9"])
def test_the_id_is_visible_text_of_some_length(jti: object) -> None:
    assert refused(made(jti=jti)).startswith("jti")


@pytest.mark.parametrize("htm", [kit.GONE, "POST", "get", "HEAD", "", None, ["GET"]])
def test_the_method_is_that_of_the_request(htm: object) -> None:
    assert refused(made(htm=htm)) == "htm is not the method of this request"


@pytest.mark.parametrize(
    "htu",
    [
        kit.GONE,
        None,
        7,
        "",
        URL + "/",
        URL.upper(),
        kit.AUDIENCE,
        URL.replace("https", "http"),
        URL.replace("https", "ftp"),
        URL.replace("ketenbrug.test", "evil.test"),
        URL.replace("ketenbrug.test", "ketenbrug.test:8443"),
        URL.replace("https://", "https://user@"),
        "https://[::1",
        "https://ketenbrug.test:port/",
        "https://ketenbrug.test:99999/",
        "//ketenbrug.test/v1",
        "https:///v1",
    ],
)
def test_the_address_is_that_of_the_request(htu: object) -> None:
    assert refused(made(htu=htu)).startswith("htu")


@pytest.mark.parametrize(
    "htu",
    [
        URL + "?a=1",
        URL + "#part",
        URL.replace("https://ketenbrug.test", "HTTPS://Ketenbrug.TEST"),
        URL.replace("ketenbrug.test", "ketenbrug.test:443"),
    ],
)
def test_the_address_is_compared_without_query_and_as_rfc_3986_normalises_it(htu: str) -> None:
    assert verify(made(url=htu)).jkt == BY.thumbprint


def test_an_address_without_path_and_with_a_port_and_an_ipv6_host_is_normal() -> None:
    assert dpop.normal("http://[::1]:8080") == "http://[::1]:8080/"
    assert dpop.normal("http://127.0.0.1:80/x") == "http://127.0.0.1/x"


@pytest.mark.parametrize("iat", [kit.GONE, None, "now", True, kit.NOW - 71, kit.NOW + 11, 0, -1, 1e300, 10**18])
def test_the_proof_is_of_now(iat: object) -> None:
    assert refused(made(iat=iat)).startswith("iat")


@pytest.mark.parametrize("iat", [kit.NOW - 70, kit.NOW + 10, kit.NOW + 0.5])
def test_clocks_may_differ_a_little(iat: float) -> None:
    assert verify(made(iat=iat)).jkt == BY.thumbprint


@pytest.mark.parametrize("ath", [kit.GONE, None, "", 7, "A" * 43, "caf\u00e9"])
def test_the_proof_goes_with_this_token(ath: object) -> None:
    assert refused(made(ath=ath)) == "ath is not the hash of the access token"


def test_no_refusal_repeats_what_was_sent() -> None:
    """Descriptions go into headers and bodies: a quotation mark in the input must not reach them."""
    for claim in ("jti", "htm", "htu", "ath"):
        changes: dict[str, Any] = {claim: 'quo"te'}
        assert "quo" not in refused(made(**changes))


def test_the_challenge_names_the_algorithms_and_the_error() -> None:
    """RFC 9449 section 7.1."""
    assert dpop.challenge() == 'DPoP algs="ES256 PS256 EdDSA Ed25519"'
    assert dpop.challenge("invalid_token") == 'DPoP algs="ES256 PS256 EdDSA Ed25519", error="invalid_token"'


def test_a_proof_does_not_show_its_id() -> None:
    assert "an-id-of-one-use" not in repr(verify(made(jti="an-id-of-one-use")))
