"""The log as objects of an S3 bucket, so that its hashes are served from there, by a content delivery network.

The layout is that of `api.audit.tiles` below one address. Laws, each held by a test:

- **No head whose tiles are not there.** The checkpoint is written last, and under the condition that nobody else moved
  it: of two who publish at once one wins, and the other one looks again.
- **The bucket's own checkpoint says how far it is.** It must be a head that this database signed, and the tiles that
  stand in the bucket must give it. From that edge the tree grows by the hashes in the database, and what it grows into
  must be the next head that was signed: so the bucket is a beginning of the log, and stays one.
- **Nothing is written over but the checkpoint.** What is there already must be the same bytes; nothing is deleted, so
  that the partial tiles of every head that was published stay.
- **In steps.** A step is a head that was signed. Who was broken off goes on after the last step.
- **Entries only where they were asked for**, from the first step on: a bucket has them or does not. Then it holds
  what an export does (`api.audit.export`), and is for nobody else.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from prometheus_client import Gauge

from api.audit import checkpoint, lead, proofs, retention, tiles, tree
from api.audit.checkpoint import Head
from api.audit.entry import LEAF_MOST
from api.audit.tree import Edge
from api.errors import LogDamaged, NotExportable, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping
    from datetime import datetime

    from api.audit.objects import Held
    from api.audit.proofs import Checkpoint
    from api.storage.pool import Database
    from api.storage.unit import Unit

STEP: Final = 65_536
"""Entries of a step at most, many times those of a batch: there is always a head to be found within it."""
OBJECT_MOST: Final = tree.WIDTH * (2 + LEAF_MOST)
"""Bytes that an object of it may have: a bundle of entries, each as long as can be."""
EVERY: Final = 10.0
"""Seconds between two looks for new heads: each costs an object for the partial tile, which stays."""
LONGEST: Final = 300.0
"""Seconds that it waits at most before it tries again."""
LOCK: Final = 0x6B65_7465_6E70_7562  # "ketenpub"

_PUBLISHED: Final = Gauge(
    "ketenbrug_log_published_timestamp_seconds",
    "When the bucket was last seen to hold every head that was signed.",
    multiprocess_mode="mostrecent",
)
_AT_ONCE: Final = 16
_NUMBER: Final = re.compile(rb"[1-9][0-9]{0,17}\n")
_NOTHING: Final = -1
"""The size of what has no head: a log of no entries has one."""
_NEVER: Final = "no-store"
_HEAD: Final = {"Content-Type": tiles.NOTE, "Cache-Control": tiles.MOVES}
_TILE: Final = {"Content-Type": tiles.OCTETS, "Cache-Control": tiles.NEVER_CHANGES}
_ENTRIES: Final = {"Content-Type": tiles.OCTETS, "Cache-Control": _NEVER}
_BESIDE: Final = {"Content-Type": tiles.NOTE, "Cache-Control": _NEVER}


class Objects(Protocol):
    """Where objects are read and written (`api.audit.objects`)."""

    async def examine(self, url: str) -> None: ...  # noqa: D102

    async def read(self, url: str) -> Held | None: ...  # noqa: D102

    async def write(self, url: str, body: bytes, over: Held | None, headers: Mapping[str, str]) -> Held | None: ...  # noqa: D102


class Published(NamedTuple):
    """What stands in the bucket: the checkpoint, the edge of its tree, and from which entry on it has entries."""

    held: Held | None
    size: int
    edge: Edge
    first: int
    least: int = 0  # entries of a head that may stand there: a smaller one lacks that which tells what was deleted


class Publication:
    """The log below `url`. `entries`: with its entries, for whoever may read them. `most`: entries of a step."""

    def __init__(
        self,
        database: Database,
        objects: Objects,
        url: str,
        clock: Callable[[], datetime],
        *,
        entries: bool = False,
        most: int = STEP,
    ) -> None:
        self._database = database
        self._objects = objects
        self._url = url
        self._clock = clock
        self._entries = entries
        self._most = most
        self._known: Published | None = None
        self._examined = False

    @property
    def size(self) -> int:
        """Of how many entries the head in the bucket is, as far as we know; -1 when we know of none."""
        return _NOTHING if self._known is None else self._known.size

    async def step(self) -> bool:
        """Bring the bucket to a later head; whether there may be more to do.

        Raises `NotExportable` when the bucket holds something else, `LogDamaged` when the database does not hold what
        was signed, `Misconfigured` when the store is not fit, and `Unavailable`.
        """
        if not self._examined:
            await self._objects.examine(self._at("checkpoint"))
            self._examined = True
        held = await self._objects.read(self._at("checkpoint"))  # (1) what is there
        if self._known is None or self._known.held != held:
            self._known = await self._taken_up(held)
        now = self._known
        async with self._reading() as unit:  # (2) what comes next
            head = await proofs.last_within(unit, now.size, max(now.size, 0) + self._most)
            hashes = [] if head is None else await tiles.leaf_hashes(unit, now.edge.size, head.size)
        if head is None:
            await self._refresh(now)
            return False
        edge, full = await asyncio.to_thread(now.edge.grown, hashes)  # (3) what the tree grows into
        if edge.size != head.size or edge.root() != head.root:
            raise LogDamaged("the leaves do not give the signed root: nothing is published")
        before = tree.partial_tiles(now.edge.size)
        partial = [each for each in edge.partials() if each[:3] not in before]
        await self._all({tree.path(each.level, each.n, each.width): each.data for each in (*full, *partial)}, _TILE)
        if self._entries:
            await self._bundles(now, head, [*_tail(now.edge), *hashes])
        await self._move(now, head, edge)  # (4) the head
        return True

    async def _move(self, now: Published, head: Checkpoint, edge: Edge) -> None:
        """Write the checkpoint. Where somebody else did meanwhile, what stands there is looked at anew."""
        held = now.held
        if head.size >= now.least:
            held = await self._objects.write(self._at("checkpoint"), head.note.encode(), held, _HEAD)
        self._known = Published(held, head.size, edge, now.first, now.least)

    async def _refresh(self, now: Published) -> None:
        """Put lines below the head that came after it was published: cosignatures of witnesses."""
        if now.held is not None:
            signed = await self._signed(now.held)
            if now.held.body != signed.note.encode():
                await self._move(now, signed, now.edge)

    async def _taken_up(self, held: Held | None) -> Published:
        """See that what is there is ours, and whole."""
        keys = await self._objects.read(self._at("vkeys"))
        if keys is not None and not self._entries:
            why = f"{self._url} has entries, and is for nobody else: publish in another place"
            raise NotExportable(why)
        if keys is None and self._entries and held is not None:
            why = f"{self._url} has no entries so far: publish them in another place"
            raise NotExportable(why)
        first, least = await self._beside(keys, begun=held is not None) if self._entries else (0, 0)
        if held is None:
            return Published(None, _NOTHING, Edge(), first, least)
        signed = await self._signed(held)
        edge = await self._edge(signed.size)
        if edge is None or edge.root() != signed.root:
            why = f"the tiles in {self._url} do not give its head: somebody wrote there, or they are gone"
            raise NotExportable(why)
        return Published(held, signed.size, edge, first)

    async def _signed(self, held: Held) -> Checkpoint:
        """The head that it holds, as this database signed it."""
        try:
            head = Head.of(held.body.decode())
        except (UnicodeDecodeError, LogDamaged):
            head = None
        async with self._reading() as unit:
            signed = None if head is None else await proofs.at(unit, head.size)
        if signed is None or not held.body.startswith(checkpoint.own(signed.note).encode()):
            why = f"{self._url} holds a head that this database did not sign: of another log, or this is an older copy"
            raise NotExportable(why)
        return signed

    async def _beside(self, keys: Held | None, *, begun: bool) -> tuple[int, int]:
        """Say by which keys the log is verified, and which entries are there: from the first of them, and the least."""
        async with self._reading() as unit:
            vkeys = "".join(f"{each}\n" for each in await proofs.vkeys(unit)).encode()
            below, last = await retention.below(unit), await proofs.latest(unit)
        if keys is None or keys.body != vkeys:
            await self._objects.write(self._at("vkeys"), vkeys, keys, _BESIDE)
        if begun:
            retained = await self._objects.read(self._at("retained"))
            if retained is not None and not _NUMBER.fullmatch(retained.body):
                why = f"{self._url}/retained is no number: somebody wrote there"
                raise NotExportable(why)
            return 0 if retained is None else int(retained.body), 0
        if not below or last is None:
            return 0, 0
        await self._put("retained", f"{below}\n".encode(), _BESIDE)
        return below, last.size

    async def _edge(self, size: int) -> Edge | None:
        """The right edge of the tree, out of the tiles in the bucket; None when they are not those of the size."""
        partial: dict[int, bytes] = {}
        for level, n, width in tree.partial_tiles(size):
            found = await self._objects.read(self._at(tree.path(level, n, width)))
            if found is None:
                return None
            partial[level] = found.body
        try:
            return Edge.of(size, partial)
        except ValueError:
            return None

    async def _bundles(self, now: Published, head: Checkpoint, hashes: list[bytes]) -> None:
        """Put entries. `hashes` are those of all leaves behind the last full tile."""
        begin = now.edge.size - now.edge.size % tree.WIDTH
        waiting = list(range(max(begin, now.first), head.size, tree.WIDTH))
        while waiting:
            some, waiting = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
            made: dict[str, bytes] = {}
            for first in some:
                end = min(first + tree.WIDTH, head.size)
                name = tree.path(tiles.ENTRIES, first // tree.WIDTH, end - first)
                made[name] = await self._bundle(first, end, hashes[first - begin : end - begin])
            await self._all(made, _ENTRIES)

    async def _bundle(self, first: int, end: int, hashes: list[bytes]) -> bytes:
        """Entries, each of which has the hash that was signed."""
        async with self._reading() as unit:
            if first < await retention.below(unit):
                why = f"what entry {first} said is past its term, and {self._url} lacks it: publish in another place"
                raise NotExportable(why)
            found = [each.leaf for each in await proofs.entries(unit, first, end)]
        if [tree.leaf_hash(each) for each in found] != hashes:
            why = f"entries {first} to {end - 1} do not have the hashes that were signed"
            raise LogDamaged(why)
        return tiles.bundled(found)

    async def _all(self, named: Mapping[str, bytes], headers: Mapping[str, str]) -> None:
        """Put them, some at once; the first fault is raised when those that are under way have ended."""
        waiting = list(named.items())
        while waiting:
            some, waiting = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
            done = await asyncio.gather(*(self._put(*each, headers) for each in some), return_exceptions=True)
            for each in done:
                if each is not None:
                    raise each

    async def _put(self, name: str, data: bytes, headers: Mapping[str, str]) -> None:
        if await self._objects.write(self._at(name), data, None, headers) is not None:
            return
        there = await self._objects.read(self._at(name))
        if there is None:  # another write of it is under way
            raise Unavailable("bucket")
        if there.body != data:
            why = f"{self._at(name)} is there already, and is not that of this log: somebody wrote there"
            raise NotExportable(why)

    def _at(self, name: str) -> str:
        return f"{self._url}/{name}"

    @asynccontextmanager
    async def _reading(self) -> AsyncGenerator[Unit]:
        unit = self._database.unit(self._clock())
        try:
            yield unit
        finally:
            await unit.finish()


def _tail(edge: Edge) -> tuple[bytes, ...]:
    """The hashes of the leaves that are in no full tile."""
    return edge.levels[0] if edge.levels else ()


async def run(
    database: Database,
    publication: Publication,
    clock: Callable[[], datetime],
    notice: Callable[[Exception], None],
    *,
    every: float = EVERY,
) -> None:
    """Publish, or wait to, until cancelled. `notice` hears of each fault; then it waits, twice as long each time."""

    async def step() -> bool:
        began = clock()
        more = await publication.step()
        if not more:
            _PUBLISHED.set(began.timestamp())
        return more

    await lead.run(database, LOCK, step, notice, every=every, longest=LONGEST)
