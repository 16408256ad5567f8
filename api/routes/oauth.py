"""The endpoints of the authorization server, and what describes them.

Outside `/v1`, and outside the API description: these speak OAuth.

Errors of the endpoints are those of RFC 6749 section 5.2; what fails below it (no capacity, no database) is a
problem, as everywhere.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from api.edge import passage, state
from api.edge.unit import UnitOfWork
from api.oauth import dpop
from api.oauth import metadata as described
from api.oauth.endpoint import Asked, Declined
from api.oauth.server import Issued
from api.storage.unit import Unit

router: Final = APIRouter(include_in_schema=False, redirect_slashes=False)
"""The authorization server of our own, which can be switched off."""

resource: Final = APIRouter(include_in_schema=False, redirect_slashes=False)
"""What is there in any case: the API as a resource, and the keys that also sign receipts."""

_FORM: Final = "application/x-www-form-urlencoded"
_FORM_MOST: Final = 16_384
_UNAUTHENTICATED: Final = 401
_CACHED: Final = {"cache-control": "public, max-age=300"}
"""Seconds. `signing.AHEAD_LEAST` is longer."""


@router.post(described.TOKEN_PATH)
async def token(request: Request, unit: UnitOfWork) -> JSONResponse:
    """Answer a token request (RFC 6749 section 4.4, RFC 7523, RFC 9449 section 5)."""
    endpoint = state.of(request).token_endpoint
    answer = await endpoint.answer(unit, await _asked(request))
    # With every answer, so that the next proof needs no second attempt (RFC 9449 section 8.2).
    headers = {"dpop-nonce": endpoint.nonces.fresh(unit.now)}
    if isinstance(answer, Declined):
        return _declined(request, unit, answer, headers)
    return JSONResponse(_granted(answer), headers=headers)


@router.post(described.REVOCATION_PATH)
async def revoke(request: Request, unit: UnitOfWork) -> Response:
    """Revoke a token (RFC 7009). It counts from the next request, on every worker."""
    answer = await state.of(request).token_management.revoke(unit, await _asked(request))
    return _declined(request, unit, answer) if isinstance(answer, Declined) else Response()


@router.post(described.INTROSPECTION_PATH)
async def introspect(request: Request, unit: UnitOfWork) -> Response:
    """Tell what a token means now (RFC 7662)."""
    answer = await state.of(request).token_management.introspect(unit, await _asked(request))
    return _declined(request, unit, answer) if isinstance(answer, Declined) else JSONResponse(answer.members)


@router.post(described.CLIENT_KEYS_PATH)
async def client_keys(request: Request, unit: UnitOfWork) -> Response:
    """Replace the keys of a client, by the client itself (`api.oauth.renewal`)."""
    answer = await state.of(request).key_renewal.answer(unit, await _asked(request))
    return _declined(request, unit, answer) if isinstance(answer, Declined) else JSONResponse(answer.members)


@router.get("/.well-known/oauth-authorization-server")
@router.get("/.well-known/openid-configuration")
async def metadata(request: Request) -> JSONResponse:
    """Describe the server (RFC 8414), at the path of OpenID Connect Discovery too (NL GOV profile)."""
    here = state.of(request)
    return JSONResponse(described.authorization_server(here.issuer, here.token_endpoint.mtls_url), headers=_CACHED)


@resource.get(described.JWKS_PATH)
async def jwks(request: Request) -> JSONResponse:
    """The keys that sign our tokens (RFC 7517)."""
    here = state.of(request)
    return JSONResponse(here.issuer.jwks(here.clock()), headers=_CACHED)


@resource.get("/.well-known/oauth-protected-resource")
@resource.get("/.well-known/oauth-protected-resource/v1")
async def protected_resource(request: Request) -> JSONResponse:
    """Describe the API as a resource (RFC 9728); the second path is what section 3.1 derives from `resource`."""
    here = state.of(request)
    base_url, mtls_url = passage.of(request.scope).base_url, here.token_endpoint.mtls_url
    document = described.protected_resource(here.issuer, here.issuers.urls, base_url, mtls_url)
    return JSONResponse(document, headers=_CACHED)


def _granted(answer: Issued) -> dict[str, Any]:
    body: dict[str, Any] = {
        "access_token": answer.token,
        "token_type": "DPoP",
        "expires_in": answer.expires_in,
        "scope": " ".join(sorted(answer.scopes)),
    }
    if answer.renew_by is not None:  # RFC 6749 section 5.1: who does not know a member ignores it
        body["client_keys_renew_by"] = answer.renew_by.isoformat()
    if answer.certificate_by is not None:
        body["client_certificate_renew_by"] = answer.certificate_by.isoformat()
    return body


async def _asked(request: Request) -> Asked:
    way = passage.of(request.scope)
    return Asked(await _form(request), way.origin, request.headers.getlist("dpop"), way.certificate)


def _declined(request: Request, unit: Unit, answer: Declined, headers: dict[str, str] | None = None) -> JSONResponse:
    if not answer.proven and answer.error != dpop.NONCE_WANTED:
        state.of(request).unproven.count(unit.now, passage.of(request.scope).origin.zone, answer.error)
    status = _UNAUTHENTICATED if answer.error == "invalid_client" else 400
    return JSONResponse({"error": answer.error, "error_description": answer.description}, status, headers)


async def _form(request: Request) -> list[tuple[str, str]]:
    """The parameters as sent. What is no form has none, and the endpoint says so."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    if kind != _FORM or len(body) > _FORM_MOST:
        return []
    try:
        return parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=20, errors="strict")
    except ValueError:
        return []
