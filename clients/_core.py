"""The flow of one call, without I/O.

(1) a token that is fresh                                            `_tokens`
(2) the request, with a proof of its own for each attempt            `_sending`
    before it the key that its body is sealed to, if it is to be     `_sealing`
(3) once more with a new token, when the API says that this one no longer holds (RFC 6750 section 3.1)
(4) the answer, or the error that the problem document means         `errors`
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeVar

from clients import _tracing as tracing
from clients._messages import Request, is_secure
from clients._opening import MEDIA_TYPES
from clients._released import WITHIN, Receiver
from clients._releasing import released
from clients._sealing import NOT_OPENED, Sealer
from clients._sending import Sender, forget, receipts, retry_after
from clients._tokens import Tokens
from clients._tracing import Trace
from clients.answers import Answer
from clients.errors import KetenbrugClientError, Misconfigured, UnexpectedAnswer, of_problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from clients._keys import Signer
    from clients._messages import Call, Flow, Response
    from clients._opening import Opener
    from clients._payloads import PayloadSigner
    from clients._sealing import SealingKey
    from clients._sending import Keep, Retries
    from clients._tokens import Account, Token

T = TypeVar("T")

_GOOD: Final = frozenset({HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT, HTTPStatus.PARTIAL_CONTENT})
_JSON: Final = "application/json"
_PERSON: Final = re.compile(r"[\x21-\x7e]{1,64}")


class Session:
    """What one client remembers between calls: its token and the nonces. Safe to share between threads and tasks."""

    __slots__ = ("_accept", "_base", "_clock", "_opener", "_payloads", "_sealer", "_sender", "_signer", "_tokens")

    def __init__(
        self,
        base_url: str,
        account: Account,
        signer: Signer,
        *,
        retries: Retries,
        clock: Callable[[], float],
        keep: Keep = forget,
        opener: Opener | None = None,
        seals: frozenset[str] | None = None,
        payloads: PayloadSigner | None = None,
    ) -> None:
        """`seals`: posts are sealed, only to keys of these thumbprints if there are any. None: they are not."""
        for name, url in (("base URL", base_url), ("issuer", account.issuer)):
            if not is_secure(url):
                raise Misconfigured("must be an HTTPS URL; HTTP only on this machine", name)
        self._base = base_url.rstrip("/")
        self._clock = clock
        self._opener = opener
        self._payloads = payloads
        self._accept = ", ".join((*(MEDIA_TYPES if opener is not None else ()), _JSON))
        self._signer = signer
        self._sender = Sender(clock, retries, keep)
        self._tokens = Tokens(account, signer, self._sender, clock)
        self._sealer = None if seals is None else Sealer(self._base, seals, self._sender, clock)

    def __repr__(self) -> str:
        return f"<Session at {self._base}>"

    @property
    def renew_keys_by(self) -> date | None:
        """The day by which the keys are to be renewed, if the exchange said so with the last token."""
        return self._tokens.renew_keys_by

    def call(self, call: Call[T], person: str | None = None, parent: str | None = None) -> Flow[Answer[T]]:
        """The answer to a call. `parent`: the `traceparent` of what it is made for.

        Raises any `KetenbrugClientError`.
        """
        trace = Trace.of(parent)
        try:
            key = yield from self._sealing(call, trace)
            token = yield from self._tokens.current(trace)
            response = yield from self._sent(call, key, token, person, trace)
            if _is_stale(response):
                token = yield from self._tokens.current(trace, refused=token)
                response = yield from self._sent(call, key, token, person, trace)
            if key is not None and _is_not_opened(response):
                key = yield from self._sealing(call, trace, refused=key)
                response = yield from self._sent(call, key, token, person, trace)
            return _answer(call, self._opened(response), self._clock())
        except KetenbrugClientError as error:
            error.idempotency_key = call.key
            raise

    def _sealing(self, call: Call[T], trace: Trace, refused: SealingKey | None = None) -> Flow[SealingKey | None]:
        """The key that the body of a call is sealed to; None where it goes in the clear, or has none."""
        if self._sealer is None or (call.body is None and call.content is None):
            return None
        return (yield from self._sealer.current(trace, refused))

    def _opened(self, response: Response) -> Response:
        """The same answer with what was sealed to this client opened. Raises `UnexpectedAnswer`."""
        if response.headers.get("content-type") not in MEDIA_TYPES:
            return response
        if self._opener is not None:
            with suppress(ValueError):
                return replace(response, content=self._opener.open(response.content))
        raise UnexpectedAnswer(
            "the answer is sealed to a key that this client has not: give it as `opening_key`",
            response.status,
            response.headers.get("request-id"),
        )

    def _sent(
        self, call: Call[T], key: SealingKey | None, token: Token, person: str | None, trace: Trace
    ) -> Flow[Response]:
        url = f"{self._base}/{call.target}"
        into = None if call.into is None else Receiver(call.into, self._opener, call.start, call.document)

        def made(nonce: str | None) -> Request:
            request = self._request(call, url, token, nonce, person, trace)
            return replace(request if key is None else _sealed(call, request, key), into=into)

        response = yield from self._sender.send(url, made, replayable=call.replayable)
        if into is not None and response.status in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
            into.end()
        return response

    def _request(
        self, call: Call[T], url: str, token: Token, nonce: str | None, person: str | None, trace: Trace
    ) -> Request:
        text = token.reveal()
        headers = {
            "Accept": self._accept if call.into is None else "*/*",
            tracing.HEADER: trace.child(),
            "Authorization": f"DPoP {text}",
            "DPoP": self._signer.proof(call.method, url, self._clock(), nonce=nonce, token=text, person=person),
        }
        if call.body is not None:
            headers["Content-Type"] = _JSON
            if call.signed and self._payloads is not None:
                headers |= self._payloads.headers(call.body, self._clock())
        if call.key is not None:
            headers["Idempotency-Key"] = str(call.key)
        if call.purpose is not None:
            headers["Purpose"] = str(call.purpose)
        if call.known is not None and call.known.etag is not None:
            headers["If-None-Match"] = call.known.etag
        if call.version is not None:
            headers["If-Match"] = f'"{call.version}"'
        if call.start:
            headers["Range"] = f"{'bytes' if self._opener is None else WITHIN}={call.start}-"
        if call.content is None:
            return Request(call.method, url, headers, call.body or b"")
        return Request(call.method, url, headers | dict(call.content.headers()), source=call.content.blocks)


def checked_person(person: str) -> str:
    """Who acts, as a proof may name them: opaque, at most 64 visible ASCII characters. Raises `Misconfigured`."""
    if not _PERSON.fullmatch(person):
        raise Misconfigured("an acting person is named by 1 to 64 visible ASCII characters, and never by their name")
    return person


def _sealed(call: Call[T], request: Request, key: SealingKey) -> Request:
    """The request with its body sealed, anew with each attempt; whatever is said of a text is said of it unsealed."""
    if call.content is not None:
        return released(request, key, call.content, call.document)
    posted = key.seal(request.content)
    return replace(request, headers={**request.headers, "Content-Type": posted.media_type}, content=posted.content)


def _is_not_opened(response: Response) -> bool:
    """Whether the service could not open what was sealed to it: its keys may be others by now."""
    if response.status != HTTPStatus.BAD_REQUEST:
        return False
    return of_problem(response.status, response.content).slug == NOT_OPENED


def _is_stale(response: Response) -> bool:
    """Whether a new token may help: this one is expired, revoked, or its client has changed since."""
    if response.status != HTTPStatus.UNAUTHORIZED:
        return False
    said = 'error="invalid_token"' in response.headers.get("www-authenticate", "")
    return said or of_problem(response.status, response.content).slug == "invalid-token"


def _answer(call: Call[T], response: Response, now: float) -> Answer[T]:
    status, headers = response.status, response.headers
    request_id, receipt = headers.get("request-id"), next(reversed(receipts(response)), None)
    if status >= HTTPStatus.BAD_REQUEST:
        waits = retry_after(response, now)
        raise of_problem(status, response.content, request_id=request_id, retry_after=waits, receipt=receipt)
    if status == HTTPStatus.NOT_MODIFIED and call.known is not None:
        return Answer(call.known.value, status, request_id, receipt, call.known.etag, unchanged=True)
    if status in _GOOD:
        replayed = headers.get("idempotency-replayed") == "true"
        return Answer(_value(call, response), status, request_id, receipt, headers.get("etag"), replayed=replayed)
    raise UnexpectedAnswer("an answer of this status is not described", status, request_id)


def _value(call: Call[T], response: Response) -> T:
    try:
        return call.parse(response.content)
    except ValueError:
        pass
    # Raised outside the handler, so that no error carries what could not be read: it may be personal data.
    raise UnexpectedAnswer("the body is not as described", response.status, response.headers.get("request-id"))
