"""One leader puts committed entries into the tree, in an order that never changes, and signs what the tree has become.

Laws, each held by a test:

- **Gap-free and exactly once.** An entry is taken when its transaction is older than every running one (`xid` below the
  snapshot's xmin), in the order of (xid, id), from the watermark that stands in the last checkpoint. By then nothing
  can commit before it any more, however late.
- **One size is signed once.** Leaves, tiles, search columns and checkpoint of a batch are one statement, which commits,
  and `checkpoint.size` is its compare-and-swap: of two leaders at once, one fails and looks again.
- **One leader**, by an advisory lock of the very connection that it writes on: who loses the connection loses the lock
  and can write no more. When it dies, the server frees the lock and another one follows.
- **It extends only what was signed.** Who takes over computes the root from the tables and compares.

Not here yet: the last signed head outside the database. Without it a restored backup is continued, and so forked.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from sqlalchemy import ARRAY, BigInteger, Integer, SmallInteger, bindparam, func, insert, select, tuple_
from sqlalchemy.dialects.postgresql import insert as upsert

from api.audit import projection, tree
from api.audit.checkpoint import Signer
from api.audit.tables import checkpoint, entry, leaf, projection_person, tile, verifier
from api.audit.tables import projection as search_columns
from api.errors import LogDamaged, Misconfigured
from api.storage.base import Xid8
from api.storage.statement import Bound, Statement, combine, statement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Table

    from api.audit.tree import Edge, Tile
    from api.storage.pool import Database
    from api.storage.unit import Record

BATCH: Final = 1_024
"""Entries at most in one transaction: the cost of a signature and a commit is spread over them."""

PATIENCE: Final = 1.0
"""Seconds until a follower asks again for the lead, and until a leader that failed tries again."""

_LOCK: Final = 0x6B65_7465_6E6C_6F67  # "ketenlog"


def _rows(table: Table, *names: str) -> Statement:
    """An INSERT of many rows: each name is bound to the list of that column's values."""
    lists = [bindparam(name, type_=ARRAY(table.c[name].type)) for name in names]
    given = func.unnest(*lists).table_valued(*names, name="given").render_derived()
    return statement(insert(table).from_select(list(names), select(*(given.c[name] for name in names))))


_COLUMNS: Final = tuple(each.name for each in search_columns.c if each.name != "index")

