"""Talking to the providers, as a confidential client of each: discovery, PAR, and an ID token for a code.

We prove ourselves with the key that also signs our access tokens, which is published and rotated already: a provider
needs our `jwks_uri` and no secret. What we sign for it says `typ: JWT` and has the provider as its one audience, so it
is no access token, and serves at no other server (FAPI 2.0 section 5.3.3.1).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlencode

import orjson
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request  # type: ignore[import-untyped]
from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]

from api.errors import KetenbrugError, Unavailable
from api.oauth import discovery, jose
from api.oauth.endpoint import ASSERTION_TYPE
from api.oauth.people import id_token, sessions
from api.oauth.people.id_token import Expected
from api.oauth.remote import Remote, taken
from api.outbound import NotFetched

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from api.oauth.jose import PublicKey
    from api.oauth.people.model import Provider
    from api.oauth.people.pending import Pending
    from api.oauth.tokens import Issuer
    from api.outbound import Answer, Fetcher

SCOPE: Final = "openid profile"
CALLBACK: Final = "/console/callback"
SIGNED_OUT: Final = "/console/signed-out"

_ASSERTION_LASTS: Final = 60
"""Seconds."""
_OK: Final = 200
_CREATED: Final = 201
_SERVER_ERROR: Final = 500
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


class Unproven(KetenbrugError):
    """The provider proved nobody. Nothing of what it said is in it."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """Where a provider is asked what. `pushes`, `ends`: empty where it does not offer that.

    `names_itself`: its answers have `iss` (RFC 9207). `pushed_only`: it takes no other request (RFC 9126 section 5).
    """

    authorization: str
    token: str
    pushes: str
    ends: str
    names_itself: bool
    pushed_only: bool

    @classmethod
    def of(cls, document: Mapping[str, Any], issuer: str) -> Metadata:
        """Read it. Raises `NotFetched` when people cannot sign in there."""
        authorization = discovery.address(document, "authorization_endpoint", issuer)
        token = discovery.address(document, "token_endpoint", issuer)
        pushes = discovery.address(document, "pushed_authorization_request_endpoint", issuer)
        pushed_only = document.get("require_pushed_authorization_requests") is True
        if not authorization or not token or (pushed_only and not pushes):
            raise NotFetched("the provider does not say where people sign in")
        return cls(
            authorization,
            token,
            pushes,
            discovery.address(document, "end_session_endpoint", issuer),
            document.get("authorization_response_iss_parameter_supported") is True,
            pushed_only,
        )


_NOWHERE: Final = Metadata("", "", "", "", names_itself=False, pushed_only=False)
"""Before anything was fetched: without keys nobody is told it."""


class _Known:
    """What this process knows of one provider: its metadata and keys, fetched together."""

    def __init__(self, fetcher: Fetcher, issuer: str) -> None:
        self._fetcher = fetcher
        self._issuer = issuer
        self._metadata = _NOWHERE
        self._remote = Remote("provider", self._fetched)

    async def find(self, kid: str, at: float) -> tuple[Metadata, Mapping[str, PublicKey]]:
        """Both, as far as they can be had. Raises `Unavailable`."""
        keys = await self._remote.find(kid, at)
        return self._metadata, keys

    async def _fetched(self) -> dict[str, PublicKey]:
        document = await discovery.metadata(self._fetcher, self._issuer, (discovery.OPENID,))
        found = Metadata.of(document, self._issuer)
        keys = taken(await self._fetcher.json(str(document["jwks_uri"])))
        self._metadata = found
        return keys


class Relying:
    """We, as the client of every provider."""

    __slots__ = ("_clock", "_fetcher", "_known", "_us", "base_url")

    def __init__(self, us: Issuer, base_url: str, fetcher: Fetcher, clock: Callable[[], datetime]) -> None:
        """`clock` is read anew for what a provider says after our request began, since it may have taken long."""
        self._clock = clock
        self._us = us
        self._fetcher = fetcher
        self._known: dict[str, _Known] = {}
        self.base_url: Final = base_url

    async def metadata(self, provider: Provider, now: datetime) -> Metadata:
        """What it offers. Raises `Unavailable`."""
        found, _ = await self._of(provider).find("", now.timestamp())
        return found

    async def address(self, provider: Provider, pending: Pending, now: datetime) -> str:
        """Where to send the browser, with the whole request. Raises `Unavailable`."""
        metadata = await self.metadata(provider, now)
        return cast("str", prepare_grant_uri(metadata.authorization, **self._asked(provider, pending)))

    async def pushed(self, provider: Provider, pending: Pending, now: datetime) -> str:
        """The same with a pushed request (RFC 9126): nothing of it passes through the browser, or is changed there.

        Raises `Unavailable`, and `Unproven` when it is not taken.
        """
        metadata = await self.metadata(provider, now)
        body = urlencode(self._asked(provider, pending) | await self._proof(provider, now))
        request_uri = _members(await self._posted(metadata.pushes, body), _CREATED).get("request_uri")
        if not isinstance(request_uri, str):
            raise Unproven
        asked = urlencode({"client_id": provider.client_id, "request_uri": request_uri})
        return f"{metadata.authorization}{_joint(metadata.authorization)}{asked}"

    def _asked(self, provider: Provider, pending: Pending) -> dict[str, str]:
        anew = {"prompt": "login"} if pending.anew else {}
        return anew | {
            "response_type": "code",
            "client_id": provider.client_id,
            "redirect_uri": self._callback(provider),
            "scope": SCOPE,
            "state": pending.state,
            "nonce": pending.nonce,
            "code_challenge": cast("str", create_s256_code_challenge(pending.verifier)),
            "code_challenge_method": "S256",
            "max_age": str(int(sessions.LASTS.total_seconds())),
        }

    async def redeem(self, provider: Provider, pending: Pending, code: str, now: datetime) -> dict[str, Any]:
        """The verified claims that the provider gives for a code; its tokens are dropped.

        Raises `Unproven` and `Unavailable`.
        """
        known = self._of(provider)
        metadata, _ = await known.find("", now.timestamp())
        body: str = prepare_token_request(
            "authorization_code",
            redirect_uri=self._callback(provider),
            code=code,
            code_verifier=pending.verifier,
            client_id=provider.client_id,
            **await self._proof(provider, now),
        )
        text = _members(await self._posted(metadata.token, body), _OK).get("id_token")
        try:
            unverified = jose.peek(text if isinstance(text, str) else "")
            kid = unverified.header.get("kid")
            at = self._clock().timestamp()
            _, keys = await known.find(kid if isinstance(kid, str) else "", at)
            lasts = timedelta() if pending.anew else sessions.LASTS
            since = (pending.begun_at - lasts).timestamp()
            expected = Expected(provider.issuer, provider.client_id, pending.nonce, since)
            return id_token.verify(unverified, keys, expected, at)
        except jose.Unreadable:
            raise Unproven from None

    def _of(self, provider: Provider) -> _Known:
        known = self._known.get(provider.issuer)
        if known is None:
            known = self._known[provider.issuer] = _Known(self._fetcher, provider.issuer)
        return known

    def _callback(self, provider: Provider) -> str:
        """Another one for each provider, so that an answer of one is never taken for that of another (RFC 9700)."""
        return f"{self.base_url}{CALLBACK}/{provider.id}"

    async def _proof(self, provider: Provider, now: datetime) -> dict[str, str]:
        """A client assertion of one use (RFC 7523)."""
        at = int(now.timestamp())
        claims = {
            "iss": provider.client_id,
            "sub": provider.client_id,
            "aud": provider.issuer,
            "iat": at,
            "exp": at + _ASSERTION_LASTS,
            "jti": secrets.token_urlsafe(16),
        }
        signed = await self._us.key(now).sign("JWT", claims)
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}

    async def _posted(self, url: str, body: str) -> Answer:
        try:
            answer = await self._fetcher.post(url, body.encode("ascii"), _FORM)
        except NotFetched:
            raise Unavailable("provider") from None
        if answer.status >= _SERVER_ERROR:
            raise Unavailable("provider")
        return answer


def _members(answer: Answer, status: int) -> dict[str, Any]:
    """The members of an answer of this status. Raises `Unproven`."""
    try:
        found: object = orjson.loads(answer.body) if answer.status == status else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Unproven
    return cast("dict[str, Any]", found)


def _joint(url: str) -> str:
    return "&" if "?" in url else "?"
