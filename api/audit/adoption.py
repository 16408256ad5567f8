"""Adopting a database: the log goes on after a move to another cluster, under another name, or with a lost guard.

A dump that was restored elsewhere brings its entries along, with transaction numbers of a cluster that is gone. From
the adoption on a new generation is counted: entries with an id above the last one. What is left of the earlier
generation is put into the tree first. That it was adopted, and when, is an entry, the first of its generation.

Whoever adopts says "this is the newest copy, and no other is continued". The signer guard has to agree: with a copy
that lacks what was signed, the only way on is another name, so that nobody takes the second history for the first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import BigInteger, bindparam, func, insert, text

from api.audit import log, sequencer, standing
from api.audit.standing import Generation
from api.audit.tables import generation
from api.errors import LogStopped, Overloaded
from api.storage.statement import statement

if TYPE_CHECKING:
    from api.audit.checkpoint import Head
    from api.audit.entry import Entry
    from api.audit.guard import Guard
    from api.audit.standing import Recorded
    from api.storage.unit import Unit

_ALONE: Final = statement(func.pg_advisory_xact_lock(bindparam("lock", sequencer.LOCK, type_=BigInteger)).select())
# Whoever has written an entry is waited for, and whoever wants to waits: their ids are above the last one.
_QUIET: Final = statement(text("LOCK TABLE audit.entry IN SHARE ROW EXCLUSIVE MODE"))
_LAST: Final = statement(
    text("""
    SELECT setval(seq, greatest(last_value, (SELECT max(id) FROM audit.entry))) AS id
    FROM pg_get_serial_sequence('audit.entry', 'id') AS seq, audit.entry_id_seq
    """)
)
_BEGIN: Final = statement(
    insert(generation).values(at=func.now()),
    "number",
    "system_identifier",
    "origin",
    "first_entry",
    "size",
    "at",
)


async def adopt(unit: Unit, origin: str, guard: Guard, entry: Entry) -> Generation:
    """Begin a new generation of the log in this database, as the owner of its tables. `entry` tells of it.

    Raises `LogStopped` when nothing needs adopting, when a leader is at work, or when the guard does not agree.
    """
    # (1) nobody leads, nobody appends
    try:
        await unit.run(_ALONE())
        await unit.run(_QUIET())
    except Overloaded:
        raise LogStopped("leader-at-work") from None
    # (2) what the tables say, and what the guard says of it
    found = await standing.read(unit.all)
    kept = await guard.last()
    lost = kept is None and found.note is not None and found.origin == origin
    if not lost:
        head = standing.promised(found, kept, origin)
        if head is not None:
            await _gives(unit, found, head)
    if not lost and found.out_of_place() is None and not found.misnamed(origin):
        raise LogStopped("nothing-to-adopt")
    # (3) the new generation, its first entry, and a guard that knows where it begins
    (last,) = await unit.run(_LAST())
    begun = Generation(found.present.number + 1, found.system_identifier, origin, last["id"])
    await unit.run(
        _BEGIN(
            number=begun.number,
            system_identifier=begun.system_identifier,
            origin=begun.origin,
            first_entry=begun.after,
            size=found.edge.size,
        )
    )
    log.append(unit, entry)
    if lost and found.note is not None:
        await guard.advance(None, found.note)
    return begun


async def _gives(unit: Unit, found: Recorded, head: Head) -> None:
    """See that the entries which are left give the head that was signed. Raises `LogStopped`."""
    rows = await unit.all(sequencer.LEFT(after=sequencer.ALL, most=head.size - found.edge.size))
    standing.fulfilled(found, [row["leaf"] for row in rows], head)
