"""A batch: entries, the tree that they make, and the rows that say so. Pure: made beside the writing of the one before.

Rows go by COPY: the driver encodes them while the server writes those that came before (measured: a third less time).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import bindparam, func, insert, select

from api.audit import projection, tree
from api.audit.tables import projection as search_columns
from api.audit.tables import tile
from api.storage.statement import statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.audit.tree import Edge, Tile
    from api.storage.statement import Bound
    from api.storage.unit import Record

LEAF: Final = ("index", "entry_id", "leaf_hash")
PERSON: Final = ("person", "index")
COLUMNS: Final = tuple(each.name for each in search_columns.c)
"""Of the tables that a batch is copied into."""

_FOUND: Final = tuple(projection.Columns._fields.index(name) for name in COLUMNS if name != "index")
_NAMES: Final = ("level", "n", "width", "data")
_LISTS: Final = func.unnest(*(bindparam(name, type_=func.array_agg(tile.c[name]).type) for name in _NAMES))
_TILES: Final = statement(
    insert(tile).from_select(list(_NAMES), select(_LISTS.table_valued(*_NAMES, name="given").render_derived()))
)


class Batch(NamedTuple):
    """What is written at once: up to the entry with this transaction and this id."""

    last_xid: int
    last_id: int
    edge: Edge
    leaves: list[tuple[int, int, bytes]]
    columns: list[tuple[Any, ...]]
    persons: list[tuple[Any, int]]
    tiles: Bound


def made(before: Edge, taken: Sequence[Record]) -> Batch:
    """Put these entries behind this edge."""
    hashes = [tree.leaf_hash(row["leaf"]) for row in taken]
    edge, full = before.grown(hashes)
    first = before.size
    found = [projection.of(row["leaf"]) for row in taken]
    return Batch(
        last_xid=taken[-1]["xid"] if taken else 0,
        last_id=taken[-1]["id"] if taken else 0,
        edge=edge,
        leaves=[(first + n, row["id"], hashed) for n, (row, hashed) in enumerate(zip(taken, hashes, strict=True))],
        columns=[columns(first + n, each) for n, each in enumerate(found)],
        persons=[(person, first + n) for n, each in enumerate(found) for person in each.persons],
        tiles=_tiles([*full, *_new_partials(before, edge)]),
    )


def columns(index: int, found: projection.Columns) -> tuple[Any, ...]:
    """The row of an entry in the search columns, in the order of `COLUMNS`."""
    return (index, *(found[place] for place in _FOUND))


def _new_partials(before: Edge, after: Edge) -> list[Tile]:
    """The partial tiles above the leaves that were not written with the tree before."""
    known = tree.partial_tiles(before.size)
    return [each for each in after.partials() if each.level and each[:3] not in known]


def _tiles(tiles: Sequence[Tile]) -> Bound:
    level, n, width, data = ([each[place] for each in tiles] for place in range(4))
    return _TILES(level=level, n=n, width=width, data=data)
