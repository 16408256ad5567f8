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

    from api.oauth.jose import KeyRing
    from api.principal import Organisation
    from api.vocabulary import ClientId, Municipality, OrganisationId, Party, Scope

KEYS_MOST: Final = 4
"""Keys of one client: the one in use, its successor, and some for machines that have their own."""

KEYS_LAST: Final = timedelta(days=365)
"""For how long a client uses the same keys. After that it is told, and not stopped: people depend on it."""

KEYS_WARNED: Final = timedelta(days=30)
"""How long before that it is told."""

CLIENT_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,63}")
_OIN: Final = re.compile(r"(?:0000000[13468]|00000099)[0-9]{12}")
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
        if self.oin is not None and not _OIN.fullmatch(self.oin):
            found.append("an OIN has twenty digits and begins with a prefix that Logius gives out")
        if self.designation is not None and not self.designation.source.strip():
            found.append("a designation needs its source")
        if self.signing_jwks:
            found.extend(key_faults(self.signing_jwks))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class NewClient:
    """A machine client to be registered, with its public keys, or the address at which it publishes them."""

    id: ClientId
    organisation_id: OrganisationId
    jwks: tuple[Mapping[str, object], ...]
    scopes: frozenset[Scope]
    jwks_uri: str | None = None

    def faults(self) -> tuple[str, ...]:
        """What is wrong with it, in sentences."""
        found: list[str] = []
        if not CLIENT_ID.fullmatch(self.id):
            found.append("a client id has 2 to 64 lower-case letters, digits and hyphens")
        if not self.scopes:
            found.append("a client needs at least one scope")
        if self.jwks_uri is None:
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


def renew_by(keys_since: datetime) -> date:
    """The day by which keys that were registered at this moment are to be replaced."""
    return (keys_since + KEYS_LAST).date()


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
