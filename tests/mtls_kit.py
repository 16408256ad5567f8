"""Certificates of clients as an authority makes them, and what the hop where TLS ends says about a connection."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests import oauth_kit as kit

if TYPE_CHECKING:
    from collections.abc import Sequence

OIN: Final = "00000099000000001000"
HOP_KEY: Final = "the-hop-key-of-the-tests-and-of-nothing-else"
URL: Final = "https://mtls.ketenbrug.test"
TOKEN_URL: Final = f"{URL}/oauth/token"
DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Certificate:
    """A certificate and its private key."""

    made: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def der(self) -> bytes:
        """Its DER."""
        return self.made.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> str:
        """Its PEM."""
        return self.made.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        """The private key, as PEM."""
        form = serialization.PrivateFormat.PKCS8
        made = self.key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        return made.decode()

    @property
    def thumbprint(self) -> str:
        """`x5t#S256`."""
        return kit.b64(hashlib.sha256(self.der).digest())

    @property
    def fields(self) -> dict[str, str]:
        """What the hop sends about a connection with it."""
        return {"Client-Cert": f":{base64.b64encode(self.der).decode()}:", "Client-Cert-Hop-Key": HOP_KEY}


class Authority:
    """An authority that issues them."""

    def __init__(self, name: str = "An authority of the tests") -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.root = Certificate(self._made(self.name, self.key, at=kit.NOW, days=(-30, 3_650), ca=True), self.key)

    def issue(
        self,
        serial: str | Sequence[str] = OIN,
        *,
        at: float = kit.NOW,
        days: tuple[float, float] = (-30, 300),
        usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
        names: Sequence[str] = (),
    ) -> Certificate:
        """One whose subject has this `serialNumber`, or these. `days`: from when to when it holds, from `at`."""
        key = ec.generate_private_key(ec.SECP256R1())
        serials = [serial] if isinstance(serial, str) else list(serial)
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, "NL"),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "An NGO"),
                *(x509.NameAttribute(NameOID.SERIAL_NUMBER, each) for each in serials if each),
                x509.NameAttribute(NameOID.COMMON_NAME, "ngo.example"),
            ]
        )
        return Certificate(self._made(subject, key, at=at, days=days, usage=usage, names=names), key)

    def revoked(self, *those: Certificate, at: datetime) -> str:
        """A list of what it revoked, as PEM."""
        listed = x509.CertificateRevocationListBuilder().issuer_name(self.name)
        listed = listed.last_update(at - DAY).next_update(at + DAY)
        for each in those:
            made = x509.RevokedCertificateBuilder().serial_number(each.made.serial_number)
            listed = listed.add_revoked_certificate(made.revocation_date(at - DAY).build())
        return listed.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()

    def _made(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *,
        at: float,
        days: tuple[float, float],
        ca: bool = False,
        usage: x509.ObjectIdentifier | None = None,
        names: Sequence[str] = (),
    ) -> x509.Certificate:
        now = datetime.fromtimestamp(at, UTC)
        built: Any = x509.CertificateBuilder(
            issuer_name=self.name,
            subject_name=subject,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now + days[0] * DAY,
            not_valid_after=now + days[1] * DAY,
        ).add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        if usage is not None:
            built = built.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names:
            alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
            built = built.add_extension(alternative, critical=False)
        made: x509.Certificate = built.sign(self.key, hashes.SHA256())
        return made


@cache
def authority() -> Authority:
    """The same one each time."""
    return Authority()


@cache
def certificate(name: str, serial: str | tuple[str, ...] = OIN, days: tuple[float, float] = (-30, 300)) -> Certificate:
    """The certificate of this name, the same one each time."""
    del name
    return authority().issue(serial, days=days)
