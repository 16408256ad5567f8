"""A small exchange for the clients: an issuer and an API, as one function from request to response.

It holds every request against the server's own verification of proofs and assertions, so that what the clients sign is
what the server takes. It is driven by hand (`Hand`), over ASGI and over a loopback socket; nothing of it is patched.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from joserfc.jwk import ECKey, OKPKey

from api.errors import Unauthenticated
from api.oauth import dpop, jose
from api.schemas.cases import Case, NewCase
from api.vocabulary import CareFunction, Municipality
from clients._core import Session
from clients._keys import load
from clients._messages import Alone, Pause, Request, Response
from clients._rooms import reads
from clients._sending import Retries
from clients._tokens import ASSERTION_TYPE, WELL_KNOWN, Account
from clients.errors import ConnectionFailed, KetenbrugClientError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clients._messages import Flow

T = TypeVar("T")

CASE_ID: Final = UUID("0197d1e0-0000-7000-8000-000000000001")
CASE: Final[dict[str, Any]] = {
    "id": str(CASE_ID),
    "personId": "0197d1e0-0000-4000-8000-000000000002",
    "municipality": "utrecht",
    "vNumber": "0000000042",
    "withStatus": True,
    "openedAt": "2026-11-24T10:00:00Z",
    "assignments": [],
    "version": 1,
}
READ: Final = reads(f"cases/{CASE_ID}", Case)
NEW: Final = NewCase(municipality=Municipality.UTRECHT, v_number="0000000042", functions=(CareFunction.COORDINATION,))

NOW: Final = 1_780_000_000.0
ORIGIN: Final = "https://exchange.test"
CLIENT_ID: Final = "ngo-one"
SCOPE: Final = "cases:read cases:write"


def private_jwk(curve: str = "P-256") -> dict[str, Any]:
    """A new private key."""
    key = ECKey.generate_key("P-256") if curve == "P-256" else OKPKey.generate_key("Ed25519")
    return dict(key.as_dict(private=True))


def reply(status: int, body: Any = None, **headers: str) -> Response:
    """A response with a JSON body. Header names have underscores for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, named, b"" if body is None else json.dumps(body).encode())


def problem(status: int, slug: str, **more: Any) -> Response:
    """A problem document as the server writes it (RFC 9457)."""
    body = {
        "type": f"{ORIGIN}/problems/{slug}",
        "title": "It is so",
        "status": status,
        "detail": "About the kind of problem.",
        "instance": "urn:uuid:0197",
        "requestId": "0197",
        "nextStep": "Do this",
    }
    headers = more.pop("headers", {})
    return Response(status, {"content-type": "application/problem+json", **headers}, json.dumps(body | more).encode())


@dataclass
class Exchange:
    """An issuer and an API at one origin.

    `answers` is what the API answers by method and path. `next_api` and `next_token` come before anything else, one for
    each request: a response, or `ConnectionFailed`. `nonce`, when set, is demanded of every proof. `tenant` is the path
    of the issuer.
    """

    jwk: dict[str, Any] = field(default_factory=private_jwk, repr=False)
    origin: str = ORIGIN
    tenant: str = ""
    now: float = NOW
    lifetime: int = 300
    token_type: str = "DPoP"
    nonce: str | None = None
    renew_by: object = None
    answers: dict[tuple[str, str], Response] = field(default_factory=dict)
    next_api: deque[Response | ConnectionFailed] = field(default_factory=deque)
    next_token: deque[Response | ConnectionFailed] = field(default_factory=deque)
    metadata: dict[str, Any] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)
    issued: list[str] = field(default_factory=list)
    revoked: set[str] = field(default_factory=set)
    proofs: list[dict[str, Any]] = field(default_factory=list)
    assertions: list[dict[str, Any]] = field(default_factory=list)

    @property
    def issuer(self) -> str:
        """The issuer."""
        return self.origin + self.tenant

    def answer(self, request: Request) -> Response:
        """What the issuer or the API answers. Raises `ConnectionFailed` where that was asked for."""
        self.asked.append(request)
        address = urlsplit(request.url).path
        if address.startswith(WELL_KNOWN):
            return reply(200, {"issuer": self.issuer, "token_endpoint": f"{self.origin}/oauth/token"} | self.metadata)
        queue = self.next_token if address == "/oauth/token" else self.next_api
        if queue:
            scripted = queue.popleft()
            if isinstance(scripted, ConnectionFailed):
                raise scripted
            return scripted
        return self._token(request) if address == "/oauth/token" else self._api(request)

    def api_requests(self) -> list[Request]:
        """The requests to the API."""
        return [each for each in self.asked if urlsplit(each.url).path.startswith("/v1/")]

    def token_requests(self) -> list[Request]:
        """The requests to the token endpoint."""
        return [each for each in self.asked if urlsplit(each.url).path == "/oauth/token"]

    def _token(self, request: Request) -> Response:
        if (refused := self._proof(request, None)) is not None:
            return refused
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        assert form["grant_type"] == "client_credentials"
        if "client_id" in form:  # proven by the certificate of its connection
            assert set(form) == {"grant_type", "scope", "client_id"}
            assert form["client_id"] == CLIENT_ID
        else:
            self._asserted(form)
        token = f"token-{len(self.issued) + 1}"
        self.issued.append(token)
        return reply(
            200,
            {
                "access_token": token,
                "token_type": self.token_type,
                "expires_in": self.lifetime,
                "scope": form["scope"],
                "client_keys_renew_by": self.renew_by,
            },
        )

    def _asserted(self, form: dict[str, str]) -> None:
        assert form["client_assertion_type"] == ASSERTION_TYPE
        public = {name: value for name, value in self.jwk.items() if name != "d"}
        unverified = jose.peek(form["client_assertion"])
        claims = jose.verify(unverified, jose.key_ring([public]).choose(unverified.header))
        assert claims["iss"] == claims["sub"] == CLIENT_ID
        assert claims["aud"] == self.issuer
        assert claims["jti"] not in {each["jti"] for each in self.assertions}
        self.assertions.append(claims)

    def _api(self, request: Request) -> Response:
        scheme, _, token = request.headers["Authorization"].partition(" ")
        assert scheme == "DPoP"
        if (refused := self._proof(request, token)) is not None:
            return refused
        if token not in self.issued or token in self.revoked:
            return problem(401, "invalid-token", headers={"www-authenticate": 'DPoP error="invalid_token"'})
        parts = urlsplit(request.url)
        target = parts.path.removeprefix("/v1/") + (f"?{parts.query}" if parts.query else "")
        return self.answers.get((request.method, target), problem(404, "not-found"))

    def _proof(self, request: Request, token: str | None) -> Response | None:
        headers = [request.headers["DPoP"]]
        claims = jose.peek(headers[0]).claims
        if self.nonce is not None and claims.get("nonce") != self.nonce:
            if token is None:
                return reply(400, {"error": "use_dpop_nonce"}, dpop_nonce=self.nonce)
            return reply(401, None, dpop_nonce=self.nonce, www_authenticate='DPoP error="use_dpop_nonce"')
        now = datetime.fromtimestamp(self.now, UTC)
        try:
            dpop.verify(headers, method=request.method, url=request.url, now=now, token=token)
        except Unauthenticated as refused:
            raise AssertionError(refused.detail) from None
        assert claims["jti"] not in {each["jti"] for each in self.proofs}
        self.proofs.append(claims)
        return None


