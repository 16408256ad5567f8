"""Keys: which are taken, who else may read the file, and that they never show themselves."""

from __future__ import annotations

import base64
import hashlib
import json
import pickle
from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from api.consent import signatures
from api.oauth import jose
from api.schemas.agreements import Agreement
from api.vocabulary import AgreementKind, Municipality
from clients import _keys, signing
from clients.errors import Misconfigured
from tests.clients_kit import private_jwk

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENT = {"title": "Gegevensdeling Utrecht: café «één»\n", "version": 1, "rules": [{"to": "ngo", "from": "ind"}]}


@pytest.mark.parametrize(("curve", "alg"), [("P-256", "ES256"), ("Ed25519", "Ed25519")])
def test_the_algorithm_is_that_of_the_key_whatever_the_key_says_of_itself(curve: str, alg: str) -> None:
    jwk = private_jwk(curve) | {"alg": "none", "use": "enc", "key_ops": ["verify"]}
    header = jose.peek(_keys.load(jwk).assertion("ngo-one", "https://exchange.test", 0)).header
    assert header["alg"] == alg
    assert header["typ"] == "JWT"


def test_a_key_is_named_by_its_id_or_else_by_its_thumbprint() -> None:
    """RFC 7638, as the server names it."""
    jwk = private_jwk()
    named = jose.peek(_keys.load(jwk | {"kid": "key-7"}).assertion("c", "i", 0)).header["kid"]
    unnamed = jose.peek(_keys.load(jwk).assertion("c", "i", 0)).header["kid"]
    public = {name: value for name, value in jwk.items() if name != "d"}
    assert named == "key-7"
    assert unnamed == jose.public_key(public).thumbprint


def test_a_proof_carries_the_public_key_only() -> None:
    proof = jose.peek(_keys.load(private_jwk() | {"kid": "key-7"}).proof("GET", "https://exchange.test/v1/x?y", 1.9))
    assert set(proof.header["jwk"]) == {"kty", "crv", "x", "y"}
    assert proof.claims["iat"] == 1
    assert set(proof.claims) == {"jti", "htm", "htu", "iat"}


@pytest.mark.parametrize(
    "jwk",
    [
        {},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA", "d": "c2VjcmV0"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": "c2VjcmV0"},
        {"kty": "EC", "crv": "P-256", "x": None, "y": "AA", "d": "c2VjcmV0"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AA", "d": "c2VjcmV0"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
        {"kty": ["EC"], "crv": {}, "d": "c2VjcmV0"},
    ],
)
def test_what_is_no_usable_private_key_is_refused_without_being_shown(jwk: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured) as caught:
        _keys.load(jwk)
    assert "c2VjcmV0" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_key_shows_itself_nowhere() -> None:
    jwk = private_jwk()
    signer = _keys.load(jwk)
    assert repr(signer) == str(signer) == "<Signer ES256>"
    with pytest.raises(TypeError):
        pickle.dumps(signer)


def test_a_key_file_for_its_owner_alone_is_read(tmp_path: Path) -> None:
    file = tmp_path / "key.jwk"
    jwk = private_jwk() | {"kid": "from-file"}
    file.write_text(json.dumps(jwk))
    file.chmod(0o400)
    for given in (file, str(file)):
        assert jose.peek(_keys.load(given).assertion("c", "i", 0)).header["kid"] == "from-file"


@pytest.mark.parametrize("mode", [0o440, 0o404, 0o644, 0o620, 0o602])
def test_a_key_file_that_is_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "key.jwk"
    file.write_text(json.dumps(private_jwk()))
    file.chmod(mode)
    with pytest.raises(Misconfigured, match="0400") as caught:
        _keys.load(file)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"not JSON: c2VjcmV0", b"[]", b"\xff\xfe", b"{" + b" " * 20_000 + b"}"])
def test_a_key_file_of_something_else_is_refused_without_being_shown(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key.jwk"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(Misconfigured) as caught:
        _keys.load(file)
    assert "c2VjcmV0" not in str(caught.value)


def test_a_key_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"absent\.jwk"):
        _keys.load(tmp_path / "absent.jwk")


@pytest.mark.parametrize("curve", ["P-256", "Ed25519"])
def test_a_signature_of_an_agreement_is_one_that_the_exchange_takes(curve: str) -> None:
    """RFC 7515 appendix F, over the bytes of RFC 8785: held against the exchange's own verification."""
    jwk = private_jwk(curve) | {"kid": "signing-1"}
    public = {name: value for name, value in jwk.items() if name != "d"}
    made = signing.signature(agreement(), jwk)
    assert made.version == 3
    assert signatures.verified(made.signature, canonical(), jose.key_ring([public])) == "signing-1"
    header = json.loads(base64.urlsafe_b64decode(made.signature.partition(".")[0] + "=="))
    assert header["typ"] == signatures.TYPE


def test_what_is_signed_is_what_was_seen() -> None:
    """A document that does not have the digest shown with it is not signed."""
    with pytest.raises(Misconfigured, match="digest"):
        signing.signature(agreement(digest="0" * 64), private_jwk())


def canonical() -> bytes:
    """The document by an encoder of the exchange."""
    import rfc8785  # noqa: PLC0415 - the oracle

    return rfc8785.dumps(DOCUMENT)  # type: ignore[arg-type]


def agreement(digest: str | None = None) -> Agreement:
    """A version of an agreement, as it is read."""
    return Agreement(
        id=UUID(int=7),
        version=3,
        kind=AgreementKind.COVENANT,
        municipality=Municipality.UTRECHT,
        valid_from_date=date(2026, 1, 1),
        digest=hashlib.sha256(canonical()).hexdigest() if digest is None else digest,
        document=DOCUMENT,
        parties=(),
    )