_LEAD: Final = statement(select(func.pg_try_advisory_lock(bindparam("lock", _LOCK, type_=BigInteger))))
_LATEST: Final = statement(
    select(checkpoint.c.size, checkpoint.c.root, checkpoint.c.note, checkpoint.c.last_xid, checkpoint.c.last_id)
    .order_by(checkpoint.c.size.desc())
    .limit(1)
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
    select(leaf.c.leaf_hash).where(leaf.c.index >= bindparam("first", type_=BigInteger)).order_by(leaf.c.index)
)
_NEXT: Final = statement(
    select(entry.c.id, entry.c.xid, entry.c.leaf)
    .where(
        tuple_(entry.c.xid, entry.c.id)
        > tuple_(bindparam("last_xid", type_=Xid8()), bindparam("last_id", type_=BigInteger)),
        entry.c.xid < func.pg_snapshot_xmin(func.pg_current_snapshot()),
    )
    .order_by(entry.c.xid, entry.c.id)
    .limit(bindparam("most", type_=Integer))
)
_LEAVES: Final = _rows(leaf, "index", "entry_id", "leaf_hash")
_PROJECTION: Final = _rows(search_columns, "index", *_COLUMNS)
_PERSONS: Final = _rows(projection_person, "person", "index")
_TILES: Final = _rows(tile, "level", "n", "width", "data")
_CHECKPOINT: Final = statement(
    insert(checkpoint).values(at=func.now()), "size", "root", "note", "last_xid", "last_id", "at"
)
_VERIFIER: Final = statement(upsert(verifier).values(at=func.now()).on_conflict_do_nothing(), "vkey", "at")
_NOTHING: Final = Bound("SELECT 1", ())


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the log stands: the right edge of its tree, and the last entry that is in it."""

    edge: Edge
    last_xid: int
    last_id: int


def _unheard(_fault: Exception) -> None:
    """Nobody listens."""


async def run(
    database: Database,
    origin: str,
    seed: bytes,
    interval: float,
    *,
    notice: Callable[[Exception], None] = _unheard,
    patience: float = PATIENCE,
) -> None:
    """Lead, or wait to lead, until cancelled. `interval` is the seconds between two looks for new entries.

    `notice` hears of every fault; then it waits and tries again.
    """
    signer = Signer.from_seed(origin, seed)
    while True:
        try:
            async with database.connection() as connection:
                if (await _fetch(connection, _LEAD()))[0][0]:
                    try:
                        await _lead(connection, signer, interval)
                    finally:
                        _let_go(connection)
        except Exception as fault:  # noqa: BLE001 - a log that stops for what nobody foresaw would help nobody
            notice(fault)
        await asyncio.sleep(patience)


def _let_go(connection: Any) -> None:  # noqa: ANN401 - asyncpg's proxy
    """End the session, and with it the lock. No answer is waited for; one that is lost already is let go too."""
    with suppress(asyncpg.InterfaceError):
        connection.terminate()


async def take_up(connection: Any, signer: Signer) -> Standing:  # noqa: ANN401 - as above
    """Read where the log stands, and begin it when it is new.

    Raises `LogDamaged` when the tables do not give the root that was signed, and `Misconfigured` when the log has
    another name: a log that changes its name is another log to everybody who watches it.
    """
    for key in signer.keys:
        await _fetch(connection, _VERIFIER(vkey=key.vkey))
    rows = await _fetch(connection, _LATEST())
    if not rows:
        standing = Standing(tree.Edge(), 0, 0)
        await _fetch(connection, _checkpoint(standing, signer))
        return standing
    (latest,) = rows
    if latest["note"].partition("\n")[0] != signer.origin:
        raise Misconfigured(("the log in this database has another name: give it as KETENBRUG_LOG_ORIGIN",))
    size = latest["size"]
    partials = await _partials(connection, size)
    try:
        edge = tree.Edge.of(size, partials)
    except ValueError as error:
        raise LogDamaged("the right edge of the tree is not there") from error
    if edge.root() != latest["root"]:
        raise LogDamaged("the right edge of the tree does not give the signed root")
    return Standing(edge, latest["last_xid"], latest["last_id"])


async def integrate(
    connection: Any,  # noqa: ANN401 - as above
    standing: Standing,
    signer: Signer,
    most: int = BATCH,
) -> tuple[Standing, int]:
    """Put the next entries into the tree, and tell how many there were. Raises when somebody else was first."""
    # (1) what is committed, and can have nothing committed before it any more
    taken = await _fetch(connection, _NEXT(last_xid=standing.last_xid, last_id=standing.last_id, most=most))
    if not taken:
        return standing, 0
    # (2) the tree that it makes
    hashes = [tree.leaf_hash(row["leaf"]) for row in taken]
    edge, full = standing.edge.grown(hashes)
    grown = Standing(edge, taken[-1]["xid"], taken[-1]["id"])
    # (3) all of it, or nothing
    parts = [
        *_written(standing.edge.size, taken, hashes),
        _tiles([*full, *_new_partials(standing.edge, edge)]),
        _checkpoint(grown, signer),
    ]
    await _fetch(connection, combine(parts, _NOTHING))
    return grown, len(taken)


async def _lead(connection: Any, signer: Signer, interval: float) -> None:  # noqa: ANN401 - as above
    standing = await take_up(connection, signer)
    while True:
        standing, taken = await integrate(connection, standing, signer)
        if taken < BATCH:
            await asyncio.sleep(interval)


async def _partials(connection: Any, size: int) -> Mapping[int, bytes]:  # noqa: ANN401 - as above
    """The partial tiles of each level. That of the leaves is not stored: its hashes are the last rows of `leaf`."""
    above = [each for each in tree.partial_tiles(size) if each[0]]
    levels, ns, widths = ([each[place] for each in above] for place in range(3))
    rows = await _fetch(connection, _PARTIALS(levels=levels, ns=ns, widths=widths))
    tail = await _fetch(connection, _TAIL(first=size - size % tree.WIDTH))
    leaves = {0: b"".join(row["leaf_hash"] for row in tail)} if tail else {}
    return leaves | {row["level"]: row["data"] for row in rows}


def _written(first: int, taken: Sequence[Record], hashes: Sequence[bytes]) -> list[Bound]:
    indexes = list(range(first, first + len(taken)))
    found = [projection.of(row["leaf"]) for row in taken]
    persons = [(person, index) for index, each in zip(indexes, found, strict=True) for person in each.persons]
    return [
        _LEAVES(index=indexes, entry_id=[row["id"] for row in taken], leaf_hash=list(hashes)),
        _PROJECTION(index=indexes, **{name: [getattr(each, name) for each in found] for name in _COLUMNS}),
        _PERSONS(person=[person for person, _ in persons], index=[index for _, index in persons]),
    ]


def _new_partials(before: Edge, after: Edge) -> list[Tile]:
    """The partial tiles above the leaves that were not written with the tree before."""
    known = tree.partial_tiles(before.size)
    return [each for each in after.partials() if each.level and each[:3] not in known]


def _tiles(tiles: Sequence[Tile]) -> Bound:
    level, n, width, data = ([each[place] for each in tiles] for place in range(4))
    return _TILES(level=level, n=n, width=width, data=data)


def _checkpoint(standing: Standing, signer: Signer) -> Bound:
    size, root = standing.edge.size, standing.edge.root()
    return _CHECKPOINT(
        size=size,
        root=root,
        note=signer.sign(size, root),
        last_xid=standing.last_xid,
        last_id=standing.last_id,
    )


async def _fetch(connection: Any, bound: Bound) -> list[Record]:  # noqa: ANN401 - as above
    rows: list[Record] = await connection.fetch(bound.sql, *bound.args)
    return rows
