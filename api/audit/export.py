"""Writes what outsiders need to check the log, as a directory in C2SP formats (design section 7).

    vkeys                      verifier keys, one a line
    retained                   below which index what entries said is past its term, when any is
    checkpoint                 a signed head
    tile/LEVEL/N[.p/WIDTH]     hashes
    tile/entries/N[.p/WIDTH]   entries, each behind its length in 16 bits
    entries/INDEX.json         the exact bytes of an entry that was asked for
    entries/INDEX.tlog-proof   its proof
    checkpoint.old             an older signed head that was asked for
    consistency                the proof that its log is the beginning of this one

Nothing is corrected on the way: what the database holds is written, and `clients/verifier.py` judges it.
"""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from api.audit import checkpoint, proofs, retention, tiles, tree
from api.audit.tree import TileAt
from api.errors import LogDamaged, NotExportable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence
    from pathlib import Path

    from api.audit.proofs import Checkpoint, Logged, Reader

_OURS: Final = frozenset({"checkpoint", "checkpoint.old", "consistency", "entries", "retained", "tile", "vkeys"})
_SETTLES: Final = timedelta(seconds=10)
"""After it an entry is in the tree, or nothing is disclosed any more before long."""
_AT_ONCE: Final = 64
"""Tiles in one question."""


async def write(
    reader: Reader, directory: Path, *, entries: Sequence[int] = (), older: int | None = None
) -> Checkpoint:
    """Export the log up to the head to go by, over an earlier export if one is there. Returns the head.

    The checkpoint is written last: an export that broke off is none. Raises `NotExportable` when an entry or an older
    head that is not there is asked for, or the directory holds something else; and `LogDamaged` when the database does
    not hold what the head stands for.
    """
    head = await _head(reader, max([older or 0, *(index + 1 for index in entries)]))
    if head is None:
        raise NotExportable("the log has not begun: `ketenbrug work` signs its first checkpoint")
    past = [] if older is None else await _older(reader, head, older)
    below = min(await retention.below(reader), head.size - head.size % tree.WIDTH)
    asked = [(name, data) for index in sorted(set(entries)) for name, data in await _asked(reader, head, index, below)]
    if below:
        past.append(("retained", f"{below}\n".encode()))
    _clear(directory)
    _write(directory, "vkeys", "".join(f"{each}\n" for each in await proofs.vkeys(reader)).encode())
    async for name, data in _tiles(reader, head.size):
        _write(directory, name, data)
    async for name, data in _bundles(reader, below, head.size):
        _write(directory, name, data)
    for name, data in (*asked, *past, ("checkpoint", head.note.encode())):
        _write(directory, name, data)
    return head


async def _head(reader: Reader, least: int) -> Checkpoint | None:
    """The head to go by; the last one where that is of fewer entries, or lacks the one that says what was deleted."""
    head, marked = await proofs.shown(reader), await retention.marked_at(reader)
    early = head is not None and (head.size < least or (marked is not None and head.at < marked + _SETTLES))
    return await proofs.latest(reader) if early else head


async def _older(reader: Reader, head: Checkpoint, size: int) -> list[tuple[str, bytes]]:
    past = await proofs.at(reader, size)
    if past is None:
        why = f"no checkpoint of {size} entries was signed"
        raise NotExportable(why)
    hashes = await proofs.consistency(reader, size, head.size, head.known)
    return [("checkpoint.old", past.note.encode()), ("consistency", checkpoint.hash_lines(hashes).encode())]


async def _asked(reader: Reader, head: Checkpoint, index: int, below: int) -> list[tuple[str, bytes]]:
    if 0 <= index < below:
        why = f"what entry {index} said is past its term; an archive may have it"
        raise NotExportable(why)
    if not 0 <= index < head.size:
        why = f"there is no entry {index} in a log of {head.size} entries"
        raise NotExportable(why)
    (found,) = await _entries(reader, index, index + 1)
    path = await proofs.inclusion(reader, index, head.size, head.known)
    proof = checkpoint.tlog_proof(index, path, head.note)
    return [(f"entries/{index}.json", found.leaf), (f"entries/{index}.tlog-proof", proof.encode())]


async def _tiles(reader: Reader, size: int) -> AsyncIterator[tuple[str, bytes]]:
    widths = {TileAt(level, n): width for level, n, width in tree.partial_tiles(size)}
    for wanted in _chunks([*tree.full_tiles(size), *widths]):
        found = await proofs.tiles(reader, frozenset(wanted))
        for each in wanted:
            width = widths.get(each, tree.WIDTH)
            data = found[each][: width * tree.HASH]
            if len(data) < width * tree.HASH:
                why = f"{tree.path(each.level, each.n, width)} is not whole"
                raise LogDamaged(why)
            yield tree.path(each.level, each.n, width), data


async def _bundles(reader: Reader, below: int, size: int) -> AsyncIterator[tuple[str, bytes]]:
    for first in range(below, size, tree.WIDTH):
        width = min(tree.WIDTH, size - first)
        found = await _entries(reader, first, first + width)
        yield tree.path(tiles.ENTRIES, first // tree.WIDTH, width), tiles.bundled(each.leaf for each in found)


async def _entries(reader: Reader, first: int, end: int) -> list[Logged]:
    found = await proofs.entries(reader, first, end)
    if len(found) != end - first:
        raise NotExportable("what entries said came past its term meanwhile: export again")
    return found


def _chunks(wanted: Sequence[TileAt]) -> Iterable[Sequence[TileAt]]:
    return (wanted[at : at + _AT_ONCE] for at in range(0, len(wanted), _AT_ONCE))


def _clear(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    if strange := sorted({each.name for each in directory.iterdir()} - _OURS):
        why = f"{directory} holds something that is no export: {strange[0]}"
        raise NotExportable(why)
    for name in sorted(_OURS):  # the checkpoint is the first to go
        target = directory / name
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)


def _write(directory: Path, name: str, data: bytes) -> None:
    file = directory / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
