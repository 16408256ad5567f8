"""What two operators agree on, as JSON that both sign (`api.oauth.agreeing`), and the values that it stands for."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias, assert_never
from uuid import UUID

from api.errors import Misconfigured
from api.oauth import certificate, dpop, jose
from api.oauth.model import Designation, NewClient, NewOrganisation, key_faults
from api.oauth.people.model import NewProvider
from api.vocabulary import ClientId, Municipality, OrganisationId, Party, Role, Scope

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from api.oauth.certificate import Certificate

Content: TypeAlias = "dict[str, Any]"


class Deed(StrEnum):
    """What two operators agree on."""

    ORGANISATION = "organisation"
    CLIENT = "client"
    DESIGNATION = "designation"
    OPERATOR = "operator"
    PROVIDER = "provider"
    PAYLOAD_KEYS = "payload-keys"
    PAYLOAD_SIGNATURES = "payload-signatures"
    CERTIFICATES = "certificates"


def faults(deed: Deed, content: Content) -> tuple[str, ...]:
    """What is wrong with it, in sentences, before the database is asked."""
    match deed:
        case Deed.ORGANISATION:
            return organisation(content).faults()
        case Deed.CLIENT:
            return client(content).faults()
        case Deed.DESIGNATION:
            return () if content["source"].strip() else ("a designation needs its source",)
        case Deed.OPERATOR:
            return operator_faults(content["name"], content["jwks"][0])
        case Deed.PROVIDER:
            return provider(content).faults()
        case Deed.CERTIFICATES:
            certificates(content)
            return ()
        case Deed.PAYLOAD_KEYS:
            return tuple(key_faults(content["jwks"])) if content["jwks"] else ()
        case Deed.PAYLOAD_SIGNATURES:
            return ()
        case _:
            assert_never(deed)


def heard(deed: Deed, content: Content) -> frozenset[str]:
    """What the organisation reads out by telephone: thumbprints; of a provider, what lets people in."""
    if deed is Deed.PROVIDER:
        return told_of(content["issuer"], content["clientId"], content["roleClaim"], content["roles"])
    jwks: Sequence[object] = content.get("jwks") or ()
    of_keys: frozenset[str] = jose.key_ring(jwks).thumbprints if jwks else frozenset()
    return of_keys | {each.thumbprint for each in certificates(content)}


def told_of(issuer: str, client_id: str, role_claim: str, roles: Mapping[str, str]) -> frozenset[str]:
    """What is heard of a provider. Each says what it is, so that none is taken for another."""
    named = {f"issuer {issuer}", f"client-id {client_id}", f"role-claim {role_claim}"}
    return frozenset(named | {f"role {value}={role}" for value, role in roles.items()})


def operator_faults(name: str, jwk: object) -> tuple[str, ...]:
    """What is wrong with an operator who is to be enrolled."""
    found = (
        ()
        if dpop.PERSON.fullmatch(name)
        else ("an operator has an opaque name of at most 64 visible ASCII characters",)
    )
    try:
        jose.public_key(jwk)
    except jose.Unreadable as error:
        return (*found, str(error))
    return found


def organisation(content: Content) -> NewOrganisation:
    """The organisation that is to be registered."""
    return NewOrganisation(
        id=OrganisationId(UUID(content["id"])),
        kind=Party(content["kind"]),
        name=content["name"],
        oin=content["oin"],
        municipalities=frozenset(Municipality(each) for each in content["municipalities"]),
        designation=designation(content["designation"]) if content["designation"] else None,
        signing_jwks=tuple(content["signingJwks"]),
    )


def client(content: Content) -> NewClient:
    """The client that is to be registered."""
    return NewClient(
        id=ClientId(content["id"]),
        organisation_id=OrganisationId(UUID(content["organisation"])),
        jwks=tuple(content["jwks"]),
        scopes=frozenset(Scope(each) for each in content["scopes"]),
        jwks_uri=content["jwksUri"],
        certificates=None if content.get("certificates") is None else certificates(content),
    )


def certificates(content: Content) -> tuple[Certificate, ...]:
    """The certificates that a client is to be held to. Raises `Misconfigured`."""
    try:
        return tuple(certificate.read(certificate.der_of(pem)) for pem in content.get("certificates") or ())
    except jose.Unreadable as error:
        raise Misconfigured((str(error),)) from None


def designation(content: Content) -> Designation:
    """The designation that is to be recorded."""
    return Designation(content["source"], date.fromisoformat(content["date"]))


def provider(content: Content) -> NewProvider:
    """The provider that is to be registered."""
    return NewProvider(
        id=UUID(content["id"]),
        organisation_id=OrganisationId(UUID(content["organisation"])),
        issuer=content["issuer"],
        client_id=content["clientId"],
        role_claim=content["roleClaim"],
        roles={value: Role(role) for value, role in content["roles"].items()},
        contact=content["contact"],
    )
