"""What the table says of the V-number index: in the statement that looks somebody up, so that it costs no round trip.

A process knows some versions of the key, and may have known them for too long. So each look-up also asks

    current     under which version somebody new is stored: the newest that a rotation began, after all had seen it
    beyond      whether anybody stands under a version that is not among those looked under

With somebody beyond, who is not found may be there all the same: nobody is taken for unknown then. And who is stored
under a version that ended since is refused by a trigger. So two processes that know different versions, for however
long one of them slept between two statements, take nobody in twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ARRAY, Integer, LargeBinary, bindparam, exists, func, literal_column, select

from api.crypto.blind import MOST
from api.crypto.tables import index_version
from api.errors import Unavailable
from api.persons.tables import person
from api.storage.statement import statement

if TYPE_CHECKING:
    from collections.abc import Collection

    from api.crypto.blind import BlindIndex
    from api.storage.unit import Record, Unit

_TAGS: Final = ARRAY(LargeBinary)
_GAP: Final = (
    func.unnest(bindparam("gap_starts", type_=_TAGS), bindparam("gap_stops", type_=_TAGS))
    .table_valued("start", "stop", name="gap")
    .render_derived()
)
_ANYBODY: Final = person.alias("anybody")
_THERE: Final = exists(
    select(literal_column("1", Integer)).where(_ANYBODY.c.v_index >= _GAP.c.start, _ANYBODY.c.v_index < _GAP.c.stop)
).correlate(_GAP)
CURRENT: Final = select(func.max(index_version.c.version)).scalar_subquery().label("index_current")
BEYOND: Final = exists(select(literal_column("1", Integer)).select_from(_GAP).where(_THERE)).label("index_beyond")
ALWAYS: Final = select(literal_column("1", Integer).label("one")).subquery("always")
"""A row that is there whoever is not: what is looked for is joined to it."""

_STANDING: Final = statement(select(CURRENT, BEYOND))


def gaps(versions: Collection[int]) -> dict[str, Any]:
    """The ranges of tags of all other versions, as a statement takes them that selects `BEYOND`."""
    known = sorted(versions)
    pairs = zip([0, *(each + 1 for each in known)], [*known, MOST + 1], strict=True)
    between = [(bytes((start,)), bytes((stop,))) for start, stop in pairs if start < stop]
    return {"gap_starts": [start for start, _ in between], "gap_stops": [stop for _, stop in between]}


def hold(row: Record) -> int | None:
    """The version under which somebody new is stored; None while none was replaced. Raises `Unavailable`."""
    if row["index_beyond"]:
        raise Unavailable("index-key")
    current: int | None = row["index_current"]
    return current


async def probe(unit: Unit, index: BlindIndex) -> None:
    """See that nobody is under a version that is not live here, and that the current one is live. Raises `Unavailable`.

    So it would be where a key file is older than the database, or the database older than the keys.
    """
    live = await index.live()
    if await ask(unit, live) not in {None, *live}:
        raise Unavailable("index-key")


async def ask(unit: Unit, versions: Collection[int]) -> int | None:
    """The same, for who looks nobody up. Raises `Unavailable`."""
    (row,) = await unit.all(_STANDING(**gaps(versions)))
    return hold(row)
