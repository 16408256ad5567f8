"""Small agreements, consents and situations made of values, for the tests of lawfulness.

The default is the heart of the exchange: an NGO, assigned for legal screening in Utrecht, asks an IND dossier.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from api.consent.decision import decide
from api.consent.emergency import Emergency
from api.consent.evidence import Evidence, Text
from api.consent.model import Agreement, Consent, Decision, Question, Relation, Rule, Situation
from api.principal import Organisation, Origin, Principal
from api.vocabulary import (
    AgreementId,
    CareFunction,
    CaseId,
    ClientId,
    ConsentEventKind,
    ConsentId,
    ConsentKind,
    DataCategory,
    EmergencyId,
    LegalGround,
    Municipality,
    OrganisationId,
    Party,
    PersonAlias,
    PersonId,
    ProhibitionException,
    Purpose,
    ReadingForm,
    Reason,
)

NOW: Final = datetime(2026, 11, 24, 10, tzinfo=UTC)
A: Final = ConsentKind.AUTHORISATION
E: Final = ConsentKind.EXPLICIT_CONSENT
C = DataCategory

ORDINARY: Final = (C.IDENTITY, C.CONTACT, C.FAMILY)
SPECIAL: Final = (C.HEARINGS, C.MEDICAL)
CRIMINAL: Final = (C.DETENTION,)
CONSENT_EXCEPTIONS: Final = frozenset(
    {ProhibitionException.AVG_9_2_A, ProhibitionException.UAVG_22_2_A, ProhibitionException.UAVG_32_A}
)


def number(value: int) -> UUID:
    """A UUID that can be told apart."""
    return UUID(int=value)


def organisation(kind: Party, value: int, **changes: Any) -> Organisation:
    """An organisation of a kind."""
    made = Organisation(OrganisationId(number(value)), kind, f"{kind} {value}", f"00000099{value:012}")
    return replace(made, **changes)


NGO: Final = organisation(Party.NGO, 1, designated=True)
OTHER_NGO: Final = organisation(Party.NGO, 2, designated=True)
IND: Final = organisation(Party.IND, 3)
DTV: Final = organisation(Party.DTV, 4)
AVIM: Final = organisation(Party.AVIM, 5)
UTRECHT: Final = organisation(Party.MUNICIPALITY, 6)

SCREENS: Final = Relation(functions=frozenset({CareFunction.LEGAL_SCREENING}))
ADDRESSED: Final = Relation(addressed=True)


def rule(*categories: DataCategory, **changes: Any) -> Rule:
    """From IND to an NGO for legal screening, by Aliens Act article 107(8); all categories need an authorisation.

    Special and criminal ones need explicit consent, and name their exceptions.
    """
    asked = categories or (*ORDINARY, *SPECIAL, *CRIMINAL)
    made = Rule(
        id="dossier",
        source=Party.IND,
        recipient=Party.NGO,
        functions=frozenset({CareFunction.LEGAL_SCREENING, CareFunction.COORDINATION}),
        purpose=Purpose.LEGAL_SCREENING,
        ground=LegalGround.VW_107_8,
        exceptions=CONSENT_EXCEPTIONS,
        consents={category: A if category in ORDINARY else E for category in asked},
    )
    return replace(made, **changes)


def to_authority(recipient: Party, *categories: DataCategory, **changes: Any) -> Rule:
    """From an NGO to an authority, for residence advice, as its public task."""
    return replace(
        rule(*categories),
        **{
            "id": f"to-{recipient}",
            "source": Party.NGO,
            "recipient": recipient,
            "functions": frozenset[CareFunction](),
            "purpose": Purpose.RESIDENCE_ADVICE,
            "ground": LegalGround.PUBLIC_TASK,
        }
        | changes,
    )


def agreement(*rules: Rule, value: int = 100, **changes: Any) -> Agreement:
    """An agreement of Utrecht, in force for years around NOW."""
    made = Agreement(
        AgreementId(number(value)),
        1,
        Municipality.UTRECHT,
        date(2025, 1, 1),
        None,
        rules or (rule(),),
        {"delivery": 15},
    )
    return replace(made, **changes)


def consent(*categories: DataCategory, value: int = 200, **changes: Any) -> Consent:
    """An explicit consent for the NGO's legal screening, given an hour ago."""
    made = Consent(
        id=ConsentId(number(value)),
        version=1,
        kind=E,
        purpose=Purpose.LEGAL_SCREENING,
        recipient=NGO.id,
        function=CareFunction.LEGAL_SCREENING,
        categories=frozenset(categories or (*ORDINARY, *SPECIAL, *CRIMINAL)),
        last=ConsentEventKind.GIVEN,
        last_at=NOW - timedelta(hours=1),
        valid_from=NOW - timedelta(hours=1),
        valid_until=NOW + timedelta(days=100),
    )
    return replace(made, **changes)


def situation(**changes: Any) -> Situation:
    """A case of Utrecht about which everything is in order."""
    made = Situation(
        case=CaseId(number(300)),
        person=PersonId(number(301)),
        alias=PersonAlias(number(302)),
        municipality=Municipality.UTRECHT,
        supplier=IND,
        relation=SCREENS,
        agreements=(agreement(),),
        consents=(consent(),),
        holdings=dict.fromkeys(DataCategory, ("field",)),
        proportionality_note=True,
    )
    return replace(made, **changes)


def emergency(**changes: Any) -> Emergency:
    """One that the NGO declared an hour ago."""
    made = Emergency(EmergencyId(number(500)), NGO.id, NOW + timedelta(hours=23))
    return replace(made, **changes)


def question(*categories: DataCategory, **changes: Any) -> Question:
    """What the NGO asks."""
    made = Question(NGO, Purpose.LEGAL_SCREENING, frozenset(categories or (*ORDINARY, *SPECIAL, *CRIMINAL)))
    return replace(made, **changes)


def asked(*categories: DataCategory, **changes: Any) -> Decision:
    """Decide a question of the NGO about a situation with these changes."""
    return decide(question(*categories), situation(**changes), NOW)


def reason(decision: Decision, category: DataCategory = C.IDENTITY) -> Reason | None:
    """Why a category stays, or None when it goes."""
    return decision.withheld[category].reason if category in decision.withheld else None


def principal(who: Organisation) -> Principal:
    """A client of an organisation."""
    origin = Origin("test", str(number(400)), "0" * 32, "0" * 16)
    return Principal(ClientId(f"client-{who.kind}"), who, frozenset(), origin, "token", "worker-7")


def evidence(**changes: Any) -> Evidence:
    """An evidence block that suffices."""
    made = Evidence(
        text=Text("dossier", 1, "ti", bytes(32)),
        reading=ReadingForm.READ_ALOUD,
        asked=3,
        understood=3,
        present=frozenset({"worker-7", "worker-9"}),
    )
    return replace(made, **changes)
