"""A log in memory, and exports of it: what the tree, the verifier and the forgers of the tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from api.audit import tree
from api.audit.checkpoint import Ed25519Key, Head, MlDsaKey, hash_lines, signed, tlog_proof
from tests.rfc6962 import leaf_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

ORIGIN = "ketenbrug.example/log"
KEY = Ed25519Key.from_seed(ORIGIN, bytes(range(32)))
POST_QUANTUM = MlDsaKey.from_seed(ORIGIN, bytes(32))
STRANGER = Ed25519Key.from_seed(ORIGIN, bytes(range(1, 33)))


class Log:
    """A tree with all its leaves and tiles, grown in steps."""

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self.leaves: list[bytes] = []
        self.edge = tree.Edge()
        self.full: dict[tree.TileAt, bytes] = {}
        self.grow(leaves)

    def grow(self, leaves: Iterable[bytes]) -> Log:
        """Add leaves. A tile becomes full once."""
        arriving = list(leaves)
        self.leaves += arriving
        self.edge, full = self.edge.grown(tree.leaf_hash(leaf) for leaf in arriving)
        for each in full:
            assert each.width == 256
            assert self.full.setdefault(tree.TileAt(each.level, each.n), each.data) is each.data
        return self

    @property
    def tiles(self) -> dict[tree.TileAt, bytes]:
        """Full and partial."""
        return self.full | {tree.TileAt(each.level, each.n): each.data for each in self.edge.partials()}

    def strip(self, at: tree.StripAt) -> bytes:
        """Part of a tile, or what stands beside one."""
        if at.step % 2:
            return tree.middle(self.tiles[tree.TileAt(at.step // 2, at.n)])
        n, place = divmod(at.n, tree.STRIP)
        width = tree.STRIP * tree.HASH
        return self.tiles[tree.TileAt(at.step // 2, n)][place * width : (place + 1) * width]

    def prove(self, plan: tree.Plan) -> list[bytes]:
        """Compute a plan from no more than the strips that it names, and from fewer where the edge is known."""
        cold = tree.hashes(plan, {}, {at: self.strip(at) for at in tree.strips(plan, {})})
        known = tree.known(self.edge.size, b"".join(self.edge.compact_range()))
        assert tree.hashes(plan, known, {at: self.strip(at) for at in tree.strips(plan, known)}) == cold
        return cold

    def head(self, size: int | None = None) -> Head:
        """The head at a size, the present one if none is named."""
        size = self.edge.size if size is None else size
        root = self.prove(tree.head(size))[0] if size else tree.EMPTY_ROOT
        return Head(ORIGIN, size, root)

    def export(
        self, directory: Path, *, proven: Iterable[int] = (), older: int | None = None, at: datetime | None = None
    ) -> Path:
        """Write what `ketenbrug audit export` writes, without its code. `at`: with the signature that names a time."""
        note = signed(self.head(), [KEY])
        write(directory / "vkeys", f"{KEY.vkey}\n".encode())
        if at is not None:
            note += f"{POST_QUANTUM.line(self.head(), at)}\n"
            write(directory / "vkeys", f"{KEY.vkey}\n{POST_QUANTUM.vkey}\n".encode())
        write(directory / "checkpoint", note.encode())
        for (level, n), data in self.tiles.items():
            write(directory / tree.path(level, n, len(data) // 32), data)
            if level == 0:
                bundle = self.leaves[n * 256 : n * 256 + 256]
                framed = b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in bundle)
                write(directory / tree.path("entries", n, len(bundle)), framed)
        for index in proven:
            path = self.prove(tree.inclusion(index, self.edge.size))
            write(directory / f"entries/{index}.json", self.leaves[index])
            write(directory / f"entries/{index}.tlog-proof", tlog_proof(index, path, note).encode())
        if older is not None:
            write(directory / "checkpoint.old", signed(self.head(older), [KEY]).encode())
            path = self.prove(tree.consistency(older, self.edge.size))
            write(directory / "consistency", hash_lines(path).encode())
        return directory


def grown(size: int, log: Log | None = None) -> Log:
    """A log of the leaves of `tests.rfc6962`."""
    log = log or Log()
    return log.grow(leaf_of(index) for index in range(log.edge.size, size))


def leaves(count: int) -> list[bytes]:
    """Leaves that differ, in the form of entries."""
    return [b'{"action":"dossiers.read","v":%d}' % index for index in range(count)]


def lightened(directory: Path, below: int) -> Path:
    """An export that says that what was said before this entry is past its term, as the last entry says too or not."""
    for n in range(below // 256):
        (directory / tree.path("entries", n)).unlink()
    write(directory / "retained", f"{below}\n".encode())
    return directory


def retention(below: int, **other: object) -> bytes:
    """The entry that says so, but for what is given."""
    thing = {"type": "audit-log", "version": below}
    return orjson.dumps({"action": "audit.retain", "object": thing, "result": "permitted"} | other)


def write(file: Path, data: bytes) -> Path:
    """Write a file and the directories above it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file
