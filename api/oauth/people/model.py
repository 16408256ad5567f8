"""Values of people who sign in."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlsplit

from api.vocabulary import Party, Role

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from api.principal import Organisation
    from api.vocabulary import OrganisationId

VALUES_MOST: Final = 100
"""Claim values that one organisation may map."""

_OWN: Final = frozenset({Role.CASE_WORKER, Role.COORDINATOR, Role.PRIVACY_OFFICER})
_NAMED: Final = re.compile(r"[\x21-\x7e]{1,200}")
_TEXT_MOST: Final = 200


def roles_of(kind: Party) -> frozenset[Role]:
    """What people of such an organisation can be. No provider makes an auditor of another party's people."""
    return {Party.AUDITOR: frozenset({Role.AUDITOR}), Party.OPERATOR: frozenset({Role.OPERATOR})}.get(kind, _OWN)


class Why(StrEnum):
    """Why nobody was signed in, or out: told, counted, and in the log. Nothing of what was sent is in it."""

    UNREADABLE = "sign-in-unreadable"
    """The answer lacks a parameter, or has one twice."""
    ELSEWHERE = "sign-in-begun-elsewhere"
    """This browser did not begin it."""
    LATE = "sign-in-expired"
    USED = "sign-in-used"
    OTHER_ISSUER = "sign-in-other-issuer"
    """RFC 9207: the answer is of another provider than the one that was asked."""
    DECLINED = "sign-in-declined"
    """The provider said no."""
    UNPROVEN = "sign-in-unproven"
    """The provider took the code back, or what it gave for it does not hold."""
    AWAY = "provider-away"
    CROWDED = "sign-in-crowded"
    NO_ROLE = "role-unknown"
    LINK = "link-not-valid"
    FOREIGN = "form-of-another-site"
    """A form that no page of ours sent."""


@dataclass(frozen=True, slots=True)
class NewProvider:
    """A provider to be registered. `roles`: values of `role_claim`, and the role that each is here.

    `contact`: whom people of the organisation ask who get no role, as their page shows it.
    """

    id: UUID
    organisation_id: OrganisationId
    issuer: str
    client_id: str
    role_claim: str
    roles: Mapping[str, Role]
    contact: str

    def faults(self) -> tuple[str, ...]:
        """What is wrong with it, in sentences."""
        found: list[str] = []
        if not _is_issuer(self.issuer):
            found.append("an issuer is an https address without query and fragment; http is for loopback only")
        if not _NAMED.fullmatch(self.client_id) or not _NAMED.fullmatch(self.role_claim):
            found.append("client id and claim have 1 to 200 visible ASCII characters")
        if not 1 <= len(self.roles) <= VALUES_MOST or not all(0 < len(each) <= _TEXT_MOST for each in self.roles):
            found.append(f"name 1 to {VALUES_MOST} values of the claim, of {_TEXT_MOST} characters at most")
        if not self.contact.strip() or len(self.contact) > _TEXT_MOST:
            found.append("say in at most 200 characters whom people ask who get no role")
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider as it stands."""

    id: UUID
    organisation: Organisation
    issuer: str
    client_id: str
    role_claim: str
    roles: Mapping[str, Role]
    contact: str

    def roles_in(self, claims: Mapping[str, object]) -> frozenset[Role]:
        """The roles that verified claims give: of one value, or of each in a list. What is not mapped gives none."""
        said = claims.get(self.role_claim)
        values = cast("list[object]", said) if isinstance(said, list) else [said]
        found = frozenset(self.roles[each] for each in values if isinstance(each, str) and each in self.roles)
        return found & roles_of(self.organisation.kind)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who is signed in. `person`: the pseudonym in the log. `name`: as the provider gave it, only for the person.

    `provider_id`: None when it was by a link.
    """

    id: UUID
    organisation: Organisation
    roles: frozenset[Role]
    person: str
    name: str = field(repr=False)
    since: datetime
    until: datetime
    provider_id: UUID | None = None


def _is_issuer(url: str) -> bool:
    try:
        parts = urlsplit(url)
        if not parts.hostname or {"@", "?", "#"} & set(url):
            return False
        return parts.scheme == "https" or (parts.scheme == "http" and ipaddress.ip_address(parts.hostname).is_loopback)
    except ValueError:
        return False
