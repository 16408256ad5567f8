"""The read side of the log: its signed head, its entries, and proofs about them.

Everything below the size of a checkpoint never changes, so that no transaction is needed: take the checkpoint first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from sqlalchemy import BigInteger, Text, bindparam, column, func, literal_column, select, text, true
from sqlalchemy.dialects.postgresql import aggregate_order_by

from api.audit import tree
from api.audit.tables import body, checkpoint, cosignature, delivery, leaf, retention, verifier
from api.audit.tree import StripAt, TileAt
from api.errors import LogDamaged
from api.storage.statement import statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from sqlalchemy import FromClause, Select

    from api.audit.tree import Known, Plan
    from api.storage.statement import Bound

_At = TypeVar("_At", TileAt, StripAt)

WITNESSES: Final = "witnesses"
"""The delivery that is of heads, to witnesses."""


class Reader(Protocol):
    """Where rows are read: a unit of work, or anything that reads like one."""

    async def all(self, bound: Bound) -> list[Any]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A head as it was signed: `note` is the text to hand out, with every cosignature (C2SP tlog-checkpoint).

    `known`: the nodes that its tree falls into, which nearly every proof ends in.
    """

    size: int
    root: bytes
    note: str
    at: datetime
    known: Known = field(repr=False)


@dataclass(frozen=True, slots=True)
class Logged:
    """An entry that is in the tree. Whether its bytes are those that were put there, a proof tells."""

    index: int
    leaf: bytes = field(repr=False)


