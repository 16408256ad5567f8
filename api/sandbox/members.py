"""Who takes part in the sandbox: organisations with test OINs, and a client of each. All of them are made up.

No real designation under Aliens Act 2000 article 107(8) is known to us; the sandbox's are unsourced and say so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import uuid_utils.compat as uuid_utils
from joserfc.jwk import ECKey

from api.oauth import operator, registry
from api.oauth.model import Designation, NewClient, NewOrganisation
from api.vocabulary import ClientId, Municipality, OrganisationId, Party, Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.storage.unit import Unit

_DESIGNATION: Final = Designation("unsourced, sandbox only", date(2026, 1, 1))
_ALL: Final = frozenset(Municipality)


@dataclass(frozen=True, slots=True)
class Part:
    """A part in the sandbox: what its organisation is, and what its client may ask."""

    key: str
    kind: Party
    name: str
    oin: str
    municipalities: frozenset[Municipality]
    scopes: frozenset[Scope]
    designated: bool = False


@dataclass(frozen=True, slots=True)
class Member:
    """A part that was registered. The private keys stay with the sandbox."""

    part: Part
    organisation_id: OrganisationId
    client_id: ClientId
    jwk: Mapping[str, Any] = field(repr=False)
    signing_jwk: Mapping[str, Any] = field(repr=False)

    def published(self) -> dict[str, Any]:
        """As `sandbox.json` shows it."""
        return {
            "clientId": self.client_id,
            "organisation": str(self.organisation_id),
            "scope": " ".join(sorted(self.part.scopes)),
            "jwk": dict(self.jwk),
        }


_NGO: Final = frozenset(
    {
        Scope.PERSONS_READ,
        Scope.CASES_READ,
        Scope.CASES_WRITE,
        Scope.CONSENTS_READ,
        Scope.CONSENTS_WRITE,
        Scope.AGREEMENTS_READ,
        Scope.AGREEMENTS_WRITE,
        Scope.DOSSIER_REQUESTS_READ,
        Scope.DOSSIER_REQUESTS_WRITE,
        Scope.DOSSIERS_READ,
        Scope.SCREENING_OUTCOMES_READ,
        Scope.SCREENING_OUTCOMES_WRITE,
        Scope.ADVICE_REQUESTS_READ,
        Scope.ADVICE_REQUESTS_WRITE,
        Scope.ADVICE_READ,
        Scope.EVENTS_READ,
        Scope.STATISTICS_READ,
        Scope.AUDIT_READ_OWN,
    }
)
_CHAIN: Final = frozenset(
    {
        Scope.AGREEMENTS_READ,
        Scope.AGREEMENTS_WRITE,
        Scope.SCREENING_OUTCOMES_READ,
        Scope.ADVICE_REQUESTS_READ,
        Scope.ADVICE_READ,
        Scope.ADVICE_WRITE,
        Scope.EVENTS_READ,
        Scope.STATISTICS_READ,
        Scope.AUDIT_READ_OWN,
    }
)
_IND: Final = _CHAIN | {
    Scope.CASES_READ,
    Scope.CASES_WRITE,
    Scope.DOSSIER_REQUESTS_READ,
    Scope.DOSSIER_REQUESTS_WRITE,
    Scope.DOSSIERS_READ,
    Scope.DOSSIERS_WRITE,
}
_MUNICIPALITY: Final = frozenset(
    {
        Scope.CASES_READ,
        Scope.CASES_WRITE,
        Scope.AGREEMENTS_READ,
        Scope.AGREEMENTS_WRITE,
        Scope.SCREENING_OUTCOMES_READ,
        Scope.ADVICE_REQUESTS_READ,
        Scope.ADVICE_REQUESTS_WRITE,
        Scope.ADVICE_READ,
        Scope.EVENTS_READ,
        Scope.STATISTICS_READ,
        Scope.AUDIT_READ_OWN,
    }
)

PARTS: Final = (
    Part("ngo", Party.NGO, "Stichting Voorbeeldopvang", "00000099000000000001", _ALL, _NGO, designated=True),
    Part("otherNgo", Party.NGO, "Stichting Tweede Voorbeeld", "00000099000000000002", _ALL, _NGO, designated=True),
    Part("ind", Party.IND, "IND (sandbox)", "00000099000000000003", frozenset(), _IND),
    Part("dtv", Party.DTV, "DT&V (sandbox)", "00000099000000000004", frozenset(), _CHAIN),
    Part("avim", Party.AVIM, "AVIM (sandbox)", "00000099000000000005", frozenset(), _CHAIN),
    Part(
        "municipality",
        Party.MUNICIPALITY,
        "Gemeente Utrecht (sandbox)",
        "00000099000000000006",
        frozenset({Municipality.UTRECHT}),
        _MUNICIPALITY,
    ),
    Part(
        "auditor",
        Party.AUDITOR,
        "Functionaris gegevensbescherming (sandbox)",
        "00000099000000000007",
        frozenset(),
        frozenset(
            {
                Scope.AUDIT_READ,
                Scope.AUDIT_WRITE,
                Scope.AUDIT_READ_OWN,
                Scope.STATISTICS_READ,
                Scope.AGREEMENTS_READ,
                Scope.PERSONS_READ,
            }
        ),
    ),
    Part(
        "operator",
        Party.OPERATOR,
        "Beheerder (sandbox)",
        "00000099000000000008",
        frozenset(),
        frozenset(
            {
                Scope.ADMIN_WRITE,
                Scope.AGREEMENTS_READ,
                Scope.AGREEMENTS_WRITE,
                Scope.AUDIT_READ_OWN,
                Scope.PERSONS_READ,
            }
        ),
    ),
)
OTHER_MUNICIPALITIES: Final = tuple(
    Part(
        f"municipality-{municipality}",
        Party.MUNICIPALITY,
        f"Gemeente {municipality.capitalize()} (sandbox)",
        f"000000990000000001{number:02}",
        frozenset({municipality}),
        _MUNICIPALITY,
    )
    for number, municipality in enumerate(each for each in Municipality if each is not Municipality.UTRECHT)
)


async def register(unit: Unit, part: Part) -> Member:
    """Register a part with new keys, as the local operator."""
    jwk, signing = (ECKey.generate_key("P-256", auto_kid=True) for _ in range(2))
    new = NewOrganisation(
        OrganisationId(uuid_utils.uuid7()),
        part.kind,
        part.name,
        part.oin,
        part.municipalities,
        _DESIGNATION if part.designated else None,
        (signing.as_dict(private=False),),
    )
    await registry.register_organisation(unit, operator.local(), new)
    client = NewClient(ClientId(f"sandbox-{part.key.lower()}"), new.id, (jwk.as_dict(private=False),), part.scopes)
    await registry.register_client(unit, operator.local(), client)
    return Member(part, new.id, client.id, jwk.as_dict(private=True), signing.as_dict(private=True))
