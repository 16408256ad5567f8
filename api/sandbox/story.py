"""The story of one person, from the intake to the withdrawal, as the parties live it over HTTP.

Each step says what happens in words that a case worker uses, does it through the API as one of the parties, and holds
what came back against what must come back. The last step is the auditor's: the log shows all of it, and nothing else.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from api.sandbox import cast as play
from api.sandbox.auditing import Auditing
from api.sandbox.cast import SECTIONS
from api.schemas.advice import NewAdvice, NewAdviceRequest, ResidenceAdvice, ReturnAdvice
from api.schemas.cases import AdmissionAnswers, AdmissionDecision, CriterionFinding, NewAdmissionCheck
from api.schemas.consents import Withdrawal
from api.schemas.screening import Explanation, NewScreeningOutcome, SharedOutcome
from api.vocabulary import (
    AdmissionResult,
    AdviceAnswer,
    Criterion,
    CriterionAnswer,
    DataCategory,
    Perspective,
    Purpose,
    Reason,
)
from clients import verifier
from clients.errors import ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from uuid import UUID

    from api.sandbox.cast import Cast

IDENTITY: Final = frozenset({DataCategory.IDENTITY})
SHARED: Final = frozenset({DataCategory.IDENTITY, DataCategory.SHARED_OUTCOME})


class Unexpected(Exception):
    """A step did not go as it must: what must hold, or the refusal that did not come."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step that was played. `told` is what the narrator says of it."""

    name: str
    ok: bool
    ms: float
    told: str


