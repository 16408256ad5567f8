"""Certificates of clients (RFC 8705): what one says of itself.

Who issued it, that it is for clients and that it was not revoked is found where TLS ends (`api.oauth.hop`), by the
authorities that the operator named there. Here is read which one it is, whose, and from when to when it holds.

The OIN stands in the `serialNumber` of the subject (2.5.4.5), as PKIoverheid has it: exactly one, and nothing but it.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from api.oauth.jose import Unreadable
from api.oauth.model import OIN

if TYPE_CHECKING:
    from datetime import datetime

DER_MOST: Final = 6_144
"""Bytes. One of PKIoverheid with an RSA key of 4096 bits has some 2,300."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """One that was read, which holds from `begins` up to `ends`.

    `thumbprint`: `x5t#S256`, SHA-256 of its DER (RFC 8705 section 3.1). `oin`: as its subject has it, if it does.
    """

    thumbprint: str
    oin: str | None
    begins: datetime
    ends: datetime

    @property
    def digest(self) -> bytes:
        """SHA-256 of its DER: the bytes of the thumbprint."""
        return base64.urlsafe_b64decode(self.thumbprint + "=")

    def holds(self, now: datetime) -> bool:
        """Whether it is valid at this moment: a connection, or a session that is resumed, may outlive it."""
        return self.begins <= now <= self.ends


def read(der: bytes) -> Certificate:
    """Read a certificate. Raises `Unreadable`."""
    if len(der) > DER_MOST:
        raise Unreadable("the certificate is too long")
    try:
        found = x509.load_der_x509_certificate(der)
        named = found.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
        begins, ends = found.not_valid_before_utc, found.not_valid_after_utc
    except (ValueError, x509.InvalidVersion):
        raise Unreadable("not a certificate (DER, X.509 version 3)") from None
    serial = str(named[0].value) if len(named) == 1 else ""
    thumbprint = base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()
    return Certificate(thumbprint, serial if OIN.fullmatch(serial) else None, begins, ends)


def der_of(pem: str) -> bytes:
    """The DER of the one certificate that a PEM text holds. Raises `Unreadable`."""
    try:
        (found,) = x509.load_pem_x509_certificates(pem.encode())
        return found.public_bytes(serialization.Encoding.DER)
    except ValueError:
        raise Unreadable("not a file of one certificate (PEM)") from None
