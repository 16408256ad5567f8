"""Cosignatures of checkpoints: old ones are forgotten. A line is 3.3 KB, and a busy log is signed twice a second."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import Date, bindparam, cast, delete, func, select
from sqlalchemy.types import DateTime

from api.audit.tables import cosignature
from api.storage.statement import statement

if TYPE_CHECKING:
    from api.storage.unit import Unit

_KEPT: Final = timedelta(days=1)
_DAY: Final = cast(func.timezone("UTC", cosignature.c.at), Date)
_LAST_OF_DAY: Final = select(func.max(cosignature.c.size)).group_by(_DAY).scalar_subquery()
_FORGET: Final = statement(
    delete(cosignature).where(
        cosignature.c.at < bindparam("before", type_=DateTime(timezone=True)), cosignature.c.size.not_in(_LAST_OF_DAY)
    )
)


async def sweep(unit: Unit) -> None:
    """Of what is older than a day, keep what stands below the last head of each day. For housekeeping."""
    await unit.run(_FORGET(before=unit.now - _KEPT))
