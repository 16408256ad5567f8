"""Whom the service believes about certificates, and what it reads of one: pure, with real certificates."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import stat
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from joserfc.jwk import ECKey

from api import settings
from api.errors import Misconfigured
from api.oauth import certificate
from api.oauth.hop import Hop, Unvouched
from api.oauth.jose import Unreadable
from api.oauth.metadata import authorization_server
from api.oauth.signing import SigningKeys
from api.oauth.tokens import Issuer
from tests import mtls_kit as kit
from tests.oauth_kit import NOW

if TYPE_CHECKING:
    from pathlib import Path

GOOD = kit.certificate("good")
KEY = kit.HOP_KEY.encode()
PROXY = "10.0.0.7"
BY_KEY = Hop(keys=(hashlib.sha256(KEY).digest(),))
BY_ADDRESS = Hop(frozenset({ipaddress.ip_address(PROXY), ipaddress.ip_address("fd00::7")}))
BY_BOTH = Hop(BY_ADDRESS.addresses, BY_KEY.keys)
SHOWN = f":{base64.b64encode(GOOD.der).decode()}:".encode()


def fields(*pairs: tuple[str, bytes]) -> list[tuple[bytes, bytes]]:
    return [(b"host", b"x"), *((name.encode(), value) for name, value in pairs)]


CERT = ("client-cert", SHOWN)
SECRET = ("client-cert-hop-key", KEY)


@pytest.mark.parametrize(
    ("hop", "peer", "sent"),
    [
        (BY_KEY, None, (CERT, SECRET)),
        (BY_KEY, "203.0.113.9", (SECRET, CERT)),
        (BY_ADDRESS, PROXY, (CERT,)),
        (BY_ADDRESS, "fd00::7", (CERT, ("client-cert-hop-key", b"which nobody asked for"))),
        (BY_BOTH, PROXY, (CERT, SECRET)),
        (BY_KEY, None, (CERT, SECRET, ("client-cert-chain", b"anything"))),
    ],
)
def test_the_pinned_hop_is_believed(hop: Hop, peer: str | None, sent: Any) -> None:
    found = hop.read(fields(*sent), peer)
    assert isinstance(found, certificate.Certificate)
    assert (found.thumbprint, found.oin) == (GOOD.thumbprint, kit.OIN)
    assert found.digest == hashlib.sha256(GOOD.der).digest()


@pytest.mark.parametrize(
    ("hop", "peer", "sent"),
    [
        (Hop(), PROXY, (CERT,)),
        (Hop(), PROXY, (CERT, SECRET)),
        (Hop(), None, (("client-cert-chain", b""),)),
        (BY_KEY, PROXY, (CERT,)),
        (BY_KEY, PROXY, (CERT, ("client-cert-hop-key", KEY + b"x"))),
        (BY_KEY, PROXY, (CERT, ("client-cert-hop-key", b""))),
        (BY_KEY, PROXY, (CERT, SECRET, SECRET)),
        (BY_KEY, PROXY, (CERT, SECRET, ("client-cert-hop-key", b"x"))),
        (BY_KEY, PROXY, (("client-cert-hop-key", b"x"),)),
        (BY_ADDRESS, "10.0.0.8", (CERT, SECRET)),
        (BY_ADDRESS, "127.0.0.1", (CERT,)),
        (BY_ADDRESS, None, (CERT,)),
        (BY_ADDRESS, "/run/a.sock", (CERT,)),
        (BY_BOTH, PROXY, (CERT,)),
        (BY_BOTH, "10.0.0.8", (CERT, SECRET)),
    ],
)
def test_nobody_else_is(hop: Hop, peer: str | None, sent: Any) -> None:
    """RFC 9440 section 4: also where no hop is pinned, nobody should believe that the certificate counted."""
    found = hop.read(fields(*sent), peer)
    assert isinstance(found, Unvouched)
    assert found.code == "not-the-hop"


def test_who_sends_none_of_the_fields_is_nobody() -> None:
    assert BY_BOTH.read(fields(("client-certificate", b"x")), None) is None
    assert BY_KEY.read(fields(SECRET), None) is None  # the hop, about a connection without a certificate


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ((CERT, CERT), "repeated"),
        ((CERT, ("client-cert-chain", b""), ("client-cert-chain", b"")), "repeated"),
        ((("client-cert-chain", b":AAAA:"),), "alone"),
        *(
            ((("client-cert", value),), "unreadable")
            for value in (
                b"",
                b"::",
                base64.b64encode(GOOD.der),
                SHOWN + b";a=1",
                b" " + SHOWN,
                SHOWN + b", " + SHOWN,
                b":AAAAAA:",
                b":" + base64.urlsafe_b64encode(GOOD.der) + b":",
                b":AAA:",
                b":AAAAA:",
                b":AAAA=:",
                b":AAAAAB==:",
                b":" + base64.b64encode(GOOD.der[:-1]) + b":",
                b":" + base64.b64encode(GOOD.der + b"\0") + b":",
                b":" + base64.b64encode(GOOD.pem.encode()) + b":",
                b":" + base64.b64encode(bytes(certificate.DER_MOST + 1)) + b":",
                GOOD.pem.replace("\n", "%0A").encode(),
                b"\xff",
            )
        ),
    ],
)
def test_even_the_hop_says_it_exactly(sent: Any, code: str) -> None:
    """One way to write a certificate: two readers of the field can never see two."""
    found = BY_KEY.read(fields(SECRET, *sent), None)
    assert isinstance(found, Unvouched)
    assert found.code == code


@pytest.mark.parametrize(
    ("serial", "oin"),
    [
        (kit.OIN, kit.OIN),
        ("00000003123456780000", "00000003123456780000"),
        ("", None),
        ((kit.OIN, kit.OIN), None),
        ((kit.OIN, "00000099000000002000"), None),
        (kit.OIN + "0", None),
        (" " + kit.OIN, None),
        ("00000002123456780000", None),
        ("NTRNL-12345678", None),
    ],
)
def test_the_oin_is_the_one_serial_number_of_the_subject(serial: Any, oin: str | None) -> None:
    assert certificate.read(kit.certificate("", serial).der).oin == oin


def test_a_certificate_holds_from_its_beginning_to_its_end() -> None:
    found = certificate.read(GOOD.der)
    second = timedelta(seconds=1)
    assert not found.holds(found.begins - second)
    assert found.holds(found.begins)
    assert found.holds(datetime.fromtimestamp(NOW, UTC))
    assert found.holds(found.ends)
    assert not found.holds(found.ends + second)


@pytest.mark.parametrize("text", ["", "x", GOOD.key_pem, GOOD.pem + GOOD.pem, "\u20ac"])
def test_a_file_of_a_certificate_holds_one(text: str) -> None:
    with pytest.raises(Unreadable):
        certificate.der_of(text)
    assert certificate.der_of(GOOD.pem) == GOOD.der


def test_without_a_hop_the_metadata_say_nothing_of_certificates() -> None:
    document = authorization_server(Issuer("https://a", "https://a/v1", SigningKeys(ECKey.generate_key("P-256"))))
    assert document["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert not [name for name in document if "tls" in name]


# What an operator sets.

BASE = {
    "KETENBRUG_DATABASE_URL": "postgresql://ketenbrug@db.example/ketenbrug",
    "KETENBRUG_PUBLIC_URL": "https://ketenbrug.example",
}
MTLS = {"KETENBRUG_MTLS_URL": "https://mtls.ketenbrug.example"}


def serving(**given: object) -> settings.Settings:
    with CliRunner(env=BASE | {f"KETENBRUG_{name.upper()}": str(value) for name, value in given.items()}).isolation():
        return settings.serving()


def key_file(folder: Path, text: str, mode: int = 0o400) -> Path:
    file = folder / "hop"
    file.write_text(text)
    file.chmod(mode)
    return file


def test_a_hop_is_pinned_by_key_and_address(tmp_path: Path) -> None:
    """Two keys, while they are replaced: the proxy sends the one or the other."""
    file = key_file(tmp_path, f"{'a' * 43}\n{kit.HOP_KEY}\n")
    found = serving(mtls_url=kit.URL, hop_key_file=file, hop_addresses='["10.0.0.7", "fd00::7"]').hop()
    assert (found.addresses, found.url, len(found.keys)) == (BY_ADDRESS.addresses, kit.URL, 2)
    assert isinstance(found.read(fields(CERT, SECRET), PROXY), certificate.Certificate)
    assert kit.HOP_KEY not in repr(found)
    assert serving().hop() == Hop()


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"mtls_url": kit.URL}, "HOP_KEY_FILE: pin the proxy"),
        ({"hop_addresses": '["10.0.0.7"]'}, "MTLS_URL: scheme"),
        ({"mtls_url": "http://10.0.0.7", "hop_addresses": '["10.0.0.7"]'}, "MTLS_URL: scheme"),
        ({"mtls_url": kit.URL + "/x", "hop_addresses": '["10.0.0.7"]'}, "MTLS_URL: scheme"),
        ({"mtls_url": kit.URL, "hop_addresses": '["127.0.0.1"]'}, "HOP_ADDRESSES: every program"),
        ({"mtls_url": kit.URL, "hop_addresses": '["::1"]'}, "HOP_ADDRESSES: every program"),
        ({"mtls_url": kit.URL, "hop_key_file": "/nowhere/to/be/found"}, "cannot be read"),
    ],
)
def test_a_hop_that_pins_nobody_is_no_start(given: dict[str, str], fault: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        serving(**given)
    (told,) = refused.value.faults
    assert fault in told


@pytest.mark.parametrize(
    ("text", "mode", "fault"),
    [
        ("a" * 43, 0o440, "chmod 0400"),
        ("a" * 42, 0o400, "one or two keys"),
        ("", 0o400, "one or two keys"),
        (f"{'a' * 43} {'b' * 43} {'c' * 43}", 0o400, "one or two keys"),
        ("a" * 43 + "!", 0o400, "one or two keys"),
    ],
)
def test_a_key_of_the_hop_is_long_and_nobody_elses(tmp_path: Path, text: str, mode: int, fault: str) -> None:
    file = key_file(tmp_path, text, mode)
    assert stat.S_IMODE(file.stat().st_mode) == mode
    with pytest.raises(Misconfigured) as refused:
        serving(mtls_url=kit.URL, hop_key_file=file)
    (told,) = refused.value.faults
    assert fault in told
    assert not text or text not in told
