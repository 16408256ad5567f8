"""The client of an auditor or a data protection officer (FG): reads and proves the audit log."""

from __future__ import annotations

from clients._agreements import ReadAgreements
from clients._audit import Audit
from clients._delays import Delays
from clients._drivers import Awaiting, Blocking
from clients._emergencies import SupervisedEmergencies
from clients._erasures import ReadErasures
from clients._parts import AwaitingClient, BlockingClient, Exchanging
from clients._rooms import D


class _Auditor(Exchanging[D]):
    """What an auditor can do."""

    @property
    def audit(self) -> Audit[D]:
        """The audit log (auditlog)."""
        return Audit(self._driver)

    @property
    def delays(self) -> Delays[D]:
        """Delays of what a person gets to see (uitstel van kennisgeving)."""
        return Delays(self._driver)

    @property
    def emergencies(self) -> SupervisedEmergencies[D]:
        """Emergencies (noodprocedure) and their review."""
        return SupervisedEmergencies(self._driver)

    @property
    def agreements(self) -> ReadAgreements[D]:
        """Agreements (gegevensdelingsafspraak)."""
        return ReadAgreements(self._driver)

    @property
    def erasures(self) -> ReadErasures[D]:
        """Erasures (vergetelheid)."""
        return ReadErasures(self._driver)


class AuditorClient(_Auditor[Blocking], BlockingClient):
    """The client of an auditor; its methods block."""


class AsyncAuditorClient(_Auditor[Awaiting], AwaitingClient):
    """The client of an auditor; its methods are awaited."""
