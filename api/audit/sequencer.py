"""One leader puts committed entries into the tree, in an order that never changes, and signs what the tree has become.

Laws, each held by a test:

- **Gap-free and exactly once.** An entry is taken when its transaction is older than every running one (`xid` below the
  snapshot's xmin), in the order of (xid, id), from the watermark that stands in the last checkpoint. By then nothing
  can commit before it any more, however late.
- **One size is signed once.** Leaves, tiles, search columns and checkpoint of a batch are one transaction, and
  `checkpoint.size` is its compare-and-swap: of two leaders at once, one fails and looks again.
- **One leader**, by an advisory lock of the very connection that it writes on: who loses the connection loses the lock
  and can write no more. When it dies, the server frees the lock and another one follows; when it hangs, the other one
  ends its session (`api.audit.lead`).
- **It extends only what was signed.** Who takes over computes the root from the tables and compares it with the last
  checkpoint and with the signer guard, which no backup of the database reaches (`api.audit.guard`).
- **A database that moved stops it.** Transactions of another cluster are numbered otherwise: until somebody adopts the
  database nothing is put in, and from there on a new generation is counted (`api.audit.adoption`).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import asyncpg
from sqlalchemy import BigInteger, Integer, bindparam, exists, func, insert, select, tuple_
from sqlalchemy.dialects.postgresql import insert as upsert

from api.audit import batch, lead, standing, tree
from api.audit.checkpoint import Head
from api.audit.standing import BATCH
from api.audit.tables import checkpoint, cosignature, entry, leaf, verifier
from api.errors import LogStopped
from api.storage.base import Xid8
from api.storage.statement import Bound, combine, statement
from api.storage.unit import Lent, Unit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from api.audit.batch import Batch
    from api.audit.checkpoint import Signer
    from api.audit.guard import Guard
    from api.audit.standing import Generation
    from api.audit.tree import Edge
    from api.storage.pool import Database
    from api.storage.unit import Record

_One = TypeVar("_One")
_Other = TypeVar("_Other")

PATIENCE: Final = 1.0
"""Seconds until a follower asks again for the lead, and until a leader that failed tries again."""

SILENCE: Final = 10.0
"""Seconds for which a leader may leave the server waiting: more than any interval, less than the bound of the delay."""

LOCK: Final = 0x6B65_7465_6E6C_6F67  # "ketenlog"
"""Of whom leads, and of whom adopts."""

ALL: Final = 2**63 - 1
"""Above every id."""

NEXT: Final = statement(
    select(entry.c.id, entry.c.xid, entry.c.leaf)
    .where(
        tuple_(entry.c.xid, entry.c.id)
        > tuple_(bindparam("last_xid", type_=Xid8()), bindparam("last_id", type_=BigInteger)),
        entry.c.id > bindparam("after", type_=BigInteger),
        entry.c.xid < func.pg_snapshot_xmin(func.pg_current_snapshot()),
    )
    .order_by(entry.c.xid, entry.c.id)
    .limit(bindparam("most", type_=Integer))
)
LEFT: Final = statement(
    select(entry.c.id, entry.c.xid, entry.c.leaf)
    .where(
        entry.c.id <= bindparam("after", type_=BigInteger),
        ~exists().where(leaf.c.entry_id == entry.c.id),
    )
    .order_by(entry.c.xid, entry.c.id)
    .limit(bindparam("most", type_=Integer))
)
_CHECKPOINT: Final = statement(insert(checkpoint).values(at=func.now()), *checkpoint.c.keys())
COSIGNATURE: Final = statement(
    upsert(cosignature).values(at=func.now()).on_conflict_do_nothing(), "size", "vkey", "line", "at"
)
_VERIFIER: Final = statement(upsert(verifier).values(at=func.now()).on_conflict_do_nothing(), "vkey", "at")
_NOTHING: Final = Bound("SELECT 1", ())
_ONCE: Final = "SET plan_cache_mode = force_generic_plan"
"""Planning a look through all pages takes longer than the look (measured), and differs in nothing from the last one."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the log stands: its right edge, the last entry in it, and what the guard holds.

    `generation` is that of the last entry. While it is behind the `present` one, what is left of it goes in first.
    `promised` is a head that the guard holds and the tables do not yet.
    """

    edge: Edge
    note: str | None
    generation: int
    last_xid: int
    last_id: int
    present: Generation
    promised: Head | None = None

    @property
    def behind(self) -> bool:
        """Whether entries of an earlier generation may still have to be put in."""
        return self.generation < self.present.number


def _unheard(_fault: Exception) -> None:
    """Nobody listens."""


async def run(
    database: Database,
    signer: Signer,
    guard: Guard,
    interval: float,
    *,
    notice: Callable[[Exception], None] = _unheard,
    patience: float = PATIENCE,
    silence: float = SILENCE,
) -> None:
    """Lead, or wait to lead, until cancelled. `interval` is the seconds between two looks for new entries.

    `notice` hears of every fault; then it waits and tries again.
    """
    while True:
        try:
            async with database.connection() as connection:
                if await lead.leads(connection, LOCK, silence):
                    try:
                        await connection.execute(_ONCE)
                        await _lead(connection, signer, guard, interval)
                    finally:
                        _let_go(connection)
        except Exception as fault:  # noqa: BLE001 - a log that stops for what nobody foresaw would help nobody
            notice(fault)
        await asyncio.sleep(patience)


def _let_go(connection: Any) -> None:  # noqa: ANN401 - asyncpg's proxy
    """End the session, and with it the lock. No answer is waited for; one that is lost already is let go too."""
    with suppress(asyncpg.InterfaceError):
        connection.terminate()


async def take_up(connection: Any, signer: Signer, guard: Guard) -> Standing:  # noqa: ANN401 - as above
    """Read where the log stands, and begin it when it is new.

    Raises `LogDamaged` when the tables do not give the root that was signed, and `LogStopped` when the log must not be
    continued from this database, under this name, or with this guard.
    """
    found = await standing.read(lambda bound: _fetch(connection, bound))
    kept = await guard.last()
    promised = standing.continued(found, kept, signer)
    for vkey in signer.vkeys:
        await _fetch(connection, _VERIFIER(vkey=vkey))
    stands = Standing(found.edge, kept, found.generation, found.last_xid, found.last_id, found.present, promised)
    if found.note is None:
        stands = await _signed(stands, signer, guard) if kept is None else stands
        begun = replace(stands, note=signer.signed(_head(signer, tree.Edge())))
        await _fetch(connection, combine(_checkpoint(begun, signer), _NOTHING))
    return stands


async def integrate(
    connection: Any,  # noqa: ANN401 - as above
    stands: Standing,
    signer: Signer,
    guard: Guard,
    most: int = BATCH,
) -> tuple[Standing, int]:
    """Put what waits into the tree, in batches of at most so many entries; tell how many the last one had.

    While PostgreSQL writes a batch, the next one is made. Raises when somebody else was first.
    """
    # (1) what is committed, and can have nothing committed before it any more; and the tree that it makes
    stands, taken = await _taken(connection, stands, most)
    made = batch.made(stands.edge, taken) if taken or stands.promised else None
    count = 0
    while made is not None:
        count = made.taken
        grown = _grown(stands, made)
        # (2) its head, signed and kept by the guard before anybody else can know it; meanwhile, what comes next
        following: list[Record]
        stands, following = await _both(_signed(grown, signer, guard), _ahead(connection, grown, made, most))
        # (3) all of it, or nothing; meanwhile, the tree that the next batch makes
        writing = _write(connection, made, stands, signer)
        _, made = await _both(writing, asyncio.to_thread(_next, made.edge, following))
    return stands, count


async def _lead(connection: Any, signer: Signer, guard: Guard, interval: float) -> None:  # noqa: ANN401 - as above
    stands = await take_up(connection, signer, guard)
    while True:
        stands, taken = await integrate(connection, stands, signer, guard)
        await asyncio.sleep(0 if taken == BATCH else interval)


async def _taken(
    connection: Any,  # noqa: ANN401 - as above
    stands: Standing,
    most: int,
) -> tuple[Standing, list[Record]]:
    """The next entries, in the order of the log; of a promised head exactly those that it stands for."""
    if stands.promised is not None:
        most = stands.promised.size - stands.edge.size
    if stands.behind:
        left = await _fetch(connection, LEFT(after=stands.present.after, most=most))
        if left:
            return stands, left
        # Nothing is left of the earlier generation: a head that is promised all the same is one of the present one.
        stands = replace(stands, generation=stands.present.number, last_xid=0, last_id=0)
    marks = {"last_xid": stands.last_xid, "last_id": stands.last_id, "after": stands.present.after}
    return stands, await _fetch(connection, NEXT(**marks, most=most))


async def _ahead(connection: Any, grown: Standing, made: Batch, most: int) -> list[Record]:  # noqa: ANN401 - as above
    """What comes after a full batch. A head that was promised, and what is left of a generation, come by themselves."""
    if made.taken < most or grown.behind or grown.promised is not None:
        return []
    return (await _taken(connection, grown, most))[1]


def _grown(stands: Standing, made: Batch) -> Standing:
    """Where the log stands with this batch; its head is not signed yet."""
    if stands.behind or not made.taken:
        return replace(stands, edge=made.edge)
    return replace(stands, edge=made.edge, last_xid=made.last_xid, last_id=made.last_id)


def _next(edge: Edge, taken: list[Record]) -> Batch | None:
    return batch.made(edge, taken) if taken else None


async def _write(connection: Any, made: Batch, stands: Standing, signer: Signer) -> None:  # noqa: ANN401 - as above
    unit = Unit(Lent(connection), signer.clock())
    try:
        for rows in made.rows:
            await unit.copy(rows)
        await unit.run(combine((made.tiles, *_checkpoint(stands, signer)), _NOTHING))
        await unit.finish()
    except BaseException:
        await unit.abort()
        raise


async def _both(one: Awaitable[_One], other: Awaitable[_Other]) -> tuple[_One, _Other]:
    """Do both, and wait for both also when one fails: they may share a connection."""
    found = await asyncio.gather(one, other, return_exceptions=True)
    for each in found:
        if isinstance(each, BaseException):
            raise each
    return cast("tuple[_One, _Other]", found)


async def _signed(grown: Standing, signer: Signer, guard: Guard) -> Standing:
    """Sign, and have the guard keep it; or find that it is what was promised. Raises `LogStopped`."""
    head = _head(signer, grown.edge)
    if grown.promised is None:
        note = signer.signed(head)
        await guard.advance(grown.note, note)
        return replace(grown, note=note)
    if head.size < grown.promised.size:
        raise LogStopped("guard-ahead")
    if head != grown.promised:
        raise LogStopped("guard-differs")
    return replace(grown, promised=None)


def _head(signer: Signer, edge: Edge) -> Head:
    return Head(signer.origin, edge.size, edge.root())


def _checkpoint(stands: Standing, signer: Signer) -> list[Bound]:
    size = stands.edge.size
    written = _CHECKPOINT(
        size=size,
        root=stands.edge.root(),
        note=stands.note,
        generation=stands.generation,
        last_xid=stands.last_xid,
        last_id=stands.last_id,
        compact_range=b"".join(stands.edge.compact_range()),
    )
    line = signer.cosignature(_head(signer, stands.edge))
    return [written, COSIGNATURE(size=size, vkey=signer.post_quantum.vkey, line=line)]


async def _fetch(connection: Any, bound: Bound) -> list[Record]:  # noqa: ANN401 - as above
    rows: list[Record] = await connection.fetch(bound.sql, *bound.args)
    return rows
