"""The client of an NGO (maatschappelijke organisatie)."""

from __future__ import annotations

from clients._advice import OwnAdviceRequests, ReceivedAdvice, SharedOutcomes
from clients._agreements import SignedAgreements
from clients._cases import AskedAdmissionChecks, Cases
from clients._commons import Events
from clients._consents import Consents
from clients._documents import ReceivedDocuments
from clients._dossiers import OwnDossierRequests, ReceivedDossiers
from clients._drivers import Awaiting, Blocking
from clients._emergencies import Emergencies
from clients._parts import AwaitingClient, BlockingClient, Exchanging
from clients._persons import Persons
from clients._rooms import D


class _Ngo(Exchanging[D]):
    """What an NGO can do."""

    @property
    def cases(self) -> Cases[D]:
        """Cases (casus)."""
        return Cases(self._driver)

    @property
    def persons(self) -> Persons[D]:
        """Persons (vreemdeling): what was disclosed of them."""
        return Persons(self._driver)

    @property
    def admission_checks(self) -> AskedAdmissionChecks[D]:
        """Admission checks (toets op de doelgroep)."""
        return AskedAdmissionChecks(self._driver)

    @property
    def consents(self) -> Consents[D]:
        """Consents (toestemming)."""
        return Consents(self._driver)

    @property
    def dossier_requests(self) -> OwnDossierRequests[D]:
        """Dossier requests (dossierverzoek)."""
        return OwnDossierRequests(self._driver)

    @property
    def dossiers(self) -> ReceivedDossiers[D]:
        """Dossiers."""
        return ReceivedDossiers(self._driver)

    @property
    def documents(self) -> ReceivedDocuments[D]:
        """Documents of a dossier (stukken)."""
        return ReceivedDocuments(self._driver)

    @property
    def emergencies(self) -> Emergencies[D]:
        """Emergencies (noodprocedure)."""
        return Emergencies(self._driver)

    @property
    def screening_outcomes(self) -> SharedOutcomes[D]:
        """Screening outcomes (screeningsuitkomst)."""
        return SharedOutcomes(self._driver)

    @property
    def advice_requests(self) -> OwnAdviceRequests[D]:
        """Advice requests (adviesvraag)."""
        return OwnAdviceRequests(self._driver)

    @property
    def advice(self) -> ReceivedAdvice[D]:
        """Advice (advies)."""
        return ReceivedAdvice(self._driver)

    @property
    def agreements(self) -> SignedAgreements[D]:
        """Agreements (gegevensdelingsafspraak)."""
        return SignedAgreements(self._driver)

    @property
    def events(self) -> Events[D]:
        """The event feed."""
        return Events(self._driver)


class NgoClient(_Ngo[Blocking], BlockingClient):
    """The client of an NGO; its methods block."""


class AsyncNgoClient(_Ngo[Awaiting], AwaitingClient):
    """The client of an NGO; its methods are awaited."""