@dataclass
class Hand:
    """Runs flows by hand: pauses pass at once, and are noted. Time stands still unless `exchange.now` is moved."""

    exchange: Exchange
    pauses: list[float] = field(default_factory=list)

    def run(self, flow: Flow[T]) -> T:
        """The result of a flow."""
        reply: Response | None = None
        failure: KetenbrugClientError | None = None
        while True:
            try:
                step = flow.send(reply) if failure is None else flow.throw(failure)
            except StopIteration as end:
                result: T = end.value
                return result
            reply = failure = None
            try:
                match step:
                    case Request():
                        reply = self.exchange.answer(step)
                    case Pause():
                        self.pauses.append(step.seconds)
                    case Alone():
                        self.run(step.flow)
            except KetenbrugClientError as error:
                failure = error


def with_a_case() -> Exchange:
    """A small exchange that knows one case and lets another be opened."""
    return Exchange(
        answers={
            ("GET", f"cases/{CASE_ID}"): reply(200, CASE, etag='"a1"', request_id="r-1", audit_receipt="receipt"),
            ("POST", "cases"): reply(201, CASE, request_id="r-2"),
        }
    )


def session(
    exchange: Exchange,
    *,
    retries: Retries | None = None,
    seals: frozenset[str] | None = None,
    by_certificate: bool = False,
) -> Session:
    """The session of a client of the small exchange. Its jitter is a half."""
    account = Account(exchange.issuer, CLIENT_ID, SCOPE, by_certificate)
    patient = Retries(chance=lambda: 0.5) if retries is None else retries
    return Session(
        f"{exchange.origin}/v1",
        account,
        load(exchange.jwk),
        retries=patient,
        clock=lambda: exchange.now,
        seals=seals,
    )


class Asgi:
    """The small exchange as an ASGI application."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        """One request."""
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        query = scope["query_string"].decode()
        url = self.exchange.origin + scope["path"] + (f"?{query}" if query else "")
        answer = self.exchange.answer(Request(scope["method"], url, _spelled(scope["headers"]), body))
        headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.content})


@contextmanager
def served(exchange: Exchange) -> Iterator[str]:
    """The small exchange on a loopback socket; its origin."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def _do(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            pairs = [(name.lower().encode(), value.encode()) for name, value in self.headers.items()]
            request = Request(self.command, exchange.origin + self.path, _spelled(pairs), content)
            try:
                answer = exchange.answer(request)
            except ConnectionFailed:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = _do  # noqa: N815 - the library's names

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        exchange.origin = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield exchange.origin
        finally:
            server.shutdown()
            thread.join()


def _spelled(pairs: Any) -> dict[str, str]:
    """Headers by the names that the exchange asks for."""
    names = {"dpop": "DPoP"}
    return {names.get(name.decode(), name.decode().title()): value.decode() for name, value in pairs}