@dataclass
class Story:
    """One run. `export` writes the audit log to a directory, as the operator would for an auditor."""

    cast: Cast
    v_number: str
    directory: Path
    export: Callable[[Path], None]
    tell: Callable[[str, str], None] = lambda _name, _told: None
    done: Callable[[Step], None] = lambda _step: None
    steps: list[Step] = field(default_factory=list[Step])
    audit: dict[str, Any] = field(default_factory=lambda: {"size": 0, "root": "", "verified": False})
    _ids: dict[str, UUID] = field(default_factory=dict["str", "UUID"])
    _start: int = 0
    _receipt: str = ""
    _auditing: Auditing = field(init=False)

    def __post_init__(self) -> None:
        self._auditing = Auditing(self.directory, self.export)

    def play(self) -> bool:
        """Play every step; the first that fails ends it."""
        self._start = self._auditing.size()
        for name, told, act in self._script():
            self.tell(name, told)
            began = time.perf_counter()
            try:
                seen = act()
                step = Step(name, ok=True, ms=_ms(began), told=seen)
            except (Unexpected, ProblemError, verifier.DoesNotHold) as error:
                step = Step(name, ok=False, ms=_ms(began), told=str(error))
            self.steps.append(step)
            self.done(step)
            if not step.ok:
                return False
        return True

    def _script(self) -> tuple[tuple[str, str, Callable[[], str]], ...]:
        return (
            ("case-opened", "A person comes in. The NGO opens a case and guides them.", self._open),
            ("nothing-without-consent", "The NGO looks what it would get from the IND today.", self._preview),
            ("consents-recorded", "The counsellor explains, an hour long. The person says yes and no.", self._consents),
            ("admission-decided", "Does the person belong to the target group? The IND answers.", self._admission),
            ("dossier-requested", "The NGO asks the IND for the dossier.", self._request),
            ("dossier-delivered", "The IND delivers, in two parts.", self._deliver),
            ("dossier-pulled", "The NGO pulls the dossier.", self._pull),
            ("outsiders-see-nothing", "Another NGO, and somebody with a wrong purpose, try.", self._outsiders),
            ("outcome-shared", "The legal screening is done and explained. The NGO shares the outcome.", self._share),
            ("advice-received", "IND and DT&V advise.", self._advise),
            ("feed-read", "The NGO's system reads what happened.", self._feed),
            ("consent-withdrawn", "The person takes the consent back.", self._withdraw),
            ("next-pull-refused", "The NGO pulls the dossier once more.", self._pull_again),
            ("receipt-redeemed", "The NGO holds the exchange to what it promised with that answer.", self._redeem),
            ("log-proven", "The auditor proves from the log that all of it happened, and nothing else.", self._prove),
        )

    def _open(self) -> str:
        case = play.open_case(self.cast, self.v_number)
        self._ids["case"] = case.id
        _must(case.v_number == self.v_number, "the case shows its V-number to the NGO")
        return f"A case in {case.municipality}, with {len(case.assignments)} functions for the NGO."

    def _preview(self) -> str:
        new = play.request_dossier(self.cast, self._ids["case"])
        lines = self.cast.ngo.dossier_requests.preview(new).value.lines
        _must(not any(line.permitted for line in lines), "nothing may go without consent")
        _must({line.reason for line in lines} == {Reason.CONSENT_NEVER_ASKED}, "the reason is that nobody asked")
        return f"None of {len(lines)} sections. Next step: {lines[0].next_step}"

    def _consents(self) -> str:
        case, cast = self._ids["case"], self.cast
        ordinary, special = play.split()
        refused = {DataCategory.MEDICAL}
        given = [
            play.consent(cast, case, Purpose.LEGAL_SCREENING, "ngo", ordinary),
            play.consent(cast, case, Purpose.LEGAL_SCREENING, "ngo", set(special) - refused),
            play.consent(cast, case, Purpose.ADMISSION, "ind", IDENTITY),
            play.consent(cast, case, Purpose.LEGAL_SCREENING, "ind", IDENTITY),
            play.consent(cast, case, Purpose.RESIDENCE_ADVICE, "ind", SHARED),
            play.consent(cast, case, Purpose.RETURN_ADVICE, "dtv", SHARED),
        ]
        play.consent(cast, case, Purpose.LEGAL_SCREENING, "ngo", refused, given=False)
        self._ids["ordinary"] = given[0].id
        self._ids["special"] = given[1].id
        return f"{len(given)} times yes, once no: medical data stay where they are. A no costs nothing."

    def _admission(self) -> str:
        cast, ngo = self.cast, self.cast.ngo
        asked = NewAdmissionCheck(case_id=self._ids["case"], addressee_id=cast.id_of("ind"))
        check = ngo.admission_checks.ask(asked).value.id
        seen = cast.ind.admission_checks.read(check, purpose=Purpose.ADMISSION).value
        _must(seen.v_number == self.v_number, "the IND sees whom it is asked about")
        findings = tuple(CriterionFinding(criterion=each, answer=CriterionAnswer.DOES_NOT_APPLY) for each in Criterion)
        cast.ind.admission_checks.answer(check, AdmissionAnswers(findings=findings))
        answered = cast.municipality.admission_checks.read(check, purpose=Purpose.ADMISSION).value
        _must(answered.findings is not None and len(answered.findings) == len(Criterion), "every criterion is answered")
        decision = AdmissionDecision(result=AdmissionResult.ADMITTED)
        decided = cast.municipality.admission_checks.decide(check, decision).value
        return f"No criterion applies. The municipality decides: {decided.result}."

    def _request(self) -> str:
        made = self.cast.ngo.dossier_requests.request(play.request_dossier(self.cast, self._ids["case"])).value
        self._ids["request"] = made.id
        self.cast.ind.dossier_requests.acknowledge(made.id)
        seen = self.cast.ind.dossier_requests.read(made.id, purpose=Purpose.LEGAL_SCREENING).value
        _must(seen.v_number == self.v_number, "the IND gets the V-number that it needs to find the file")
        return f"{len(made.categories)} sections asked; agreed: {made.working_days_term} working days, {made.due_date}."

    def _deliver(self) -> str:
        sections = tuple(SECTIONS)
        play.deliver(self.cast, self._ids["request"], sections[:6], complete=False)
        whole = play.deliver(self.cast, self._ids["request"], sections[6:], complete=True)
        _must(play.ended(whole) and whole.dossier_id is not None, "the request is complete")
        self._ids |= {} if whole.dossier_id is None else {"dossier": whole.dossier_id}
        return f"{len(sections)} sections are there, each sealed. Nobody has seen one yet."

    def _pull(self) -> str:
        answer = self.cast.ngo.dossiers.read(self._ids["dossier"], purpose=Purpose.LEGAL_SCREENING)
        withheld = {each.category: each.reason for each in answer.value.withheld}
        _must(withheld == {DataCategory.MEDICAL: Reason.CONSENT_REFUSED}, "only what the person refused stays closed")
        _must(len(answer.value.sections) == len(SECTIONS) - 1, "every other section is open")
        content = {each.category: each.content for each in answer.value.sections}
        _must(content[DataCategory.IDENTITY] == SECTIONS[DataCategory.IDENTITY], "what was delivered is what is read")
        closed = ", ".join(f"{category} ({reason})" for category, reason in withheld.items())
        return f"{len(answer.value.sections)} sections are open, one stays closed: {closed}."

    def _outsiders(self) -> str:
        dossier, cast = self._ids["dossier"], self.cast
        _refused("not-found", lambda: cast.other_ngo.dossiers.read(dossier, purpose=Purpose.LEGAL_SCREENING))
        _refused("not-found", lambda: cast.other_ngo.cases.read(self._ids["case"]))
        _refused("purpose-never-permitted", lambda: cast.ngo.dossiers.read(dossier, purpose=Purpose.ENFORCEMENT))
        return "To the other NGO there is nothing there. Enforcement is a purpose that never matches."

    def _share(self) -> str:
        cast = self.cast
        new = NewScreeningOutcome(
            case_id=self._ids["case"],
            shared_outcome=SharedOutcome(
                perspective=Perspective.LEGALISATION, question="Is a repeated application open?", next_steps=("Advice",)
            ),
            legal_analysis="For NGO and lawyer only: an invented analysis.",
            explanations=(
                Explanation(
                    explained_date=datetime.now(UTC).date(),  # noqa: TID251 - a client has a clock of its own
                    language="nl",
                    explained_by="counsellor",
                    reaction="understood",
                ),
            ),
            addressee_ids=(cast.id_of("ind"), cast.id_of("dtv")),
        )
        shared = cast.ngo.screening_outcomes.share(new).value
        self._ids["outcome"] = shared.id
        seen = cast.ind.screening_outcomes.read(shared.id, purpose=Purpose.RESIDENCE_ADVICE).value
        _must(seen.shared_outcome is not None and seen.legal_analysis is None, "the analysis stays with the NGO")
        _refused("not-found", lambda: cast.avim.screening_outcomes.read(shared.id, purpose=Purpose.IDENTITY_ADVICE))
        return "IND and DT&V may see the outcome, not the legal analysis. To AVIM there is nothing there."

    def _advise(self) -> str:
        cast, told = self.cast, list[str]()
        for key, purpose, body in (
            ("ind", Purpose.RESIDENCE_ADVICE, ResidenceAdvice(kind="residence", perspective="possible")),
            ("dtv", Purpose.RETURN_ADVICE, ReturnAdvice(kind="return", possible="with-cooperation")),
        ):
            asked = cast.ngo.advice_requests.request(
                NewAdviceRequest(
                    case_id=self._ids["case"],
                    addressee_id=cast.id_of(key),
                    purpose=purpose.value,  # pyright: ignore[reportArgumentType]
                    question="What do you see?",
                    screening_outcome_id=self._ids["outcome"],
                )
            ).value
            chain = cast.ind if key == "ind" else cast.dtv
            seen = chain.advice_requests.read(asked.id, purpose=purpose).value
            _must(seen.question is not None, "the question is read")
            given = NewAdvice(
                advice_request_id=asked.id, answer=AdviceAnswer.ADVICE, summary="An invented advice.", body=body
            )
            advice = chain.advice.give(given).value
            read = cast.ngo.advice.read(advice.id, purpose=purpose).value
            _must(read.body == body, "the advice is read as it was given")
            told.append(f"{key.upper()}: {read.body.kind if read.body else read.answer}")
        return "; ".join(told) + ". Advice is no decision."

    def _feed(self) -> str:
        kinds = [event.type for event in self.cast.ngo.events.read()]
        _must(kinds.count("advice.given") >= len(("ind", "dtv")), "both advices are announced")
        _must("dossier-request.completed" in kinds, "the delivery is announced")
        return f"{len(kinds)} events; none holds anything about the person."

    def _withdraw(self) -> str:
        for which in ("ordinary", "special"):
            self.cast.ngo.consents.withdraw(self._ids[which], Withdrawal())
        return "It counts from the next request, also for tokens that were issued before."

    def _pull_again(self) -> str:
        error = _refused(
            "not-permitted",
            lambda: self.cast.ngo.dossiers.read(self._ids["dossier"], purpose=Purpose.LEGAL_SCREENING),
        )
        self._receipt = error.receipt or ""
        reasons = {each.reason for each in error.reasons}
        _must(Reason.CONSENT_WITHDRAWN in reasons, "the NGO is told why")
        return f"Refused: {error.reasons[0].next_step}"

    def _redeem(self) -> str:
        index, size = self._auditing.redeemed(self.cast, self._receipt)
        return f"The refusal is entry {index} of {size}: nobody can have removed it unseen."

    def _prove(self) -> str:
        calls = dict(self.cast.journal.calls)
        entries = self._auditing.entries(self._start, calls)
        report = verifier.verify(self.directory)
        logged = [each["origin"]["requestId"] for each in entries]
        _must(sorted(logged) == sorted(calls), "each request is in the log exactly once, and nothing else is")
        for entry in entries:
            refused = calls.get(entry["origin"]["requestId"], 0) >= 400  # noqa: PLR2004 - HTTP
            _must(refused == (entry["result"] == "refused"), "the log says how each request ended")
        _must(self.v_number not in str(entries), "no V-number is in the log")
        _must(self._auditing.promises(self.cast) >= len(calls), "each answer came with a receipt")
        head = report.checkpoint
        self.audit = {"size": head.size, "root": head.root.hex(), "verified": True}
        return f"{len(logged)} requests, {len(logged)} entries; {head.size} entries in the tree, and the proofs hold."


def _refused(slug: str, call: Callable[[], object]) -> ProblemError:
    try:
        call()
    except ProblemError as error:
        _must(error.slug == slug, f"refused with {slug}, not {error.slug}")
        return error
    raise Unexpected(slug)


def _must(holds: bool, what: str) -> None:
    if not holds:
        raise Unexpected(what)


def _ms(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 1)
