"""The merge delay: how far the tree is behind what was committed. When it is too far behind, nothing is disclosed.

A receipt promises that an entry will be in the tree in time. A sequencer that stopped (because nobody runs it, or
because the log must not be continued) breaks that promise for every answer that is given from then on. So each process
that serves looks once a second, and keeps what it saw; a request reads that from memory and costs nothing more.

Not to know is to be late: a look that fails, or hangs, counts like a tree that stands still.
"""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING, Final

import structlog
from prometheus_client import Gauge
from sqlalchemy import text

from api.audit import projection
from api.errors import Unavailable
from api.storage.statement import statement

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from api.storage.pool import Database
    from api.storage.unit import Record

EVERY: Final = 1.0
"""Seconds between two looks."""

_DELAY: Final = Gauge(
    "ketenbrug_log_merge_delay_seconds",
    "Age of the oldest committed entry that is not in the tree yet.",
    multiprocess_mode="mostrecent",  # what a process that died saw last is past, whatever it was
)
_WAITING: Final = statement(
    text("""
    SELECT g.system_identifier <> (SELECT system_identifier FROM pg_control_system()) AS moved,
           g.number > c.generation AS behind,
           pg_snapshot_xmax(pg_current_snapshot()) <= c.last_xid AS went_back,
           g.at AS adopted_at,
           e.id, e.leaf
    FROM (SELECT * FROM audit.generation ORDER BY number DESC LIMIT 1) AS g
    LEFT JOIN (SELECT * FROM audit.checkpoint ORDER BY size DESC LIMIT 1) AS c ON true
    LEFT JOIN LATERAL (
        SELECT id, leaf FROM audit.entry
        WHERE (xid, id) > (coalesce(c.last_xid, '0'), coalesce(c.last_id, 0)) AND id > g.first_entry
        ORDER BY xid, id LIMIT 1
    ) AS e ON true
    """)
)


class MergeDelay:
    """What one process knows of it. `bound`: seconds that an entry may wait before the tree is late.

    An entry tells its age by the clock of the service; from the first look at it on, a clock that is set back changes
    nothing any more.
    """

    def __init__(
        self, bound: float, clock: Callable[[], datetime], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._bound = bound
        self._clock = clock
        self._monotonic = monotonic
        self._seen = monotonic()
        self._waits: tuple[int, float] | None = None

    @property
    def seconds(self) -> float:
        """How far the tree is behind, as of the last look."""
        return 0.0 if self._waits is None else max(0.0, self._seen - self._waits[1])

    def late(self) -> bool:
        """Tell whether the tree is late, or nothing is known of it."""
        since = self._seen if self._waits is None else min(self._seen, self._waits[1])
        return self._monotonic() - since > self._bound

    def must_not_be_late(self) -> None:
        """Raise `Unavailable` when it is."""
        if self.late():
            raise Unavailable("log")

    async def look(self, database: Database) -> None:
        """Look once. Raises `Unavailable` or `Overloaded` when the database does not tell."""
        now = self._monotonic()
        unit = database.unit(self._clock())
        try:
            row = await unit.one(_WAITING())
        finally:
            await unit.finish()
        self._waits = self._told(row, now)
        self._seen = now
        _DELAY.set(self.seconds)

    async def watch(self, database: Database) -> None:
        """Look for as long as the process serves, whatever kept it from looking before. Until then it is late."""
        while True:
            try:
                await self.look(database)
            except Exception as fault:  # noqa: BLE001 - who never looked again would refuse everybody, until restarted
                structlog.get_logger("ketenbrug.audit").warning("merge-delay-unknown", kind=type(fault).__name__)
            await asyncio.sleep(EVERY)

    def _told(self, row: Record | None, now: float) -> tuple[int, float] | None:
        """Which entry waits, and since when. What does not tell its age has waited for ever."""
        if row is None or row["moved"] or (row["went_back"] and not row["behind"]):
            return 0, -math.inf
        if row["id"] is None and not row["behind"]:
            return None
        which, at = (0, row["adopted_at"]) if row["behind"] else (row["id"], projection.of(row["leaf"]).at)
        since = -math.inf if at is None else now - (self._clock() - at).total_seconds()
        if self._waits is not None and self._waits[0] == which:
            since = min(since, self._waits[1])
        return which, min(since, now)
