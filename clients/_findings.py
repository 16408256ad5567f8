"""What an examination of a connection finds, and what is said of what does not hold."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

from clients.errors import of_problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clients._messages import Response

OPERATOR: Final = "Ask the operator of the exchange."


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


class StopError(Exception):
    """A step that does not hold: the following ones would only confuse."""

    def __init__(self, step: str, said: str, next_step: str) -> None:
        super().__init__(said)
        self.finding = Finding(step, said, next_step)


RENEWAL: Final = {
    "key": "Make a new one with `ketenbrug client keygen`, and register it with `ketenbrug client renew`.",
    "certificate": "Have a new one issued, and tell the operator unless any certificate with your OIN counts.",
}
SILENCE: Final[Mapping[str, tuple[str, str]]] = {
    "certificate": (
        "its certificate is not one that this machine trusts.",
        "Look at the address and at the certificates of this machine; a proxy may stand between. Never skip the check.",
    ),
    "tls": ("no TLS connection could be agreed on.", "TLS 1.2 or newer is needed: look at this machine and its proxy."),
    "name": ("this name is not known.", "Look at the address, and at the name service of this machine."),
    "refused": ("nobody listens there.", "Look at the address and its port. If they are right, ask the operator."),
    "timeout": ("it does not answer in time.", "Look whether a firewall lets this machine out to that address."),
}


def refused(answer: Response, said: Mapping[str, Any], client_id: str, scope: str, proof: str) -> StopError:
    """Why there is no token. `proof`: the thumbprint of the key; empty when a certificate proves the client."""
    error, description = shown(said.get("error")), shown(said.get("error_description"))
    if error == "invalid_client" and "disabled" in description:
        return StopError("token", "this client is registered, and disabled.", OPERATOR)
    if error == "invalid_client" and not proof:
        return StopError(
            "token",
            f"the service does not take this certificate for a client {client_id}: {description}.",
            "Compare with the operator, by telephone: the client id, and by which certificate or OIN it is "
            "registered. If the certificate was replaced, use the newest one.",
        )
    if error == "invalid_client":
        return StopError(
            "token",
            f"the service does not take this key for a client {client_id}.",
            f"Compare both with the operator, by telephone: the client id, and the thumbprint {proof}. "
            "If the key was replaced, use the newest one.",
        )
    if error == "invalid_scope":
        return StopError(
            "token",
            f"not all of these scopes are registered for this client: {scope}.",
            "Ask for fewer, or ask the operator which ones are yours.",
        )
    if error == "invalid_dpop_proof":
        return StopError("token", f"the proof is not taken: {description}.", about_proof(description))
    if error:
        return StopError("token", f"the service says {error}: {description}.", OPERATOR)
    return unready("token", answer)


def about_proof(said: str) -> str:
    if "iat" in said or "clock" in said:
        return "Set the clock of this machine, by NTP."
    if "htu" in said:
        return "Use the address by which the service is known outside, letter by letter: no inner name or port."
    return "Try again; if it stays so, ask the operator."


def unready(step: str, answer: Response) -> StopError:
    status, problem = answer.status, of_problem(answer.status, answer.content)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        wait = answer.headers.get("retry-after", "some")
        return StopError(step, "too many requests were made by this client.", f"Try again in {wait} seconds.")
    if problem.slug:
        what = problem.next_step or "Try again later."
        return StopError(step, f"the service says {problem.slug} (HTTP {status}).", what)
    what = "Look at the address, and at proxies between you and the service."
    return StopError(step, f"what answers is not the service (HTTP {status}).", what)


def object_of(answer: Response) -> Mapping[str, Any]:
    try:
        found: object = json.loads(answer.content)
    except ValueError:
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def shown(text: object) -> str:
    """Text of somebody else, on a terminal: short, and nothing that moves the cursor."""
    return "".join(each for each in text[:200] if each.isprintable()) if isinstance(text, str) else ""
