"""Callers who proved nothing: counted per minute, network zone and reason, so that nobody can flood the log.

    Tally       a process counts in memory: an unproven caller costs no database and writes no entry
    Tally.keep  every few seconds it adds what it counted to `oauth.unproven`
    summarise   once a minute is over, a worker takes its rows out and writes one entry for each, in one transaction

A row is taken by one worker, so several write no double. What is counted after its minute was summarised gives a second
entry for the rest. A process that ends loses its last seconds of counting, and nothing else.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog
import uuid_utils.compat as uuid_utils
from sqlalchemy import DateTime, bindparam, delete
from sqlalchemy.dialects.postgresql import insert as upsert

from api.audit import log
from api.audit.entry import Entry, Tallied, Thing
from api.oauth import operator
from api.oauth.tables import unproven
from api.storage.statement import statement
from api.vocabulary import Result

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from api.storage.pool import Database
    from api.storage.unit import Unit

TURNED_AWAY: Final = "oauth.turn-away"
"""The action, in the audit log."""

EVERY: Final = 5.0
"""Seconds between two times that a process adds what it counted."""

_MINUTE: Final = timedelta(minutes=1)
_GRACE: Final = timedelta(seconds=3 * EVERY)
"""How long after its minute is over a worker waits for the processes that still count it."""

_NEW: Final = upsert(unproven)
_ADD: Final = statement(
    _NEW.on_conflict_do_update(
        index_elements=["minute", "zone", "reason"], set_={"count": unproven.c.count + _NEW.excluded.count}
    ),
    "minute",
    "zone",
    "reason",
    "count",
)
_TAKE: Final = statement(
    delete(unproven)
    .where(unproven.c.minute <= bindparam("until", type_=DateTime(timezone=True)))
    .returning(unproven.c.minute, unproven.c.zone, unproven.c.reason, unproven.c.count)
)


class Tally:
    """What one process has counted and not yet added."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: Counter[tuple[datetime, str, str]] = Counter()

    @property
    def waiting(self) -> int:
        """How many are counted and not yet added."""
        return self._counts.total()

    def count(self, at: datetime, zone: str, reason: str) -> None:
        """Count one request that was refused for `reason`, in the words that the caller saw: a closed list."""
        self._counts[at.replace(second=0, microsecond=0), zone, reason] += 1

    async def add(self, unit: Unit) -> None:
        """Add what was counted. Until it is committed it is kept."""
        taken = dict(self._counts)
        if not taken:
            return
        for (minute, zone, reason), count in sorted(taken.items()):  # in one order, so that two processes never lock
            await unit.run(_ADD(minute=minute, zone=zone, reason=reason, count=count))
        await unit.finish()
        self._counts.subtract(taken)
        self._counts = +self._counts

    async def keep(self, database: Database, clock: Callable[[], datetime], every: float = EVERY) -> None:
        """Add every few seconds, until cancelled. What could not be added, for whatever reason, the next time adds."""
        while True:
            await asyncio.sleep(every)
            unit = database.unit(clock())
            try:
                await self.add(unit)
            except Exception as fault:  # noqa: BLE001 - nobody would notice that it counts no more
                structlog.get_logger("ketenbrug.oauth").warning("tally-failed", kind=type(fault).__name__)
                with suppress(Exception):
                    await unit.abort()


async def summarise(unit: Unit) -> None:
    """Write an entry for each minute, zone and reason that is over. For `ketenbrug work`, once a minute."""
    for row in await unit.run(_TAKE(until=unit.now - _MINUTE - _GRACE)):
        us = operator.local()
        entry = Entry(
            id=uuid_utils.uuid7(),
            at=unit.now,
            action=TURNED_AWAY,
            result=Result.REFUSED,
            actor=replace(us, origin=replace(us.origin, zone=row["zone"])),
            thing=Thing("unproven-callers"),
            reason=row["reason"],
            tally=Tallied(row["minute"], row["count"]),
        )
        log.append(unit, entry)
