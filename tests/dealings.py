"""What parties do with each other, step by step, by their real clients: the situations in which tests begin."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from api.sandbox.cast import GUIDING, SECTIONS, TEXT, split
from api.schemas.advice import NewAdvice, NewAdviceRequest, ResidenceAdvice
from api.schemas.cases import AdmissionAnswers, CriterionFinding, NewAdmissionCheck, NewAssignment, NewCase
from api.schemas.consents import Consent, ConsentEvidence, ConsentText, NewConsent
from api.schemas.dossiers import Delivery, NewDossierRequest, Section
from api.schemas.screening import Explanation, NewScreeningOutcome, SharedOutcome
from api.vocabulary import (
    AdviceAnswer,
    CareFunction,
    ConsentGiver,
    ConsentKind,
    Criterion,
    CriterionAnswer,
    DataCategory,
    Municipality,
    Perspective,
    Purpose,
    ReadingForm,
    Sensitivity,
)
from tests import exchange as world

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from api.schemas.advice import Advice, AdviceRequest
    from api.schemas.cases import AdmissionCheck, Case
    from api.schemas.dossiers import DossierRequest
    from api.schemas.screening import ScreeningOutcome
    from tests.exchange import Exchange

C = DataCategory
ORDINARY, SPECIAL = split()
IDENTITY: Final = (C.IDENTITY,)
SHARED: Final = (C.IDENTITY, C.SHARED_OUTCOME)
NOTE: Final = "Weighed: needed to see whether any procedure is open."
ANALYSIS: Final = "An invented legal analysis."
QUESTION: Final = "What do you see?"
BODY: Final = ResidenceAdvice(kind="residence", perspective="possible", routes=("A repeated application",))
TO: Final = {"ind": Purpose.RESIDENCE_ADVICE, "dtv": Purpose.RETURN_ADVICE, "avim": Purpose.IDENTITY_ADVICE}
"""Who advises on what."""

_NUMBERS: Final = count(9_000_100_000)


def v_number() -> str:
    """A V-number that nobody has."""
    return str(next(_NUMBERS))


@dataclass
class Dealings:
    """A case of the NGO, and what came of it."""

    exchange: Exchange
    case: Case
    consents: dict[str, Consent] = field(default_factory=dict[str, Consent])

    @classmethod
    async def begin(
        cls,
        exchange: Exchange,
        *,
        functions: Iterable[CareFunction] = GUIDING,
        municipality: Municipality = Municipality.UTRECHT,
        number: str | None = "",
    ) -> Dealings:
        """The NGO opens a case, guides the person, and has asked nothing yet."""
        number = v_number() if number == "" else number
        new = NewCase(municipality=municipality, v_number=number, functions=tuple(functions))
        return cls(exchange, (await exchange.ngo.cases.open(new)).value)

    @property
    def id(self) -> UUID:
        """Of the case."""
        return self.case.id

    async def consent(
        self, purpose: Purpose, recipient: str, categories: Iterable[DataCategory], **changes: Any
    ) -> Consent:
        """The NGO records what the person answered."""
        new = self.new_consent(purpose, recipient, categories, **changes)
        return (await self.exchange.ngo.consents.record(new)).value

    def new_consent(
        self, purpose: Purpose, recipient: str, categories: Iterable[DataCategory], **changes: Any
    ) -> NewConsent:
        """A yes with all its evidence, unless told otherwise."""
        asked = tuple(categories)
        special = any(each.sensitivity is not Sensitivity.ORDINARY for each in asked)
        text = ConsentText(id="sandbox", version=1, language="nl", sha256=sha256(TEXT.encode()).hexdigest())
        members: dict[str, Any] = {
            "case_id": self.id,
            "kind": ConsentKind.EXPLICIT_CONSENT if special else ConsentKind.AUTHORISATION,
            "purpose": purpose,
            "recipient_id": self.exchange.id_of(recipient),
            "function": CareFunction.LEGAL_SCREENING if recipient.lower().endswith("ngo") else None,
            "categories": asked,
            "given": True,
            "given_by": ConsentGiver.SELF,
            "valid_until_at": self.exchange.clock() + timedelta(days=180),
            "evidence": ConsentEvidence(
                text=text,
                reading=ReadingForm.READ_ALOUD,
                asked=3,
                understood=3,
                present=("caseworker-1", "witness-1"),
            ),
        }
        return NewConsent(**members | changes)

    async def consented(self) -> Dealings:
        """The person said yes to all that the story needs."""
        self.consents = {
            "ordinary": await self.consent(Purpose.LEGAL_SCREENING, "ngo", ORDINARY),
            "special": await self.consent(Purpose.LEGAL_SCREENING, "ngo", SPECIAL),
            "ind-admission": await self.consent(Purpose.ADMISSION, "ind", IDENTITY),
            "ind-screening": await self.consent(Purpose.LEGAL_SCREENING, "ind", IDENTITY),
            "ind": await self.consent(Purpose.RESIDENCE_ADVICE, "ind", SHARED),
            "dtv": await self.consent(Purpose.RETURN_ADVICE, "dtv", SHARED),
            "avim": await self.consent(Purpose.IDENTITY_ADVICE, "avim", IDENTITY),
        }
        return self

    def new_request(self, categories: Iterable[DataCategory] = SECTIONS, **changes: Any) -> NewDossierRequest:
        """What the NGO asks of the IND."""
        members: dict[str, Any] = {
            "case_id": self.id,
            "supplier_id": self.exchange.id_of("ind"),
            "purpose": Purpose.LEGAL_SCREENING,
            "categories": tuple(categories),
            "proportionality_note": NOTE,
        }
        return NewDossierRequest(**members | changes)

    async def requested(self, categories: Iterable[DataCategory] = SECTIONS, **changes: Any) -> DossierRequest:
        """The NGO asks the IND for a dossier."""
        new = self.new_request(categories, **changes)
        return (await self.exchange.ngo.dossier_requests.request(new)).value

    async def delivered(
        self, request: DossierRequest, categories: Iterable[DataCategory] = SECTIONS, *, complete: bool = True
    ) -> DossierRequest:
        """The IND delivers."""
        sections = tuple(Section(category=each, content=SECTIONS[each]) for each in categories)
        new = Delivery(sections=sections, complete=complete)
        return (await self.exchange.ind.dossier_requests.deliver(request.id, new)).value

    async def dossier(self, categories: Iterable[DataCategory] = SECTIONS) -> UUID:
        """A dossier that was asked and delivered, whole."""
        asked = tuple(categories)
        made = await self.delivered(await self.requested(asked), asked)
        assert made.dossier_id is not None
        return made.dossier_id

    def new_outcome(self, *addressees: str, **changes: Any) -> NewScreeningOutcome:
        """An outcome that was explained."""
        members: dict[str, Any] = {
            "case_id": self.id,
            "shared_outcome": SharedOutcome(
                perspective=Perspective.LEGALISATION, question=QUESTION, next_steps=("Advice",)
            ),
            "legal_analysis": ANALYSIS,
            "explanations": (
                Explanation(
                    explained_date=world.today(), language="nl", explained_by="counsellor", reaction="understood"
                ),
            ),
            "addressee_ids": tuple(self.exchange.id_of(each) for each in addressees),
        }
        return NewScreeningOutcome(**members | changes)

    async def outcome(self, *addressees: str, **changes: Any) -> ScreeningOutcome:
        """The NGO shares an outcome."""
        new = self.new_outcome(*addressees, **changes)
        return (await self.exchange.ngo.screening_outcomes.share(new)).value

    def new_question(self, addressee: str = "ind", **changes: Any) -> NewAdviceRequest:
        """The request for advice that the NGO would send, as its client writes it."""
        members: dict[str, Any] = {
            "case_id": self.id,
            "addressee_id": self.exchange.id_of(addressee),
            "purpose": str(TO[addressee]),
            "question": QUESTION,
        }
        return NewAdviceRequest(**members | changes)

    async def asked(self, addressee: str = "ind", **changes: Any) -> AdviceRequest:
        """The NGO asks for advice."""
        new = self.new_question(addressee, **changes)
        return (await self.exchange.ngo.advice_requests.request(new)).value

    async def advised(self, request: AdviceRequest, **changes: Any) -> Advice:
        """The IND advises."""
        members: dict[str, Any] = {
            "advice_request_id": request.id,
            "answer": AdviceAnswer.ADVICE,
            "summary": "An invented advice.",
            "body": BODY,
        }
        return (await self.exchange.ind.advice.give(NewAdvice(**members | changes))).value

    async def check(self) -> AdmissionCheck:
        """The NGO asks the IND about admission."""
        new = NewAdmissionCheck(case_id=self.id, addressee_id=self.exchange.id_of("ind"))
        return (await self.exchange.ngo.admission_checks.ask(new)).value

    async def assign(self, key: str, function: CareFunction) -> None:
        """The NGO, that coordinates, brings somebody in."""
        new = NewAssignment(organisation_id=self.exchange.id_of(key), function=function)
        await self.exchange.ngo.cases.assign(self.id, new)


def answers() -> AdmissionAnswers:
    """The IND finds nothing in the way."""
    return AdmissionAnswers(
        findings=tuple(CriterionFinding(criterion=each, answer=CriterionAnswer.DOES_NOT_APPLY) for each in Criterion)
    )


def wire(model: Any) -> dict[str, Any]:
    """A wire type as JSON, for those who send by hand."""
    sent: dict[str, Any] = model.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return sent
