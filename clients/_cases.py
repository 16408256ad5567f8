"""Cases and admission checks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from api.schemas.base import Page
from api.schemas.cases import (
    AdmissionAnswers,
    AdmissionCheck,
    AdmissionDecision,
    Case,
    CaseSearch,
    CaseSummary,
    Closure,
    NewAdmissionCheck,
    NewAssignment,
    NewCase,
)
from api.vocabulary import Purpose
from clients._messages import path
from clients._rooms import D, Room, asks, creates, listing, operation, paged, reads

if TYPE_CHECKING:
    from uuid import UUID

    from clients._messages import Call
    from clients._rooms import Series
    from clients.answers import Answer


class Cases(Room[D]):
    """Cases (casus) to which your organisation is assigned."""

    @operation("cases.open")
    def open(self, new: NewCase, *, key: UUID | None = None) -> Call[Case]:
        """Open a case. Without a V-number the person is new."""
        return creates("cases", Case, new, key)

    @listing("cases.list")
    def list(self, *, limit: int | None = None) -> Series[Page[CaseSummary], CaseSummary]:
        """Your cases, newest first; `limit` items at most a page."""
        return paged(reads("cases", Page[CaseSummary], query=(("limit", limit),)))

    @listing("cases.search")
    def search(self, wanted: CaseSearch) -> Series[Page[CaseSummary], CaseSummary]:
        """Your cases of a V-number, which travels in the body and never in a URL."""
        return paged(asks(path("cases", "_search"), Page[CaseSummary], wanted))

    @operation("cases.read")
    def read(self, case_id: UUID, *, known: Answer[Case] | None = None) -> Call[Case]:
        """A case, with its assignments."""
        return reads(path("cases", case_id), Case, known=known)

    @operation("cases.assign")
    def assign(self, case_id: UUID, new: NewAssignment, *, key: UUID | None = None) -> Call[Case]:
        """Assign an organisation in one function. Whoever coordinates the case may do so."""
        return creates(path("cases", case_id, "assignments"), Case, new, key)

    @operation("cases.close")
    def close(self, case_id: UUID, closure: Closure, *, version: int, key: UUID | None = None) -> Call[Case]:
        """End a case as you read it, in this version. No event is sent about it."""
        return replace(creates(path("cases", case_id, "closures"), Case, closure, key), version=version)


class AdmissionChecks(Room[D]):
    """Admission checks (toets op de doelgroep)."""

    @operation("admission-checks.read")
    def read(
        self, check_id: UUID, *, purpose: Purpose = Purpose.ADMISSION, known: Answer[AdmissionCheck] | None = None
    ) -> Call[AdmissionCheck]:
        """A check. The IND reads whom it is asked about; the asker and the municipality what it answered."""
        return reads(path("admission-checks", check_id), AdmissionCheck, purpose=purpose, known=known)


class AskedAdmissionChecks(AdmissionChecks[D]):
    """Admission checks, for those who ask for them."""

    @operation("admission-checks.ask")
    def ask(self, new: NewAdmissionCheck, *, key: UUID | None = None) -> Call[AdmissionCheck]:
        """Ask the IND whether a person belongs to the target group. No documents are exchanged."""
        return creates("admission-checks", AdmissionCheck, new, key)


class DecidedAdmissionChecks(AskedAdmissionChecks[D]):
    """Admission checks, for the municipality."""

    @operation("admission-checks.decide")
    def decide(self, check_id: UUID, decision: AdmissionDecision, *, key: UUID | None = None) -> Call[AdmissionCheck]:
        """Decide. An admission by exception has conditions and a review date."""
        return creates(path("admission-checks", check_id, "decisions"), AdmissionCheck, decision, key)


class AnsweredAdmissionChecks(AdmissionChecks[D]):
    """Admission checks, for the IND."""

    @operation("admission-checks.answer")
    def answer(self, check_id: UUID, answers: AdmissionAnswers, *, key: UUID | None = None) -> Call[AdmissionCheck]:
        """Answer every criterion: applies, does not apply, or unknown."""
        return creates(path("admission-checks", check_id, "answers"), AdmissionCheck, answers, key)
