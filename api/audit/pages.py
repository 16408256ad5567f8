"""Pages: the table of entries has a partition for each month, so that a month whose term is over is dropped as a whole.

A month owns 2^40 ids, counted from January 2020. In its beginning the ids are moved on to its page, which was made in
the month before. Nothing else knows of it: an entry stands in the page of its id, whatever the time in it says. Nobody
has to turn the page: without, entries go on in the last one.

What holds, in the function of the database (revision 0033): ids only move forward, whatever the clock says; they move
to a page that everybody can write to by then; who appends waits for nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import DateTime, bindparam, func, select

from api.storage.statement import statement

if TYPE_CHECKING:
    from api.storage.unit import Unit

_TURN: Final = statement(select(func.audit.turn_page(bindparam("at", type_=DateTime(timezone=True)))))


async def turn(unit: Unit) -> None:
    """Turn to the page of this month, if it is not open yet, and make the one of the next. Each minute."""
    await unit.all(_TURN(at=unit.now))
