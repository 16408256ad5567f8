"""The route class of every route: what may go in and out is checked before the handler sees a request.

Where the caller is proven (`Proof`), an objection is raised only then: nobody learns anything of an operation before it
is known who calls, and what is refused to a proven client is written down.

A route says what it takes by its body model, or for raw bodies by `openapi_extra["requestBody"]`; a body that no
description names is refused. It says what it gives by its response class. Make routers with `router()` and add them to
the app with `join()`: FastAPI's `include_router` asks every route of every included router twice, which cost more than
the whole edge does (measured: 350 of 580 microseconds for `/v1/dossiers/{dossierId}`).
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.datastructures import DefaultPlaceholder
from fastapi.params import Body
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.routing import Match, compile_path
from starlette.types import Receive, Scope, Send

from api.edge import again, eyes, media, posts, strict_json
from api.edge.posts import Sealed, SealedFile, SealedPost
from api.problems import Stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from enum import Enum

    from fastapi.dependencies.models import Dependant

JSON: Final = "application/json"
_PRODUCED: Final = "produced"


class EdgeRoute(APIRoute):
    """A route behind the edge: negotiation, then strict JSON, then FastAPI's own handling.

    `lead` is what its address begins with, once it has been joined: most routes need no regular expression to say no.
    """

    lead = ""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether it is this route's address."""
        if not scope["path"].startswith(self.lead):
            return Match.NONE, {}
        return super().matches(scope)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run a request, and once more where its client has changed (`again`)."""
        await again.run(super().handle, scope, receive, send)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, behind our checks."""
        handle = super().get_route_handler()
        produces, consumes = self.produces, self.takes
        forms = produces | frozenset(eyes.forms(produces)) if produces and self.seals else produces
        strict = any(kind == JSON or kind.endswith("+json") for kind in consumes)
        files, proves = consumes & posts.FILES, self.proves

        async def checked(request: Request) -> Response:
            taken = self._taken(request) if strict else request
            if files and media.is_of(request.headers, files):
                taken = SealedFile(request.scope, request.receive)
            try:
                if forms:
                    media.check_any(request.headers.get("accept"), forms)
                media.check_content(request.headers, consumes)
                if isinstance(taken, _ReadOnce | Sealed):
                    await taken.read()
            except Stopped as objection:
                if not proves:
                    raise
                taken = _Unread(request.scope, request.receive)
                taken.state.objection = objection
            setattr(taken.state, _PRODUCED, produces)
            return eyes.seal(taken, await handle(taken))

        return checked

    def _taken(self, request: Request) -> Request:
        sealed = self.proves and media.is_of(request.headers, posts.KINDS)
        return (SealedPost if sealed else _ReadOnce)(request.scope, request.receive)

    @property
    def proves(self) -> bool:
        """Whether nothing is done here before the caller is proven."""
        return _proof(self.dependant) is not None

    @property
    def seals(self) -> bool:
        """Whether the answer is sealed to a client that registered a key for it."""
        proof = _proof(self.dependant)
        return proof is not None and proof.seals

    @property
    def produces(self) -> frozenset[str]:
        """The media types of an answer in the clear; none when the handler decides."""
        response_class, described = self.response_class, frozenset(self.responses.get(200, {}).get("content", {}))
        if isinstance(response_class, DefaultPlaceholder):
            return described | {JSON}
        media_type: str | None = response_class.media_type
        return described if media_type is None else frozenset((media_type,))

    @property
    def consumes(self) -> frozenset[str]:
        """The media types of a body; empty when the operation takes none."""
        described: dict[str, Any] = (self.openapi_extra or {}).get("requestBody", {}).get("content", {})
        field = self.body_field.field_info if self.body_field is not None else None
        return frozenset(described) | ({field.media_type} if isinstance(field, Body) else frozenset[str]())

    @property
    def takes(self) -> frozenset[str]:
        """The same, with the forms of a sealed post where JSON is taken of who is proven."""
        return self.consumes | posts.KINDS if JSON in self.consumes and self.proves else self.consumes


class _ReadOnce(Request):
    """A request whose JSON was read strictly, before FastAPI asks for it."""

    async def read(self) -> None:
        raw = await self.body()
        self._value = strict_json.parse(raw) if raw else None

    async def json(self) -> Any:  # noqa: ANN401 - JSON
        """What the body said."""
        return self._value


class _Unread(Request):
    """A request that was objected to: nobody sees anything of its body."""

    async def body(self) -> bytes:
        """Nothing."""
        return b""


class Proof:
    """A dependency that proves who calls. Having done so it raises what the route objects to, if anything."""

    @property
    def seals(self) -> bool:
        """Whether what is then answered is for the eyes of its recipient (`eyes`)."""
        return False

    @staticmethod
    def raise_objection(request: Request) -> None:
        """Raise what is wrong with the request as it came in."""
        objection: Stopped | None = getattr(request.state, "objection", None)
        if objection is not None:
            raise objection


def produced(request: Request) -> frozenset[str]:
    """The media types of the answer to this request in the clear; none when the handler decides."""
    found: frozenset[str] = getattr(request.state, _PRODUCED, frozenset[str]())
    return found


def _proof(dependant: Dependant) -> Proof | None:
    call: object = dependant.call
    if isinstance(call, Proof):
        return call
    return next((found for each in dependant.dependencies if (found := _proof(each)) is not None), None)


def join(app: FastAPI, routes: APIRouter, prefix: str = "") -> None:
    """Add the routes of a router to the app, each at `prefix` and its own path, as if they had been written there."""
    for route in routes.routes:
        if not isinstance(route, APIRoute):
            raise TypeError("only operations can be joined")
        joined = copy(route)
        joined.path = prefix + route.path
        joined.path_regex, joined.path_format, joined.param_convertors = compile_path(joined.path)
        if isinstance(joined, EdgeRoute):
            joined.lead = joined.path.partition("{")[0]
        app.router.routes.append(joined)


def router(tags: list[str | Enum] | None = None, *, described: bool = True) -> APIRouter:
    """A router of edge routes. A trailing slash is another address: 404, never a redirect."""
    return APIRouter(tags=tags, route_class=EdgeRoute, redirect_slashes=False, include_in_schema=described)
