"""Screening outcomes, advice requests and advice, for those who ask (NGOs, municipalities) and for those who advise.

The types say when a purpose is needed: whenever data crosses organisations, and not for what is one's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.schemas.advice import Advice, AdviceRequest, AdviceRequestSummary, NewAdvice, NewAdviceRequest
from api.schemas.base import Page
from api.schemas.evidence import Evidence
from api.schemas.screening import NewScreeningOutcome, ScreeningOutcome, ScreeningOutcomeSummary
from clients._messages import path
from clients._rooms import D, Room, creates, listing, operation, paged, reads

if TYPE_CHECKING:
    from uuid import UUID

    from api.vocabulary import Purpose
    from clients._messages import Call
    from clients._rooms import Series
    from clients.answers import Answer


class ReceivedOutcomes(Room[D]):
    """Screening outcomes (screeningsuitkomst), for those to whom they are addressed."""

    @operation("screening-outcomes.read")
    def read(
        self, outcome_id: UUID, *, purpose: Purpose, known: Answer[ScreeningOutcome] | None = None
    ) -> Call[ScreeningOutcome]:
        """An outcome as far as you may see it. The legal analysis never crosses to an authority."""
        return reads(path("screening-outcomes", outcome_id), ScreeningOutcome, purpose=purpose, known=known)


class SharedOutcomes(Room[D]):
    """Screening outcomes (screeningsuitkomst), for the NGO that screens."""

    @operation("screening-outcomes.share")
    def share(self, new: NewScreeningOutcome, *, key: UUID | None = None) -> Call[ScreeningOutcome]:
        """Record the outcome of a legal screening and address it, once it was explained to the person."""
        return creates("screening-outcomes", ScreeningOutcome, new, key, signed=True)

    @listing("screening-outcomes.list")
    def list(
        self, *, case_id: UUID, limit: int | None = None
    ) -> Series[Page[ScreeningOutcomeSummary], ScreeningOutcomeSummary]:
        """Your own outcomes of a case, newest first; `limit` items at most a page."""
        query = (("caseId", case_id), ("limit", limit))
        return paged(reads("screening-outcomes", Page[ScreeningOutcomeSummary], query=query))

    @operation("screening-outcomes.read")
    def read(
        self, outcome_id: UUID, *, purpose: Purpose | None = None, known: Answer[ScreeningOutcome] | None = None
    ) -> Call[ScreeningOutcome]:
        """An outcome. For your own no purpose is needed; for that of another NGO it is."""
        return reads(path("screening-outcomes", outcome_id), ScreeningOutcome, purpose=purpose, known=known)

    @operation("screening-outcomes.read-evidence")
    def evidence(self, outcome_id: UUID) -> Call[Evidence]:
        """The signed body that an outcome of your own was made of, where it was signed."""
        return reads(path("screening-outcomes", outcome_id, "evidence"), Evidence)


class AdviceRequests(Room[D]):
    """Advice requests (adviesvraag)."""

    @listing("advice-requests.list")
    def list(self, *, limit: int | None = None) -> Series[Page[AdviceRequestSummary], AdviceRequestSummary]:
        """The requests that you made or that were addressed to you, newest first; `limit` items at most a page."""
        return paged(reads("advice-requests", Page[AdviceRequestSummary], query=(("limit", limit),)))


class OwnAdviceRequests(AdviceRequests[D]):
    """Advice requests (adviesvraag), for those who make them."""

    @operation("advice-requests.request")
    def request(self, new: NewAdviceRequest, *, key: UUID | None = None) -> Call[AdviceRequest]:
        """Ask the IND on residence, DT&V on return, or AVIM on identity."""
        return creates("advice-requests", AdviceRequest, new, key)

    @operation("advice-requests.read")
    def read(
        self, request_id: UUID, *, purpose: Purpose | None = None, known: Answer[AdviceRequest] | None = None
    ) -> Call[AdviceRequest]:
        """A request. For your own no purpose is needed."""
        return reads(path("advice-requests", request_id), AdviceRequest, purpose=purpose, known=known)


class AddressedAdviceRequests(AdviceRequests[D]):
    """Advice requests (adviesvraag), for those who advise."""

    @operation("advice-requests.read")
    def read(
        self, request_id: UUID, *, purpose: Purpose, known: Answer[AdviceRequest] | None = None
    ) -> Call[AdviceRequest]:
        """A request that was addressed to you, with the outcome and the V-number as far as you may see them."""
        return reads(path("advice-requests", request_id), AdviceRequest, purpose=purpose, known=known)


class ReceivedAdvice(Room[D]):
    """Advice (advies), for those who asked for it. It is no decision: it has no legal effect."""

    @operation("advice.read")
    def read(self, advice_id: UUID, *, purpose: Purpose, known: Answer[Advice] | None = None) -> Call[Advice]:
        """An advice as far as you may see it."""
        return reads(path("advice", advice_id), Advice, purpose=purpose, known=known)

    @operation("advice.read-evidence")
    def evidence(self, advice_id: UUID, *, purpose: Purpose) -> Call[Evidence]:
        """The signed body that an advice was made of, where it was signed; `clients.evidence` verifies it."""
        return reads(path("advice", advice_id, "evidence"), Evidence, purpose=purpose)

    @listing("advice.list")
    def list(self, *, case_id: UUID, purpose: Purpose, limit: int | None = None) -> Series[Page[Advice], Advice]:
        """The advice on a case that you may see for a purpose, newest first; `limit` items at most a page."""
        query = (("caseId", case_id), ("limit", limit))
        return paged(reads("advice", Page[Advice], purpose=purpose, query=query))


class GivenAdvice(Room[D]):
    """Advice (advies), for IND, DT&V and AVIM. It is no decision: it has no legal effect."""

    @operation("advice.give")
    def give(self, new: NewAdvice, *, key: UUID | None = None) -> Call[Advice]:
        """Answer a request: advice, no advice, or more information needed."""
        return creates("advice", Advice, new, key, signed=True)

    @operation("advice.read")
    def read(
        self, advice_id: UUID, *, purpose: Purpose | None = None, known: Answer[Advice] | None = None
    ) -> Call[Advice]:
        """An advice. For your own no purpose is needed; for that of another party it is."""
        return reads(path("advice", advice_id), Advice, purpose=purpose, known=known)

    @operation("advice.read-evidence")
    def evidence(self, advice_id: UUID, *, purpose: Purpose | None = None) -> Call[Evidence]:
        """The signed body that an advice was made of, where it was signed. For your own no purpose is needed."""
        return reads(path("advice", advice_id, "evidence"), Evidence, purpose=purpose)