_LINES: Final = (
    select(
        func.string_agg(
            cosignature.c.line + "\n",
            aggregate_order_by(literal_column("''", Text), cosignature.c.at, cosignature.c.vkey),
        )
    )
    .where(cosignature.c.size == checkpoint.c.size)
    .scalar_subquery()
)
_SIGNED: Final = select(
    checkpoint.c.size,
    checkpoint.c.root,
    (checkpoint.c.note + func.coalesce(_LINES, "")).label("note"),
    checkpoint.c.at,
    checkpoint.c.compact_range,
)
_LATEST: Final = statement(_SIGNED.order_by(checkpoint.c.size.desc()).limit(1))
_AT: Final = statement(_SIGNED.where(checkpoint.c.size == bindparam("size", type_=BigInteger)))
_LAST_WITHIN: Final = statement(
    _SIGNED.where(
        checkpoint.c.size > bindparam("after", type_=BigInteger),
        checkpoint.c.size <= bindparam("most", type_=BigInteger),
    )
    .order_by(checkpoint.c.size.desc())
    .limit(1)
)
_VKEYS: Final = statement(select(verifier.c.vkey).order_by(verifier.c.at, verifier.c.vkey))
_MARK: Final = select(func.coalesce(func.max(retention.c.below), 0)).scalar_subquery()
_SIZE: Final = select(func.coalesce(func.max(checkpoint.c.size), 0)).scalar_subquery()
_UNSEEN: Final = (
    select(checkpoint.c.at).where(checkpoint.c.size > delivery.c.next).order_by(checkpoint.c.size).limit(1)
).scalar_subquery()
_SEEN: Final = (
    select(delivery.c.next)
    .where(delivery.c.name == literal_column(f"'{WITNESSES}'"))
    .where(func.coalesce(_UNSEEN, func.now()) > func.now() - literal_column("interval '1 minute'"))
)
_ABOVE: Final = bindparam("above", type_=BigInteger)
_SHOWN: Final = statement(
    _SIGNED.where(
        checkpoint.c.size > _ABOVE,
        checkpoint.c.size == func.coalesce(_SEEN.where(delivery.c.next > _ABOVE).scalar_subquery(), _SIZE),
    )
)
_SEEN_LAST: Final = statement(_SEEN)
# Every place from the mark of retention to the signed size, whether anything is there or not.
_PLACES: Final = (
    func.generate_series(
        func.greatest(bindparam("first", type_=BigInteger), _MARK),
        func.least(bindparam("end", type_=BigInteger), _SIZE) - 1,
    )
    .table_valued(column("index", BigInteger))
    .render_derived("asked")
)
_INDEX: Final = statement(select(leaf.c.index).where(leaf.c.leaf_hash == bindparam("hashed")).limit(1))
# Of a tile above the leaves the widest is taken; a wide one stands in for every narrower one. The hashes of the partial
# tile of level 0 are the last rows of `leaf`. One question, whatever is needed.
_TILES: Final = statement(
    text("""
    SELECT asked.level, asked.n, coalesce(
        (SELECT t.data FROM audit.tile t WHERE t.level = asked.level AND t.n = asked.n ORDER BY t.width DESC LIMIT 1),
        (SELECT string_agg(l.leaf_hash, NULL ORDER BY l.index) FROM audit.leaf l
            WHERE asked.level = 0 AND l.index >= asked.n * 256 AND l.index < (asked.n + 1) * 256)
    ) AS data
    FROM unnest(CAST(:levels AS smallint[]), CAST(:ns AS bigint[])) AS asked (level, n)
    """)
)
# A strip of an even step is part of a tile, one of an odd step stands beside it. Where it does not (the partial tile of
# level 0, and a tile of an earlier release) it is computed from the whole.
_STRIPS: Final = statement(
    text("""
    SELECT asked.step, asked.n, held.strip, coalesce(held.whole, CASE WHEN held.strip IS NULL AND asked.step < 2 THEN
        (SELECT string_agg(l.leaf_hash, NULL ORDER BY l.index) FROM audit.leaf l
            WHERE l.index >= asked.n << 4 * (asked.step + 1) AND l.index < (asked.n + 1) << 4 * (asked.step + 1))
    END) AS whole
    FROM unnest(CAST(:steps AS integer[]), CAST(:ns AS bigint[])) AS asked (step, n)
    LEFT JOIN LATERAL (
        SELECT CASE WHEN asked.step % 2 = 0
                THEN substring(t.data FROM CAST(asked.n % 16 * 512 + 1 AS integer) FOR 512) ELSE t.middle END AS strip,
            CASE WHEN asked.step % 2 = 1 AND t.middle IS NULL THEN t.data END AS whole
        FROM audit.tile t
        WHERE t.level = asked.step / 2 AND t.n = CASE WHEN asked.step % 2 = 0 THEN asked.n / 16 ELSE asked.n END
        ORDER BY t.width DESC LIMIT 1
    ) AS held ON true
    """)
)


def said(asked: FromClause) -> Select[Any, Any]:
    """What the entries say that are asked for, by a column `index`: for `whole`, so that a gap is seen as a gap."""
    there = select(asked.c.index, body.c.leaf).select_from(asked)
    return there.outerjoin(leaf, leaf.c.index == asked.c.index).outerjoin(body, true())


_LOGGED: Final = statement(said(_PLACES).order_by(_PLACES.c.index))


async def latest(reader: Reader) -> Checkpoint | None:
    """The last head that was signed. None before the log has begun."""
    return _checkpoint(await reader.all(_LATEST()))


async def shown(reader: Reader, above: int = -1) -> Checkpoint | None:
    """The head to hand out: where witnesses are asked, the last one that they saw, else the last one.

    It never goes back: `api.audit.witnessing` writes down which it is, and moves that forward only. When it has not
    for a minute, nobody waits for witnesses any more. `above`: only a head of more entries, seen or not.
    """
    return _checkpoint(await reader.all(_SHOWN(above=above)))


async def seen(reader: Reader) -> int | None:
    """The size of the last head that witnesses saw. None where they are not asked, or not heard of for a minute."""
    return next((row["next"] for row in await reader.all(_SEEN_LAST())), None)


async def at(reader: Reader, size: int) -> Checkpoint | None:
    """The head of exactly this size, if one was signed."""
    return _checkpoint(await reader.all(_AT(size=size)))


