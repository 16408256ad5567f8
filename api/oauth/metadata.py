"""What the authorization server and the API say about themselves (RFC 8414, RFC 9728), and where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from api.oauth import jose
from api.oauth.model import METHODS, PRIVATE_KEY_JWT
from api.vocabulary import Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.oauth.tokens import Issuer

TOKEN_PATH: Final = "/oauth/token"  # noqa: S105 - a path
REVOCATION_PATH: Final = "/oauth/revoke"
INTROSPECTION_PATH: Final = "/oauth/introspect"
CLIENT_KEYS_PATH: Final = "/oauth/client-keys"
JWKS_PATH: Final = "/.well-known/jwks.json"
ENCRYPTION_KEYS_PATH: Final = "/.well-known/encryption-keys"

_ENDPOINTS: Final = {"token": TOKEN_PATH, "revocation": REVOCATION_PATH, "introspection": INTROSPECTION_PATH}


def authorization_server(issuer: Issuer, mtls_url: str = "") -> dict[str, Any]:
    """The metadata of the server (RFC 8414 section 2). At each endpoint the client proves itself in the same way.

    `mtls_url`: where it is for who connects with a certificate (RFC 8705 section 5); empty when nobody does.
    """
    methods = list(METHODS) if mtls_url else [PRIVATE_KEY_JWT]
    document: dict[str, Any] = {
        "issuer": issuer.url,
        "jwks_uri": issuer.url + JWKS_PATH,
        "scopes_supported": [str(scope) for scope in Scope],
        "response_types_supported": [],  # required, and there is no authorization endpoint
        "grant_types_supported": ["client_credentials"],
        "dpop_signing_alg_values_supported": list(jose.ALGORITHMS),
        "client_keys_endpoint": issuer.url + CLIENT_KEYS_PATH,
    }
    for name, path in _ENDPOINTS.items():
        document[f"{name}_endpoint"] = issuer.url + path
        document[f"{name}_endpoint_auth_methods_supported"] = list(methods)
        document[f"{name}_endpoint_auth_signing_alg_values_supported"] = list(jose.ALGORITHMS)
    if mtls_url:
        document["tls_client_certificate_bound_access_tokens"] = True
        document["mtls_endpoint_aliases"] = {f"{name}_endpoint": mtls_url + path for name, path in _ENDPOINTS.items()}
    return document


def protected_resource(issuer: Issuer, servers: Sequence[str], base_url: str, mtls_url: str = "") -> dict[str, Any]:
    """The metadata of the API (RFC 9728 section 2). `servers`: the issuers whose tokens are taken."""
    return {
        "resource": issuer.audience,
        "authorization_servers": list(servers),
        "jwks_uri": base_url + ENCRYPTION_KEYS_PATH,
        "scopes_supported": [str(scope) for scope in Scope],
        "bearer_methods_supported": ["header"],
        "tls_client_certificate_bound_access_tokens": bool(mtls_url),
        "dpop_bound_access_tokens_required": True,
        "dpop_signing_alg_values_supported": list(jose.ALGORITHMS),
    }
