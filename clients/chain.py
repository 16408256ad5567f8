"""The client of a chain party: IND, DT&V or AVIM. Who supplies dossiers is what agreements say."""

from __future__ import annotations

from clients._advice import AddressedAdviceRequests, GivenAdvice, ReceivedOutcomes
from clients._agreements import SignedAgreements
from clients._cases import AnsweredAdmissionChecks
from clients._commons import Events
from clients._documents import SuppliedDocuments
from clients._dossiers import AddressedDossierRequests, SuppliedDossiers
from clients._drivers import Awaiting, Blocking
from clients._parts import AwaitingClient, BlockingClient, Exchanging
from clients._rooms import D


class _Chain(Exchanging[D]):
    """What a chain party can do."""

    @property
    def admission_checks(self) -> AnsweredAdmissionChecks[D]:
        """Admission checks (toets op de doelgroep). Answered by the IND."""
        return AnsweredAdmissionChecks(self._driver)

    @property
    def dossier_requests(self) -> AddressedDossierRequests[D]:
        """Dossier requests (dossierverzoek) that were addressed to it."""
        return AddressedDossierRequests(self._driver)

    @property
    def dossiers(self) -> SuppliedDossiers[D]:
        """Dossiers that it supplied."""
        return SuppliedDossiers(self._driver)

    @property
    def documents(self) -> SuppliedDocuments[D]:
        """Documents of a dossier (stukken)."""
        return SuppliedDocuments(self._driver)

    @property
    def screening_outcomes(self) -> ReceivedOutcomes[D]:
        """Screening outcomes (screeningsuitkomst)."""
        return ReceivedOutcomes(self._driver)

    @property
    def advice_requests(self) -> AddressedAdviceRequests[D]:
        """Advice requests (adviesvraag)."""
        return AddressedAdviceRequests(self._driver)

    @property
    def advice(self) -> GivenAdvice[D]:
        """Advice (advies): on residence by the IND, on return by DT&V, on identity by AVIM."""
        return GivenAdvice(self._driver)

    @property
    def agreements(self) -> SignedAgreements[D]:
        """Agreements (gegevensdelingsafspraak)."""
        return SignedAgreements(self._driver)

    @property
    def events(self) -> Events[D]:
        """The event feed."""
        return Events(self._driver)


class ChainClient(_Chain[Blocking], BlockingClient):
    """The client of IND, DT&V or AVIM; its methods block."""


class AsyncChainClient(_Chain[Awaiting], AwaitingClient):
    """The client of IND, DT&V or AVIM; its methods are awaited."""
