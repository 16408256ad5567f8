"""The parties of the sandbox at work: IND, DT&V, AVIM, a municipality and two NGOs, each as its own client of the API.

They are the counterparts that the demo, the samples and the tests play against. What they send is made up and looks it.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, TypeVar

from api.schemas.cases import NewCase
from api.schemas.consents import Consent, ConsentEvidence, ConsentText, NewConsent
from api.schemas.dossiers import Delivery, DossierRequest, NewDossierRequest, Section
from api.vocabulary import (
    CareFunction,
    ConsentGiver,
    ConsentKind,
    DataCategory,
    DossierRequestState,
    Municipality,
    Purpose,
    ReadingForm,
    Sensitivity,
)
from clients._messages import Request
from clients._parts import TIMEOUT
from clients._transport import Http
from clients.auditor import AuditorClient
from clients.chain import ChainClient
from clients.municipality import MunicipalityClient
from clients.ngo import NgoClient
from clients.operator import OperatorClient

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType
    from typing import Self
    from uuid import UUID

    from api.schemas.cases import Case
    from clients._messages import Response
    from clients._parts import BlockingClient

C = TypeVar("C", bound="BlockingClient")

GUIDING: Final = (CareFunction.COORDINATION, CareFunction.LEGAL_SCREENING, CareFunction.SOCIAL_GUIDANCE)
TEXT: Final = "Voorbeeldtekst van een toestemming. Alleen voor de zandbak."
_HALF_YEAR: Final = timedelta(days=180)

SECTIONS: Final[Mapping[DataCategory, dict[str, Any]]] = {
    DataCategory.IDENTITY: {
        "familyName": "VOORBEELD",
        "givenNames": "Alex (verzonnen)",
        "birthDate": {"type": "year", "year": 1980},
        "nationality": {"code": "0000", "description": "verzonnen"},
        "source": "own statement",
    },
    DataCategory.CONTACT: {"address": "Voorbeeldstraat 1, Fictiedam", "phone": "none", "lawyer": "mr. V. Zonnen"},
    DataCategory.TRAVEL_DOCUMENTS: {"passport": "none", "laissezPasser": "not applied for"},
    DataCategory.PROCEDURE_HISTORY: {
        "firstApplicationDate": "2014-05-01",
        "applications": 2,
        "lastDecisionDate": "2018-02-13",
        "appeal": "dismissed",
    },
    DataCategory.FAMILY: {"partner": "none known", "children": 0},
    DataCategory.RETURN: {"departureDuty": True, "earlierAttempts": 1, "obstacles": ["no travel document"]},
    DataCategory.DECISIONS: {"lastDecision": "rejected", "ground": "made up", "summary": "An invented decision."},
    DataCategory.HEARINGS: {"hearings": 2, "summary": "An invented account."},
    DataCategory.MEDICAL: {"advice": "An invented medical advice.", "date": "2017-11-02"},
    DataCategory.PUBLIC_ORDER: {"record": "none"},
}
"""What the sandbox's IND delivers: ten sections of an obviously made-up file."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """How a client of the sandbox proves itself."""

    client_id: str
    organisation: UUID
    scope: str
    jwk: Mapping[str, Any] = field(repr=False)


class Journal:
    """The transport of every client here. It keeps what each request to the API was called, and how it ended."""

    def __init__(self) -> None:
        self._http = Http(timeout=TIMEOUT)
        self.calls: Final[list[tuple[str, int]]] = []
        """Request id and status, in order."""
        self.receipts: Final[list[str]] = []
        """What the exchange promised with its answers, in order."""

    def send(self, request: Request) -> Response:
        """Send, and remember."""
        response = self._http.send(request)
        if "/v1/" in request.url:
            self.calls.append((response.headers.get("request-id", ""), response.status))
        return response

    def close(self) -> None:
        """Close every connection."""
        self._http.close()


