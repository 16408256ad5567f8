"""The register of organisations and people behind the store tests of lawfulness, in a real database."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from api.consent import agreements, document, intake, signatures
from api.consent.model import Objection
from api.consent.record import NewConsent
from api.crypto.vault import Vault
from api.crypto.wrappers import FileWrapper
from api.oauth import jose
from api.vocabulary import AgreementId, CareFunction, CaseId, ConsentGiver, PersonId, Purpose
from tests import consent_kit as kit
from tests import oauth_kit
from tests.consent_kit import C

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from api.consent.model import Version
    from api.principal import Organisation
    from api.storage.pool import Database
    from api.storage.unit import Unit

T = TypeVar("T")

REGISTERED: Final = (kit.NGO, kit.OTHER_NGO, kit.IND, kit.DTV, kit.AVIM, kit.UTRECHT)
SIGNING: Final = oauth_kit.key("es256-agreements")
RING: Final = jose.key_ring([SIGNING.public | {"kid": "signing"}])
WRAPPER: Final = FileWrapper("test", bytes(32))


def made(outcome: T | Objection) -> T:
    """What was written down; an objection fails the test."""
    assert not isinstance(outcome, Objection), outcome
    return outcome


def signature(raw: object) -> str:
    """A party's signature, made by hand."""
    header = oauth_kit.b64(b'{"alg":"ES256","kid":"signing","typ":"%s"}' % signatures.TYPE.encode())
    text = f"{header}.{oauth_kit.b64(document.canonical(raw))}".encode()
    return f"{header}..{oauth_kit.b64(SIGNING.signature(text, 'ES256'))}"


@dataclass(frozen=True)
class Register:
    """Agreements, in units that commit each."""

    pool: Database

    @asynccontextmanager
    async def unit(self, **later: float) -> AsyncGenerator[Unit]:
        """A unit of work that commits at the end. `later` is how long after the moment of the kit."""
        unit = self.pool.unit(kit.NOW + timedelta(**later))
        try:
            yield unit
            await unit.finish()
        except BaseException:
            await unit.abort()
            raise

    async def awaited(self) -> None:
        """Wait until somebody waits for another here."""
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        async with self.pool.connection() as connection:
            while not await connection.fetchval(waiting):  # noqa: ASYNC110 - PostgreSQL tells nobody
                await asyncio.sleep(0.005)

    async def add(self, raw: object) -> Version | Objection:
        """Take a document in."""
        async with self.unit() as unit:
            return await intake.add(unit, raw, REGISTERED)

    async def sign(self, raw: dict[str, Any], *parties: Organisation) -> None:
        """Sign it for each."""
        async with self.unit() as unit:
            for party in parties:
                made(
                    await agreements.sign(
                        unit, AgreementId(uuid.UUID(raw["id"])), raw["version"], party.id, signature(raw), RING
                    )
                )

    async def standing(self, raw: dict[str, Any], *parties: Organisation) -> None:
        """Take it in and sign it."""
        made(await self.add(raw))
        await self.sign(raw, *(parties or (kit.NGO, kit.IND)))


def text(**changes: Any) -> dict[str, Any]:
    """A document of Utrecht between two NGOs, IND and the municipality, with an id of its own."""
    parties = (kit.NGO, kit.OTHER_NGO, kit.IND, kit.UTRECHT)
    raw: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "version": 1,
        "kind": "data-sharing",
        "municipality": "utrecht",
        "title": "For a test",
        "validFrom": "2025-01-01",
        "parties": [{"slot": str(each.kind), "name": each.name, "oin": each.oin} for each in parties],
        "controllers": [{"slot": slot, "responsibleFor": "Its part."} for slot in ("ngo", "ind", "municipality")],
        "processor": {"name": "Ketenbrug", "contract": "GDPR article 28"},
        "dpia": {"reference": "None", "state": "A test."},
        "rules": [dossier_rule()],
    }
    return raw | changes


def dossier_rule(**changes: Any) -> dict[str, Any]:
    """From IND to an NGO, for legal screening."""
    raw: dict[str, Any] = {
        "id": "dossier",
        "from": "ind",
        "to": "ngo",
        "functions": ["legal-screening"],
        "purpose": "legal-screening",
        "ground": "vw-107-8",
        "exceptions": ["avg-9-2-a"],
        "categories": {"identity": "authorisation", "medical": "explicit-consent"},
        "retention": "P5Y",
    }
    return raw | changes


async def vault(unit: Unit, person: PersonId) -> Vault:
    """A vault with a new person's key in it."""
    opened = Vault(WRAPPER)
    await opened.create(unit, person)
    return opened


def new_consent(person: PersonId, case: CaseId, **changes: Any) -> NewConsent:
    """A yes for the NGO's legal screening."""
    return replace(
        NewConsent(
            person=person,
            case=case,
            kind=kit.E,
            purpose=Purpose.LEGAL_SCREENING,
            recipient=kit.NGO,
            function=CareFunction.LEGAL_SCREENING,
            categories=frozenset({C.IDENTITY, C.MEDICAL}),
            given=True,
            given_by=ConsentGiver.SELF,
            valid_until=kit.NOW + timedelta(days=180),
            evidence=kit.evidence(),
        ),
        **changes,
    )
