"""What of the log is published as files, each under the address that C2SP tlog-tiles gives it.

A file never changes once it is there, so that anybody may keep it for ever; only the checkpoint moves. Published is
what a checkpoint rests on: every full tile, and of each size that was signed the partial ones. `api.audit.export`
writes the same bytes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import BigInteger, SmallInteger, bindparam, exists, select

from api.audit import proofs, tree
from api.audit.tables import checkpoint, leaf, tile
from api.errors import LogDamaged
from api.storage.statement import statement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from api.audit.proofs import Reader

ENTRIES: Final = "entries"

NOTE: Final = "text/plain; charset=utf-8"
OCTETS: Final = "application/octet-stream"
"""What a checkpoint is, and what everything else is."""
MOVES: Final = "public, no-cache"
NEVER_CHANGES: Final = "public, max-age=31536000, immutable"
"""How long anybody may keep a checkpoint, and how long everything else (Cache-Control)."""

_LEVELS: Final = 64
_END: Final = 2**63
_PLACE: Final = re.compile(r"((?:x[0-9]{3}/){0,5})([0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII)
_LEVEL: Final = re.compile(r"0|[1-9][0-9]?", re.ASCII)

_TILE: Final = statement(
    select(tile.c.data).where(
        tile.c.level == bindparam("level", type_=SmallInteger),
        tile.c.n == bindparam("n", type_=BigInteger),
        tile.c.width == bindparam("width", type_=SmallInteger),
    )
)
_OF_LEAVES: Final = statement(
    select(leaf.c.leaf_hash)
    .where(
        leaf.c.index >= bindparam("first", type_=BigInteger),
        leaf.c.index < bindparam("end", type_=BigInteger),
        exists().where(checkpoint.c.size == bindparam("end", type_=BigInteger)),
    )
    .order_by(leaf.c.index)
)
_REACHED: Final = statement(
    select(checkpoint.c.size).where(checkpoint.c.size >= bindparam("end", type_=BigInteger)).limit(1)
)
_SIGNED: Final = statement(select(checkpoint.c.size).where(checkpoint.c.size == bindparam("end", type_=BigInteger)))


class At(NamedTuple):
    """Which file: of entry bundles `level` is None. `width` is how many hashes or entries it holds."""

    level: int | None
    n: int
    width: int

    @property
    def end(self) -> int:
        """Behind the last entry or hash, counted in those of its level."""
        return self.n * tree.WIDTH + self.width


def read(level: str, place: str) -> At | None:
    """Read an address, such as ("0", "x001/234.p/5"). None when it is not exactly as the specification writes it."""
    found = _PLACE.fullmatch(place)
    if found is None or not (level == ENTRIES or _LEVEL.fullmatch(level)):
        return None
    groups, last, width = found.groups()
    at = At(
        None if level == ENTRIES else int(level),
        int(groups.replace("x", "").replace("/", "") + last),
        tree.WIDTH if width is None else int(width),
    )
    # A number has one address: no leading group of zeros, and a partial tile is no full one.
    written = tree.path(level, at.n, at.width) == f"tile/{level}/{place}"
    known = at.width <= tree.WIDTH and (at.level or 0) < _LEVELS and at.end < _END
    return at if written and known else None


async def hashes(reader: Reader, at: At) -> bytes | None:
    """A tile of hashes. None when no checkpoint rests on it. Raises `LogDamaged` when one does, and it is not whole."""
    if at.level == 0 and at.width < tree.WIDTH:
        data = b"".join(await leaf_hashes(reader, at.n * tree.WIDTH, at.end))
    else:
        rows = await reader.all(_TILE(level=at.level, n=at.n, width=at.width))
        data = rows[0]["data"] if rows else b""
    if not data:
        return None
    if len(data) != at.width * tree.HASH:
        raise LogDamaged("a published tile is not whole")
    return data


async def leaf_hashes(reader: Reader, first: int, end: int) -> list[bytes]:
    """The hashes of the leaves from `first` to below `end`, which is a size that was signed; those that there are."""
    return [row["leaf_hash"] for row in await reader.all(_OF_LEAVES(first=first, end=end))]


async def bundle(reader: Reader, at: At) -> bytes | None:
    """Entries, each behind its length in 16 bits. None when no checkpoint rests on them, or they are past their term.

    Raises `LogDamaged`.
    """
    published = _REACHED if at.width == tree.WIDTH else _SIGNED
    if not await reader.all(published(end=at.end)):
        return None
    found = await proofs.entries(reader, at.n * tree.WIDTH, at.end)
    return bundled(each.leaf for each in found) if found else None


def bundled(leaves: Iterable[bytes]) -> bytes:
    """The form of a bundle."""
    return b"".join(len(each).to_bytes(2, "big") + each for each in leaves)
