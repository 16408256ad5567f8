"""Where the log stands, and whether it may be continued from here.

Who is about to lead, or to adopt a database, asks the same things in the same order:

    (1) cluster    the transactions of this generation are numbered by this very PostgreSQL cluster, and go on
    (2) name       the log has the name that we sign under, or was given it by an adoption
    (3) tables     the right edge of the tree gives the root that was signed
    (4) guard      what the signer guard holds is the head in the tables, or the one batch after it
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ARRAY, BigInteger, SmallInteger, bindparam, func, select, text, tuple_

from api.audit import tree
from api.audit.checkpoint import Head
from api.audit.tables import checkpoint, generation, leaf, tile
from api.errors import LogDamaged, LogStopped
from api.storage.statement import statement

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from api.audit.checkpoint import Signer
    from api.audit.tree import Edge
    from api.storage.statement import Bound
    from api.storage.unit import Record

    Fetch = Callable[[Bound], Awaitable[list[Record]]]

BATCH: Final = 4_096
"""Entries at most in one transaction: the cost of a signature and a commit is spread over them."""

_LATEST: Final = statement(
    select(
        checkpoint.c.size,
        checkpoint.c.root,
        checkpoint.c.note,
        checkpoint.c.generation,
        checkpoint.c.last_xid,
        checkpoint.c.last_id,
    )
    .order_by(checkpoint.c.size.desc())
    .limit(1)
)
_GENERATION: Final = statement(
    select(generation.c.number, generation.c.system_identifier, generation.c.origin, generation.c.first_entry)
    .order_by(generation.c.number.desc())
    .limit(1)
)
_CLUSTER: Final = statement(
    text("SELECT system_identifier, pg_snapshot_xmax(pg_current_snapshot()) AS next_xid FROM pg_control_system()")
)
_PARTIALS: Final = statement(
    select(tile.c.level, tile.c.data).where(
        tuple_(tile.c.level, tile.c.n, tile.c.width).in_(
            select(
                func.unnest(bindparam("levels", type_=ARRAY(SmallInteger))),
                func.unnest(bindparam("ns", type_=ARRAY(BigInteger))),
                func.unnest(bindparam("widths", type_=ARRAY(SmallInteger))),
            )
        )
    )
)
_TAIL: Final = statement(
    select(leaf.c.leaf_hash)
    .where(leaf.c.index >= bindparam("first", type_=BigInteger), leaf.c.index < bindparam("size", type_=BigInteger))
    .order_by(leaf.c.index)
)


@dataclass(frozen=True, slots=True)
class Generation:
    """Since when, and by which cluster, transactions are numbered as they are. Its entries have ids above `after`."""

    number: int
    system_identifier: int
    origin: str | None
    after: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the tables say, checked against themselves only. `note` is None before the log has begun."""

    edge: Edge
    note: str | None
    generation: int
    last_xid: int
    last_id: int
    present: Generation
    system_identifier: int
    next_xid: int

    @property
    def origin(self) -> str | None:
        """The name that the last head was signed under."""
        return None if self.note is None else Head.of(self.note).origin

    @property
    def behind(self) -> bool:
        """Whether entries of an earlier generation may still have to be put in."""
        return self.note is not None and self.generation < self.present.number

    def out_of_place(self) -> str | None:
        """Say why transactions are not numbered as the log expects; None when they are."""
        if self.system_identifier != self.present.system_identifier:
            return "another-cluster"
        if self.note is not None and not self.behind and self.next_xid <= self.last_xid:
            return "transactions-went-back"
        return None

    def misnamed(self, origin: str) -> bool:
        """Tell whether heads under this name would not continue this log."""
        if self.note is None or self.origin == origin:
            return False
        return not (self.behind and self.present.origin == origin)


async def read(fetch: Fetch) -> Recorded:
    """Read it. Raises `LogDamaged` when the tables do not give the root that was signed."""
    rows = await fetch(_LATEST())
    present = Generation(*(await fetch(_GENERATION()))[0])
    (cluster,) = await fetch(_CLUSTER())
    facts = (present, cluster["system_identifier"], cluster["next_xid"])
    if not rows:
        return Recorded(tree.Edge(), None, present.number, 0, 0, *facts)
    (latest,) = rows
    edge = await _edge(fetch, latest["size"])
    if edge.root() != latest["root"]:
        raise LogDamaged("the right edge of the tree does not give the signed root")
    return Recorded(edge, latest["note"], latest["generation"], latest["last_xid"], latest["last_id"], *facts)


def continued(found: Recorded, kept: str | None, signer: Signer) -> Head | None:
    """See that heads by this signer, with a guard that holds this, continue what the tables say.

    Returns what `promised` returns. Raises `LogStopped`.
    """
    if why := found.out_of_place():
        raise LogStopped(why)
    if found.misnamed(signer.origin):
        raise LogStopped("another-name")
    head = promised(found, kept, signer.origin)
    if kept is not None and signer.signed(Head.of(kept)) != kept:
        raise LogStopped("guard-of-another-key")
    return head


def promised(found: Recorded, kept: str | None, origin: str) -> Head | None:
    """The head that the guard holds beyond the tables; None when it holds that of the tables. Raises `LogStopped`.

    What it is beyond, the entries must still give: whoever goes on has to see to that.
    """
    beginning = found.note is None or found.origin != origin
    if kept is None:
        if beginning:
            return None
        raise LogStopped("guard-missing")
    head = Head.of(kept)
    if head.origin != origin:
        raise LogStopped("guard-of-another-key")
    size = found.edge.size
    if head.size < size:
        raise LogStopped("guard-behind")
    if head.size > size + BATCH:
        raise LogStopped("guard-ahead")
    if head.size > size:
        return head
    if head.root != found.edge.root():
        raise LogStopped("guard-differs")
    return None


def fulfilled(found: Recorded, leaves: Sequence[bytes], head: Head) -> None:
    """See that the leaves which come next give the head that was promised. Raises `LogStopped` when they never can."""
    if found.edge.size + len(leaves) < head.size:
        raise LogStopped("guard-ahead")
    edge, _ = found.edge.grown(tree.leaf_hash(each) for each in leaves)
    if edge.root() != head.root:
        raise LogStopped("guard-differs")


async def _edge(fetch: Fetch, size: int) -> Edge:
    """The right edge. The partial tile of the leaves is not stored: its hashes are the last rows of `leaf`."""
    above = [each for each in tree.partial_tiles(size) if each[0]]
    levels, ns, widths = ([each[place] for each in above] for place in range(3))
    rows = await fetch(_PARTIALS(levels=levels, ns=ns, widths=widths))
    tail = await fetch(_TAIL(first=size - size % tree.WIDTH, size=size))
    partials: Mapping[int, Any] = {0: b"".join(row["leaf_hash"] for row in tail)} if tail else {}
    try:
        return tree.Edge.of(size, {**partials, **{row["level"]: row["data"] for row in rows}})
    except ValueError as error:
        raise LogDamaged("the right edge of the tree is not there") from error
