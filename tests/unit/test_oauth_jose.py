"""JOSE: one list of algorithms, one list of limits, strict keys (FAPI 2.0 section 5.4, ASVS 5.0 V9 and V11)."""

from __future__ import annotations

import json

import pytest
from joserfc.jwk import ECKey, OKPKey

from api.oauth import jose
from tests import oauth_kit as kit

GOOD = ["es256", "ps256", "ed25519"]


def read(text: str, by: kit.Key) -> dict[str, object]:
    return jose.verify(jose.peek(text), jose.public_key(by.public))


@pytest.mark.parametrize("name", GOOD)
def test_each_algorithm_of_fapi_is_taken(name: str) -> None:
    by = kit.key(name)
    assert read(by.jws({}, {"a": 1}), by) == {"a": 1}


@pytest.mark.parametrize("alg", ["EdDSA", "Ed25519"])
def test_both_names_of_ed25519_are_taken(alg: str) -> None:
    """RFC 9864 renames EdDSA; clients send either, and the JWK may carry the other."""
    by = kit.key("ed25519")
    text = by.jws({"alg": alg}, {"a": 1})
    assert jose.verify(jose.peek(text), jose.public_key(by.public | {"alg": "EdDSA", "use": "enc"})) == {"a": 1}


@pytest.mark.parametrize("alg", ["none", "None", "HS256", "RS256", "ES384", "", 'x"y', None, 7, ["ES256"]])
@pytest.mark.parametrize("name", GOOD)
def test_no_other_algorithm_is_taken(alg: object, name: str) -> None:
    by = kit.key(name)
    sign_as = alg if isinstance(alg, str) and (alg == "HS256" or (alg == "RS256" and name == "ps256")) else "none"
    with pytest.raises(jose.Unreadable):
        read(by.jws({"alg": alg}, {"a": 1}, sign_as=sign_as), by)


def test_a_missing_algorithm_is_refused() -> None:
    by = kit.key("es256")
    with pytest.raises(jose.Unreadable):
        read(by.jws({"alg": kit.GONE}, {}, sign_as="ES256"), by)


@pytest.mark.parametrize("header", [{"crit": ["b64"], "b64": False}, {"crit": []}, {"b64": True}])
def test_extensions_that_change_the_meaning_of_a_jws_are_refused(header: dict[str, object]) -> None:
    by = kit.key("es256")
    with pytest.raises(jose.Unreadable):
        read(by.jws(header, {}), by)


def test_headers_that_we_do_not_know_are_ignored() -> None:
    """RFC 7515 section 4; and `jku`, `x5u`, `jwk` never choose a key (ASVS 9.1.3)."""
    by = kit.key("es256")
    foreign = {"jku": "https://evil.test/jwks", "x5u": "https://evil.test", "jwk": kit.key("es256-2").public, "zz": 1}
    assert read(by.jws(foreign, {"a": 1}), by) == {"a": 1}


def test_a_signature_of_another_key_does_not_hold() -> None:
    with pytest.raises(jose.Unreadable, match="signature"):
        read(kit.key("es256").jws({}, {}), kit.key("es256-2"))


@pytest.mark.parametrize("signature", ["AA", "A" * 86, "A" * 87])
def test_a_signature_of_the_wrong_length_does_not_hold(signature: str) -> None:
    by = kit.key("es256")
    text = by.jws({}, {}).rpartition(".")[0] + f".{signature}"
    with pytest.raises(jose.Unreadable):
        read(text, by)


def test_an_algorithm_that_does_not_fit_the_key_is_refused() -> None:
    by = kit.key("es256")
    with pytest.raises(jose.Unreadable, match="fit"):
        read(by.jws({"alg": "PS256"}, {}, sign_as="ES256"), by)


def nested(depth: int) -> str:
    return kit.b64(b'{"a":' + b"[" * depth + b"]" * depth + b"}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c.d",
        "e30.e30.",
        "e30..AA",
        "e30.e30.A A",
        "e30.e30.AA\n",
        "e30=.e30.AA",
        "e30.e30.A\u00e9",
        "e3.e30.AA",
        "W10.e30.AA",
        "e30.W10.AA",
        "e30.MQ.AA",
        "/v79.e30.AA",
        "__79.e30.AA",
        "e30.____.AA",
        f"{'A' * (jose.HEADER_MOST + 1)}.e30.AA",
        f"e30.{'A' * (jose.PAYLOAD_MOST + 1)}.AA",
        f"e30.e30.{'A' * (jose.SIGNATURE_MOST + 1)}",
        f"e30.{nested(3000)}.AA",
        f"{kit.b64(b'{' + b'[' * 1000)}.e30.AA",
        "e30." + kit.b64(b'{"a":NaN}') + ".AA",
        "e30." + kit.b64(b'{"a":"' + bytes([0xED, 0xA0, 0x80]) + b'"}') + ".AA",
    ],
)
def test_what_is_no_compact_jws_of_an_object_is_refused(text: str) -> None:
    """Also what a recursive parser would die of: never a RecursionError, never a 500."""
    with pytest.raises(jose.Unreadable):
        jose.peek(text)


