"""`make growth`: what append, proof and the first page of a search cost in a small log and in a large one.

And how long an outsider takes to verify the whole of the largest.

Three logs of different sizes stand beside each other in one durable cluster, each filled through the sequencer, and are
measured in turns, so that what else the machine does hits all of them. A figure is the median; a factor is that of the
largest log over the smallest.
"""

from __future__ import annotations

import asyncio
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from api import settings
from api.audit import export, proofs, query, search, sequencer
from api.audit.checkpoint import Signer
from api.audit.guard import FileGuard
from api.cli import migrate
from api.sandbox.cluster import Cluster
from api.sandbox.databases import Role
from clients import verifier
from tests.audit_store import APPEND, Rows
from tests.bench import append

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from api.audit.query import Term

SIZES: Final = (10_000, 100_000, 1_000_000)
TURNS: Final = 15
MOST_FACTOR: Final = 1.3
MOST_PAGE_MS: Final = 150.0
MOST_PROOF_MS: Final = 2.0
MOST_VERIFIED_S: Final = 60.0
PAGE: Final = 51
QUERIES: Final = (
    "",
    "action:dossiers.read",
    "-result:permitted",
    "person:00000000-0000-0000-0000-000000000007",
    "org:00000000-0000-0000-0000-000000000007 category:identity",
    "client:nobody",
)
_IN_ONE_COPY: Final = 10_000


class Log:
    """One log that is measured."""

    def __init__(self, size: int, connection: Any) -> None:
        self.size = size
        self.connection = connection
        self.found: dict[str, list[float]] = defaultdict(list)

    async def fill(self, directory: Path) -> float:
        """Fill it; return how many entries a second the sequencer took in."""
        for first in range(0, self.size, _IN_ONE_COPY):
            leaves = [(append.full(n),) for n in range(first, min(first + _IN_ONE_COPY, self.size))]
            await self.connection.copy_records_to_table("entry", schema_name="audit", columns=("leaf",), records=leaves)
        guard = FileGuard(directory / f"guard-{self.size}")
        signer = Signer.from_seeds("bench.example/log", bytes(32), bytes(32), settings.now)
        stands, taken = await sequencer.take_up(self.connection, signer, guard), 1
        began = time.perf_counter()
        while taken:
            stands, taken = await sequencer.integrate(self.connection, stands, signer, guard)
        return self.size / (time.perf_counter() - began)

    async def turn(self) -> None:
        """Measure each thing once. An appended entry waits: the size stays what it was."""
        leaf = append.full(self.size)
        await self._timed("append", 20, lambda: self.connection.fetch(APPEND, leaf))
        await self._timed("proof", 20, self._proof)
        for each in QUERIES:
            await self._timed(each, 1, partial(self._page, query.parse(each)))

    async def verified(self, directory: Path) -> bool:
        """Export all of it, and verify that as an outsider does: the one file, on Python alone, in a minute at most."""
        await export.write(Rows(self.connection), directory)
        await self.connection.close()
        command = (sys.executable, verifier.__file__, str(directory))
        began = time.perf_counter()
        done = await asyncio.to_thread(subprocess.run, command, stdout=subprocess.PIPE, text=True, check=False)
        took = time.perf_counter() - began
        print(
            f"  {self.size} entries verified offline in {took:.1f} s (less than {MOST_VERIFIED_S:.0f} s)\n{done.stdout}"
        )
        return done.returncode == 0 and f"{self.size} entries" in done.stdout and took < MOST_VERIFIED_S

    async def _page(self, terms: tuple[Term, ...]) -> None:
        await search.page(Rows(self.connection), terms, search.END, PAGE)

    async def _proof(self) -> None:
        rows = Rows(self.connection)
        head = await proofs.shown(rows)
        if head is None:
            raise AssertionError("the log has not begun")
        await proofs.inclusion(rows, secrets.randbelow(self.size), head.size, head.known)

    async def _timed(self, name: str, times: int, deed: Callable[[], Awaitable[Any]]) -> None:
        for _ in range(times):
            began = time.perf_counter()
            await deed()
            self.found[name].append((time.perf_counter() - began) * 1000)


async def _measured(cluster: Cluster, directory: Path) -> tuple[list[Log], bool]:
    logs: list[Log] = []
    for size in SIZES:
        name = f"growth_{size}"
        await asyncio.to_thread(cluster.create, name)
        await asyncio.to_thread(migrate.upgrade, cluster.url(Role.OWNER, name))
        each = Log(size, await asyncpg.connect(cluster.url(Role.WORK, name)))
        rate = await each.fill(directory)
        owner: Any = await asyncpg.connect(cluster.superuser_url(name))
        await owner.execute("VACUUM ANALYZE", timeout=600)
        await owner.close()
        print(f"  {size:>9} entries: the sequencer took in {rate:.0f}/s", flush=True)
        logs.append(each)
    for _ in range(TURNS):
        for each in logs:
            await each.turn()
    for each in logs[:-1]:
        await each.connection.close()
    return logs, await logs[-1].verified(directory / "export")


def main() -> int:
    """Print the figures. Exit 1 when one of them is not good enough."""
    with (
        tempfile.TemporaryDirectory(prefix="ketenbrug-growth-") as folder,
        Cluster.start(Path(folder) / "postgres", durable=True) as cluster,
    ):
        logs, verified = asyncio.run(_measured(cluster, Path(folder)))
    held = [
        verified,
        _told("append", [statistics.median(each.found["append"]) for each in logs]),
        _told("proof", [statistics.median(each.found["proof"]) for each in logs]),
        _told("proof, at the most", [statistics.median(each.found["proof"]) for each in logs], MOST_PROOF_MS),
        _told("first page", [_pages(each) for each in logs]),
    ]
    held += [
        _told(f"  {one!r}", [statistics.median(each.found[one]) for each in logs], MOST_PAGE_MS) for one in QUERIES
    ]
    return 0 if all(held) else 1


def _pages(log: Log) -> float:
    """The median over all queries."""
    return statistics.median(took for one in QUERIES for took in log.found[one])


def _told(name: str, figures: list[float], most: float | None = None) -> bool:
    factor = figures[-1] / figures[0]
    bar = f"at most {MOST_FACTOR}" if most is None else f"less than {most:.0f} ms"
    told = "   ".join(f"{figure:7.2f} ms" for figure in figures)
    print(f"  {name:<72}{told}   factor {factor:.2f} ({bar})")
    return factor <= MOST_FACTOR if most is None else figures[-1] < most


if __name__ == "__main__":
    sys.exit(main())
