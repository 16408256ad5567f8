"""The audit entry: one canonical byte form, stored and hashed as it is, never written again to verify.

The leaf is JSON as RFC 8785 canonicalises it, restricted so that a fast encoder gives the same bytes: ASCII member
names, strings, integers below 2^53, booleans, arrays, objects; no floating-point numbers, no null. What each member
means to a reader stands in docs/how/audit-entry.md, with examples. Members:

    v           integer, 1
    id          UUIDv7 of the entry
    at          RFC 3339 instant in UTC with microseconds and "Z"
    action      the operation's name
    result      "permitted" | "refused" | "failed"
    reason      why it was refused, in the words that the caller saw
    actor       {organisation, kind, client, person?}; person as asserted by the client
    origin      {zone, requestId, traceId, spanId, parentSpanId?}
    object      {type, id?, version?, digest?}; digest: SHA-256 in hex of what has no id
    person      alias of the person in this log; `persons` for a list of them
    purpose     as declared
    ground      the legal grounds that carried it, sorted
    agreements  [{id, version, rule}], sorted
    consents    [{id, version}], sorted
    disclosed   {category: [field names]}; never values
    withheld    {category: reason}
    replayed    true, when an idempotency key was seen before; the object is then what it made the first time
    policy      version of the rules by which it was decided (`consent.decision.POLICY`)
    signed      {key, digest}: the request came with a signature over its body that held: by which key (thumbprint,
                RFC 7638), and SHA-256 in hex of the signature as it was sent
    seals       {row: SHA-256 in hex of its seal}, of rows that were read or written; a row is named TABLE/ID
    stated      {reason, reference, query?, format?, entries?, sample?}: why an auditor asked, in a word of a closed
                list and the number of the auditor's own file; never free text, because an entry is never erased
    cause       why it was done, in a word of a closed list that whoever did it gave: of a document that was withdrawn,
                of an erasure, of a legal hold, of an emergency that was declared
    emergency   the declared emergency that carried it, with the ground `vital-interest`
    tally       {minute, count}: it stands for so many requests of callers who proved nothing (`oauth.turn-away`)

An entry is committed before what it tells of leaves: `permitted` says that it was about to. When opening it fails after
that, a second entry of the same request says `failed`, and nothing left. So a request has one entry, or these two in
this order; whoever counts disclosures leaves out a request that has a `failed` one.

Compatibility: a member may be added under the same `v`; readers ignore what they do not know. A member never changes
its meaning; that takes a new `v`. The golden entries in tests/golden hold every version.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from api.principal import Principal
    from api.vocabulary import DataCategory, Reason, Result

VERSION: Final = 1
LEAF_MOST: Final = 65_535
"""Bytes: the length field of an entry bundle is 16 bits (C2SP tlog-tiles)."""


@dataclass(frozen=True, slots=True)
class Thing:
    """What an action is about: its type, and its id and version where it has them; of what has none, a digest."""

    type: str
    id: UUID | None = None
    version: int | None = None
    digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class Tallied:
    """How many requests an entry stands for, and of which minute."""

    minute: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Stated:
    """Why an auditor asked. For an export also what was looked for, in which form it left, and how many entries.

    `sample`: it was the sample from this index on.
    """

    reason: str
    reference: str
    query: str | None = None
    format: str | None = None
    entries: int | None = None
    sample: int | None = None


@dataclass(frozen=True, slots=True)
class Signed:
    """That a body was signed: by the key of this thumbprint; and the SHA-256 of the signature."""

    key: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """What happened, as values. `persons` are aliases of this log."""

    id: UUID
    at: datetime
    action: str
    result: Result
    actor: Principal
    thing: Thing
    reason: str | None = None
    persons: tuple[UUID, ...] = ()
    purpose: str | None = None
    grounds: tuple[str, ...] = ()
    agreements: tuple[tuple[UUID, int, str], ...] = ()
    consents: tuple[tuple[UUID, int], ...] = ()
    disclosed: Mapping[DataCategory, tuple[str, ...]] = field(default_factory=dict["DataCategory", "tuple[str, ...]"])
    withheld: Mapping[DataCategory, Reason] = field(default_factory=dict["DataCategory", "Reason"])
    replayed: bool = False
    policy: int | None = None
    seals: Mapping[str, bytes] = field(default_factory=dict["str", "bytes"])
    tally: Tallied | None = None
    stated: Stated | None = None
    signed: Signed | None = None
    cause: str | None = None
    emergency: UUID | None = None

    def leaf(self) -> bytes:
        """The canonical bytes. Raises `ValueError` when they do not fit in an entry bundle."""
        leaf = orjson.dumps(self._members(), option=orjson.OPT_SORT_KEYS)
        if len(leaf) > LEAF_MOST:
            raise ValueError("the entry does not fit: page smaller")
        return leaf

    def _members(self) -> dict[str, Any]:
        origin = self.actor.origin
        members: dict[str, Any] = {
            "v": VERSION,
            "id": str(self.id),
            "at": _instant(self.at),
            "action": self.action,
            "result": str(self.result),
            "actor": _present(
                organisation=str(self.actor.organisation.id),
                kind=str(self.actor.organisation.kind),
                client=str(self.actor.client_id),
                person=self.actor.person,
            ),
            "origin": _present(
                zone=origin.zone,
                requestId=origin.request_id,
                traceId=origin.trace_id,
                spanId=origin.span_id,
                parentSpanId=origin.parent_span_id,
            ),
            "object": _told(self.thing),
        }
        optional = _present(
            reason=self.reason,
            purpose=self.purpose,
            ground=sorted(self.grounds) or None,
            agreements=[{"id": str(i), "version": v, "rule": r} for i, v, r in sorted(self.agreements)] or None,
            consents=[{"id": str(i), "version": v} for i, v in sorted(self.consents)] or None,
            disclosed={str(category): sorted(names) for category, names in self.disclosed.items()} or None,
            withheld={str(category): str(reason) for category, reason in self.withheld.items()} or None,
            replayed=self.replayed or None,
            policy=self.policy,
            seals={row: seal.hex() for row, seal in self.seals.items()} or None,
            tally=None if self.tally is None else {"minute": _instant(self.tally.minute), "count": self.tally.count},
            stated=None if self.stated is None else _present(**asdict(self.stated)),
            cause=self.cause,
            emergency=None if self.emergency is None else str(self.emergency),
            signed=None if self.signed is None else {"key": self.signed.key, "digest": self.signed.digest.hex()},
        )
        return members | optional | _whom(self.persons)


def _told(thing: Thing) -> dict[str, Any]:
    return _present(
        type=thing.type,
        id=None if thing.id is None else str(thing.id),
        version=thing.version,
        digest=None if thing.digest is None else thing.digest.hex(),
    )


def _whom(persons: tuple[UUID, ...]) -> dict[str, Any]:
    if len(persons) == 1:
        return {"person": str(persons[0])}
    return {"persons": sorted(str(alias) for alias in persons)} if persons else {}


def _instant(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _present(**members: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON values
    return {name: value for name, value in members.items() if value is not None}
