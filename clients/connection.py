"""Is the connection right, and if it is not, what is wrong, in words: for whoever connects an organisation.

    for found in examine(Place(base_url, issuer, client_id, key, scope), time.time):
        print(found)

Each step needs the one before, so that the first that does not hold is the last. Nothing is read of any person: the
last step asks who takes part in the exchange, and being told that this is not for you proves the connection as well.
"""

from __future__ import annotations

import email.utils
import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlencode, urlsplit

from clients import _keys, _transport
from clients._messages import Request, is_secure
from clients._tokens import ASSERTION_TYPE, WELL_KNOWN
from clients.errors import ConnectionFailed, Misconfigured, of_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from clients._drivers import Transport
    from clients._keys import KeySource, Signer
    from clients._messages import Response

SKEW: Final = 10
"""Seconds by which a clock may be ahead or behind."""

_PATIENCE: Final = 15.0
_JSON: Final = {"Accept": "application/json"}
_OPERATOR: Final = "Ask the operator of the exchange."


@dataclass(frozen=True, slots=True)
class Place:
    """Where a client connects, and as whom: what `NgoClient` and the others are given."""

    base_url: str
    issuer: str
    client_id: str
    key: KeySource = field(repr=False)
    scope: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What a step found. `next_step`: what to do; empty when nothing is wrong."""

    step: str
    said: str
    next_step: str = ""

    @property
    def holds(self) -> bool:
        """Whether the step held."""
        return not self.next_step

    def __str__(self) -> str:
        return f"{'ok' if self.holds else 'NO'}  {self.step}: {self.said}" + (f" {self.next_step}".rstrip())


class _StopError(Exception):
    """A step that does not hold: the following ones would only confuse."""

    def __init__(self, step: str, said: str, next_step: str) -> None:
        super().__init__(said)
        self.finding = Finding(step, said, next_step)


def examine(place: Place, clock: Callable[[], float], transport: Transport | None = None) -> Iterator[Finding]:
    """Look at one step after the other, until one does not hold."""
    sending = transport or _transport.Http(timeout=_PATIENCE)
    try:
        yield from _Examination(place, sending, clock).steps()
    except _StopError as stopped:
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
        yield Finding("token", f"the service knows {self._place.client_id} and its key, and grants the scopes.")
        if (due := granted.get("client_keys_renew_by")) is not None:
            what = "Make a new one with `ketenbrug client keygen`, and register it with `ketenbrug client renew`."
            yield Finding("age of the key", f"it is to be replaced by {_shown(due)}.", what)
        # (5) the API
        self._call(str(granted.get("access_token", "")), signer)
        yield Finding("API", "it takes the token and the proof of the key.")

    def _signer(self) -> Signer:
        try:
            return _keys.load(self._place.key)
        except Misconfigured as error:
            raise _StopError(
                "key", f"{error}.", "A key is made with `ketenbrug client keygen FILE`, and readable by you alone."
            ) from None

    def _metadata(self) -> tuple[Mapping[str, Any], Response]:
        issuer = self._place.issuer
        for name, url in (("base URL", self._place.base_url), ("issuer", issuer)):
            if not is_secure(url):
                raise _StopError("connection", f"the {name} is no https address.", "Correct it.")
        parts = urlsplit(issuer)
        url = f"{parts.scheme}://{parts.netloc}{WELL_KNOWN}{parts.path.rstrip('/')}"
        answer = self._sent(Request("GET", url, _JSON))
        found = _object(answer)
        if answer.status != HTTPStatus.OK or "issuer" not in found:
            raise _StopError(
                "issuer",
                f"at {issuer} is no authorization server (HTTP {answer.status}).",
                "Compare the issuer, letter by letter, with what the operator gave you. If it is right, something "
                "between you and the service answers in its place, such as a proxy.",
            )
        return found, answer

    def _endpoint(self, metadata: Mapping[str, Any]) -> str:
        named, endpoint = metadata.get("issuer"), metadata.get("token_endpoint")
        if named != self._place.issuer:
            raise _StopError(
                "issuer",
                f"the service calls itself {_shown(named)}, not {self._place.issuer}.",
                "Give the issuer as the service names itself, letter by letter, if that is the one that you mean.",
            )
        if not isinstance(endpoint, str) or not is_secure(endpoint):
            raise _StopError("issuer", "it names no token endpoint with https.", _OPERATOR)
        return endpoint

    def _time(self, answered: Response) -> Finding:
        try:
            there = email.utils.parsedate_to_datetime(answered.headers.get("date", "")).timestamp()
        except (ValueError, OverflowError):
            return Finding("clock", "the service does not say what time it is there.")
        off = self._clock() - there
        if abs(off) > SKEW:
            where = "ahead of" if off > 0 else "behind"
            raise _StopError(
                "clock",
                f"it is {abs(off):.0f} seconds {where} that of the service.",
                "Set the clock of this machine, by NTP.",
            )
        return Finding("clock", "it agrees with that of the service.")

    def _token(self, endpoint: str, signer: Signer) -> Mapping[str, Any]:
        nonce: str | None = None
        for _ in range(2):
            answer = self._asked(endpoint, signer, nonce)
            said = _object(answer)
            if answer.status == HTTPStatus.OK:
                if str(said.get("token_type", "")).lower() != "dpop":
                    raise _StopError("token", "it is not bound to the key.", _OPERATOR)
                return said
            nonce = answer.headers.get("dpop-nonce")
            if said.get("error") != "use_dpop_nonce" or nonce is None:
                raise self._refused(answer, said, signer)
        raise _StopError(
            "token",
            "the service does not take the nonce that it gave a moment ago.",
            "Ask the operator: machines that serve together need the same key file, and the same time.",
        )

    def _asked(self, endpoint: str, signer: Signer, nonce: str | None) -> Response:
        place, now = self._place, self._clock()
        form = {
            "grant_type": "client_credentials",
            "scope": place.scope,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": signer.assertion(place.client_id, place.issuer, now),
        }
        headers = {
            **_JSON,
            "Content-Type": "application/x-www-form-urlencoded",
            "DPoP": signer.proof("POST", endpoint, now, nonce=nonce),
        }
        return self._sent(Request("POST", endpoint, headers, urlencode(form).encode()))

    def _refused(self, answer: Response, said: Mapping[str, Any], signer: Signer) -> _StopError:
        error, description = _shown(said.get("error")), _shown(said.get("error_description"))
        if error == "invalid_client" and "disabled" in description:
            return _StopError("token", "this client is registered, and disabled.", _OPERATOR)
        if error == "invalid_client":
            return _StopError(
                "token",
                f"the service does not take this key for a client {self._place.client_id}.",
                f"Compare both with the operator, by telephone: the client id, and the thumbprint {signer.thumbprint}. "
                "If the key was replaced, use the newest one.",
            )
        if error == "invalid_scope":
            return _StopError(
                "token",
                f"not all of these scopes are registered for this client: {self._place.scope}.",
                "Ask for fewer, or ask the operator which ones are yours.",
            )
        if error == "invalid_dpop_proof":
            return _StopError("token", f"the proof is not taken: {description}.", _about_proof(description))
        if error:
            return _StopError("token", f"the service says {error}: {description}.", _OPERATOR)
        return _unready("token", answer)

    def _call(self, token: str, signer: Signer) -> None:
        url = f"{self._place.base_url.rstrip('/')}/organisations"
        proof = signer.proof("GET", url, self._clock(), token=token)
        answer = self._sent(Request("GET", url, {**_JSON, "Authorization": f"DPoP {token}", "DPoP": proof}))
        problem = of_problem(answer.status, answer.content)
        if answer.status == HTTPStatus.OK or problem.slug in {"insufficient-scope", "wrong-party"}:
            return
        if problem.slug == "invalid-dpop-proof":
            raise _StopError("API", f"the proof is not taken: {problem.detail}", _about_proof(problem.detail))
        if problem.slug == "invalid-token":
            raise _StopError(
                "API",
                "it does not take the token that the issuer gave.",
                "Compare base URL and issuer with what the operator gave you: they belong together.",
            )
        if answer.status == HTTPStatus.NOT_FOUND:
            raise _StopError(
                "API", f"there is none at {self._place.base_url}.", "The base URL ends with the version, such as /v1."
            )
        raise _unready("API", answer)

    def _sent(self, request: Request) -> Response:
        try:
            return self._transport.send(request)
        except ConnectionFailed as failed:
            said, what = _SILENCE.get(failed.kind, ("no answer came.", "Try again later; then ask the operator."))
        raise _StopError("connection", f"{urlsplit(request.url).netloc}: {said}", what)


_SILENCE: Final[Mapping[str, tuple[str, str]]] = {
    "certificate": (
        "its certificate is not one that this machine trusts.",
        "Look at the address and at the certificates of this machine; a proxy may stand between. Never skip the check.",
    ),
    "tls": ("no TLS connection could be agreed on.", "TLS 1.2 or newer is needed: look at this machine and its proxy."),
    "name": ("this name is not known.", "Look at the address, and at the name service of this machine."),
    "refused": ("nobody listens there.", "Look at the address and its port. If they are right, ask the operator."),
    "timeout": ("it does not answer in time.", "Look whether a firewall lets this machine out to that address."),
}


def _about_proof(said: str) -> str:
    if "iat" in said or "clock" in said:
        return "Set the clock of this machine, by NTP."
    if "htu" in said:
        return "Use the address by which the service is known outside, letter by letter: no inner name or port."
    return "Try again; if it stays so, ask the operator."


def _unready(step: str, answer: Response) -> _StopError:
    status, problem = answer.status, of_problem(answer.status, answer.content)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        wait = answer.headers.get("retry-after", "some")
        return _StopError(step, "too many requests were made by this client.", f"Try again in {wait} seconds.")
    if problem.slug:
        what = problem.next_step or "Try again later."
        return _StopError(step, f"the service says {problem.slug} (HTTP {status}).", what)
    what = "Look at the address, and at proxies between you and the service."
    return _StopError(step, f"what answers is not the service (HTTP {status}).", what)


def _object(answer: Response) -> Mapping[str, Any]:
    try:
        found: object = json.loads(answer.content)
    except ValueError:
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _shown(text: object) -> str:
    """Text of somebody else, on a terminal: short, and nothing that moves the cursor."""
    return "".join(each for each in text[:200] if each.isprintable()) if isinstance(text, str) else ""
