"""What the log costs: a durable append beside a bare one of the same bytes, and how fast entries get into the tree.

`bare` is INSERT and COMMIT into a table of one column and a key; `log` is the statement of `api.audit.log` into
`audit.entry`, while `ketenbrug work` sequences behind it. Both run in turns, so that what else the machine does hits
both. The sequencer alone: entries that wait are put into the tree, signed and written, with a guard in a file.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import asyncpg
import orjson

from api import settings
from api.audit import log, sequencer
from api.audit.checkpoint import Signer
from api.audit.guard import FileGuard
from api.audit.standing import BATCH
from api.cli import migrate, work
from api.sandbox.databases import Role
from api.sandbox.running import NAME, Running

if TYPE_CHECKING:
    from api.sandbox.cluster import Cluster

CONNECTIONS: Final = (1, 16, 64)
SECONDS: Final = 1.0
"""Of one turn."""
TURNS: Final = 3
LEAST: Final = 0.6
WAITING: Final = 12 * BATCH
"""Entries that wait for the sequencer."""
AIM_SEQUENCED: Final = 20_000
"""Entries a second, its database writes included. It takes both cores: with others on them it is less; no bar."""

_WAITS: Final = "bench_waiting"
_ALONE: Final = "bench_sequencer"
_BARE: Final = "INSERT INTO public.bare (leaf) VALUES ($1)"
_LEAF: Final = b'{"action":"dossiers.read","at":"2026-11-25T12:00:00.000000Z","n":%09d,"pad":"' + b"x" * 560 + b'"}'


def full(n: int) -> bytes:
    """An entry of a disclosure, with all that is searched for."""
    person, case = str(UUID(int=n % 20_000)), str(UUID(int=n))
    words = {
        "action": "dossiers.read",
        "actor": {
            "organisation": str(UUID(int=n % 40)),
            "kind": "ngo",
            "client": f"c{n % 40}",
            "person": f"w{n % 500}",
        },
        "at": f"2026-11-25T12:00:00.{n % 1_000_000:06}Z",
        "consents": [{"id": case, "version": 1}],
        "disclosed": {"contact": ["phone"], "identity": ["birthDate", "familyName", "givenName"]},
        "ground": ["vw-107-8"],
        "object": {"id": person, "type": "dossier", "version": 3},
        "origin": {"requestId": case, "spanId": "0" * 16, "traceId": "0" * 32, "zone": "public"},
        "person": person,
        "purpose": "legal-screening",
        "result": "permitted",
        "withheld": {"medical": "consent-never-asked"},
    }
    return orjson.dumps(words)


def measure(running: Running) -> bool:
    """Print the figures, and say whether they are good enough."""
    asyncio.run(_table(running.cluster))
    held = True
    for connections in CONNECTIONS:
        rates = asyncio.run(_both(running.application_url, connections))
        ratio = rates["log"] / rates["bare"]
        held = held and ratio >= LEAST
        print(
            f"  append, {connections:>2} connections: bare {rates['bare']:7.0f}/s   log {rates['log']:7.0f}/s   "
            f"log/bare {ratio:.2f} (at least {LEAST})"
        )
    delay = asyncio.run(_drained(running.application_url))
    print(f"  the tree had caught up {delay:.1f} s after the last append")
    sequenced = _sequenced(running.cluster)
    print(f"  sequencer {sequenced:.0f} entries/s (aim {AIM_SEQUENCED})")
    return held


async def _table(cluster: Cluster) -> None:
    owner: Any = await asyncpg.connect(cluster.superuser_url(NAME))
    await owner.execute(
        f"""DROP TABLE IF EXISTS public.bare;
            CREATE TABLE public.bare (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, leaf bytea NOT NULL);
            GRANT USAGE ON SCHEMA public TO {Role.APPLICATION};
            GRANT INSERT ON public.bare TO {Role.APPLICATION}"""
    )
    await owner.close()


async def _both(url: str, connections: int) -> dict[str, float]:
    """The best rate of each, in commits a second."""
    made: list[Any] = [await asyncpg.connect(url) for _ in range(connections)]
    best = {"bare": 0.0, "log": 0.0}
    for _ in range(TURNS):
        for name, sql in (("bare", _BARE), ("log", log._APPEND.sql)):
            best[name] = max(best[name], await _rate(made, sql))
    for each in made:
        await each.close()
    return best


async def _rate(connections: list[Any], sql: str) -> float:
    numbers, done, until = count(), 0, time.perf_counter() + SECONDS

    async def one(connection: Any) -> None:
        nonlocal done
        prepared = await connection.prepare(sql)
        while time.perf_counter() < until:
            await prepared.fetch(_LEAF % next(numbers))
            done += 1

    began = time.perf_counter()
    await asyncio.gather(*(one(each) for each in connections))
    return done / (time.perf_counter() - began)


async def _drained(url: str) -> float:
    """Seconds until everything is in the tree."""
    connection: Any = await asyncpg.connect(url)
    began = time.perf_counter()
    last = await connection.fetchval("SELECT max(id) FROM audit.entry")
    while not await connection.fetchval(  # noqa: ASYNC110 - the database tells nobody
        "SELECT EXISTS (SELECT FROM audit.leaf WHERE entry_id = $1)", last
    ):
        await asyncio.sleep(0.05)
    await connection.close()
    return time.perf_counter() - began


def _sequenced(cluster: Cluster) -> float:
    """The best rate of some turns, in entries a second, each of a log of its own that holds the same entries."""
    cluster.create(_WAITS)
    try:
        migrate.upgrade(cluster.url(Role.OWNER, _WAITS))
        asyncio.run(_appended(cluster.url(Role.APPLICATION, _WAITS)))
        return max(_turn(cluster) for _ in range(TURNS))
    finally:
        cluster.drop(_WAITS)


def _turn(cluster: Cluster) -> float:
    cluster.create(_ALONE, template=_WAITS)
    try:
        return work.run(_integrated(cluster.url(Role.WORK, _ALONE)))
    finally:
        cluster.drop(_ALONE)


async def _appended(url: str) -> None:
    connection: Any = await asyncpg.connect(url)
    await connection.executemany(log._APPEND.sql, [(full(n),) for n in range(WAITING)])
    await connection.close()


async def _integrated(url: str) -> float:
    connection: Any = await asyncpg.connect(url)
    with tempfile.TemporaryDirectory() as directory:
        guard = FileGuard(Path(directory) / "guard")
        signer = Signer.from_seeds("bench.example/log", bytes(32), bytes(32), settings.now)
        stands, taken = await sequencer.take_up(connection, signer, guard), 1
        began = time.perf_counter()
        while taken:
            stands, taken = await sequencer.integrate(connection, stands, signer, guard)
        seconds = time.perf_counter() - began
    await connection.close()
    return stands.edge.size / seconds
