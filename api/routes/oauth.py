"""The token endpoint and what describes it. Outside `/v1`, and outside the API description: these speak OAuth.

Errors of the token endpoint are those of RFC 6749 section 5.2; what fails below it (no capacity, no database) is a
problem, as everywhere.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from api.edge import passage, state
from api.edge.unit import UnitOfWork
from api.oauth import grants, jose
from api.oauth.server import Issued, TokenRequest
from api.vocabulary import Scope

router: Final = APIRouter(include_in_schema=False, redirect_slashes=False)

TOKEN_PATH: Final = "/oauth/token"  # noqa: S105 - a path
JWKS_PATH: Final = "/.well-known/jwks.json"

_FORM: Final = "application/x-www-form-urlencoded"
_FORM_MOST: Final = 16_384
_UNAUTHENTICATED: Final = 401
_CACHED: Final = {"cache-control": "public, max-age=300"}
"""Seconds. A key is published this long before it is used, at least."""


@router.post(TOKEN_PATH)
async def token(request: Request, unit: UnitOfWork) -> JSONResponse:
    """Answer a token request (RFC 6749 section 4.4, RFC 7523, RFC 9449 section 5)."""
    asked = TokenRequest(await _form(request), request.headers.getlist("dpop"), passage.of(request.scope).origin)
    answer = await state.of(request).token_endpoint.answer(unit, asked)
    if isinstance(answer, Issued):
        body: dict[str, Any] = {
            "access_token": answer.token,
            "token_type": "DPoP",
            "expires_in": answer.expires_in,
            "scope": " ".join(sorted(answer.scopes)),
        }
        return JSONResponse(body)
    status = _UNAUTHENTICATED if answer.error == "invalid_client" else 400
    return JSONResponse({"error": answer.error, "error_description": answer.description}, status)


@router.get("/.well-known/oauth-authorization-server")
@router.get("/.well-known/openid-configuration")
async def metadata(request: Request) -> JSONResponse:
    """Describe the server (RFC 8414), at the path of OpenID Connect Discovery too (NL GOV profile)."""
    issuer = state.of(request).issuer.url
    document: dict[str, Any] = {
        "issuer": issuer,
        "token_endpoint": issuer + TOKEN_PATH,
        "jwks_uri": issuer + JWKS_PATH,
        "scopes_supported": [str(scope) for scope in Scope],
        "response_types_supported": [],  # required, and there is no authorization endpoint
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": [grants.METHOD],
        "token_endpoint_auth_signing_alg_values_supported": list(jose.ALGORITHMS),
        "dpop_signing_alg_values_supported": list(jose.ALGORITHMS),
    }
    return JSONResponse(document, headers=_CACHED)


@router.get(JWKS_PATH)
async def jwks(request: Request) -> JSONResponse:
    """The keys that sign our tokens (RFC 7517)."""
    return JSONResponse(state.of(request).issuer.jwks(), headers=_CACHED)


@router.get("/.well-known/oauth-protected-resource")
@router.get("/.well-known/oauth-protected-resource/v1")
async def protected_resource(request: Request) -> JSONResponse:
    """Describe the API as a resource (RFC 9728); the second path is what section 3.1 derives from `resource`."""
    issuer = state.of(request).issuer
    document: dict[str, Any] = {
        "resource": issuer.audience,
        "authorization_servers": [issuer.url],
        "scopes_supported": [str(scope) for scope in Scope],
        "bearer_methods_supported": ["header"],
        "dpop_bound_access_tokens_required": True,
        "dpop_signing_alg_values_supported": list(jose.ALGORITHMS),
    }
    return JSONResponse(document, headers=_CACHED)


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
