"""The clients offer what each party may do, at the addresses that the routes have, and nothing else."""

from __future__ import annotations

import importlib
import pkgutil
import re
from typing import TYPE_CHECKING, Final

import pytest

import api.routes
from api.disclosure import authority
from api.edge.actor import Guard
from tests.clients_offer import PARTIES, offered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi.dependencies.models import Dependant

    from clients._parts import BlockingClient


@pytest.fixture(scope="module")
def routes() -> set[tuple[str, str, str]]:
    """Operation, method and path of every route."""
    found: set[tuple[str, str, str]] = set()
    for module in pkgutil.iter_modules(api.routes.__path__):
        router = getattr(importlib.import_module(f"api.routes.{module.name}"), "routes", None)
        for route in () if router is None else router.routes:
            path = re.sub(r"\{[^}]+\}", "{}", route.path).removeprefix("/")
            names = {guard.operation.name for guard in _guards(route.dependant)}
            found |= {(name, method, path) for name in names for method in route.methods}
    return found


@pytest.mark.parametrize("kind", PARTIES, ids=lambda kind: kind.__name__)
def test_a_client_offers_exactly_what_its_party_may_do(kind: type[BlockingClient]) -> None:
    allowed = {each.name for each in authority.OPERATIONS if each.parties & PARTIES[kind]}
    assert {each.name for each in offered(kind)} == allowed


@pytest.mark.parametrize("kind", PARTIES, ids=lambda kind: kind.__name__)
def test_a_client_asks_at_the_addresses_of_the_routes(
    kind: type[BlockingClient], routes: set[tuple[str, str, str]]
) -> None:
    assert {(each.name, each.call.method, each.path) for each in offered(kind)} <= routes


FOR_OTHERS: Final = {("audit.read", "GET", "log/tile/entries/{}")}
"""For software that reads logs in the layout of C2SP tlog-tiles; ours takes entries out by an export, with a reason."""


def test_every_route_has_a_client(routes: set[tuple[str, str, str]]) -> None:
    asked = {(each.name, each.call.method, each.path) for kind in PARTIES for each in offered(kind)}
    assert asked == routes - FOR_OTHERS
    assert routes >= FOR_OTHERS


def _guards(dependant: Dependant) -> Iterator[Guard]:
    if isinstance(dependant.call, Guard):
        yield dependant.call
    for inner in dependant.dependencies:
        yield from _guards(inner)
