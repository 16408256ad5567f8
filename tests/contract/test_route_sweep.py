"""Every route there is, against everything that no route may take: the list comes from the app, so none escapes.

No token is needed, and no database: where the caller must be proven, nothing else is said to who is not. What is said
to who is proven: `tests/http/test_refusals.py`.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import pytest
from fastapi.routing import APIRoute, iter_route_contexts

from api import app as assembly
from api.edge import enclosure, openapi, state
from api.edge.routing import EdgeRoute, join, router
from api.oauth.unproven import Tally
from api.storage.unit import Unit
from tests import edge_kit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    import httpx
    from fastapi import FastAPI

    from api.edge.envelope import Envelope

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
SLASH_IS_PART = {"/", "/docs/assets/{path:path}"}
SOME_ID = str(UUID(int=7))


class Route(NamedTuple):
    """One route of an app: its address with ids filled in, and what it takes."""

    app: str
    template: str
    methods: frozenset[str]
    consumes: frozenset[str]
    produces: frozenset[str]
    proves: bool

    @property
    def path(self) -> str:
        """An address of it."""
        path = self.template.replace("{path:path}", "pages.css").replace("{slug}", "not-found")
        return "".join(SOME_ID if part.startswith("{") else part for part in _parts(path))


def _parts(path: str) -> list[str]:
    parts = [path]
    while "{" in parts[-1]:
        before, _, rest = parts.pop().partition("{")
        inside, _, after = rest.partition("}")
        parts += [before, "{" + inside, after]
    return parts


class _Nowhere:
    """A database that nobody may ask."""

    def unit(self, now: datetime) -> Unit:
        return Unit(self, now)

    async def acquire(self) -> Any:
        raise AssertionError("an unproven caller reached the database")

    async def release(self, connection: Any) -> None:
        raise AssertionError("nothing was borrowed", connection)


def _real() -> FastAPI:
    app = enclosure.application(edge_kit.options())
    anything: Any = None
    known = {each.name: anything for each in fields(state.State)}
    known |= {"database": _Nowhere(), "clock": lambda: edge_kit.EXPIRES, "unproven": Tally()}
    state.install(app, state.State(**known))
    for routes in assembly.ROUTES:
        join(app, routes, openapi.BASE)
    return app


APPS = {"demo": edge_kit.demo(), "real": _real()}


def _routes() -> list[Route]:
    return [
        Route(name, found.path or "", frozenset(found.methods or ()), route.consumes, route.produces, route.proves)
        for name, app in APPS.items()
        for found in iter_route_contexts(app.routes)
        if isinstance(route := found.original_route, EdgeRoute) and "/broken/" not in (found.path or "")
    ]


ROUTES = _routes()
TAKING = [route for route in ROUTES if "application/json" in route.consumes]


def _assert_refused(route: Route, answer: httpx.Response, status: int, slug: str) -> None:
    """Hold an answer to be this problem; where the caller must be proven, to be that this one is not."""
    edge_kit.assert_problem(answer, *((401, "unauthenticated") if route.proves else (status, slug)))


def _id(route: Route) -> str:
    return f"{route.app} {'/'.join(sorted(route.methods))} {route.template}"


@pytest.fixture(scope="module")
def envelopes() -> dict[str, Envelope]:
    return {name: enclosure.enclose(app, edge_kit.options()) for name, app in APPS.items()}


@pytest.fixture
async def clients(envelopes: dict[str, Envelope]) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    made = {name: edge_kit.client(envelope) for name, envelope in envelopes.items()}
    yield made
    for client in made.values():
        await client.aclose()


def test_the_sweep_knows_every_route_of_the_api() -> None:
    """A route that is not behind the edge would escape it; assembling such an app fails."""
    for app in APPS.values():
        for found in iter_route_contexts(app.routes):
            if isinstance(found.original_route, APIRoute):
                assert isinstance(found.original_route, EdgeRoute), found.path
    assert {route.template for route in ROUTES if route.app == "real"} >= {"/v1/cases", "/v1/dossiers/{dossierId}"}


def test_every_operation_of_the_api_proves_its_caller_first() -> None:
    """Only the description itself is for everybody."""
    unproven = {route.template for route in ROUTES if route.app == "real" and not route.proves}
    assert {each for each in unproven if each.startswith(f"{openapi.BASE}/")} == {f"{openapi.BASE}/openapi.json"}


def test_a_route_that_is_not_behind_the_edge_is_not_served() -> None:
    app = edge_kit.demo()
    app.router.route_class = APIRoute
    app.get(f"{openapi.BASE}/naked")(lambda: None)
    with pytest.raises(TypeError, match="make its router"):
        enclosure.enclose(app, edge_kit.options())
    assert router().route_class is EdgeRoute


@pytest.mark.parametrize("route", [route for route in ROUTES if route.template not in SLASH_IS_PART], ids=_id)
async def test_a_trailing_slash_is_another_address(clients: dict[str, httpx.AsyncClient], route: Route) -> None:
    """/core/no-trailing-slash: 404, never a redirect."""
    for method in sorted(route.methods):
        answer = await clients[route.app].request(method, route.path + "/")
        edge_kit.assert_problem(answer, 404, "not-found")


@pytest.mark.parametrize("route", ROUTES, ids=_id)
async def test_another_method_is_refused_and_the_right_ones_are_named(
    clients: dict[str, httpx.AsyncClient], route: Route
) -> None:
    """/core/http-methods. An address can have several routes: `Allow` names the methods of all."""
    for method in sorted(METHODS | {"OPTIONS", "TRACE"}):
        answer = await clients[route.app].request(method, route.path, headers={"accept": "application/none"})
        if answer.status_code == 405:
            allowed = set(answer.headers["allow"].split(", "))
            assert method not in allowed
            assert route.methods <= allowed
            assert ("GET" in allowed) is ("HEAD" in allowed)
            if method not in {"HEAD", "OPTIONS"}:
                edge_kit.assert_problem(answer, 405, "method-not-allowed")
        else:
            assert method in METHODS


@pytest.mark.parametrize("route", [route for route in ROUTES if route.produces], ids=_id)
async def test_an_accept_that_matches_nothing_is_refused(clients: dict[str, httpx.AsyncClient], route: Route) -> None:
    for method in sorted(route.methods):
        answer = await clients[route.app].request(method, route.path, headers={"accept": "application/none"})
        _assert_refused(route, answer, 406, "not-acceptable")


@pytest.mark.parametrize("route", ROUTES, ids=_id)
async def test_a_body_of_another_kind_is_refused(clients: dict[str, httpx.AsyncClient], route: Route) -> None:
    """Also where no body is taken at all."""
    for method in sorted(route.methods):
        for headers in ({"content-type": "text/plain"}, {"content-type": "application/josex"}, {}):
            answer = await clients[route.app].request(method, route.path, content=b"x", headers=headers)
            _assert_refused(route, answer, 415, "unsupported-media-type")


@pytest.mark.parametrize("route", TAKING, ids=_id)
async def test_a_body_that_is_no_strict_json_is_refused(clients: dict[str, httpx.AsyncClient], route: Route) -> None:
    headers = {"content-type": "application/json"}
    for method in sorted(route.methods):
        for body, slug in (
            (b"{", "malformed-json"),
            (b'{"a": NaN}', "malformed-json"),
            (b'{"a": "\\u0000"}', "malformed-json"),
            (b'{"a": "\\ud83d"}', "malformed-json"),
            (b"[" * 5_000 + b"]" * 5_000, "malformed-json"),
            (b'{"a": 1, "a": 2}', "duplicate-key"),
        ):
            answer = await clients[route.app].request(method, route.path, content=body, headers=headers)
            _assert_refused(route, answer, 400, slug)
        answer = await clients[route.app].request(method, route.path, content=b"x" * 10_000_000, headers=headers)
        edge_kit.assert_problem(answer, 413, "payload-too-large")


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if "GET" in route.methods and route.app == "demo"], ids=_id
)
async def test_head_is_there_wherever_get_is(clients: dict[str, httpx.AsyncClient], route: Route) -> None:
    """RFC 9110 section 9.1: GET and HEAD are what every server has."""
    got = await clients[route.app].get(route.path)
    head = await clients[route.app].head(route.path)
    assert head.status_code == got.status_code
    assert head.content == b""