async def last_within(reader: Reader, after: int, most: int) -> Checkpoint | None:
    """The largest head of more than `after` entries and at most `most`, if one was signed."""
    return _checkpoint(await reader.all(_LAST_WITHIN(after=after, most=most)))


async def vkeys(reader: Reader) -> list[str]:
    """The verifier keys of the log, oldest first."""
    return [row["vkey"] for row in await reader.all(_VKEYS())]


async def entries(reader: Reader, first: int, end: int) -> list[Logged]:
    """The entries with an index from `first` to below `end`, in order; those that are in the log and within their term.

    Raises `LogDamaged` when one of these is not there.
    """
    return whole(await reader.all(_LOGGED(first=first, end=end)))


def whole(rows: Iterable[Any]) -> list[Logged]:
    """What `said` found. Raises `LogDamaged` when an entry that was asked for is not there."""
    return [_logged(row["index"], row["leaf"]) for row in rows]


def _logged(index: int, said: bytes | None) -> Logged:
    if said is None:
        why = f"entry {index} is not there"
        raise LogDamaged(why)
    return Logged(index, said)


async def index_of(reader: Reader, hashed: bytes) -> int | None:
    """Where the leaf of this hash stands in the tree. None when it is in none yet."""
    return next((row["index"] for row in await reader.all(_INDEX(hashed=hashed))), None)


async def inclusion(reader: Reader, index: int, size: int, known: Known) -> list[bytes]:
    """The path from this leaf to the root of the tree of this size, from the leaf's sibling up.

    `known` spares what it holds: that of the head where there is one.
    """
    return await _hashes(reader, tree.inclusion(index, size), known)


async def consistency(reader: Reader, first: int, second: int, known: Known) -> list[bytes]:
    """What proves that the tree of the first size is the beginning of that of the second; `known` as above."""
    return await _hashes(reader, tree.consistency(first, second), known)


async def tiles(reader: Reader, wanted: frozenset[TileAt]) -> dict[TileAt, bytes]:
    """Tiles, each as wide as it is by now. Raises `LogDamaged` when one is not there."""
    asked = sorted(wanted)
    rows = await reader.all(_TILES(levels=[each.level for each in asked], ns=[each.n for each in asked]))
    return _there({TileAt(row["level"], row["n"]): row["data"] for row in rows})


async def strips(reader: Reader, wanted: frozenset[StripAt]) -> dict[StripAt, bytes]:
    """What proofs are computed from, each as wide as it is by now. Raises `LogDamaged` when one is not there."""
    asked = sorted(wanted)
    rows = await reader.all(_STRIPS(steps=[each.step for each in asked], ns=[each.n for each in asked]))
    return _there({StripAt(row["step"], row["n"]): _strip(row) for row in rows})


def _strip(row: Any) -> bytes | None:  # noqa: ANN401 - a record of the driver
    whole: bytes | None = row["whole"]
    if whole is None:
        strip: bytes | None = row["strip"]
        return strip
    return tree.middle(whole) if row["step"] % 2 else whole


def _there(found: dict[_At, bytes | None]) -> dict[_At, bytes]:
    there = {at: data for at, data in found.items() if data is not None}
    if len(there) < len(found):
        raise LogDamaged("a tile is not there")
    return there


async def _hashes(reader: Reader, plan: Plan, known: Known) -> list[bytes]:
    return path(plan, known, await strips(reader, tree.strips(plan, known)))


def path(plan: Plan, known: Known, found: Mapping[StripAt, bytes]) -> list[bytes]:
    """The hashes of a plan, out of the strips that it names. Raises `LogDamaged` when they do not hold them."""
    try:
        return tree.hashes(plan, known, found)
    except LookupError as error:
        raise LogDamaged("a tile is narrower than the tree") from error


def _checkpoint(rows: list[Any]) -> Checkpoint | None:
    if not rows:
        return None
    size, root, note, at, compact_range = rows[0].values()
    return Checkpoint(size, root, note, at, tree.known(size, compact_range or b""))
