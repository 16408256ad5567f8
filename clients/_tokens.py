"""The access token of one client: in memory only, renewed when 80 % of its life has passed, by one flow at a time.

(1) metadata of the issuer   RFC 8414; the document must be of that issuer
(2) token request            client_credentials (RFC 6749 section 4.4), DPoP (RFC 9449), and private_key_jwt (RFC 7523)
                             or tls_client_auth (RFC 8705), which is at an address of its own
(3) the token                must be bound to our key: of the type DPoP

What another flow renewed in the meantime is used, not renewed again.
"""

from __future__ import annotations

import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlencode, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from clients import _tracing as tracing
from clients._messages import Alone, Request, is_secure
from clients.errors import KeysAreOld, UnexpectedAnswer, is_token_refusal, of_problem, of_token_refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients._keys import Signer
    from clients._messages import Flow, Response
    from clients._sending import Sender
    from clients._tracing import Trace
    from clients.errors import ProblemError

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
WELL_KNOWN: Final = "/.well-known/oauth-authorization-server"

_RENEWED: Final = 0.8
"""The share of its life after which a token is renewed."""


class _Document(BaseModel):
    """What others say; their further members are ignored, and nothing of them is repeated in an error."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class _Aliases(_Document):
    token_endpoint: str | None = None


class _Metadata(_Document):
    issuer: str
    token_endpoint: str
    mtls_endpoint_aliases: _Aliases = _Aliases()


class _Grant(_Document):
    access_token: str = Field(repr=False, min_length=1, pattern=r"^[A-Za-z0-9._~+/-]+=*$")
    token_type: str
    expires_in: int = Field(60, gt=0)
    client_keys_renew_by: object = None
    """A day, if the exchange wants to be told of new keys. What is none says nothing, and stops nobody."""


D = TypeVar("D", bound=_Document)


@dataclass(frozen=True, slots=True)
class Account:
    """With whom a client is registered, and as what. `scope`: separated by spaces.

    `by_certificate`: it proves itself by the certificate of its connection, not by its key.
    """

    issuer: str
    client_id: str
    scope: str
    by_certificate: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Token:
    """An access token, and the moment at which it is renewed. Its repr does not show it."""

    _text: str = field(repr=False)
    renew_at: float

    def reveal(self) -> str:
        """The token itself, for the header `Authorization` and for `ath`."""
        return self._text


class Tokens:
    """Owns the token and the address of the token endpoint."""

    __slots__ = ("_account", "_clock", "_endpoint", "_sender", "_signer", "_token", "renew_keys_by")

    def __init__(self, account: Account, signer: Signer, sender: Sender, clock: Callable[[], float]) -> None:
        self._account = account
        self._signer = signer
        self._sender = sender
        self._clock = clock
        self._endpoint: str | None = None
        self._token: Token | None = None
        self.renew_keys_by: date | None = None
        """The day by which the keys of this client are to be renewed, as the last token came with it."""

    def __repr__(self) -> str:
        return f"<Tokens of {self._account.client_id}>"

    def current(self, trace: Trace, refused: Token | None = None) -> Flow[Token]:
        """A token that is fresh and is not the `refused` one. `trace` is of the call that it is for."""
        token = self._fresh(refused)
        while token is None:
            yield Alone(self._renew(trace, refused))
            token = self._fresh(refused)
        return token

    def _fresh(self, refused: Token | None) -> Token | None:
        token = self._token
        return token if token is not None and token is not refused and self._clock() < token.renew_at else None

    def _renew(self, trace: Trace, refused: Token | None) -> Flow[None]:
        if self._fresh(refused) is not None:
            return
        endpoint = self._endpoint
        if endpoint is None:
            endpoint = yield from self._discover(trace)
        # Kept only while it works: the next renewal after a failure asks the issuer anew.
        self._endpoint = None
        started = self._clock()
        response = yield from self._sender.send(endpoint, lambda nonce: self._request(endpoint, nonce, trace))
        if response.status != HTTPStatus.OK:
            raise _refusal(response)
        grant = _read(_Grant, response)
        if grant.token_type.lower() != "dpop":
            raise UnexpectedAnswer("the token is not bound to the key", response.status)
        self._token = Token(grant.access_token, started + _RENEWED * grant.expires_in)
        self._endpoint = endpoint
        self._tell(_day(grant.client_keys_renew_by))

    def _tell(self, due: date | None) -> None:
        """Warn of keys that are to be renewed: once for each day that is named, when all else is done."""
        known, self.renew_keys_by = self.renew_keys_by, due
        if due is not None and due != known:
            warnings.warn(KeysAreOld(self._account.client_id, due), stacklevel=2)

    def _discover(self, trace: Trace) -> Flow[str]:
        issuer = self._account.issuer
        parts = urlsplit(issuer)
        url = f"{parts.scheme}://{parts.netloc}{WELL_KNOWN}{parts.path.rstrip('/')}"
        response = yield from self._sender.send(
            url, lambda _: Request("GET", url, {"Accept": "application/json", tracing.HEADER: trace.child()})
        )
        if response.status != HTTPStatus.OK:
            raise _refusal(response)
        metadata = _read(_Metadata, response)
        # RFC 8414 section 3.3: otherwise another server could pose as this issuer.
        if metadata.issuer != issuer:
            raise UnexpectedAnswer("the metadata is of another issuer", response.status)
        aliases = metadata.mtls_endpoint_aliases
        endpoint = aliases.token_endpoint if self._account.by_certificate else metadata.token_endpoint
        if endpoint is None:
            raise UnexpectedAnswer("the issuer has no address for clients with a certificate", response.status)
        if not is_secure(endpoint):
            raise UnexpectedAnswer("the metadata names a token endpoint without HTTPS", response.status)
        return endpoint

    def _request(self, endpoint: str, nonce: str | None, trace: Trace) -> Request:
        account, now = self._account, self._clock()
        form = {"grant_type": "client_credentials", "scope": account.scope}
        if account.by_certificate:
            form["client_id"] = account.client_id
        else:
            form["client_assertion_type"] = ASSERTION_TYPE
            form["client_assertion"] = self._signer.assertion(account.client_id, account.issuer, now)
        headers = {
            "Accept": "application/json",
            tracing.HEADER: trace.child(),
            "Content-Type": "application/x-www-form-urlencoded",
            "DPoP": self._signer.proof("POST", endpoint, now, nonce=nonce),
        }
        return Request("POST", endpoint, headers, urlencode(form).encode())


def _day(said: object) -> date | None:
    with suppress(ValueError):
        return date.fromisoformat(said) if isinstance(said, str) else None
    return None


def _refusal(response: Response) -> ProblemError | UnexpectedAnswer:
    if is_token_refusal(response.content):
        return of_token_refusal(response.status, response.content, request_id=response.headers.get("request-id"))
    if response.status < HTTPStatus.BAD_REQUEST:
        return UnexpectedAnswer("an answer of this status is not specified", response.status)
    return of_problem(response.status, response.content, request_id=response.headers.get("request-id"))


def _read(model: type[D], response: Response) -> D:
    try:
        return model.model_validate_json(response.content)
    except ValidationError:
        pass
    # Raised outside the handler, so that no error carries the token that could not be read.
    raise UnexpectedAnswer("the authorization server's answer is not as specified", response.status)
