"""Receipts of consents, and signatures under agreements: who can make them, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from joserfc.jwk import ECKey, OKPKey

from api.consent import document, receipts, signatures
from api.oauth import jose
from api.oauth.signing import SigningKey
from api.vocabulary import ConsentEventKind, ConsentKind
from tests import consent_kit as kit
from tests import oauth_kit
from tests.unit.test_consent_record import MONTHS, facts

K = ConsentEventKind
KEY = ECKey.generate_key("P-256")
RING = jose.key_ring([KEY.as_dict(private=False) | {"kid": KEY.thumbprint()}])
TEXT = document.canonical({"title": "Afspraak über ضع", "version": 1})


def test_a_receipt_says_what_was_asked_answered_and_how_to_take_it_back() -> None:
    """In the shape of ISO/IEC TS 27560: header, processing, parties, events."""
    made = receipts.receipt(facts(K.GIVEN, K.WITHDRAWN), kit.number(900), kit.NGO, kit.OTHER_NGO, kit.NOW)
    assert made["schemaVersion"] == receipts.PROFILE
    assert made["status"] == "dpv:ConsentWithdrawn"
    assert [each["status"] for each in made["events"]] == ["dpv:ConsentGiven", "dpv:ConsentWithdrawn"]
    assert made["processing"][0]["function"] == "legal-screening"
    assert made["processing"][0]["validUntil"].endswith("Z")
    assert made["parties"][1]["oin"] == kit.NGO.oin
    assert "withdrawal" in made["rights"]
    json.dumps(made)


def test_a_receipt_of_an_authority_names_no_function_and_may_lack_an_oin() -> None:
    """And one whose time is over says so."""
    plain = replace(kit.IND, oin=None)
    found = replace(facts(K.GIVEN), function=None, kind=ConsentKind.AUTHORISATION)
    made = receipts.receipt(found, kit.number(900), plain, kit.NGO, kit.NOW + MONTHS)
    assert "function" not in made["processing"][0]
    assert "oin" not in made["parties"][1]
    assert made["status"] == "dpv:ConsentExpired"
    assert "safeguard beside the legal ground" in made["processing"][0]["meaning"]


async def test_a_receipt_is_signed_and_shows_no_key() -> None:
    """Anybody who has the published keys can check the paper."""
    signer = receipts.Signer(lambda _: SigningKey.of(KEY))
    made = receipts.receipt(facts(K.REFUSED), kit.number(900), kit.NGO, kit.NGO, kit.NOW)
    text = await signer.sign(made, kit.NOW)
    assert receipts.verified(text, RING) == made
    assert repr(signer) == "<Signer>"
    head, _, signature = text.split(".")
    forged = f"{head}.{oauth_kit.b64(json.dumps(made | {'status': 'dpv:ConsentGiven'}).encode())}.{signature}"
    with pytest.raises(jose.Unreadable):
        receipts.verified(forged, RING)


def test_a_token_of_the_same_key_is_no_receipt() -> None:
    """The type in the header keeps them apart."""
    token = jose.sign({"alg": "ES256", "typ": "at+jwt", "kid": KEY.thumbprint()}, {"a": 1}, KEY)
    with pytest.raises(jose.Unreadable, match="not a receipt"):
        receipts.verified(token, RING)


@pytest.mark.parametrize("alg", ["ES256", "Ed25519", "PS256"])
def test_a_party_signs_the_canonical_bytes(alg: str) -> None:
    """With any key that the exchange takes; made by a client that shares nothing with us."""
    key = oauth_kit.key({"ES256": "es256", "Ed25519": "ed25519", "PS256": "ps256"}[alg])
    header = oauth_kit.b64(json.dumps({"alg": alg, "kid": "one", "typ": signatures.TYPE}).encode())
    signature = oauth_kit.b64(key.signature(f"{header}.{oauth_kit.b64(TEXT)}".encode(), alg))
    ring = jose.key_ring([key.public | {"kid": "one"}])
    assert signatures.verified(f"{header}..{signature}", TEXT, ring) == "one"
    with pytest.raises(jose.Unreadable):
        signatures.verified(f"{header}..{signature}", TEXT + b" ", ring)


def test_our_own_helper_makes_such_a_signature() -> None:
    """For the sandbox, where we hold the parties' keys."""
    made = signatures.make(TEXT, KEY, KEY.thumbprint(), "ES256")
    assert ".." in made
    assert signatures.verified(made, TEXT, RING) == KEY.thumbprint()
    okp = OKPKey.generate_key("Ed25519")
    ring = jose.key_ring([okp.as_dict(private=False) | {"kid": "okp"}])
    assert signatures.verified(signatures.make(TEXT, okp, "okp", "Ed25519"), TEXT, ring) == "okp"


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "ES256", "typ": signatures.TYPE},
        {"alg": "ES256", "kid": 7, "typ": signatures.TYPE},
        {"alg": "ES256", "kid": "nobody", "typ": signatures.TYPE},
        {"alg": "ES256", "kid": KEY.thumbprint(), "typ": "JWT"},
        {"alg": "none", "kid": KEY.thumbprint(), "typ": signatures.TYPE},
        {"alg": "HS256", "kid": KEY.thumbprint(), "typ": signatures.TYPE},
        {"alg": "ES256", "kid": KEY.thumbprint(), "typ": signatures.TYPE, "crit": ["b64"], "b64": False},
        ["not", "an", "object"],
    ],
)
def test_a_signature_with_another_header_is_refused(header: object) -> None:
    """A key that is not registered, another type, an algorithm that is not ours, an extension."""
    made = signatures.make(TEXT, KEY, KEY.thumbprint(), "ES256")
    forged = f"{oauth_kit.b64(json.dumps(header).encode())}..{made.split('.')[2]}"
    with pytest.raises(jose.Unreadable):
        signatures.verified(forged, TEXT, RING)


@pytest.mark.parametrize("text", ["", "..", "a..b", "aa.aa.aa", "e30..e30=", "_w.._w", "e.30..aa"])
def test_what_is_no_detached_signature_is_refused(text: str) -> None:
    """Nothing of what was sent is in the message."""
    with pytest.raises(jose.Unreadable) as refused:
        signatures.verified(text, TEXT, RING)
    assert not text or text not in str(refused.value)
