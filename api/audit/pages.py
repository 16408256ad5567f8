"""Pages: the table of entries has a partition for each month, so that a month whose term is over is dropped as a whole.

A month owns 2^40 ids, counted from January 2020. In its beginning the ids are moved on to its page, which was made in
the month before. Nothing else knows of it: an entry stands in the page of its id, whatever the time in it says. Nobody
has to turn the page: without, entries go on in the last one.

What holds, in the functions of the database (revision 0033): ids only move forward, whatever the clock says; they move
to a page that everybody can write to by then, and by themselves to that of the next month alone; who appends waits for
nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy import DateTime, bindparam, func, select

from api.storage.statement import statement

if TYPE_CHECKING:
    from datetime import datetime

    from api.storage.unit import Unit

_AT: Final = bindparam("at", type_=DateTime(timezone=True))
_TURN: Final = statement(select(func.audit.turn_page(_AT).label("turned")))
_OPEN: Final = statement(select(func.audit.open_page(_AT).label("month")))


class Turner:
    """Turns to the page of this month, if it is not open yet, and makes the one of the next. Each minute.

    It does not turn to a later month than the next one: a wrong clock would show the same. That is told once.
    """

    __slots__ = ("_told",)

    def __init__(self) -> None:
        self._told: str | None = None

    async def __call__(self, unit: Unit) -> None:
        """Turn the page."""
        (row,) = await unit.all(_TURN(at=unit.now))
        skipped = None if row["turned"] else f"{unit.now:%Y-%m}"
        if skipped not in {None, self._told}:
            structlog.get_logger("ketenbrug.audit").warning("page-not-turned", month=skipped)
        self._told = skipped


async def leap(unit: Unit, month: datetime) -> str:
    """Turn to the page of this month, however many are between, as the owner. Returns the month where entries stand.

    The first time it makes the page, and the next time it turns to it: each is a unit of its own.
    """
    (row,) = await unit.run(_OPEN(at=month))
    return f"{2020 + row['month'] // 12}-{row['month'] % 12 + 1:02}"
