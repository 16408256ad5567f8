"""Reading the log, and proving it. What is read, and by whom, is an entry like any other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from api.audit import checkpoint, projection, proofs, retention, search, signals, tiles
from api.audit.entry import Thing
from api.disclosure import gate
from api.supervision.admitting import admitted
from api.vocabulary import Reason

if TYPE_CHECKING:
    from api.audit.proofs import Checkpoint, Logged
    from api.audit.query import Term
    from api.audit.signals import Signal
    from api.audit.tiles import At
    from api.disclosure.call import Call
    from api.disclosure.permit import Refusal
    from api.vocabulary import SignalRule

_BUNDLE: Final = "audit-bundle"
_ENTRY: Final = "audit-entry"
_LOG: Final = "audit-log"
_SIGNAL: Final = "audit-signal"
_RECEIPT: Final = "audit-receipt"


@dataclass(frozen=True, slots=True)
class Head:
    """The last signed head, and the keys that verify it. Have the keys from elsewhere too."""

    checkpoint: Checkpoint
    vkeys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """That an entry is in the tree of this size: `text` stands alone (C2SP tlog-proof)."""

    index: int
    size: int
    text: str


@dataclass(frozen=True, slots=True)
class Consistency:
    """That the log of the first size is the beginning of that of the second (RFC 9162 section 2.1.4)."""

    first: int
    second: int
    hashes: tuple[bytes, ...]


async def find(call: Call, terms: tuple[Term, ...], below: int, most: int) -> list[Logged] | Refusal:
    """Entries of which every term holds, newest first."""
    found = await search.page(call.unit, terms, below, most)
    return admitted(call, Thing(_ENTRY), found)


async def found_by_rules(call: Call, rule: SignalRule | None, below: int, most: int) -> list[Signal] | Refusal:
    """What the rules found, the latest found first."""
    found = await signals.listed(call.unit, rule, below, most)
    return admitted(call, Thing(_SIGNAL), found)


async def read(call: Call, index: int) -> Logged | Refusal:
    """One entry."""
    found = await _entry(call, index)
    if found is None and index < await retention.below(call.unit):
        return gate.refuse(call, Thing(_ENTRY), Reason.RETENTION_OVER)
    return admitted(call, _thing(found), found)


async def prove(call: Call, index: int) -> Proof | Refusal:
    """The proof that an entry is in the tree that was signed; also when what it said is past its term."""
    found, signed = await _entry(call, index), await proofs.shown(call.unit, index)
    if signed is None:
        return admitted(call, Thing(_ENTRY), None)
    return admitted(call, _thing(found), await _proof(call, index, signed))


async def redeem(call: Call, leaf_hash: bytes) -> Proof | Refusal:
    """The proof that what a receipt promised was done. The entry of a no tells which hash was not there, and when."""
    thing = Thing(_RECEIPT, digest=leaf_hash)
    index = await proofs.index_of(call.unit, leaf_hash)
    signed = None if index is None else await proofs.shown(call.unit, index)
    return admitted(call, thing, None if index is None or signed is None else await _proof(call, index, signed))


async def head(call: Call) -> Head | Refusal:
    """The signed head to go by."""
    found = await proofs.shown(call.unit)
    if found is None:
        return admitted(call, Thing(_LOG), None)
    return admitted(call, Thing(_LOG, version=found.size), Head(found, tuple(await proofs.vkeys(call.unit))))


async def consistency(call: Call, first: int, second: int) -> Consistency | Refusal:
    """The proof between two sizes, of which the second is not beyond what was signed last."""
    signed = await proofs.latest(call.unit)
    if signed is None or not first <= second <= signed.size:
        return admitted(call, Thing(_LOG), None)
    hashes = await proofs.consistency(call.unit, first, second, signed.known)
    return admitted(call, Thing(_LOG, version=second), Consistency(first, second, tuple(hashes)))


async def bundle(call: Call, at: At | None) -> bytes | Refusal:
    """A bundle of entries. Its entry tells which, by number: the bundle n holds the entries from 256 n on."""
    if at is None:
        return admitted(call, Thing(_BUNDLE), None)
    if at.end <= await retention.below(call.unit):
        return gate.refuse(call, Thing(_BUNDLE, version=at.n), Reason.RETENTION_OVER)
    return admitted(call, Thing(_BUNDLE, version=at.n), await tiles.bundle(call.unit, at))


async def _proof(call: Call, index: int, signed: Checkpoint) -> Proof:
    path = await proofs.inclusion(call.unit, index, signed.size, signed.known)
    return Proof(index, signed.size, checkpoint.tlog_proof(index, path, signed.note))


async def _entry(call: Call, index: int) -> Logged | None:
    return next(iter(await proofs.entries(call.unit, index, index + 1)), None)


def _thing(found: Logged | None) -> Thing:
    return Thing(_ENTRY, None if found is None else projection.identity(found.leaf))
