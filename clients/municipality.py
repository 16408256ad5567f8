"""The client of a municipality (gemeente): commissions the NGOs, decides on admission, is often the director."""

from __future__ import annotations

from clients._advice import OwnAdviceRequests, ReceivedAdvice, ReceivedOutcomes
from clients._agreements import DirectedAgreements
from clients._cases import Cases, DecidedAdmissionChecks
from clients._commons import Events
from clients._drivers import Awaiting, Blocking
from clients._parts import AwaitingClient, BlockingClient, Exchanging
from clients._rooms import D


class _Municipality(Exchanging[D]):
    """What a municipality can do."""

    @property
    def cases(self) -> Cases[D]:
        """Cases (casus)."""
        return Cases(self._driver)

    @property
    def admission_checks(self) -> DecidedAdmissionChecks[D]:
        """Admission checks (toets op de doelgroep)."""
        return DecidedAdmissionChecks(self._driver)

    @property
    def screening_outcomes(self) -> ReceivedOutcomes[D]:
        """Screening outcomes (screeningsuitkomst)."""
        return ReceivedOutcomes(self._driver)

    @property
    def advice_requests(self) -> OwnAdviceRequests[D]:
        """Advice requests (adviesvraag)."""
        return OwnAdviceRequests(self._driver)

    @property
    def advice(self) -> ReceivedAdvice[D]:
        """Advice (advies)."""
        return ReceivedAdvice(self._driver)

    @property
    def agreements(self) -> DirectedAgreements[D]:
        """Agreements (gegevensdelingsafspraak)."""
        return DirectedAgreements(self._driver)

    @property
    def events(self) -> Events[D]:
        """The event feed."""
        return Events(self._driver)


class MunicipalityClient(_Municipality[Blocking], BlockingClient):
    """The client of a municipality; its methods block."""


class AsyncMunicipalityClient(_Municipality[Awaiting], AwaitingClient):
    """The client of a municipality; its methods are awaited."""
