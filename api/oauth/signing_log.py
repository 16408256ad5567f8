"""What the database knows of the keys that sign access tokens (`api.crypto.key_log`).

Each stays in its file for good: receipts that it signed are kept for years.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from api.crypto.dated import NEVER
from api.crypto.key_log import KeyLog
from api.oauth.tables import signing_key
from api.storage.statement import statement

if TYPE_CHECKING:
    from api.oauth.signing import Schedule, SigningKey
    from api.storage.unit import Unit

_READ: Final = statement(select(signing_key))
_NEW: Final = upsert(signing_key)
_NOTE: Final = statement(
    _NEW.on_conflict_do_update(index_elements=["kid"], set_={"lost": _NEW.excluded.lost}),
    "kid",
    "begins_at",
    "lost",
)
_LOG: Final[KeyLog[SigningKey]] = KeyLog(
    _READ,
    _NOTE,
    kind=lambda _: {},
    stays=NEVER,
    what="signing keys",
    use="which signs",
    give_up="ketenbrug keys rotate-signing --compromised",
)


async def record(unit: Unit, schedule: Schedule, *, alone: bool = False) -> None:
    """Write down what the database does not know of a schedule yet. `alone`: what it does not have is lost."""
    await _LOG.record(unit, schedule.keys, schedule.lost, given_up=lambda _: alone)


async def faults(unit: Unit, schedule: Schedule) -> tuple[str, ...]:
    """What the file of signing keys must have and has not, in sentences."""
    return await _LOG.faults(unit, schedule.keys, schedule.lost)


async def hold(unit: Unit, schedule: Schedule) -> None:
    """Raise `Misconfigured` when there is a fault."""
    await _LOG.hold(unit, schedule.keys, schedule.lost)
