"""What the database knows of the keys that posts are sealed to (`api.crypto.key_log`), for each kind apart.

What is gone has left the file, and need not be in it; what leaked has left it at once, and may never be in it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from api.crypto.inbox import STAYS, InboxKey
from api.crypto.key_log import KeyLog
from api.crypto.tables import inbox_key
from api.storage.statement import statement

if TYPE_CHECKING:
    from api.crypto.inbox import Inbox, Kind
    from api.storage.unit import Record, Unit

_READ: Final = statement(select(inbox_key))
_NEW: Final = upsert(inbox_key)
_NOTE: Final = statement(
    _NEW.on_conflict_do_update(index_elements=["kid"], set_={"lost": _NEW.excluded.lost}),
    "kid",
    "kind",
    "begins_at",
    "lost",
)


def _kind(each: InboxKey | Record) -> dict[str, str]:
    return {"kind": str(each.kind) if isinstance(each, InboxKey) else each["kind"]}


_LOG: Final[KeyLog[InboxKey]] = KeyLog(
    _READ,
    _NOTE,
    kind=_kind,
    stays=STAYS,
    what="inbox keys",
    use="to which others seal or did",
    give_up="ketenbrug keys rotate-inbox --compromised --kind KIND",
)


async def record(unit: Unit, inbox: Inbox, *, given_up: Kind | None = None) -> None:
    """Write down what the database does not know yet. `given_up`: of this kind what is not in the file is lost."""
    await _LOG.record(unit, inbox.keys, given_up=lambda row: row["kind"] == given_up)


async def faults(unit: Unit, inbox: Inbox) -> tuple[str, ...]:
    """What the file of inbox keys must have and has not, or has and must not, in sentences."""
    return await _LOG.faults(unit, inbox.keys)


async def hold(unit: Unit, inbox: Inbox) -> None:
    """Raise `Misconfigured` when there is a fault."""
    await _LOG.hold(unit, inbox.keys)