def test_deep_nesting_within_the_limits_is_verified_without_recursion() -> None:
    by = kit.key("es256")
    depth = 900
    with pytest.raises(jose.Unreadable):
        read(by.jws({}, nested(depth))[:-4] + "AAAA", by)
    assert "a" in read(by.jws({}, nested(depth)), by)


@pytest.mark.parametrize(
    "jwk",
    [
        None,
        [],
        "key",
        {},
        {"kty": ["EC"]},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43},
        {"kty": "EC", "crv": "P-256", "x": "A" * 42 + "B", "y": "A" * 43},
        {"kty": "EC", "crv": "P-256", "x": "A" * 43},
        {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": 7},
        {"kty": "EC", "crv": "secp256k1", "x": "A" * 43, "y": "A" * 43},
        {"kty": "OKP", "crv": "X25519", "x": "A" * 43},
        {"kty": "OKP", "crv": "Ed25519", "x": "A" * 42},
        {"kty": "RSA", "n": "A" * 2000, "e": "AQAB"},
        {"kty": "RSA", "n": "_" * 512, "e": "Aw"},
        {"kty": "RSA", "n": "A" * 512, "e": "AQAB"},
        {"kty": "RSA", "n": "A" + "_" * 511, "e": "AQAB"},
        {"kty": "RSA", "n": "_" * 511 + "+", "e": "AQAB"},
    ],
    ids=str,
)
def test_what_is_no_strong_public_key_is_refused(jwk: object) -> None:
    """FAPI 2.0 section 5.4 and ASVS 11.2.3: P-256, Ed25519, RSA of 3072 bits and more."""
    with pytest.raises(jose.Unreadable):
        jose.public_key(jwk)


@pytest.mark.parametrize("name", ["rsa2048", "p384"])
def test_real_keys_of_other_kinds_are_refused(name: str) -> None:
    with pytest.raises(jose.Unreadable):
        jose.public_key(kit.key(name).public)


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
def test_a_private_key_is_refused_before_it_is_read(member: str) -> None:
    with pytest.raises(jose.Unreadable, match="private"):
        jose.public_key(kit.key("es256").public | {member: "AA"})


@pytest.mark.parametrize("name", GOOD)
def test_the_thumbprint_is_that_of_rfc_7638(name: str) -> None:
    assert jose.public_key(kit.key(name).public).thumbprint == kit.key(name).thumbprint


def test_the_thumbprint_of_the_rfc_example_of_an_ed25519_key() -> None:
    """RFC 8037 appendix A.3."""
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert jose.public_key(jwk).thumbprint == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_a_signature_of_ours_verifies_elsewhere() -> None:
    for native in (ECKey.generate_key("P-256"), OKPKey.generate_key("Ed25519")):
        alg = "ES256" if isinstance(native, ECKey) else "Ed25519"
        text = jose.sign({"alg": alg}, {"a": 1}, native)
        assert jose.verify(jose.peek(text), jose.public_key(native.as_dict(private=False))) == {"a": 1}


def test_the_header_names_the_key() -> None:
    """A client has two keys alive while it rotates."""
    ring = jose.key_ring([kit.key("es256").public | {"kid": "old"}, kit.key("ed25519").public | {"kid": "new"}])
    assert ring.choose({"kid": "new"}).thumbprint == kit.key("ed25519").thumbprint


@pytest.mark.parametrize("header", [{}, {"kid": "other"}, {"kid": 7}, {"kid": ["old"]}])
def test_with_two_keys_the_header_must_name_one(header: dict[str, object]) -> None:
    ring = jose.key_ring([kit.key("es256").public, kit.key("ed25519").public])
    with pytest.raises(jose.Unreadable):
        ring.choose(header)


@pytest.mark.parametrize("header", [{}, {"kid": "other"}, {"kid": 7}])
def test_with_one_key_there_is_no_choice(header: dict[str, object]) -> None:
    assert jose.key_ring([kit.key("es256").public]).choose(header).thumbprint == kit.key("es256").thumbprint


def test_only_public_members_and_the_key_id_are_kept() -> None:
    stored = jose.key_ring([kit.key("es256").public | {"alg": "RS256", "use": "enc", "zz": 1}]).as_jwks()
    assert stored == [kit.key("es256").public | {"kid": kit.key("es256").thumbprint}]
    json.dumps(stored)


@pytest.mark.parametrize(
    "jwks",
    [
        [],
        [kit.key("es256").public | {"kid": "a"}, kit.key("ed25519").public | {"kid": "a"}],
        [kit.key("es256").public, kit.key("es256").public],
        [kit.key("es256").public | {"kid": 7}],
    ],
    ids=["none", "same id", "same key", "no text"],
)
def test_each_key_has_an_id_of_its_own(jwks: list[object]) -> None:
    with pytest.raises(jose.Unreadable):
        jose.key_ring(jwks)


@pytest.mark.parametrize(("value", "expected"), [(1, 1.0), (1.5, 1.5), (True, None), ("1", None), (None, None)])
def test_a_numeric_date_is_a_number(value: object, expected: float | None) -> None:
    """RFC 7519 section 2; JSON's `true` is none, although Python counts it as 1."""
    assert jose.seconds(value) == expected
