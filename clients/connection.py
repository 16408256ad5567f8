"""Is the connection right, and if it is not, what is wrong, in words: for whoever connects an organisation.

    for found in examine(Place(base_url, issuer, client_id, key, scope), time.time):
        print(found)

Each step needs the one before, so that the first that does not hold is the last. Nothing is read of any person: the
last step asks who takes part in the exchange, and being told that this is not for you proves the connection as well.
"""

from __future__ import annotations

import email.utils
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlencode, urlsplit

from clients import _findings as findings
from clients import _keys, _transport
from clients._findings import OPERATOR, Finding, StopError
from clients._messages import Request, is_secure
from clients._tokens import ASSERTION_TYPE, WELL_KNOWN
from clients.errors import ConnectionFailed, Misconfigured, of_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from clients._drivers import Transport
    from clients._keys import KeySource, Signer
    from clients._messages import Response

SKEW: Final = 10
"""Seconds by which a clock may be ahead or behind."""

__all__ = ["Finding", "Place", "examine"]

_PATIENCE: Final = 15.0
_JSON: Final = {"Accept": "application/json"}
_DUE: Final = {"key": "client_keys_renew_by", "certificate": "client_certificate_renew_by"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a client connects, and as whom: what `NgoClient` and the others are given.

    `certificate`: by which it is registered, with its private key (PEM). Then `base_url` is of the address for those.
    """

    base_url: str
    issuer: str
    client_id: str
    key: KeySource = field(repr=False)
    scope: str
    certificate: str | Path | None = None


def examine(place: Place, clock: Callable[[], float], transport: Transport | None = None) -> Iterator[Finding]:
    """Look at one step after the other, until one does not hold."""
    try:
        tls = None if place.certificate is None else _transport.showing(place.certificate, None)
    except Misconfigured as error:
        yield Finding("certificate", f"{error}.", "Put both into one file, and let you alone read it.")
        return
    sending = transport or _transport.Http(timeout=_PATIENCE, tls=tls)
    try:
        yield from _Examination(place, sending, clock).steps()
    except StopError as stopped:
        yield stopped.finding
    finally:
        if transport is None:
            sending.close()


class _Examination:
    """One examination of a place."""

    def __init__(self, place: Place, transport: Transport, clock: Callable[[], float]) -> None:
        self._place = place
        self._transport = transport
        self._clock = clock
        self._proof = "key" if place.certificate is None else "certificate"
        """By what the client proves who it is."""

    def steps(self) -> Iterator[Finding]:
        # (1) the key
        signer = self._signer()
        yield Finding("key", f"it is readable, and its thumbprint is {signer.thumbprint}.")
        # (2) the way there, and who answers
        metadata, answered = self._metadata()
        yield Finding("connection", "the service answers, and its certificate holds.")
        endpoint = self._endpoint(metadata)
        yield Finding("issuer", f"it is {self._place.issuer}.")
        # (3) the clock: assertions and proofs are for now
        yield self._time(answered)
        # (4) a token
        granted = self._token(endpoint, signer)
        known = f"the service knows {self._place.client_id} and its {self._proof}, and grants the scopes."
        yield Finding("token", known)
        if (due := granted.get(_DUE[self._proof])) is not None:
            what = findings.RENEWAL[self._proof]
            yield Finding(f"age of the {self._proof}", f"it is to be replaced by {findings.shown(due)}.", what)
        # (5) the API
        self._call(str(granted.get("access_token", "")), signer)
        yield Finding("API", "it takes the token and the proof of the key.")

    def _signer(self) -> Signer:
        try:
            return _keys.load(self._place.key)
        except Misconfigured as error:
            raise StopError(
                "key", f"{error}.", "A key is made with `ketenbrug client keygen FILE`, and readable by you alone."
            ) from None

    def _metadata(self) -> tuple[Mapping[str, Any], Response]:
        issuer = self._place.issuer
        for name, url in (("base URL", self._place.base_url), ("issuer", issuer)):
            if not is_secure(url):
                raise StopError("connection", f"the {name} is no https address.", "Correct it.")
        parts = urlsplit(issuer)
        url = f"{parts.scheme}://{parts.netloc}{WELL_KNOWN}{parts.path.rstrip('/')}"
        answer = self._sent(Request("GET", url, _JSON))
        found = findings.object_of(answer)
        if answer.status != HTTPStatus.OK or "issuer" not in found:
            raise StopError(
                "issuer",
                f"at {issuer} is no authorization server (HTTP {answer.status}).",
                "Compare the issuer, letter by letter, with what the operator gave you. If it is right, something "
                "between you and the service answers in its place, such as a proxy.",
            )
        return found, answer

    def _endpoint(self, metadata: Mapping[str, Any]) -> str:
        named, endpoint = metadata.get("issuer"), metadata.get("token_endpoint")
        if self._place.certificate is not None:
            aliases = metadata.get("mtls_endpoint_aliases")
            endpoint = cast("dict[str, Any]", aliases).get("token_endpoint") if isinstance(aliases, dict) else None
        if named != self._place.issuer:
            raise StopError(
                "issuer",
                f"the service calls itself {findings.shown(named)}, not {self._place.issuer}.",
                "Give the issuer as the service names itself, letter by letter, if that is the one that you mean.",
            )
        if not isinstance(endpoint, str) or not is_secure(endpoint):
            where = "" if self._place.certificate is None else " for clients with a certificate"
            raise StopError("issuer", f"it names no token endpoint with https{where}.", OPERATOR)
        return endpoint

    def _time(self, answered: Response) -> Finding:
        try:
            there = email.utils.parsedate_to_datetime(answered.headers.get("date", "")).timestamp()
        except (ValueError, OverflowError):
            return Finding("clock", "the service does not say what time it is there.")
        off = self._clock() - there
        if abs(off) > SKEW:
            where = "ahead of" if off > 0 else "behind"
            raise StopError(
                "clock",
                f"it is {abs(off):.0f} seconds {where} that of the service.",
                "Set the clock of this machine, by NTP.",
            )
        return Finding("clock", "it agrees with that of the service.")

    def _token(self, endpoint: str, signer: Signer) -> Mapping[str, Any]:
        nonce: str | None = None
        for _ in range(2):
            answer = self._asked(endpoint, signer, nonce)
            said = findings.object_of(answer)
            if answer.status == HTTPStatus.OK:
                if str(said.get("token_type", "")).lower() != "dpop":
                    raise StopError("token", "it is not bound to the key.", OPERATOR)
                return said
            nonce = answer.headers.get("dpop-nonce")
            if said.get("error") != "use_dpop_nonce" or nonce is None:
                proof = signer.thumbprint if self._place.certificate is None else ""
                raise findings.refused(answer, said, self._place.client_id, self._place.scope, proof)
        raise StopError(
            "token",
            "the service does not take the nonce that it gave a moment ago.",
            "Ask the operator: machines that serve together need the same key file, and the same time.",
        )

    def _asked(self, endpoint: str, signer: Signer, nonce: str | None) -> Response:
        place, now = self._place, self._clock()
        form = {"grant_type": "client_credentials", "scope": place.scope}
        if place.certificate is not None:
            form["client_id"] = place.client_id
        else:
            form["client_assertion_type"] = ASSERTION_TYPE
            form["client_assertion"] = signer.assertion(place.client_id, place.issuer, now)
        headers = {
            **_JSON,
            "Content-Type": "application/x-www-form-urlencoded",
            "DPoP": signer.proof("POST", endpoint, now, nonce=nonce),
        }
        return self._sent(Request("POST", endpoint, headers, urlencode(form).encode()))

    def _call(self, token: str, signer: Signer) -> None:
        url = f"{self._place.base_url.rstrip('/')}/organisations"
        proof = signer.proof("GET", url, self._clock(), token=token)
        answer = self._sent(Request("GET", url, {**_JSON, "Authorization": f"DPoP {token}", "DPoP": proof}))
        problem = of_problem(answer.status, answer.content)
        if answer.status == HTTPStatus.OK or problem.slug in {"insufficient-scope", "wrong-party"}:
            return
        if problem.slug == "invalid-dpop-proof":
            raise StopError("API", f"the proof is not taken: {problem.detail}", findings.about_proof(problem.detail))
        if problem.slug == "invalid-token":
            raise StopError(
                "API",
                "it does not take the token that the issuer gave.",
                "Compare base URL and issuer with what the operator gave you: they belong together"
                + (
                    ", and with a certificate the base URL is of the address for those."
                    if self._place.certificate
                    else "."
                ),
            )
        if answer.status == HTTPStatus.NOT_FOUND:
            raise StopError(
                "API", f"there is none at {self._place.base_url}.", "The base URL ends with the version, such as /v1."
            )
        raise findings.unready("API", answer)

    def _sent(self, request: Request) -> Response:
        try:
            return self._transport.send(request)
        except ConnectionFailed as failed:
            said, what = findings.SILENCE.get(
                failed.kind, ("no answer came.", "Try again later; then ask the operator.")
            )
        raise StopError("connection", f"{urlsplit(request.url).netloc}: {said}", what)
