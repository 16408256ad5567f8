"""Authlib's authorization server, held to FAPI 2.0: client_credentials, with private_key_jwt or tls_client_auth.

Authlib is synchronous and asks for its data in the middle of its work. So the client is read before, Authlib computes,
and what it decided is written after (`api.oauth.server`). One server object per request: no request state is shared.

What Authlib does otherwise, and FAPI 2.0 or our own rules forbid, is overridden here, each with its reason. Its error
descriptions quote the input (and fail on a quotation mark in it), so only the error code leaves this module.
"""
# Authlib has no types of its own, and those that pyright bundles are of an older version. This is Authlib's only door,
# and nothing untyped leaves it.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false
# pyright: reportGeneralTypeIssues=false, reportCallIssue=false

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

from authlib.oauth2.base import OAuth2Error  # type: ignore[import-untyped]
from authlib.oauth2.rfc6749 import (  # type: ignore[import-untyped]
    AuthorizationServer,
    ClientCredentialsGrant,
    ClientMixin,
    InvalidClientError,
    InvalidScopeError,
    OAuth2Request,
)
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload  # type: ignore[import-untyped]
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion  # type: ignore[import-untyped]

from api.oauth import jose
from api.oauth.model import METHODS, PRIVATE_KEY_JWT, TLS_CLIENT_AUTH
from api.vocabulary import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from api.oauth.certificate import Certificate
    from api.oauth.jose import Unverified
    from api.oauth.model import Client
    from api.oauth.tokens import Issuer

AHEAD_MOST: Final = 600
"""Seconds that the `exp` of an assertion may be ahead: so long must its `jti` be remembered."""

SKEW: Final = 10
"""Seconds that `iat` and `nbf` may be ahead (FAPI 2.0 section 5.3.2.1). `exp` has no leeway."""

_MINUTE: Final = timedelta(minutes=1)

_MANAGING: Final = "management"
"""Our name, towards Authlib, of the endpoints for revocation and introspection."""

_TYPES: Final = frozenset({"", "jwt", "client-authentication+jwt"})
"""Never `at+jwt` or `dpop+jwt`: a client may sign those with the same key."""

_JTI: Final = range(8, 129)
"""Characters of a `jti`."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """A client assertion that holds (RFC 7523 section 3). Not yet known: whether it was used before.

    Or a `certificate` that does. The TLS connection that it comes from cannot be copied, so its `jti` is a new one: the
    mark that is made of it asks whether the client stands, and nothing else.
    """

    jti: str = field(repr=False)
    forget_at: datetime
    certificate: Certificate | None = None


@dataclass(frozen=True, slots=True)
class Granted:
    """A token may be made, and leave once the assertion and the proof are marked as used."""

    assertion: Assertion
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True)
class Denied:
    """No token. `error` is a code of RFC 6749 section 5.2. `assertion` is there when the caller is the client."""

    error: str
    assertion: Assertion | None


Outcome: TypeAlias = Granted | Denied


@dataclass(slots=True)
class Attempt:
    """One token request: what is known before (form, client), and what comes of it."""

    form: Mapping[str, str]
    client: Client | None
    issuer: Issuer
    now: datetime
    certificate: Certificate | None = None
    assertion: Assertion | None = None


def decide(attempt: Attempt, url: str) -> Outcome:
    """Decide on a token request whose parameters are single and whose proof holds. Pure computation.

    `attempt.client` is the one that the assertion claims to be of, as it was read; `url` is that of the endpoint.
    """
    body: Any = _Server(attempt).create_token_response(_Request(attempt.form, url))
    error: str | None = body.get("error")
    if error is not None or attempt.client is None or attempt.assertion is None:
        return Denied(error or "invalid_client", attempt.assertion)
    scopes = frozenset(Scope(word) for word in attempt.form["scope"].split(" "))
    return Granted(attempt.assertion, scopes)


def authenticate(attempt: Attempt, url: str) -> Assertion | None:
    """What proves a caller to be `attempt.client`, disabled or not; None for everybody else."""
    with suppress(OAuth2Error):
        _Server(attempt).authenticate_client(_Request(attempt.form, url), list(METHODS), _MANAGING)
    return attempt.assertion


class _Request(OAuth2Request):  # type: ignore[misc]
    """Authlib's request, from parameters that were read before."""

    def __init__(self, form: Mapping[str, str], url: str) -> None:
        super().__init__("POST", url)
        self._form = dict(form)
        self.payload = BasicOAuth2Payload(self._form)

    @property
    def form(self) -> dict[str, str]:
        return self._form


