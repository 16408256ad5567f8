"""Signals: what the rules found, computed behind the log by `ketenbrug work`, to be read by auditors.

How far each rule has come stands in its row of `audit.signal_state`. A rule reads a batch without a transaction, since
the sequencer waits for every transaction that writes; then signals, counts and the row are committed together, if no
other worker has moved the row meanwhile. A rule that fails is told and stops no other one: the next time it takes half
as many entries. Everything here can be thrown away and computed anew from the search columns (`forget`), which is how
another threshold comes to hold for what is past.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    BigInteger,
    Integer,
    Text,
    bindparam,
    delete,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
    update,
)

from api.audit import lead
from api.audit.rules import RULES
from api.audit.tables import checkpoint, signal, signal_count, signal_state
from api.errors import Overloaded
from api.storage.statement import statement
from api.vocabulary import SignalRule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from uuid import UUID

    from api.audit.proofs import Reader
    from api.audit.rules import Rule
    from api.storage.pool import Database
    from api.storage.unit import Unit

BATCH: Final = 1_000
LOCK: Final = 0x6B65_7465_6E73_6967  # "ketensig"
EVERY: Final = 60.0
"""Seconds between two looks for new entries."""

_STATE: Final = statement(select(signal_state.c.rule, signal_state.c.size))
_SIZE: Final = statement(select(func.coalesce(func.max(checkpoint.c.size), 0).label("size")))
_ADVANCE: Final = statement(
    text(
        "INSERT INTO audit.signal_state AS s (rule, size) VALUES (CAST(:rule AS text), CAST(:beyond AS bigint))"
        " ON CONFLICT (rule) DO UPDATE SET size = excluded.size WHERE s.size = CAST(:first AS bigint) RETURNING s.size"
    )
)
_TELL: Final = statement(
    text(
        "INSERT INTO audit.signal (rule, index, at, organisation, client, actor, figure, threshold)"
        " SELECT CAST(:rule AS text), * FROM unnest(CAST(:index AS bigint[]), CAST(:at AS timestamptz[]),"
        " CAST(:organisation AS uuid[]), CAST(:client AS text[]), CAST(:actor AS text[]), CAST(:figure AS bigint[]),"
        " CAST(:threshold AS bigint[])) ON CONFLICT (rule, index) DO NOTHING"
    )
)
_KEEP: Final = statement(
    text(
        "INSERT INTO audit.signal_count AS c (rule, day, organisation, client, actor, kind, count)"
        " SELECT CAST(:rule AS text), * FROM unnest(CAST(:day AS date[]), CAST(:organisation AS uuid[]),"
        " CAST(:client AS text[]), CAST(:actor AS text[]), CAST(:kind AS text[]), CAST(:count AS bigint[]))"
        " ON CONFLICT (rule, day, organisation, client, actor) DO UPDATE SET count = c.count + excluded.count"
    )
)
_FORGET: Final = (
    # Not deleted: whoever looks just then would put a row there again, and begin where it was.
    statement(update(signal_state).values(size=literal_column("0"))),
    *(statement(delete(each)) for each in (signal, signal_count)),
)
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


async def advance(unit: Unit, rule: Rule, watch: Watch, most: int = BATCH) -> bool:
    """Look at the next entries with a rule. Whether there are more. Raises `Overloaded` when another worker did."""
    through = {row["rule"]: row["size"] for row in await unit.all(_STATE())}
    (signed,) = await unit.all(_SIZE())
    first: int = through.get(rule.id, 0)
    beyond: int = min(signed["size"], first + most)
    if beyond <= first:
        return False
    more = beyond == first + most
    batch = {"rule": str(rule.id), "first": first, "beyond": beyond}
    if rule.end is not None:
        (early,) = await unit.all(rule.end(**batch))
        if early["index"] is not None:
            batch["beyond"], more = early["index"], True
    threshold = watch.thresholds.get(rule.id, rule.threshold)
    given = {"threshold": threshold, "watched": list(watch.persons), "honey": list(watch.honey)}
    found = await unit.all(rule.find(**batch, **given))
    counted = [] if rule.count is None else await unit.all(rule.count(**batch))
    if not await unit.run(_ADVANCE(**batch)):
        raise Overloaded
    for written, rows in ((_TELL, found), (_KEEP, counted)):
        if rows:
            columns = {name: [row[name] for row in rows] for name in rows[0].keys()}  # noqa: SIM118 - of a record
            await unit.run(written(rule=str(rule.id), **columns))
    return more


async def behind(reader: Reader) -> dict[SignalRule, int]:
    """How many entries each rule has not looked at yet."""
    through = {row["rule"]: row["size"] for row in await reader.all(_STATE())}
    (signed,) = await reader.all(_SIZE())
    return {rule: max(0, signed["size"] - through.get(rule, 0)) for rule in RULES}


async def forget(unit: Unit) -> None:
    """Throw away all that was found, to be found anew."""
    for each in _FORGET:
        await unit.run(each())


class Lookout:
    """Looks through the log with every rule, batch after batch. `notice` hears of each rule that failed."""

    def __init__(
        self, database: Database, watch: Watch, clock: Callable[[], datetime], notice: Callable[[Exception], None]
    ) -> None:
        self._database = database
        self._watch = watch
        self._clock = clock
        self._notice = notice
        self._most = dict.fromkeys(RULES, BATCH)

    async def look(self) -> bool:
        """One batch with each rule. Whether there is more for one that did not fail."""
        return any([await self._advance(rule) for rule in RULES.values()])

    async def _advance(self, rule: Rule) -> bool:
        most = self._most[rule.id]
        unit = self._database.unit(self._clock())
        try:
            more = await advance(unit, rule, self._watch, most)
            await unit.finish()
        except Exception as fault:  # noqa: BLE001 - whatever it is, the other rules go on
            self._notice(fault)
            self._most[rule.id] = max(1, most // 2)
            with suppress(Exception):  # the database is away: the next look tries again
                await unit.abort()
            return False
        self._most[rule.id] = min(BATCH, 2 * most)
        return more


async def run(
    database: Database,
    watch: Watch,
    clock: Callable[[], datetime],
    notice: Callable[[Exception], None],
    every: float = EVERY,
) -> None:
    """Look, or wait to, until cancelled: one process does at a time, batch after batch while there is something."""
    lookout = Lookout(database, watch, clock, notice)
    await lead.run(database, LOCK, lookout.look, notice, every=every, longest=every)


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