class Cast:
    """Every party's client, for as long as the context lasts."""

    def __init__(
        self, base_url: str, issuer: str, credentials: Mapping[str, Credentials], *, journal: Journal | None = None
    ) -> None:
        self._base_url = base_url
        self._issuer = issuer
        self._open = ExitStack()
        self.journal: Final = journal or Journal()
        self.who: Final = credentials
        self.ngo = self._client(NgoClient, "ngo")
        self.other_ngo = self._client(NgoClient, "otherNgo")
        self.ind = self._client(ChainClient, "ind")
        self.dtv = self._client(ChainClient, "dtv")
        self.avim = self._client(ChainClient, "avim")
        self.municipality = self._client(MunicipalityClient, "municipality")
        self.auditor = self._client(AuditorClient, "auditor")
        self.operator = self._client(OperatorClient, "operator")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.close()

    def id_of(self, key: str) -> UUID:
        """The organisation that plays a part."""
        return self.who[key].organisation

    def receipt_key(self) -> str:
        """The key of receipts, as the exchange publishes it."""
        published = self.journal.send(Request("GET", f"{self._issuer}/.well-known/audit-receipts", {}))
        key: str = json.loads(published.content)["receiptKey"]
        return key

    def _client(self, kind: type[C], key: str) -> C:
        mine = self.who[key]
        made = kind(
            self._base_url,
            transport=self.journal,
            keep=self.journal.receipts.append,
            issuer=self._issuer,
            client_id=mine.client_id,
            key=mine.jwk,
            scope=mine.scope,
        )
        self._open.callback(made.close)
        return made


def open_case(cast: Cast, v_number: str) -> Case:
    """The NGO opens a case in Utrecht, and guides the person."""
    new = NewCase(municipality=Municipality.UTRECHT, v_number=v_number, functions=GUIDING)
    return cast.ngo.cases.open(new).value


def consent(
    cast: Cast,
    case_id: UUID,
    purpose: Purpose,
    recipient: str,
    categories: Iterable[DataCategory],
    *,
    given: bool = True,
) -> Consent:
    """The NGO records what the person answered: in words explained, with two people present."""
    asked = tuple(categories)
    special = any(each.sensitivity is not Sensitivity.ORDINARY for each in asked)
    text = ConsentText(id="sandbox", version=1, language="nl", sha256=sha256(TEXT.encode()).hexdigest())
    new = NewConsent(
        case_id=case_id,
        kind=ConsentKind.EXPLICIT_CONSENT if special else ConsentKind.AUTHORISATION,
        purpose=purpose,
        recipient_id=cast.id_of(recipient),
        function=CareFunction.LEGAL_SCREENING if recipient.lower().endswith("ngo") else None,
        categories=asked,
        given=given,
        given_by=ConsentGiver.SELF,
        valid_until_at=datetime.now(UTC) + _HALF_YEAR,  # noqa: TID251 - a client has a clock of its own
        evidence=ConsentEvidence(
            text=text,
            reading=ReadingForm.READ_ALOUD,
            asked=3,
            understood=3,
            present=("caseworker-1", "witness-1"),
        ),
    )
    return cast.ngo.consents.record(new).value


def request_dossier(cast: Cast, case_id: UUID, categories: Iterable[DataCategory] = SECTIONS) -> NewDossierRequest:
    """What the NGO asks of the IND, with the weighing of Aliens Act 2000 article 107(10)."""
    return NewDossierRequest(
        case_id=case_id,
        supplier_id=cast.id_of("ind"),
        purpose=Purpose.LEGAL_SCREENING,
        categories=tuple(categories),
        proportionality_note="Needed to see whether any procedure is open. Sandbox.",
    )


def deliver(cast: Cast, request_id: UUID, categories: Iterable[DataCategory], *, complete: bool) -> DossierRequest:
    """The IND delivers sections."""
    sections = tuple(Section(category=each, content=SECTIONS[each]) for each in categories)
    return cast.ind.dossier_requests.deliver(request_id, Delivery(sections=sections, complete=complete)).value


def split() -> tuple[tuple[DataCategory, ...], tuple[DataCategory, ...]]:
    """The sections that need an ordinary consent, and those that need an explicit one."""
    ordinary = tuple(each for each in SECTIONS if each.sensitivity is Sensitivity.ORDINARY)
    return ordinary, tuple(each for each in SECTIONS if each not in ordinary)


def ended(request: DossierRequest) -> bool:
    """Whether nothing more will come."""
    return request.state is DossierRequestState.COMPLETE
