"""Signals: what the rules found, computed behind the log by `ketenbrug work`, to be read by auditors.

How far they have come stands in one row of `audit.signal_state`, which is locked while a batch is looked through:
several workers take turns, a batch is looked through once, and signals, counts and the row are committed together. A
batch is small, because the sequencer waits for every transaction that writes. Everything here can be thrown away and
computed anew from the search columns (`forget`), which is how another threshold comes to hold for what is past.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Integer, Text, bindparam, delete, func, literal, or_, select, update

from api.audit.rules import RULES
from api.audit.tables import checkpoint, signal, signal_count, signal_state
from api.storage.statement import statement
from api.vocabulary import SignalRule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from uuid import UUID

    from api.audit.proofs import Reader
    from api.storage.pool import Database
    from api.storage.unit import Unit

BATCH: Final = 1_000

_THROUGH: Final = statement(select(signal_state.c.size).with_for_update())
_SIZE: Final = statement(select(func.max(checkpoint.c.size).label("size")))
_ADVANCE: Final = statement(update(signal_state).values(size=bindparam("through", type_=BigInteger)))
_FORGET: Final = (statement(delete(signal)), statement(delete(signal_count)))
_NUMBER: Final = bindparam("below", type_=BigInteger)
_LISTED: Final = statement(
    select(signal)
    .where(signal.c.id < _NUMBER)
    .where(
        or_(
            bindparam("rule", type_=Text) == literal("", Text),
            signal.c.rule == bindparam("rule", type_=Text),
        )
    )
    .order_by(signal.c.id.desc())
    .limit(bindparam("most", type_=Integer))
)
_COUNTS: Final = statement(
    select(signal.c.rule, func.count().label("times"))
    .where(signal.c.at >= bindparam("since"), signal.c.at < bindparam("until"))
    .group_by(signal.c.rule)
    .order_by(signal.c.rule)
)


@dataclass(frozen=True, slots=True)
class Watch:
    """What the rules are told: thresholds that differ from their own, who is watched over, what is planted.

    `persons` are aliases; `honey`: by which ids planted records are known.
    """

    thresholds: Mapping[SignalRule, int]
    persons: tuple[UUID, ...] = ()
    honey: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Signal:
    """What a rule found at an entry: by whom it was, how much, and how much would have been usual."""

    id: int
    rule: SignalRule
    index: int
    at: datetime
    organisation: UUID
    client: str
    actor: str | None
    figure: int
    threshold: int

    @property
    def english(self) -> str:
        """What it says."""
        return RULES[self.rule].english.format(figure=self.figure, threshold=self.threshold)

    @property
    def dutch(self) -> str:
        """The same, in Dutch."""
        return RULES[self.rule].dutch.format(figure=self.figure, threshold=self.threshold)


async def advance(unit: Unit, watch: Watch, most: int = BATCH) -> int:
    """Look through the next entries. How many there were."""
    (state,) = await unit.run(_THROUGH())
    (signed,) = await unit.all(_SIZE())
    first: int = state["size"]
    beyond: int = min(signed["size"] or 0, first + most)
    if beyond <= first:
        return 0
    for rule in RULES.values():
        threshold = watch.thresholds.get(rule.id, rule.threshold)
        given = {"rule": str(rule.id), "first": first, "beyond": beyond, "threshold": threshold}
        for step in rule.steps:
            await unit.run(step(**given, watched=list(watch.persons), honey=list(watch.honey)))
    await unit.run(_ADVANCE(through=beyond))
    return beyond - first


async def forget(unit: Unit) -> None:
    """Throw away all that was found, to be found anew."""
    await unit.run(_THROUGH())
    for each in _FORGET:
        await unit.run(each())
    await unit.run(_ADVANCE(through=0))


async def run(
    database: Database,
    watch: Watch,
    clock: Callable[[], datetime],
    notice: Callable[[Exception], None],
    every: float = 60.0,
) -> None:
    """Keep looking, until cancelled: batch after batch while there is something, then every so many seconds.

    Whatever it fails with is told: the sequencer runs beside it, and would be cancelled with it.
    """
    while True:
        taken = 0
        unit = database.unit(clock())
        try:
            taken = await advance(unit, watch)
            await unit.finish()
        except Exception as fault:  # noqa: BLE001 - see above
            notice(fault)
            taken = 0
            with suppress(Exception):  # the database is away: the next round tries again
                await unit.abort()
        await asyncio.sleep(every if taken < BATCH else 0)


async def listed(reader: Reader, rule: SignalRule | None, below: int, most: int) -> list[Signal]:
    """What was found, the latest found first."""
    rows = await reader.all(_LISTED(rule="" if rule is None else str(rule), below=below, most=most))
    return [_signal(row) for row in rows]


async def counts(reader: Reader, since: datetime, until: datetime) -> dict[SignalRule, int]:
    """How often each rule found something in a time; a rule that found nothing is there with 0."""
    rows = await reader.all(_COUNTS(since=since, until=until))
    found = {row["rule"]: row["times"] for row in rows}
    return {each: found.get(each, 0) for each in SignalRule}


def _signal(row: Any) -> Signal:  # noqa: ANN401 - a record of the driver
    members: dict[str, Any] = dict(row)
    members["rule"] = SignalRule(row["rule"])
    return Signal(**members)
