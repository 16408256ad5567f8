"""What is sealed to a key opens with that key alone and its own algorithm, and no weak key is taken."""

from __future__ import annotations

import json
import pickle
from base64 import urlsafe_b64decode
from typing import TYPE_CHECKING, Any

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from api.crypto import jwe
from api.errors import Misconfigured
from clients import _opening
from clients.errors import Misconfigured as Mistaken
from tests.jwe_kit import KINDS, private, public, with_zeros

if TYPE_CHECKING:
    from pathlib import Path

TEXT = b'{"sections": [{"category": "identity"}]}'


def header(sealed: bytes) -> dict[str, Any]:
    """The protected header."""
    part = sealed.split(b".")[0]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(part + b"=" * (-len(part) % 4)))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_it_opens_with_the_key_that_was_registered(kind: str) -> None:
    to = jwe.recipient(public(kind))
    sealed = jwe.sealed(to, TEXT)
    algorithm, media_type = KINDS[kind]
    found = header(sealed)
    assert (found["alg"], found["enc"], found["typ"], found["kid"]) == (algorithm, "A256GCM", "JWE", kind)
    assert to.media_type == media_type
    assert TEXT not in sealed
    assert _opening.Opener(private(kind)).open(sealed) == TEXT
    assert jwe.sealed(to, TEXT) != sealed


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_stored_is_the_public_key_and_seals_alike(kind: str) -> None:
    to = jwe.recipient(public(kind))
    assert not {"d", "p", "q"} & json.loads(to.jwk).keys()
    assert _opening.Opener(private(kind)).open(jwe.sealed(jwe.stored(to.jwk), TEXT)) == TEXT
    assert to.jwk not in repr(to)


def test_a_key_without_a_name_is_named_by_its_thumbprint() -> None:
    offered = public("p-256")
    del offered["kid"], offered["use"]
    to = jwe.recipient(offered)
    assert to.kid == ECKey.import_key({name: offered[name] for name in ("kty", "crv", "x", "y")}).thumbprint()


def test_a_dossier_of_megabytes_is_sealed_and_opened() -> None:
    text = b"x" * 3_000_000
    assert _opening.Opener(private("x25519")).open(jwe.sealed(jwe.recipient(public("x25519")), text)) == text


@pytest.mark.parametrize("kind", KINDS)
def test_no_other_key_opens_it_and_no_other_algorithm(kind: str) -> None:
    sealed = jwe.sealed(jwe.recipient(public(kind)), TEXT)
    for another in KINDS:
        if another != kind:
            with pytest.raises(ValueError, match="not sealed to this key"):
                _opening.Opener(private(another)).open(sealed)
    broken = bytearray(sealed)
    broken[-1] = ord("A") if sealed[-1] != ord("A") else ord("Q")
    for changed in (bytes(broken), sealed[:-4], b"", b"a.b.c.d.e", b"\xff" * 9):
        with pytest.raises(ValueError, match="not sealed to this key"):
            _opening.Opener(private(kind)).open(changed)


UNFIT: dict[str, dict[str, Any]] = {
    "no alg": {"alg": None},
    "a content algorithm": {"alg": "A256GCM"},
    "direct": {"alg": "dir"},
    "broken padding": {"alg": "RSA1_5"},
    "of another kind": {"alg": "RSA-OAEP"},
    "agreement without wrapping": {"alg": "ECDH-ES"},
    "for signatures": {"use": "sig"},
    "private": {"d": "AAAA"},
    "symmetric": {"kty": "oct", "k": "AAAA"},
    "another curve": {"crv": "P-384"},
    "no point": {"x": "AAAA"},
    "no text": {"x": 7},
    "missing": {"y": None},
}


@pytest.mark.parametrize("change", UNFIT.values(), ids=UNFIT)
def test_a_key_that_does_not_fit_is_refused(change: dict[str, Any]) -> None:
    offered = {name: value for name, value in (public("p-256") | change).items() if value is not None}
    with pytest.raises(Misconfigured, match="the encryption key: "):
        jwe.recipient(offered)


def test_an_rsa_key_that_is_too_small_is_refused() -> None:
    small = RSAKey.generate_key(2_048).as_dict(private=False) | {"alg": "RSA-OAEP"}
    for offered in (small, with_zeros(small), public("nlgov") | {"e": "Aw"}):
        with pytest.raises(Misconfigured, match="3072"):
            jwe.recipient(offered)


def test_an_opening_key_is_the_clients_own_and_private(tmp_path: Path) -> None:
    assert _opening.load(None) is None
    file = tmp_path / "key"
    file.touch(mode=0o600)
    file.write_text(json.dumps(private("x25519")))
    opener = _opening.load(str(file))
    assert repr(opener) == "<Opener ECDH-ES+A256KW>"
    with pytest.raises(TypeError):
        pickle.dumps(opener)
    for wrong in (
        public("x25519"),
        OKPKey.generate_key("Ed25519").as_dict(private=True),
        private("x25519") | {"alg": "dir"},
        private("p-256") | {"x": "AAAA"},
    ):
        with pytest.raises(Mistaken):
            _opening.load(wrong)
