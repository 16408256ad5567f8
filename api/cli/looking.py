"""What `ketenbrug work` does of the signals: looking through the log, and counting how far the rules are behind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog
from prometheus_client import Gauge

from api import settings
from api.audit import signals
from api.audit.signals import Watch

if TYPE_CHECKING:
    from api.settings import Settings
    from api.storage.pool import Database

_BEHIND: Final = Gauge(
    "ketenbrug_signals_behind_entries",
    "Entries of the log that a rule has not looked at yet.",
    ["rule"],
    multiprocess_mode="mostrecent",
)


async def run(database: Database, found: Settings) -> None:
    """Look, and count, until cancelled."""
    watch = Watch(found.signals, found.signals_watched, found.honey)
    await asyncio.gather(signals.run(database, watch, settings.now, _not_looked), counting(database))


async def counting(database: Database, every: float = signals.EVERY) -> None:
    """Count how far the rules are behind, until cancelled. Who looks may be another process, or nobody."""
    while True:
        unit = database.unit(settings.now())
        try:
            for rule, entries in (await signals.behind(unit)).items():
                _BEHIND.labels(str(rule)).set(entries)
            await unit.finish()
        except Exception as fault:  # noqa: BLE001 - the sequencer runs beside it, and would be cancelled with it
            _not_looked(fault)
        await asyncio.sleep(every)


def _not_looked(fault: Exception) -> None:
    structlog.get_logger("ketenbrug.work").warning("signals-fault", kind=type(fault).__name__)
