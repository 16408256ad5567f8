"""The audit log (auditlog), for auditors. What they read is logged too.

What is proven here should be checked with `clients.verifier`, which shares nothing with the exchange.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.schemas.audit import (
    AuditAlias,
    AuditCheckpoint,
    AuditConsistency,
    AuditEntry,
    AuditExport,
    AuditIdentity,
    AuditProof,
    AuditSearch,
    AuditSignal,
)
from api.schemas.base import Page
from clients._messages import path
from clients._rooms import D, Room, asks, listing, operation, paged, reads, takes

if TYPE_CHECKING:
    from api.vocabulary import SignalRule
    from clients._messages import Call, Sink
    from clients._rooms import Series


class Audit(Room[D]):
    """The audit log (auditlog)."""

    @listing("audit.search")
    def search(
        self, wanted: AuditSearch | None = None, *, limit: int | None = None
    ) -> Series[Page[AuditEntry], AuditEntry]:
        """Entries by filters, newest first; `limit` items at most a page. Without filters: everything."""
        at, query = path("audit", "entries", "_search"), (("limit", limit),)
        return paged(asks(at, Page[AuditEntry], wanted or AuditSearch(), query=query))

    @listing("audit.list-signals")
    def signals(
        self, *, rule: SignalRule | None = None, limit: int | None = None
    ) -> Series[Page[AuditSignal], AuditSignal]:
        """What the rules found, the latest found first."""
        query = (("rule", rule), ("limit", limit))
        return paged(reads(path("audit", "signals"), Page[AuditSignal], query=query))

    @operation("audit.export")
    def export(self, wanted: AuditExport, into: Sink) -> Call[None]:
        """Take entries out of the log into a file that is open for writing bytes.

        When it raises, what was written is not the whole export. It is not tried again: each export is an entry.
        """
        return takes(path("audit", "entries", "_export"), wanted, into)

    @operation("audit.read-identity")
    def open_identity(self, alias: AuditAlias) -> Call[AuditIdentity]:
        """Who stands behind an alias. The person sees in their account that it was opened."""
        return asks(path("audit", "identities", "_open"), AuditIdentity, alias)

    @operation("audit.read")
    def entry(self, index: int) -> Call[AuditEntry]:
        """One entry, with the exact bytes that were logged."""
        return reads(path("audit", "entries", index), AuditEntry)

    @operation("audit.prove")
    def proof(self, index: int) -> Call[AuditProof]:
        """The proof that an entry is in the log that was signed last; it can be checked offline."""
        return reads(path("audit", "entries", index, "proof"), AuditProof)

    @operation("audit.checkpoint")
    def checkpoint(self) -> Call[AuditCheckpoint]:
        """The last signed head of the log. Keep it: the next one must be consistent with it."""
        return reads(path("audit", "checkpoint"), AuditCheckpoint)

    @operation("audit.prove")
    def consistency(self, *, first: int, second: int) -> Call[AuditConsistency]:
        """The proof that nothing was changed or removed between two sizes of the log."""
        return reads(path("audit", "consistency"), AuditConsistency, query=(("first", first), ("second", second)))
