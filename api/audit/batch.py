"""A batch: entries, the tree that they make, and the rows that say so. Pure: made beside the writing of the one before.

Rows go by COPY, and are made ready for it here: on the thread of the batch, not on the loop that sends them.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import bindparam, func, insert, select

from api.audit import projection, tree
from api.audit.tables import leaf, projection_person, tile
from api.audit.tables import projection as search_columns
from api.storage import binary
from api.storage.binary import Form
from api.storage.statement import statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from api.audit.tree import Edge, Tile
    from api.storage.binary import Copied
    from api.storage.statement import Bound
    from api.storage.unit import Record

LEAVES: Final = Form(leaf, ("index", "entry_id", "leaf_hash"))
PERSONS: Final = Form(projection_person, ("person", "index"))
COLUMNS: Final = Form(search_columns, ("index", *projection.COLUMNS))

_NAMES: Final = ("level", "n", "width", "data", "middle")
_LISTS: Final = func.unnest(*(bindparam(name, type_=func.array_agg(tile.c[name]).type) for name in _NAMES))
_TILES: Final = statement(
    insert(tile).from_select(list(_NAMES), select(_LISTS.table_valued(*_NAMES, name="given").render_derived()))
)


class Batch(NamedTuple):
    """What is written at once: up to the entry with this transaction and this id."""

    last_xid: int
    last_id: int
    taken: int
    edge: Edge
    rows: tuple[Copied, ...]
    tiles: Bound


def made(before: Edge, taken: Sequence[Record]) -> Batch:
    """Put these entries behind this edge."""
    hashes = [tree.leaf_hash(row["leaf"]) for row in taken]
    edge, full = before.grown(hashes)
    first = before.size
    ids = [row["id"] for row in taken]
    return Batch(
        last_xid=taken[-1]["xid"] if taken else 0,
        last_id=ids[-1] if ids else 0,
        taken=len(ids),
        edge=edge,
        rows=(
            LEAVES(map(_leaf, count(first), ids, hashes)),
            *found(enumerate((row["leaf"] for row in taken), first)),
        ),
        tiles=_tiles([*full, *_new_partials(before, edge)]),
    )


def found(entries: Iterable[tuple[int, bytes]]) -> tuple[Copied, Copied]:
    """What entries, each with its index, can be found by: the search columns, and the persons they are about."""
    columns: list[bytes] = []
    persons: list[bytes] = []
    for index, each in entries:
        at = binary.bigint(index)
        cells, about = projection.cells(each)
        columns.append(COLUMNS.row(at, *cells))
        persons += [PERSONS.row(person, at) for person in about]
    persons.sort()  # so that neighbours in the index are written one after the other
    return COLUMNS(columns), PERSONS(persons)


def _leaf(index: int, entry: int, hashed: bytes) -> bytes:
    return LEAVES.row(binary.bigint(index), binary.bigint(entry), binary.data(hashed))


def _new_partials(before: Edge, after: Edge) -> list[Tile]:
    """The partial tiles above the leaves that were not written with the tree before."""
    known = tree.partial_tiles(before.size)
    return [each for each in after.partials() if each.level and each[:3] not in known]


def _tiles(tiles: Sequence[Tile]) -> Bound:
    return _TILES(**{name: [each[place] for each in tiles] for place, name in enumerate(_NAMES)})
