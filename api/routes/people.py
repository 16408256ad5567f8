"""The door of people, under `/console`: sign in with the provider of one's own organisation, see who is, sign out.

Outside `/v1`, and outside the API description: a browser comes here with a cookie, never a program with a token. Every
answer is a page or a redirect (303) to one.

GET  /console                      who is signed in, or where to sign in
GET  /console/sign-in/{provider}   off to that provider
GET  /console/callback/{provider}  back from it: an address of its own for each
GET  /console/link                 where the code of an operator's link is typed in
POST /console/link                 enter by it
POST /console/sign-out             sign out here
GET  /console/signed-out           where a provider sends people who signed out there
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl
from uuid import UUID

from fastapi import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api import problems
from api.edge import doorstep, passage, state
from api.edge.routing import router
from api.edge.unit import UnitOfWork
from api.oauth.people import links, providers
from api.oauth.people.door import Arrived, Left, Turned
from api.oauth.people.model import Why
from api.oauth.people.relying import SIGNED_OUT
from api.problems import Problem, Stopped

if TYPE_CHECKING:
    from api.oauth.people.door import Arrival

routes: Final = router(described=False)

SESSION: Final = "__Host-ketenbrug-session"
SIGN_IN: Final = "__Host-ketenbrug-sign-in"
"""Cookies: Secure, HttpOnly, for this host alone. Lax, because one arrives from the provider's site; nothing but a form
of ours, with its token, changes anything."""

_WAS_HERE: Final = "signed-out"
"""What is left of a session: whoever signs in here next proves themselves anew, also where they are known."""

_BEGINS: Final = frozenset({"same-origin", "none"})
"""From where somebody begins (Fetch Metadata): a page of ours, or what they typed. Old browsers do not say."""

_NOT_OURS: Final = frozenset({Why.ELSEWHERE, Why.UNREADABLE})
"""An answer that is not for the sign-in of this browser, which goes on."""

_FORM: Final = "application/x-www-form-urlencoded"
_TAKES: Final[dict[str, Any]] = {"requestBody": {"content": {_FORM: {}}}}
_FORM_MOST: Final = 4_096
_FIELDS_MOST: Final = 20


@routes.get("/console", response_class=HTMLResponse)
async def who(request: Request, unit: UnitOfWork) -> Response:
    """Show who is signed in, or where to sign in."""
    found = await state.of(request).door.present(unit, _cookie(request, SESSION))
    language = doorstep.language(request)
    if found is None:
        return doorstep.choose(await providers.standing(unit), language)
    signed_in, ticket = found
    return doorstep.known(signed_in, ticket.form_token, language)


@routes.get("/console/sign-in/{provider}", response_class=HTMLResponse)
async def begin(request: Request, provider: UUID, unit: UnitOfWork) -> Response:
    """Go to the provider. From a page of another site nobody goes there without choosing it here."""
    language = doorstep.language(request)
    if request.headers.get("sec-fetch-site", "none") not in _BEGINS:
        return doorstep.choose(await providers.standing(unit), language)
    found = await state.of(request).door.begin(unit, provider, language, _cookie(request, SESSION))
    if found is None:
        raise Stopped(Problem(problems.NOT_FOUND))
    if isinstance(found, Turned):
        return _turned(request, unit, found, language)
    answer = RedirectResponse(found.url, 303)
    _keep(answer, SIGN_IN, found.cookie)
    return answer


@routes.get("/console/callback/{provider}", response_class=HTMLResponse)
async def arrive(request: Request, provider: UUID, unit: UnitOfWork) -> Response:
    """Come back from the provider."""
    found = await state.of(request).door.arrive(
        unit,
        provider,
        request.query_params.multi_items(),
        _cookie(request, SIGN_IN),
        _cookie(request, SESSION),
        passage.of(request.scope).origin,
    )
    answer = _arrived(request, unit, found)
    if isinstance(found, Arrived) or found.why not in _NOT_OURS:
        answer.delete_cookie(SIGN_IN, secure=True, httponly=True, samesite="lax")
    return answer


@routes.get(links.PATH, response_class=HTMLResponse)
async def show_link(request: Request) -> Response:
    """Show where the code of a link is typed in."""
    return doorstep.by_link(doorstep.language(request))


@routes.post(links.PATH, response_class=HTMLResponse, openapi_extra=_TAKES)
async def enter(request: Request, unit: UnitOfWork) -> Response:
    """Enter by a link."""
    form = await _form(request)
    found: Arrival = Turned(Why.FOREIGN)
    if form is not None:
        old, origin = _cookie(request, SESSION), passage.of(request.scope).origin
        found = await state.of(request).door.enter(unit, form.get("secret", "").strip(), old, origin)
    return _arrived(request, unit, found)


@routes.post("/console/sign-out", response_class=HTMLResponse, openapi_extra=_TAKES)
async def leave(request: Request, unit: UnitOfWork) -> Response:
    """Sign out here, and show where one signs out at the provider."""
    form, language = await _form(request), doorstep.language(request)
    found: Left | Turned = Turned(Why.FOREIGN)
    door = state.of(request).door
    if form is not None:
        cookie, origin = _cookie(request, SESSION), passage.of(request.scope).origin
        found = await door.leave(unit, cookie, form.get("token", ""), origin)
    if isinstance(found, Turned):
        return _turned(request, unit, found, language)
    answer = doorstep.left(found, door.relying.base_url + SIGNED_OUT, language)
    _keep(answer, SESSION, _WAS_HERE)
    return answer


@routes.get(SIGNED_OUT, response_class=HTMLResponse)
async def signed_out(request: Request) -> Response:
    """Say that one is signed out; it ends nothing itself."""
    return doorstep.left(Left(), "", doorstep.language(request))


def _arrived(request: Request, unit: UnitOfWork, found: Arrival) -> Response:
    language = doorstep.language(request)
    if not isinstance(found, Arrived):
        return _turned(request, unit, found, language)
    answer = RedirectResponse(f"/console?lang={found.language or language}", 303)
    _keep(answer, SESSION, found.ticket.reveal())
    return answer


def _turned(request: Request, unit: UnitOfWork, turned: Turned, language: str) -> Response:
    """The page that says why. Who proved nothing is counted; who has no role has an entry."""
    if turned.why is not Why.NO_ROLE:
        state.of(request).unproven.count(unit.now, passage.of(request.scope).origin.zone, str(turned.why))
    return doorstep.refused(turned, language)


def _keep(answer: Response, name: str, value: str) -> None:
    answer.set_cookie(name, value, path="/", secure=True, httponly=True, samesite="lax")


def _cookie(request: Request, name: str) -> str:
    """The cookie of exactly this name; empty when there is none, or more than one.

    Read here, since Starlette strips more from a name than browsers do: what one of them let another host set as
    `\u00a0__Host-...`, which has no such prefix, would be taken for ours.
    """
    sent = ";".join(request.headers.getlist("cookie")).split(";")
    pairs = [each.strip(" \t").partition("=") for each in sent]
    found = [value for named, _, value in pairs if named == name]
    return found[0] if len(found) == 1 else ""


async def _form(request: Request) -> dict[str, str] | None:
    """The fields of a form that a page of ours sent; None when another site did, or it is no such form.

    Browsers say where a form is from (Fetch Metadata). One that does not say so names its origin; but ours is not told
    under `Referrer-Policy: no-referrer`, so that an old browser is refused rather than believed.
    """
    site = request.headers.get("sec-fetch-site")
    ours = state.of(request).door.relying.base_url
    if site != "same-origin" and (site is not None or request.headers.get("origin") != ours):
        return None
    passage.of(request.scope).max_body = _FORM_MOST
    body = await request.body()
    try:
        sent = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_FIELDS_MOST, errors="strict")
    except ValueError:
        return None
    return dict(sent) if len(dict(sent)) == len(sent) else None
