"""The Merkle tree of RFC 6962 section 2.1 (the same in RFC 9162), over 256-wide tiles (C2SP tlog-tiles). Pure.

Coordinates: the node (height, nth) is the root of the full subtree over the leaves [nth << height, nth + 1 << height).
A tile of level L and number n holds the nodes of height 8 L from the n * 256th on, 32 bytes each.

A proof is first a plan (which nodes), then hashes: the plan tells what to fetch, so that fetching may be async and one
query, and computing stays here. It is computed from *strips*: a strip of step S and number n holds the nodes of height
4 S from the n * 16th on. Those of even steps are slices of tiles; those of odd steps are kept beside the tiles, for
between the two lie 240 hashings, which would be most of what a proof costs.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

HASH: Final = 32
WIDTH: Final = 256
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()

STRIP: Final = 16
"""Hashes of a strip."""

_HEIGHT: Final = 8
_STEP: Final = 4


class Node(NamedTuple):
    """The root of a full subtree: the `nth` of its height, from the left."""

    height: int
    nth: int


class TileAt(NamedTuple):
    """Which tile; its width depends on the size of the tree."""

    level: int
    n: int


class StripAt(NamedTuple):
    """Which strip."""

    step: int
    n: int


class Tile(NamedTuple):
    """A tile: `data` holds `width` hashes of 32 bytes, `middle` the node over each 16 of them."""

    level: int
    n: int
    width: int
    data: bytes
    middle: bytes

    @classmethod
    def of(cls, level: int, n: int, hashes: Sequence[bytes]) -> Tile:
        """Put hashes together."""
        data = b"".join(hashes)
        return cls(level, n, len(hashes), data, middle(data))


def leaf_hash(leaf: bytes) -> bytes:
    """Hash a leaf; the prefix keeps leaves and nodes apart."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Edge:
    """The right edge: all that a tree needs to grow. `levels` holds the hashes of the partial tile of each level.

    At most 255 hashes for each level: 145 of them stand for a million leaves.
    """

    size: int = 0
    levels: tuple[tuple[bytes, ...], ...] = ()

    @classmethod
    def of(cls, size: int, partials: Mapping[int, bytes]) -> Edge:
        """Take up a tree of this size again. Raises `ValueError` when the partial tiles are not those of the size."""
        widths = [width for _, _, width in partial_tiles(size)]
        levels = tuple(tuple(_split(partials.get(level, b""))) for level in range(_depth(size)))
        if [len(hashes) for hashes in levels if hashes] != widths or any(level >= len(levels) for level in partials):
            raise ValueError("these are not the partial tiles of a tree of this size")
        return cls(size, levels)

    def grown(self, hashes: Iterable[bytes]) -> tuple[Edge, list[Tile]]:
        """The edge after these leaf hashes, and the tiles that became full."""
        full: list[Tile] = []
        levels: list[tuple[bytes, ...]] = []
        arriving = list(hashes)
        size = self.size + len(arriving)
        for level in range(_depth(size)):
            standing: tuple[bytes, ...] = self.levels[level] if level < len(self.levels) else ()
            first = self.size >> (_HEIGHT * (level + 1))
            row = [*standing, *arriving]
            whole = len(row) - len(row) % WIDTH
            done = [Tile.of(level, first + at // WIDTH, row[at : at + WIDTH]) for at in range(0, whole, WIDTH)]
            full += done
            levels.append(tuple(row[whole:]))
            arriving = [_subtree(tile.middle) for tile in done]
        return Edge(size, tuple(levels)), full

    def partials(self) -> list[Tile]:
        """The tiles that are not full yet."""
        return [Tile.of(level, n, self.levels[level]) for level, n, _ in partial_tiles(self.size)]

    def compact_range(self) -> list[bytes]:
        """The roots of the full subtrees that the tree falls into, from left to right: one for each 1 in its size."""
        return [subtree for hashes in self.levels for subtree in _right_to_left(hashes)][::-1]

    def root(self) -> bytes:
        """The root of the tree as it stands."""
        return _folded(self.compact_range()) if self.size else EMPTY_ROOT


Plan: TypeAlias = tuple[tuple[Node, ...], ...]
"""For each hash of a proof, the full subtrees that it is made of, from left to right."""
Known: TypeAlias = "Mapping[Node, bytes]"
"""Nodes whose hashes are at hand."""


def inclusion(index: int, size: int) -> Plan:
    """Plan the path of RFC 9162 section 2.1.3.1, from the leaf's sibling to the root's child.

    Raises `ValueError` when the tree has no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError("the tree has no leaf with this index")
    path: list[tuple[Node, ...]] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _largest_power_below(high - low)
        if index < middle:
            path.append(_cover(middle, high))
            high = middle
        else:
            path.append(_cover(low, middle))
            low = middle
    return tuple(reversed(path))


def consistency(first: int, second: int) -> Plan:
    """Plan the proof of RFC 9162 section 2.1.4.1. Empty when the older tree is empty or the same.

    Raises `ValueError` when the older tree is larger.
    """
    if not 0 <= first <= second:
        raise ValueError("a tree cannot shrink")
    if first in {0, second}:
        return ()
    path: list[tuple[Node, ...]] = []
    low, high = 0, second
    while first != high:
        middle = low + _largest_power_below(high - low)
        if first <= middle:
            path.append(_cover(middle, high))
            high = middle
        else:
            path.append(_cover(low, middle))
            low = middle
    if low:  # else the older tree is one full subtree, whose hash the verifier knows: it is the older root
        path.append(_cover(low, high))
    return tuple(reversed(path))


def head(size: int) -> Plan:
    """Plan the root of a tree that is not empty."""
    return (_cover(0, size),)


def known(size: int, compact_range: bytes) -> Known:
    """What a compact range tells, which stays true however much the tree grows. Nothing when it is of another size."""
    nodes, given = _cover(0, size), tuple(_split(compact_range))
    return dict(zip(nodes, given, strict=True)) if len(nodes) == len(given) else {}


def strips(plan: Plan, known: Known) -> frozenset[StripAt]:
    """Which strips a plan needs beside what is known, each at least as wide as in a tree of the planned size."""
    return frozenset(_strip(node)[0] for nodes in plan for node in nodes if node not in known)


def hashes(plan: Plan, known: Known, data: Mapping[StripAt, bytes]) -> list[bytes]:
    """Compute what was planned. Raises `LookupError` when a strip is missing or too narrow."""
    rows = {at: _rows(data[at]) for at in strips(plan, known)}
    return [_folded([known.get(node) or _hash(node, rows) for node in nodes]) for nodes in plan]


def middle(data: bytes) -> bytes:
    """The node over each 16 hashes of a tile, as far as they are 16."""
    whole = len(data) - len(data) % (STRIP * HASH)
    return _above(data[:whole], _STEP)


def full_tiles(size: int) -> Iterable[TileAt]:
    """Every full tile of a tree of this size, from the leaves up."""
    for level in range(_depth(size)):
        for n in range(size >> (_HEIGHT * (level + 1))):
            yield TileAt(level, n)


def partial_tiles(size: int) -> list[tuple[int, int, int]]:
    """(level, n, width) of every partial tile of a tree of this size, from the leaves up."""
    counts = ((level, size >> (_HEIGHT * level)) for level in range(_depth(size)))
    return [(level, count // WIDTH, count % WIDTH) for level, count in counts if count % WIDTH]


def path(level: int | str, n: int, width: int = WIDTH) -> str:
    """Where a tile stands under the prefix of the log; `level` "entries" is for entry bundles."""
    digits = f"{n:d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    number = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return f"tile/{level}/{number}" + ("" if width == WIDTH else f".p/{width}")


def _depth(size: int) -> int:
    """How many levels have tiles."""
    return -(-size.bit_length() // _HEIGHT)


def _largest_power_below(count: int) -> int:
    return 1 << ((count - 1).bit_length() - 1)


def _cover(low: int, high: int) -> tuple[Node, ...]:
    """The full subtrees over the leaves [low, high), from left to right, each as high as it can be."""
    nodes: list[Node] = []
    while low < high:
        height = (high - low).bit_length() - 1
        if low:
            height = min(height, (low & -low).bit_length() - 1)
        nodes.append(Node(height, low >> height))
        low += 1 << height
    return tuple(nodes)


def _strip(node: Node) -> tuple[StripAt, int, int]:
    """The strip that the node is computed from, the row over it (0 is the strip itself), and the place in the row."""
    step, row = divmod(node.height, _STEP)
    in_row = STRIP >> row
    return StripAt(step, node.nth // in_row), row, node.nth % in_row


def _hash(node: Node, rows: Mapping[StripAt, Sequence[bytes]]) -> bytes:
    at, row, place = _strip(node)
    found = rows[at][row][place * HASH : (place + 1) * HASH]
    if not found:
        raise LookupError("the strip is too narrow")
    return found


def _rows(data: bytes) -> list[bytes]:
    """Every node over the hashes of a strip: row r holds those of full subtrees of 2^r of them."""
    return list(accumulate(range(_STEP), lambda row, _: _above(row), initial=data))


def _above(data: bytes, rows: int = 1) -> bytes:
    """The nodes over these, so many rows up, as far as they are whole."""
    for _ in range(rows):
        pairs = range(0, len(data) - 2 * HASH + 1, 2 * HASH)
        data = b"".join([hashlib.sha256(b"\x01" + data[at : at + 2 * HASH]).digest() for at in pairs])
    return data


def _subtree(data: bytes) -> bytes:
    """The root over a power of two of hashes."""
    return _above(data, (len(data) // HASH).bit_length() - 1)


def _right_to_left(row: Sequence[bytes]) -> Iterable[bytes]:
    """The roots of the full subtrees over a partial row."""
    end = len(row)
    while end:
        count = end & -end
        yield _subtree(b"".join(row[end - count : end]))
        end -= count


def _folded(subtrees: list[bytes]) -> bytes:
    root = subtrees[-1]
    for subtree in reversed(subtrees[:-1]):
        root = node_hash(subtree, root)
    return root


def _split(data: bytes) -> Iterable[bytes]:
    return (data[at : at + HASH] for at in range(0, len(data), HASH))
