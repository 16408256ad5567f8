"""The edge put together. `api.app` calls these two and adds the routes in between.

app = enclosure.application(options, lifespan=…)
routing.join(app, cases.routes, openapi.BASE)      every router made with `routing.router()`
return enclosure.enclose(app, options)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from api.edge import docs, failures, health, openapi, paging, problem_pages, well_known
from api.edge.envelope import Bounds, Envelope
from api.edge.routing import EdgeRoute
from api.oauth.hop import Hop

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Lifespan

    from api.crypto.mac import Mac
    from api.edge.health import Checks
    from api.edge.openapi import About
    from api.edge.well_known import SecurityContact


def _unknown_zone(_: str | None) -> str:
    return "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the edge needs to be told. `zone` names the network zone of a peer's address, for the audit log."""

    about: About
    cursors: Mac
    security: SecurityContact | None = None
    ready: Checks
    bounds: Bounds = field(default_factory=Bounds)
    zone: Callable[[str | None], str] = _unknown_zone
    hop: Hop = field(default_factory=Hop)


def application(options: Options, *, lifespan: Lifespan[FastAPI] | None = None) -> FastAPI:
    """A FastAPI app without anything of FastAPI's own making that the world could see."""
    app = FastAPI(
        title="Ketenbrug",
        version=openapi.VERSION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.router.route_class = EdgeRoute
    failures.install(app)
    paging.install(app, options.cursors)
    openapi.install(app, options.about)
    docs.install(app)
    problem_pages.install(app)
    health.install(app, options.ready)
    well_known.install(app, options.security, options.about.base_url)
    return app


def enclose(app: FastAPI, options: Options) -> Envelope:
    """The ASGI app to serve. Raises TypeError when a route of the API is not behind the edge."""
    for route in iter_route_contexts(app.routes):
        of_api = (route.path or "").startswith(f"{openapi.BASE}/")
        if of_api and isinstance(route.original_route, APIRoute) and not isinstance(route.original_route, EdgeRoute):
            raise TypeError("make its router with routing.router()", route.path)
    return Envelope(
        app,
        base_url=options.about.base_url,
        api_version=openapi.VERSION,
        bounds=options.bounds,
        zone=options.zone,
        hop=options.hop,
    )
