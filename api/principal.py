"""Who acts, and from where: values that the edge proves once per request and everything below receives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from api.vocabulary import ClientId, Municipality, OrganisationId, Party, Scope, Signable


@dataclass(frozen=True, slots=True)
class Organisation:
    """A party of the exchange, as registered.

    `designated` tells whether a designation under Aliens Act 2000 article 107(8) is recorded, with its source. `signs`:
    the operations whose payload it signs, always.
    """

    id: OrganisationId
    kind: Party
    name: str
    oin: str | None
    municipalities: frozenset[Municipality] = frozenset()
    designated: bool = False
    signs: frozenset[Signable] = frozenset()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from: network zone, our request id (UUIDv7 text), W3C trace (32 hex) and span (16 hex).

    `parent_span_id` is the caller's span, when the caller sent a trace of its own.
    """

    zone: str
    request_id: str
    trace_id: str
    span_id: str
    parent_span_id: str | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """A proven client. `person` is the acting person that the client asserts (opaque), never verified by us.

    `encryption_jwk`: the key that its answers are sealed to, where it registered one. `payload_jwks`: those that sign
    what it sends, as JSON.
    """

    client_id: ClientId
    organisation: Organisation
    scopes: frozenset[Scope]
    origin: Origin
    token_id: str = field(repr=False)
    person: str | None = None
    encryption_jwk: str | None = field(default=None, repr=False)
    payload_jwks: str | None = field(default=None, repr=False)
