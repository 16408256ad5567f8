"""The client of the operator (beheerder): brings agreements in, erases persons, and sees no data about anybody."""

from __future__ import annotations

from clients._agreements import AddedAgreements
from clients._drivers import Awaiting, Blocking
from clients._erasures import Erasures
from clients._parts import AwaitingClient, BlockingClient, Everybody
from clients._rooms import D


class _Operator(Everybody[D]):
    """What the operator can do."""

    @property
    def agreements(self) -> AddedAgreements[D]:
        """Agreements (gegevensdelingsafspraak)."""
        return AddedAgreements(self._driver)

    @property
    def erasures(self) -> Erasures[D]:
        """Erasures (vergetelheid)."""
        return Erasures(self._driver)


class OperatorClient(_Operator[Blocking], BlockingClient):
    """The client of the operator; its methods block."""


class AsyncOperatorClient(_Operator[Awaiting], AwaitingClient):
    """The client of the operator; its methods are awaited."""
