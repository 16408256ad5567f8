"""Whether a process may start that signs the log: what the next leader would find, asked while another one may lead.

A leader moves the guard first and the tables then. So what the guard held *before* the tables were read is at most one
batch ahead of them, and what it holds *after* is not behind them, whoever leads meanwhile: more than that is no race.

One batch ahead is normal after a crash, and the next leader goes on from there; but its entries must be there, and give
that head. Those that come next are the same whoever puts them in, and whenever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from api.audit import sequencer, standing
from api.errors import LogStopped

if TYPE_CHECKING:
    from api.audit.checkpoint import Head, Signer
    from api.audit.guard import Guard
    from api.audit.proofs import Reader
    from api.audit.standing import Recorded

_MOVED_SINCE: Final = frozenset({"guard-behind", "guard-missing"})


async def examine(reader: Reader, guard: Guard, signer: Signer) -> None:
    """See that the log may be continued from here.

    Raises `LogStopped`, and `LogDamaged` when the tables do not give the root that was signed.
    """
    before = await guard.last()
    found = await standing.read(reader.all)
    try:
        head = standing.continued(found, before, signer)
    except LogStopped as error:
        if error.why not in _MOVED_SINCE:
            raise
        head = _since(found, await guard.last(), signer)
    if head is not None and not found.behind:  # what an earlier generation left, the adoption has looked at
        marks = {"last_xid": found.last_xid, "last_id": found.last_id, "after": found.present.after}
        rows = await reader.all(sequencer.NEXT(**marks, most=head.size - found.edge.size))
        standing.fulfilled(found, [row["leaf"] for row in rows], head)


def _since(found: Recorded, kept: str | None, signer: Signer) -> Head | None:
    """The same, of a guard that was asked after the tables: it may have gone on further than one batch by then."""
    try:
        return standing.continued(found, kept, signer)
    except LogStopped as error:
        if error.why != "guard-ahead":
            raise
        return None
