"""The hop where TLS ends: the only one whose word about the certificate of a client counts (RFC 8705, RFC 9440).

The service does not end TLS itself. A proxy asks the client for its certificate, checks it, and passes it on:

    Client-Cert           the certificate, as RFC 9440 section 2.2 has it
    Client-Cert-Hop-Key   a secret that this proxy and the service share

Whoever sends one of these and is not the pinned hop is refused, also when no hop is pinned: RFC 9440 section 4 lets a
certificate that anybody may claim count as none, and here nobody should believe that it did. A hop is pinned by the
address that it connects from, by the key, or by both. An address of the machine itself pins nothing: every program
there has it.

Each field comes once and is exact; there is one way to write a certificate. The chain (`Client-Cert-Chain`) is for
whoever checks it, which the hop has done: it is not read, and may not come alone. None of the fields goes further in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import os
import re
from dataclasses import dataclass, field
from pathlib import Path  # noqa: TC003 - Pydantic reads it
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urlsplit

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.crypto import secretfile
from api.errors import Misconfigured
from api.oauth import certificate
from api.oauth.certificate import DER_MOST
from api.oauth.jose import Unreadable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.oauth.certificate import Certificate

CERTIFICATE: Final = b"client-cert"
CHAIN: Final = b"client-cert-chain"
KEY: Final = b"client-cert-hop-key"
FIELDS: Final = frozenset({CERTIFICATE, CHAIN, KEY})

_KEYS_MOST: Final = 2
"""The one in use, and the one before or after it."""
_KEY: Final = re.compile(r"[A-Za-z0-9_-]{43,128}")
_KEY_FILE_MOST: Final = 1_024
_BYTES: Final = re.compile(rb":([A-Za-z0-9+/]{4,%d}={0,2}):" % (DER_MOST * 4 // 3 + 4))

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Fields: TypeAlias = "Sequence[tuple[bytes, bytes]]"


@dataclass(frozen=True, slots=True)
class Unvouched:
    """Refused: which field is wrong, a word for how, and a sentence. Nothing of what was sent is in it."""

    name: str
    code: str
    message: str


_FOREIGN: Final = Unvouched(
    "Client-Cert", "not-the-hop", "Only the proxy where TLS ends may send this: connect to it without this header."
)
_REPEATED: Final = Unvouched("Client-Cert", "repeated", "Each of the fields comes once.")
_ALONE: Final = Unvouched("Client-Cert-Chain", "alone", "A chain comes with the certificate that it is of.")
_UNREADABLE: Final = Unvouched("Client-Cert", "unreadable", "One certificate, DER, as a byte sequence of RFC 9440.")


@dataclass(frozen=True, slots=True)
class Hop:
    """The pinned hop. `keys` are digests. Without addresses and keys there is none, and nobody is believed.

    `url`: where clients reach it, as an origin.
    """

    addresses: frozenset[Address] = frozenset()
    keys: tuple[bytes, ...] = field(default=(), repr=False)
    url: str = ""

    def read(self, headers: Fields, peer: str | None) -> Certificate | Unvouched | None:
        """The certificate that the hop vouches for; None when none of the fields came."""
        sent = [(name, value) for name, value in headers if name in FIELDS]
        if not sent:
            return None
        names, fields = [name for name, _ in sent], dict(sent)
        # (1) the hop, and nobody else
        if names.count(KEY) > 1 or not self._is_pinned(fields.get(KEY, b""), peer):
            return _FOREIGN
        if len(fields) < len(names):
            return _REPEATED
        # (2) a chain belongs to a certificate (RFC 9440 section 2.3)
        if CERTIFICATE not in fields:
            return _ALONE if CHAIN in fields else None
        # (3) one certificate, exactly written (RFC 9440 section 2.2)
        try:
            return certificate.read(_decoded(fields[CERTIFICATE]))
        except Unreadable:
            return _UNREADABLE

    def _is_pinned(self, key: bytes, peer: str | None) -> bool:
        if not (self.addresses or self.keys):
            return False
        if self.addresses and _address(peer) not in self.addresses:
            return False
        digest = hashlib.sha256(key).digest()
        return not self.keys or any(hmac.compare_digest(digest, known) for known in self.keys)


class HopSettings(BaseSettings):
    """Where clients connect with their certificate, and who tells us that they did."""

    model_config = SettingsConfigDict(env_prefix="KETENBRUG_", frozen=True, extra="ignore")

    mtls_url: str = Field("", description="Where clients with a certificate see us: an origin. None do when empty.")
    hop_addresses: tuple[Address, ...] = Field((), description="From where the proxy connects that ends their TLS.")
    hop_key_file: Path | None = Field(
        None, description="Its key, 43 to 128 characters; a second line holds the next one."
    )

    def hop_faults(self) -> list[str]:
        """What is wrong with them, in sentences."""
        if not (self.mtls_url or self.hop_addresses or self.hop_key_file):
            return []
        faults: list[str] = []
        parts = urlsplit(self.mtls_url)
        if parts.scheme != "https" or not parts.hostname or parts.path or parts.query or parts.username:
            faults.append("KETENBRUG_MTLS_URL: scheme, host and port only, such as https://mtls.ketenbrug.example.org")
        if not (self.hop_addresses or self.hop_key_file):
            faults.append("KETENBRUG_HOP_KEY_FILE: pin the proxy that passes certificates on, by key or address")
        if self.hop_key_file is None and any(each.is_loopback for each in self.hop_addresses):
            faults.append("KETENBRUG_HOP_ADDRESSES: every program of this machine has this address; pin a key as well")
        try:
            self.hop()
        except Misconfigured as error:
            faults.extend(error.faults)
        return faults

    def hop(self) -> Hop:
        """The pinned hop. Raises `Misconfigured`."""
        keys = () if self.hop_key_file is None else _keys(self.hop_key_file)
        return Hop(frozenset(self.hop_addresses), keys, self.mtls_url)


def _keys(file: Path) -> tuple[bytes, ...]:
    """The digests of the keys of a file, which nobody else can read. Raises `Misconfigured`."""
    try:
        with file.open() as opened:
            mode, text = os.fstat(opened.fileno()).st_mode, opened.read(_KEY_FILE_MOST)
    except (OSError, ValueError):
        raise Misconfigured((f"KETENBRUG_HOP_KEY_FILE: {file} cannot be read",)) from None
    if mode & secretfile.OTHERS:
        raise Misconfigured((f"KETENBRUG_HOP_KEY_FILE: {file} is open to group or others: chmod 0400 it",))
    keys = text.split()
    if not 1 <= len(keys) <= _KEYS_MOST or not all(_KEY.fullmatch(key) for key in keys):
        raise Misconfigured(("KETENBRUG_HOP_KEY_FILE: one or two keys, as `openssl rand -hex 32` makes them",))
    return tuple(hashlib.sha256(key.encode()).digest() for key in keys)


def _address(peer: str | None) -> Address | None:
    try:
        return ipaddress.ip_address(peer or "")
    except ValueError:
        return None


def _decoded(value: bytes) -> bytes:
    """The bytes of a byte sequence (RFC 9651 section 3.3.5) that is written in the one canonical way."""
    found = _BYTES.fullmatch(value)
    if found is None:
        raise Unreadable("not a byte sequence")
    try:
        der = base64.b64decode(found[1], validate=True)
    except ValueError:
        raise Unreadable("not base64") from None
    if base64.b64encode(der) != found[1]:
        raise Unreadable("not canonical base64")
    return der
