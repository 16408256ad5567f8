"""Values of the oauth room: a client as it stands, and what is asked to be registered."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from api.oauth import jose

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from api.oauth.certificate import Certificate
    from api.oauth.jose import KeyRing
    from api.principal import Organisation
    from api.vocabulary import ClientId, Municipality, OrganisationId, Party, Scope

PRIVATE_KEY_JWT: Final = "private_key_jwt"
TLS_CLIENT_AUTH: Final = "tls_client_auth"
METHODS: Final = (PRIVATE_KEY_JWT, TLS_CLIENT_AUTH)
"""How a client proves itself at our endpoints: one of them, as it was registered (RFC 7523, RFC 8705)."""

KEYS_MOST: Final = 4
"""Keys of one client: the one in use, its successor, and some for machines that have their own."""

KEYS_LAST: Final = timedelta(days=365)
"""For how long a client uses the same keys. After that it is told, and not stopped: people depend on it."""

KEYS_WARNED: Final = timedelta(days=30)
"""How long before that it is told."""

CLIENT_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,63}")
_OURS: Final = frozenset({"console", "local-operator"})
"""By which the log names people at the door, and who acts from the command line: no machine is called so."""
OIN: Final = re.compile(r"(?:0000000[13468]|00000099)[0-9]{12}")
"""Logius: RSIN, KvK, sub-OIN, head number, foreign, test."""


@dataclass(frozen=True, slots=True)
class Designation:
    """A designation under Aliens Act 2000 article 107(8): where it was published, and from when it holds."""

    source: str
    date: date


@dataclass(frozen=True, slots=True)
class NewOrganisation:
    """An organisation to be registered. `signing_jwks`: public keys that sign agreements for it."""

    id: OrganisationId
    kind: Party
    name: str
    oin: str | None = None
    municipalities: frozenset[Municipality] = frozenset()
    designation: Designation | None = None
    signing_jwks: tuple[Mapping[str, object], ...] = ()

    def faults(self) -> tuple[str, ...]:
        """What is wrong with it, in sentences."""
        found: list[str] = []
        if not self.name.strip():
            found.append("an organisation needs a name")
        if self.oin is not None and not OIN.fullmatch(self.oin):
            found.append("an OIN has twenty digits and begins with a prefix that Logius gives out")
        if self.designation is not None and not self.designation.source.strip():
            found.append("a designation needs its source")
        if self.signing_jwks:
            found.extend(key_faults(self.signing_jwks))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Pin:
    """A certificate that a client is held to: its thumbprint (`x5t#S256`), and until when it is valid."""

    thumbprint: str
    ends: datetime

    @classmethod
    def of(cls, certificate: Certificate) -> Pin:
        """What is kept of a certificate."""
        return cls(certificate.thumbprint, certificate.ends)

    def stored(self) -> dict[str, str]:
        """Its JSON, in the database."""
        return {"x5t#S256": self.thumbprint, "ends": self.ends.isoformat()}

    @classmethod
    def taken(cls, stored: Mapping[str, str]) -> Pin:
        """As it was stored."""
        return cls(stored["x5t#S256"], datetime.fromisoformat(stored["ends"]))


@dataclass(frozen=True, slots=True)
class NewClient:
    """A machine client to be registered, with its public keys, or the address at which it publishes them.

    `certificates`: not None for one that proves itself by a certificate (RFC 8705). That has the OIN of its
    organisation, and is one of these if there are any.
    """

    id: ClientId
    organisation_id: OrganisationId
    jwks: tuple[Mapping[str, object], ...]
    scopes: frozenset[Scope]
    jwks_uri: str | None = None
    certificates: tuple[Certificate, ...] | None = None

    def faults(self) -> tuple[str, ...]:
        """What is wrong with it, in sentences."""
        found: list[str] = []
        if not CLIENT_ID.fullmatch(self.id):
            found.append("a client id has 2 to 64 lower-case letters, digits and hyphens")
        if self.id in _OURS:
            found.append("this client id is how the log names who is no machine")
        if not self.scopes:
            found.append("a client needs at least one scope")
        if self.certificates is not None:
            if self.jwks or self.jwks_uri is not None:
                found.append("a client proves itself by keys or by a certificate, and not by both")
        elif self.jwks_uri is None:
            found.extend(key_faults(self.jwks))
        else:
            if self.jwks:
                found.append("a client either gives its keys or says where it publishes them")
            found.extend(_address_faults(self.jwks_uri))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Client:
    """A client as it was read, with its organisation. `epoch` tells which version of it this is.

    `keys_since`: when its keys last changed. `jwks_uri`: where it publishes them; `keys` were found there last.
    `encryption_jwk`: what its answers are sealed to (`api.crypto.jwe`). `payload_jwks`: what signs its payloads.
    `pins`: as `certificates` of `NewClient`.
    """

    id: ClientId
    organisation: Organisation
    keys: KeyRing
    scopes: frozenset[Scope]
    grant: str
    enabled: bool
    epoch: int
    keys_since: datetime
    jwks_uri: str | None = None
    encryption_jwk: str | None = None
    payload_jwks: str | None = None
    pins: tuple[Pin, ...] | None = None

    @property
    def method(self) -> str:
        """How it proves itself: a word of `METHODS`."""
        return PRIVATE_KEY_JWT if self.pins is None else TLS_CLIENT_AUTH

    def takes(self, shown: Certificate, now: datetime) -> bool:
        """Whether a certificate that the hop vouches for is one by which it proves itself."""
        # (1) for now: the connection may be older
        # (2) of its organisation, as the authority wrote it down
        # (3) one that it is held to, if there are any
        of_organisation = shown.oin is not None and shown.oin == self.organisation.oin
        return self.pins is not None and shown.holds(now) and of_organisation and self.is_held_to(shown.thumbprint)

    def is_held_to(self, x5t: str | None) -> bool:
        """Whether it may come with this certificate, as far as it is held to some."""
        return not self.pins or x5t in {pin.thumbprint for pin in self.pins}


def renew_by(keys_since: datetime) -> date:
    """The day by which keys that were registered at this moment are to be replaced."""
    return (keys_since + KEYS_LAST).date()


def certificate_faults(certificates: Sequence[Certificate], oin: str | None, now: datetime) -> list[str]:
    """What is wrong with the certificates that a client of an organisation is to be held to, in sentences."""
    found: list[str] = []
    if oin is None:
        found.append("a client with a certificate needs an organisation with an OIN: it is what the certificate names")
    elif any(each.oin != oin for each in certificates):
        found.append("the serialNumber in the subject of each certificate is the OIN of the organisation")
    if not all(each.holds(now) for each in certificates):
        found.append("each certificate is valid today")
    if len(certificates) > KEYS_MOST:
        found.append(f"a client is held to {KEYS_MOST} certificates at most")
    return found


def key_faults(jwks: Sequence[Mapping[str, object]]) -> list[str]:
    """What is wrong with the keys of a client, in sentences."""
    try:
        ring = jose.key_ring(jwks)
    except jose.Unreadable as error:
        return [str(error)]
    return [f"a client has {KEYS_MOST} keys at most"] if len(ring.keys) > KEYS_MOST else []


def _address_faults(url: str) -> list[str]:
    try:
        parts = urlsplit(url)
        holds = parts.scheme == "https" and bool(parts.hostname) and not {"@", "#"} & set(url)
    except ValueError:
        holds = False
    return [] if holds else ["keys are published at an https address without user information or fragment"]