class _Client(ClientMixin):  # type: ignore[misc]
    """A client, as Authlib asks about it."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == self.client.method and endpoint in {"token", _MANAGING}

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == self.client.grant


class _Server(AuthorizationServer):  # type: ignore[misc]
    """The server of one request. There are no stored tokens, no signals and no framework."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__()
        self.attempt = attempt
        self.register_client_auth_method(PRIVATE_KEY_JWT, _PrivateKeyJwt(attempt))
        self.register_client_auth_method(TLS_CLIENT_AUTH, _TlsClientAuth(attempt))
        self.register_grant(_ClientCredentials)

    def query_client(self, client_id: str) -> _Client | None:
        client = self.attempt.client
        return _Client(client) if client is not None and client.id == client_id else None

    def create_oauth2_request(self, request: _Request) -> _Request:
        return request

    def handle_response(self, status: int, body: dict[str, Any], headers: list[tuple[str, str]]) -> dict[str, Any]:
        # The route has its own table of status codes and headers.
        del status, headers
        return body

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Authlib's signature
        """Nobody listens."""


class _PrivateKeyJwt(JWTBearerClientAssertion):  # type: ignore[misc]
    """Client authentication (RFC 7523). Authlib's flow, with our own eyes at each step of it."""

    CLIENT_AUTH_METHOD = PRIVATE_KEY_JWT

    def __init__(self, attempt: Attempt) -> None:
        super().__init__()
        self._attempt = attempt

    def extract_assertion(self, assertion: str) -> tuple[dict[str, Any], dict[str, Any]]:
        # Authlib's own reading has no limit on depth, and quotes the header in its errors.
        try:
            unverified = jose.peek(assertion)
        except jose.Unreadable:
            raise InvalidClientError from None
        return unverified.header, unverified.claims

    def resolve_client_public_key(self, client: _Client) -> jose.KeyRing:
        return client.client.keys

    def process_assertion_claims(self, assertion: str, resolve_key: jose.KeyRing) -> dict[str, Any]:
        # Authlib's own call would take HS256 and RS256 and refuse PS256 and Ed25519.
        try:
            unverified = jose.peek(assertion)
            claims = jose.verify(unverified, resolve_key.choose(unverified.header))
        except jose.Unreadable:
            raise InvalidClientError from None
        self._attempt.assertion = _held(unverified, self._attempt)
        return claims

    def authenticate_client(self, client: _Client) -> _Client:
        if not client.client.enabled:
            raise InvalidClientError
        return client


class _TlsClientAuth:
    """Client authentication by certificate (RFC 8705 section 2.1), which Authlib does not know."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt

    def __call__(self, query_client: Callable[[str], _Client | None], request: _Request) -> _Client | None:
        shown, found = self._attempt.certificate, query_client(request.form.get("client_id", ""))
        # One method per request, and per client
        if shown is None or found is None or found.client.pins is None or "client_assertion" in request.form:
            return None
        if not found.client.takes(shown, self._attempt.now):
            raise InvalidClientError
        self._attempt.assertion = Assertion(secrets.token_urlsafe(16), self._attempt.now + _MINUTE, shown)
        if not found.client.enabled:
            raise InvalidClientError
        return found


class _ClientCredentials(ClientCredentialsGrant):  # type: ignore[misc]
    """The one grant (RFC 6749 section 4.4)."""

    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar[list[str]] = list(METHODS)

    def validate_requested_scope(self) -> None:
        # Asked scopes are granted as asked or not at all: no default and no silent narrowing.
        attempt: Attempt = self.server.attempt
        client: Client = self.client.client
        if not client.scopes.issuperset(attempt.form.get("scope", "").split(" ")):
            raise InvalidScopeError
        if attempt.form.get("resource", attempt.issuer.audience) != attempt.issuer.audience:
            raise _InvalidTargetError

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        # Authlib would make the token here, and write it to its log.
        return 200, {}, []


class _InvalidTargetError(OAuth2Error):  # type: ignore[misc]
    """The resource is not ours (RFC 8707 section 2)."""

    error = "invalid_target"


def _held(unverified: Unverified, attempt: Attempt) -> Assertion:
    """Hold the claims of a verified assertion to RFC 7523 section 3 and FAPI 2.0 section 5.3.2.1."""
    claims, at = unverified.claims, attempt.now.timestamp()
    # (1) a client assertion, and no other JWT of this key
    kind = unverified.header.get("typ", "")
    # (2) from the client about itself; a `client_id` beside it is the same (RFC 7521 section 4.2)
    client = claims.get("sub")
    # (3) for us alone: the issuer as one string, so that no other server can pass it on
    ours = claims.get("aud") == attempt.issuer.url
    # (4) for now
    begins, issued, expires = (jose.seconds(claims.get(name, 0)) for name in ("nbf", "iat", "exp"))
    # (5) for once
    jti = claims.get("jti")
    if (
        isinstance(kind, str)
        and kind.lower() in _TYPES
        and claims.get("iss") == client == attempt.form.get("client_id", client)
        and ours
        and begins is not None
        and issued is not None
        and expires is not None
        and "iat" in claims
        and max(begins, issued) <= at + SKEW
        and at < expires <= at + AHEAD_MOST
        and isinstance(jti, str)
        and len(jti) in _JTI
    ):
        return Assertion(jti, datetime.fromtimestamp(expires, UTC))
    raise InvalidClientError
