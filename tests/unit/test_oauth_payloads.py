"""A signature over a body: what is taken, and each thing that is not, one at a time."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OKPKey, RSAKey

from api.oauth import jose, payloads
from api.schemas.evidence import Evidence
from clients import evidence
from clients._payloads import PayloadSigner, load
from clients.errors import Misconfigured
from tests import oauth_kit as kit
from tests import payload_kit as sign
from tests.jwe_kit import private

if TYPE_CHECKING:
    from pathlib import Path

BODY: Final = b'{"summary": "Made up.\xc3\xa9"}'
NOW: Final = datetime.fromtimestamp(kit.NOW, UTC)
KEY: Final = kit.key("es256-payload")
DIGEST: Final = sign.digest(BODY)
GOOD: Final = sign.signature(KEY, DIGEST, sign.said(KEY, kit.NOW))


def ring(*keys: kit.Key) -> jose.KeyRing:
    """The registered keys; the first one has the id that the kit names."""
    return jose.key_ring([key.public | {"kid": f"payload-{number}"} for number, key in enumerate(keys or (KEY,), 1)])


def taken(signature: str = GOOD, digest: str = DIGEST, body: bytes = BODY, keys: jose.KeyRing | None = None) -> Any:
    return payloads.verified([signature], [digest], body, keys or ring(), NOW)


def by_header(**changes: Any) -> str:
    return sign.signature(KEY, DIGEST, sign.said(KEY, kit.NOW, **changes))


@pytest.mark.parametrize("kind", ["es256", "ps256", "ed25519"])
def test_each_kind_of_key_signs_and_the_log_names_key_and_signature(kind: str) -> None:
    """PS256 must be supported: signing module, /signing/algorithm."""
    key = kit.key(f"{kind}-payload")
    signature = sign.signature(key, DIGEST, sign.said(key, kit.NOW))
    found = taken(signature, keys=ring(key))
    assert (found.body, found.digest, found.signature, found.signed_at) == (BODY, DIGEST, signature, NOW)
    assert found.told.key == key.thumbprint
    assert found.told.digest == hashlib.sha256(signature.encode()).digest()
    assert "Made up" not in repr(found)


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "jose"},
        {"x5t#S256": "A" * 43},
        {"crit": ["sigD", "b64", "iat"]},
        {"iat": kit.GONE, "sigT": "2025-06-15T15:06:40Z", "crit": ["sigT", "sigD", "b64"]},
        {"iat": kit.NOW - payloads.LIFETIME},
        {"iat": kit.NOW + 10},
        {"iat": kit.NOW + 0.5},
    ],
    ids=kit.name,
)
def test_what_the_form_leaves_open_is_taken(header: dict[str, Any]) -> None:
    assert taken(by_header(**header)).key.thumbprint == KEY.thumbprint


@pytest.mark.parametrize("name", ["SHA-512", "sha-256"])
def test_the_digest_may_be_another_one_of_the_same_body(name: str) -> None:
    """RFC 3230: names of algorithms are compared without regard to case; what is signed is the field as it was sent."""
    digest = sign.digest(BODY, name)
    assert taken(sign.signature(KEY, digest, sign.said(KEY, kit.NOW)), digest).digest == digest


WRONG_HEADERS: Final[dict[str, dict[str, Any]]] = {
    **{f"no {name}": {name: kit.GONE} for name in ("alg", "kid", "b64", "crit", "sigD", "iat")},
    "none": {"alg": "none"},
    "a MAC": {"alg": "HS256"},
    "PKCS 1": {"alg": "RS256"},
    "the algorithm of another key": {"alg": "PS256"},
    "no algorithm": {"alg": 7},
    "an unknown key": {"kid": "payload-9"},
    "a key of no name": {"kid": ["payload-1"]},
    "a key of its own": {"jwk": KEY.public},
    "a key elsewhere": {"jku": "https://example.org/jwks"},
    "a certificate elsewhere": {"x5u": "https://example.org/cert"},
    "a policy that we do not know": {"sigPId": {"id": "urn:x"}, "crit": ["b64", "sigD", "sigPId"]},
    "base64 payload": {"b64": True},
    "no boolean": {"b64": 0},
    "crit is no list": {"crit": "b64 sigD"},
    "crit names what is no name": {"crit": ["b64", "sigD", 7]},
    "crit is empty": {"crit": []},
    "crit lacks sigD": {"crit": ["b64"]},
    "crit lacks b64": {"crit": ["sigD"]},
    "crit repeats": {"crit": ["b64", "sigD", "sigD"]},
    "crit names what is not there": {"crit": ["b64", "sigD", "sigT"]},
    "crit names what is not understood": {"crit": ["b64", "sigD", "exp"]},
    "crit lacks sigT": {"iat": kit.GONE, "sigT": "2025-06-15T15:06:40Z"},
    "another mechanism": {"sigD": {"mId": "http://uri.etsi.org/19182/ObjectIdByURI", "pars": ["digest"]}},
    "more than the digest": {"sigD": {**sign.SIG_D, "pars": ["digest", "host"]}},
    "not the digest": {"sigD": {**sign.SIG_D, "pars": []}},
    "more in sigD": {"sigD": {**sign.SIG_D, "hashM": "S256"}},
    "another type": {"typ": "ketenbrug-agreement+jws"},
    "a type that is none": {"typ": ["jose"]},
    "a content type": {"cty": "json"},
    "two times": {"sigT": "2025-06-15T15:06:40Z", "crit": ["b64", "sigD", "sigT"]},
    "too old": {"iat": kit.NOW - payloads.LIFETIME - 11},
    "of tomorrow": {"iat": kit.NOW + 11},
    "no time": {"iat": True},
    "a time without end": {"iat": 1e400},
    "a time as text": {"iat": str(kit.NOW)},
    "a local time": {"iat": kit.GONE, "sigT": "2025-06-15T17:06:40+02:00", "crit": ["b64", "sigD", "sigT"]},
    "a day that is none": {"iat": kit.GONE, "sigT": "2025-02-31T15:06:40Z", "crit": ["b64", "sigD", "sigT"]},
    "an old sigT": {"iat": kit.GONE, "sigT": "2025-06-15T14:06:40Z", "crit": ["b64", "sigD", "sigT"]},
}


@pytest.mark.parametrize("name", WRONG_HEADERS)
def test_a_header_that_says_something_else_is_refused(name: str) -> None:
    """Each is signed by the registered key: it is the header alone that is wrong."""
    with pytest.raises(jose.Unreadable):
        taken(by_header(**WRONG_HEADERS[name]))


WHOLE: Final = json.dumps(sign.said(KEY, kit.NOW))


@pytest.mark.parametrize(
    "header",
    [
        WHOLE.replace("{", '{"kid": "other", ', 1),
        WHOLE.replace('"mId"', '"mId": "x", "mId"'),
        f"[{WHOLE}]",
        WHOLE[:-1],
        WHOLE.replace(str(kit.NOW), "9" * 400),
        WHOLE.replace(str(kit.NOW), "NaN"),
        "[" * 900,
        "\udcff",
    ],
    ids=["repeated", "repeated inside", "a list", "broken", "a huge number", "not a number", "deep", "no text"],
)
def test_a_header_that_two_readers_could_read_differently_is_refused(header: str) -> None:
    raw = header.encode("utf-8", "surrogateescape")
    shown = kit.b64(raw)
    made = kit.b64(KEY.signature(f"{shown}.digest: {DIGEST}".encode(), "ES256"))
    with pytest.raises(jose.Unreadable):
        taken(f"{shown}..{made}")


_shown, _, _made = GOOD.partition("..")


@pytest.mark.parametrize(
    ("signatures", "digests", "body"),
    [
        ([], [DIGEST], BODY),
        ([GOOD, GOOD], [DIGEST], BODY),
        ([GOOD], [], BODY),
        ([GOOD], [DIGEST, DIGEST], BODY),
        ([f"{GOOD}, {GOOD}"], [DIGEST], BODY),
        ([f"{_shown}.{kit.b64(BODY)}.{_made}"], [DIGEST], BODY),
        ([f"{_shown}..{_made}="], [DIGEST], BODY),
        ([f"{_shown}..{'A' * 86}"], [DIGEST], BODY),
        ([f"{_shown}..{'A' * 2_000}"], [DIGEST], BODY),
        ([f"{'A' * 2_100}..{_made}"], [DIGEST], BODY),
        ([f"{_shown}.."], [DIGEST], BODY),
        ([""], [DIGEST], BODY),
        ([GOOD], [DIGEST], BODY + b" "),
        ([GOOD], [DIGEST], b""),
        ([GOOD], [sign.digest(BODY, "SHA-512")], BODY),
        ([GOOD], [f"{DIGEST},{sign.digest(BODY, 'SHA-512')}"], BODY),
        ([GOOD], ["MD5=1B2M2Y8AsgTpgAmY7PhCfg=="], BODY),
        ([GOOD], [DIGEST.removeprefix("SHA-256=")], BODY),
        ([GOOD], [DIGEST.replace("=", ":", 1)], BODY),
    ],
    ids=kit.name,
)
def test_anything_but_one_signature_over_one_digest_of_this_body_is_refused(
    signatures: list[str], digests: list[str], body: bytes
) -> None:
    with pytest.raises(jose.Unreadable):
        payloads.verified(signatures, digests, body, ring(), NOW)


def test_another_key_of_the_same_client_did_not_sign_it() -> None:
    """The key is the one that `kid` names, and no other is tried."""
    other = kit.key("es256-other")
    with pytest.raises(jose.Unreadable, match="does not hold"):
        taken(keys=ring(other, KEY))


def test_what_else_a_key_signs_is_no_payload() -> None:
    """A proof, an assertion and a signed agreement have another form, and this one is none of theirs."""
    for text in (kit.proof(KEY), kit.assertion(KEY, "ngo-one")):
        with pytest.raises(jose.Unreadable):
            taken(text)
    header, _, signature = GOOD.partition("..")
    whole = f"{header}.{base64.urlsafe_b64encode(b'{}').decode().rstrip('=')}.{signature}"
    with pytest.raises(jose.Unreadable, match="not one that we take"):
        jose.verify(jose.peek(whole), jose.public_key(KEY.public))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80), st.binary(max_size=40))
def test_no_input_is_a_fault_of_ours(header: str, made: bytes) -> None:
    for signature in (header, f"{kit.b64(header.encode())}..{kit.b64(made)}"):
        with pytest.raises(jose.Unreadable):
            taken(signature)


@given(st.binary(max_size=60))
def test_no_header_of_json_is_a_fault_of_ours(raw: bytes) -> None:
    with pytest.raises(jose.Unreadable):
        taken(f"{kit.b64(b'{' + raw)}..{_made}")


@pytest.mark.parametrize("kind", ["es256", "ed25519", "ps256"])
def test_our_clients_sign_what_we_take(kind: str) -> None:
    jwk = _private(kind)
    headers = PayloadSigner(jwk).headers(BODY, kit.NOW)
    named = {name: jwk[name] for name in ("kty", "crv", "x", "y", "n", "e", "kid") if name in jwk}
    found = taken(headers["Payload-Signature"], headers["Digest"], keys=jose.key_ring([named]))
    assert found.body == BODY


def _private(kind: str) -> dict[str, Any]:
    match kind:
        case "es256":
            return dict(ECKey.generate_key("P-256").as_dict(private=True))
        case "ed25519":
            return dict(OKPKey.generate_key("Ed25519").as_dict(private=True)) | {"kid": "named"}
        case _:
            return {name: each for name, each in private("nlgov").items() if name not in {"alg", "use"}}


def test_a_payload_key_is_a_whole_private_key_and_shows_itself_nowhere(tmp_path: Path) -> None:
    good = _private("es256")
    for jwk in (
        {},
        {name: each for name, each in good.items() if name != "d"},
        good | {"crv": "P-384"},
        good | {"x": "AA"},
        good | {"d": 7},
        dict(RSAKey.generate_key(2_048, auto_kid=False).as_dict(private=True)),
    ):
        with pytest.raises(Misconfigured, match="payload key"):
            PayloadSigner(jwk)
    (file := tmp_path / "payload.jwk").touch(0o600)
    file.write_text(json.dumps(good))
    for signer in (load(good), load(str(file))):
        assert signer is not None
        assert good["d"] not in repr(signer)
    assert load(None) is None
    with pytest.raises(TypeError):
        PayloadSigner(good).__reduce__()


def found(signature: str = GOOD, digest: str = DIGEST, body: str = BODY.decode(), **key: Any) -> Evidence:
    """Evidence, with something changed."""
    return Evidence(body=body, digest=digest, payload_signature=signature, key=KEY.public | key, signed_at=NOW)


@pytest.mark.parametrize("kind", ["es256", "ps256", "ed25519"])
def test_evidence_is_held_without_the_server(kind: str) -> None:
    key = kit.key(f"{kind}-payload")
    signature = sign.signature(key, DIGEST, sign.said(key, kit.NOW))
    held = Evidence(body=BODY.decode(), digest=DIGEST, payload_signature=signature, key=key.public, signed_at=NOW)
    assert evidence.verify(held, key.thumbprint) == NOW
    assert evidence.signature_digest(held) == hashlib.sha256(signature.encode()).hexdigest()


def test_evidence_tells_the_time_in_either_form() -> None:
    older = by_header(iat=kit.GONE, sigT="2025-06-15T15:06:40Z", crit=["b64", "sigD", "sigT"])
    assert evidence.verify(found(older), KEY.thumbprint) == datetime(2025, 6, 15, 15, 6, 40, tzinfo=UTC)
    other = kit.key("ed25519-payload")
    named = sign.signature(other, DIGEST, sign.said(other, kit.NOW, alg="EdDSA"))
    held = Evidence(body=BODY.decode(), digest=DIGEST, payload_signature=named, key=other.public, signed_at=NOW)
    assert evidence.verify(held, other.thumbprint) == NOW


@pytest.mark.parametrize(
    ("held", "why"),
    [
        (found(body="another"), "not the one that was signed"),
        (found(digest="MD5=1B2M2Y8AsgTpgAmY7PhCfg=="), "no kind"),
        (found(**kit.key("es256-other").public), "another key"),
        (found(kty="oct"), "not well-formed"),
        (found(x="AA"), "not well-formed"),
        (found(_made), "no detached JWS|not a detached JWS"),
        (found(f"{kit.b64(b'nothing')}..{_made}"), "not well-formed"),
        (found(f"{kit.b64(b'{}')}..{_made}"), "not well-formed"),
        (found(by_header(b64=True)), "something else"),
        (found(by_header(alg="RS256")), "something else"),
        (found(by_header(sigD={})), "something else"),
        (found(f"{_shown}..{'A' * 86}"), "does not hold"),
        (found(by_header(iat=kit.GONE)), "not well-formed"),
    ],
    ids=kit.name,
)
def test_evidence_that_was_changed_does_not_hold(held: Evidence, why: str) -> None:
    with pytest.raises(evidence.EvidenceInvalid, match=why):
        evidence.verify(held, KEY.thumbprint)
