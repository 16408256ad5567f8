"""Taking entries of the log out (uitvoer): what is found by a query, in one piece, for the auditor's own file.

    (1) the log as it was signed last is what is exported: nothing below its size changes while it streams
    (2) what is found is counted, so that its entry tells how much leaves; more than the bound is refused
    (3) the entry tells the query, the reason and the count, and is committed
    (4) only then the entries leave, some at a time, each time on a connection that is borrowed anew

An export that breaks off stays `permitted`: what had left has left. Its reader sees that it is not whole, because the
connection ends before the body does.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from api.audit import bundle, phrasing, proofs, retention, sample, search, sheet
from api.audit.entry import Stated, Thing
from api.audit.query import Unreadable
from api.disclosure import gate
from api.disclosure.permit import Refusal
from api.vocabulary import ExportFormat, Reason

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from datetime import datetime

    from api.audit.proofs import Checkpoint, Logged
    from api.audit.query import Term
    from api.disclosure.call import Call
    from api.storage.pool import Database
    from api.vocabulary import AuditReason

MOST: Final[Mapping[ExportFormat, int]] = {
    ExportFormat.NDJSON: 100_000,
    ExportFormat.CSV: 100_000,
    ExportFormat.EVIDENCE: 10_000,
}
"""Entries in one export. A proof is some five kilobytes and a millisecond."""

_AT_ONCE: Final = 200
_SAMPLED: Final = 90
"""Entries for one that is drawn, at the least."""
_EXPORT: Final = "audit-export"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be taken out, in which form, and why. `reference`: of the auditor's own file."""

    terms: tuple[Term, ...]
    format: ExportFormat
    reason: AuditReason
    reference: str
    sample_from: int | None = None
    """The sample from this index on (`api.audit.sample`), and not what the terms find."""


@dataclass(frozen=True, slots=True)
class Export:
    """What leaves: these entries of the log as it stood at this head."""

    format: ExportFormat
    head: Checkpoint
    vkeys: tuple[str, ...]
    indexes: Sequence[int]

    async def entries(self, database: Database, now: datetime) -> AsyncIterator[list[Logged]]:
        """The entries, some at a time."""
        for some in self._some():
            unit = database.unit(now)
            try:
                found = await search.entries(unit, some)
            finally:
                await unit.finish()
            yield found

    async def sheet(self, database: Database, now: datetime) -> AsyncIterator[bytes]:
        """As CSV."""
        yield sheet.head()
        async for some in self.entries(database, now):
            yield b"".join(map(sheet.row, some))

    async def evidence(self, database: Database, now: datetime) -> AsyncIterator[bytes]:
        """As an evidence bundle."""
        yield bundle.begin(self.head, self.vkeys)
        async for some in self.entries(database, now):
            unit = database.unit(now)
            try:
                members = [each async for each in bundle.evidence(unit, self.head, some)]
            finally:
                await unit.finish()
            yield b"".join(members)
        yield bundle.end(self.head)

    def _some(self) -> Sequence[Sequence[int]]:
        return [self.indexes[at : at + _AT_ONCE] for at in range(0, len(self.indexes), _AT_ONCE)]


async def begin(call: Call, wanted: Wanted) -> Export | Refusal:
    """Choose what leaves, and write it down. Raises `query.Unreadable` when the query cannot be kept."""
    if wanted.terms and wanted.sample_from is not None:
        raise Unreadable(1, "A sample is drawn from all entries: it has no query.")
    asked = phrasing.written(wanted.terms)
    if (barred := gate.bar(call, Thing(_EXPORT))) is not None:
        return barred
    head = await proofs.shown(call.unit)  # (1)
    stated = Stated(wanted.reason, wanted.reference, asked, wanted.format, sample=wanted.sample_from)
    if head is None:
        return gate.refuse(call, Thing(_EXPORT), Reason.NOT_VISIBLE, stated=stated)
    most = MOST[wanted.format]
    found = await _found(call, wanted, head, most)  # (2)
    thing = Thing(_EXPORT, version=head.size)
    if wanted.sample_from is not None and wanted.sample_from < await retention.below(call.unit):
        # Whoever draws the same sample would miss what is past its term.
        return gate.refuse(call, thing, Reason.RETENTION_OVER, stated=stated)
    if len(found) > most:
        return gate.refuse(call, thing, Reason.TOO_MUCH, stated=stated)
    told = replace(stated, entries=len(found))
    export = Export(wanted.format, head, tuple(await proofs.vkeys(call.unit)), found)
    answer = gate.admit(call, thing, stated=told)  # (3)
    return answer if isinstance(answer, Refusal) else export


async def _found(call: Call, wanted: Wanted, head: Checkpoint, most: int) -> Sequence[int]:
    if wanted.sample_from is None:
        return await search.chosen(call.unit, wanted.terms, head.size, most)
    if head.size - wanted.sample_from > most * _SAMPLED:
        return range(most + 1)
    # A hash for each entry: others are served meanwhile.
    return await asyncio.to_thread(sample.drawn, head.root, wanted.sample_from, head.size)
