"""What the edge knows of one request on its way through: a value in the ASGI scope, made by the envelope."""

from __future__ import annotations

import ipaddress
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import uuid_utils

from api.principal import Origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Scope

    from api.crypto.honey import Eye
    from api.oauth.certificate import Certificate
    from api.oauth.limits import Standing

_KEY: Final = "ketenbrug.passage"
_TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)


@dataclass(slots=True)
class Passage:
    """One request.

    `max_body` changes when a route takes large bodies, before it reads; `patience` when their senders may be slow: the
    seconds from the beginning in which the answer must have started. `receipts` are put there when the entries of
    the request are committed, which is before its answer starts. `told` takes the fields of whoever has something to
    say in the head of the answer, whatever that will be.

    `max_text` stays: what a body that is sealed to us may be once it is opened.

    `repeatable`: whether it may be run once more (`again`), as far as it has come. What counts once all the same stands
    here: `looked_up` is what came of counting the look-up of a person, `eye` has its one look at planted records.

    `certificate` is that of the client's connection, as the pinned hop passed it on; `called_at` is then where clients
    with a certificate see us, else the same as `base_url`.

    `method` is the one that was sent. A HEAD is routed as the GET that it stands for, so whoever needs the true method
    (`htm` of a DPoP proof, RFC 9449 section 4.3) reads it here.
    """

    origin: Origin
    base_url: str
    method: str
    max_body: int
    trace_flags: str
    called_at: str
    certificate: Certificate | None = None
    patience: float | None = None
    receipts: str | None = None
    repeatable: bool = False
    looked_up: Standing | None = None
    eye: Eye | None = None
    max_text: int = 0
    told: list[tuple[bytes, bytes]] = field(default_factory=list[tuple[bytes, bytes]])

    @property
    def request_id(self) -> str:
        """Ours, UUIDv7 text; what the caller sent under that name is never taken over."""
        return self.origin.request_id

    @property
    def traceparent(self) -> str:
        """What this request is to whatever it causes: our span in the caller's trace, sampled as the caller said."""
        return f"00-{self.origin.trace_id}-{self.origin.span_id}-{self.trace_flags}"


def begin(scope: Scope, base_url: str, zone: str, traceparent: bytes | None, max_body: int) -> Passage:
    """A passage for this scope, which from now on carries it."""
    trace, parent, flags = _trace(traceparent)
    origin = Origin(zone, str(uuid_utils.uuid7()), trace, secrets.token_hex(8), parent)
    passage = Passage(origin, base_url, scope["method"], max_body, flags, base_url, max_text=max_body)
    scope[_KEY] = passage
    return passage


def of(scope: Mapping[str, Any]) -> Passage:
    """The passage of this request. A KeyError means that the app is served without its envelope: a defect."""
    passage: Passage = scope[_KEY]
    return passage


def zone(address: str | None) -> str:
    """The network zone of a peer: never its address, which would tell where a person is helped."""
    try:
        peer = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if peer.is_loopback:
        return "loopback"
    return "private" if peer.is_private else "public"


def _trace(traceparent: bytes | None) -> tuple[str, str | None, str]:
    """Trace, span and flags of the caller if they are valid (W3C Trace Context section 2.2.2); else a new trace."""
    if traceparent is not None and (match := _TRACEPARENT.fullmatch(traceparent.decode("latin-1"))):
        version, trace, parent, flags, more = match.groups()
        known = version != "ff" and (version != "00" or more is None)
        if known and trace.strip("0") and parent.strip("0"):
            return trace, parent, flags
    return secrets.token_hex(16), None, "00"
