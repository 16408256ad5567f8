"""The rules find what was sown into seven weeks of ordinary work, and next to nothing else."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, cast

import asyncpg
import orjson
import pytest
from typer.testing import CliRunner

from api.audit import query, search, signals
from api.audit.rules import RULES
from api.audit.signals import Watch
from api.cli import main
from api.errors import Overloaded, Unavailable
from api.settings import now
from api.storage.pool import Database
from api.vocabulary import SignalRule
from tests import live, signal_stories
from tests.audit_store import APPEND, Rows, append, settle
from tests.signal_stories import Story

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from typer.testing import Result

    from api.storage.statement import Bound
    from api.storage.unit import Unit
    from tests import servers

WATCH = Watch({SignalRule.DORMANT_CLIENT: 40}, (signal_stories.WATCHED,), signal_stories.HONEY)


@pytest.fixture
async def pool(database: servers.Database) -> AsyncIterator[Database]:
    """As the worker has it."""
    made = await Database.open(database.work_url, size=2)
    yield made
    await made.close()


async def looked(pool: Database, most: int = signals.BATCH, *rules: SignalRule) -> int:
    """Look with each rule until nothing is left; how many batches that took."""
    batches, waiting = 0, [RULES[each] for each in rules or SignalRule]
    while waiting:
        unit = pool.unit(now())
        try:
            more = await signals.advance(unit, waiting[0], WATCH, most)
        except Overloaded:  # the other worker was there first
            await unit.abort()
            continue
        await unit.finish()
        batches += 1
        if not more:
            waiting.pop(0)
    return batches


async def found(pool: Database) -> set[tuple[SignalRule, int]]:
    unit = pool.unit(now())
    try:
        return {(each.rule, each.index) for each in await signals.listed(unit, None, search.END, 10_000)}
    finally:
        await unit.finish()


@pytest.fixture
async def sown(pool: Database) -> set[tuple[SignalRule, int]]:
    leaves, expected = signal_stories.told()
    async with pool.connection() as connection:
        await connection.executemany(APPEND, [(each,) for each in leaves])
        await settle(connection)
    return expected


async def test_what_was_sown_is_found_and_little_else(pool: Database, sown: set[tuple[SignalRule, int]]) -> None:
    """Precision and recall, a rule a line: `pytest -rP` shows them. The page says the same figures."""
    await looked(pool)
    seen = await found(pool)
    right, told, there = (Counter(rule for rule, _ in each) for each in (seen & sown, seen, sown))
    lines = [
        f"{rule:22} precision {right[rule] / max(told[rule], 1):4.2f} recall {right[rule] / there[rule]:4.2f}"
        for rule in SignalRule
    ]
    sys.stdout.write("\n".join(lines))
    sown_of = dict.fromkeys(SignalRule, signal_stories.SOWN)
    assert there == sown_of | {SignalRule.BREAK_GLASS: 3 * signal_stories.SOWN}
    assert seen == sown, lines


async def test_the_same_log_gives_the_same_signals_whatever_the_batches(
    pool: Database, sown: set[tuple[SignalRule, int]]
) -> None:
    """And forgetting them all is no loss."""
    assert await looked(pool, 61) > 100
    once = await found(pool)
    unit = pool.unit(now())
    await signals.forget(unit)
    await unit.finish()
    assert await found(pool) == set()
    await asyncio.gather(looked(pool), looked(pool))  # two workers take turns
    assert await found(pool) == once == sown


async def test_what_is_usual_on_a_day_does_not_depend_on_the_batches_either(pool: Database) -> None:
    """Of officers who see thirty a day, forty are much, also when all days are looked at in one batch.

    A system that is large is told once, and not each day for good.
    """
    story = Story()
    for day in (1, 2):
        for number in range(250):
            told = SignalRule.VOLUME if (day, number) == (1, 200) else None
            story.tell(story.day(day, 9, number / 2), (signal_stories.NGOS[0], "ngo-0", f"one-{number}"), told)
    for day in range(8):
        for officer in range(3):
            for minute in range(40 if (day, officer) == (7, 2) else 30):
                much = SignalRule.VOLUME if minute == 30 else None
                story.tell(story.day(day, 9, minute), (signal_stories.IND, "ind", f"officer-{officer}"), much)
    leaves, expected = story.leaves()
    async with pool.connection() as connection:
        await connection.executemany(APPEND, [(each,) for each in leaves])
        await settle(connection)
    for most in (signals.BATCH, 37):
        await looked(pool, most, SignalRule.VOLUME)
        assert await found(pool) == expected
        unit = pool.unit(now())
        await signals.forget(unit)
        await unit.finish()


async def test_what_is_forgotten_while_a_worker_looks_is_looked_at_again(
    pool: Database, sown: set[tuple[SignalRule, int]]
) -> None:
    """Whoever looks had read how far its rule was, and would go on from there."""
    await looked(pool)
    async with pool.connection() as connection:
        await append(connection, 1)
        await settle(connection)
    unit = pool.unit(now())
    with pytest.raises(Overloaded):
        await signals.advance(cast("Unit", Interrupted(unit, pool)), RULES[SignalRule.VOLUME], WATCH)
    await unit.abort()
    await looked(pool)
    assert await found(pool) == sown


class Interrupted:
    """A unit of work, before whose write all signals are forgotten."""

    def __init__(self, unit: Unit, pool: Database) -> None:
        self.all = unit.all
        self._unit = unit
        self._pool = pool

    async def run(self, bound: Bound) -> list[Any]:
        """Write."""
        other = self._pool.unit(now())
        await signals.forget(other)
        await other.finish()
        return await self._unit.run(bound)


async def test_an_auditor_finds_the_entries_by_the_rule(pool: Database, sown: set[tuple[SignalRule, int]]) -> None:
    await looked(pool)
    async with pool.connection() as connection:
        rows = Rows(connection)
        for text, rules in (
            ("signal:volume", {SignalRule.VOLUME}),
            ("signal:off-hours,volume", {SignalRule.VOLUME, SignalRule.OFF_HOURS}),
            ("signal:repeated-*", {SignalRule.REPEATED_BREAK_GLASS}),
            ("signal:*", set(SignalRule)),
        ):
            page = await search.page(rows, query.parse(text), search.END, 1_000)
            assert {each.index for each in page} == {index for rule, index in sown if rule in rules}
        quiet = await search.page(rows, query.parse("-signal:* result:permitted"), search.END, 10_000)
        assert not {each.index for each in quiet} & {index for _, index in sown}


async def test_a_signal_says_what_it_is_in_both_languages(pool: Database, sown: set[tuple[SignalRule, int]]) -> None:
    assert sown
    await looked(pool)
    unit = pool.unit(now())
    (one, *_) = await signals.listed(unit, SignalRule.OFF_HOURS, search.END, 1)
    at = await signals.listed(unit, SignalRule.OFF_HOURS, one.id, 100)
    counted = await signals.counts(unit, one.at, one.at.replace(year=2027))
    await unit.finish()
    assert one.english.startswith("4 disclosures to one person on one day outside office hours; more than 3")
    assert one.dutch.startswith("4 inzagen door één persoon op één dag buiten kantoortijd; meer dan 3")
    assert len(at) == signal_stories.SOWN - 1
    assert counted[SignalRule.OFF_HOURS] == 1


def test_every_rule_has_its_words_and_its_threshold() -> None:
    for rule in SignalRule:
        assert RULES[rule].threshold >= 1
        for text in (RULES[rule].english, RULES[rule].dutch):
            assert "{" not in text.format(figure=1, threshold=2)
            assert text.endswith((".", "?"))


async def test_what_is_odd_stops_no_rule(pool: Database) -> None:
    async with pool.connection() as connection:
        await connection.execute("INSERT INTO audit.entry (leaf) VALUES ('\\xfffe')")
        await append(connection, 3)
        await settle(connection)
    assert await looked(pool) == len(RULES)
    assert await found(pool) == set()


async def test_nobody_stops_a_rule_by_asking_often_or_oddly(pool: Database) -> None:
    """Refused a thousand times and then allowed, by people without number; and what PostgreSQL takes for no text.

    Who names another person each time is seen as a whole.
    """
    story = Story()
    dossier: dict[str, Any] = {"object": story.thing(story.uuid()), "action": "dossiers.read"}
    alias = str(story.uuid())
    for number in range(1_000):
        who = (signal_stories.NGOS[0], "ngo-0", f"nobody-{number}")
        story.tell(story.day(1, 9, number / 60), who, **dossier, result="refused", reason="not-found")
    story.tell(story.day(1, 9, 30), who, **dossier, person=alias, withheld={"contact": "not-available"}, odd="\x00")
    story.tell(story.day(1, 9, 31), who, action="consents.withdraw", person=alias, odd="\x00")
    for number in range(300):
        who = (signal_stories.NGOS[0], "ngo-0", f"nobody-{number}")
        shown: dict[str, Any] = {"disclosed": {"contact": []}, "withheld": {"identity": "not-available"}}
        story.tell(story.day(1, 10, number / 60), who, **dossier, person=alias, **shown)
    async with pool.connection() as connection:
        await connection.executemany(APPEND, [(each,) for each in story.leaves()[0]])
        await settle(connection)
    await looked(pool)
    rules = Counter(rule for rule, _ in await found(pool))
    whole = {SignalRule.VOLUME: 1, SignalRule.NO_CASE_RELATION: 1}
    assert rules == {SignalRule.DENIED_THEN_ALLOWED: 1, SignalRule.AFTER_WITHDRAWAL: 300} | whole
    unit = pool.unit(now())
    assert await signals.behind(unit) == dict.fromkeys(SignalRule, 0)
    (denied,) = await signals.listed(unit, SignalRule.DENIED_THEN_ALLOWED, search.END, 2)
    (much,) = await signals.listed(unit, SignalRule.VOLUME, search.END, 2)
    await unit.finish()
    assert denied.figure == 20, "no further back"
    assert (much.actor, much.figure, much.threshold) == (None, 201, 200)


@pytest.mark.parametrize("analyzed", [False, True])
async def test_a_thing_that_was_asked_for_often_is_not_looked_through(
    database: servers.Database, *, analyzed: bool
) -> None:
    """Also where PostgreSQL has no statistics, or such as say that things are asked for seldom, or by few."""
    superuser: Any = await asyncpg.connect(database.superuser_url)
    await superuser.execute("""
        INSERT INTO audit.projection (index, at, action, result, organisation, kind, client, actor, object_id,
            categories, withheld)
        SELECT i, timestamptz '2026-11-02' + i * interval '10 seconds', 'dossiers.read', 'permitted', gen_random_uuid(),
            'ngo', CASE WHEN i % 20 = 0 THEN 'seldom-' || i ELSE 'often' END, 'somebody',
            CASE WHEN i % 4 = 0 THEN gen_random_uuid() ELSE '00000000-0000-0000-0000-000000000001'::uuid END,
            ARRAY['identity'], ARRAY['contact']
        FROM generate_series(0, 19999) i;
        INSERT INTO audit.projection_person (person, index)
        SELECT CASE WHEN i % 4 = 0 THEN gen_random_uuid() ELSE '00000000-0000-0000-0000-000000000002'::uuid END, i
        FROM generate_series(0, 19999) i;
        INSERT INTO audit.signal_count (rule, day, organisation, client, actor, kind, count)
        SELECT 'volume', date '2026-11-04' - i % 30, '00000000-0000-0000-0000-000000000001', 'often', i, 'ngo', 5
        FROM generate_series(0, 5999) i;
        INSERT INTO audit.signal (rule, index, at, organisation, client, actor, figure, threshold)
        SELECT 'volume', i, timestamptz '2026-11-03', '00000000-0000-0000-0000-000000000001', 'often', i, 21, 20
        FROM generate_series(0, 5999) i""")
    if analyzed:
        await superuser.execute("ANALYZE audit.projection, audit.projection_person, audit.signal, audit.signal_count")
    for rule in RULES.values():
        batch = {"rule": str(rule.id), "first": 19_900, "beyond": 20_000}
        bound = rule.find(**batch, threshold=rule.threshold, watched=[], honey=[])
        (said,) = await superuser.fetchrow(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {bound.sql}", *bound.args)
        assert touched(orjson.loads(said)[0]["Plan"]) < 200_000, rule.id
    await superuser.close()


def touched(plan: dict[str, Any]) -> int:
    """Rows that a plan read, also in vain."""
    rows: int = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Join Filter", 0)
    return int(rows * plan["Actual Loops"]) + sum(touched(each) for each in plan.get("Plans", ()))


async def test_what_others_ask_in_between_hides_no_refusal(pool: Database) -> None:
    story = Story()
    dossier: dict[str, Any] = {"object": story.thing(story.uuid())}
    who = (signal_stories.NGOS[0], "ngo-0", "somebody")
    story.tell(story.day(1, 9), who, **dossier, result="refused", reason="not-permitted")
    for number in range(1_000):
        story.tell(story.day(1, 9, 1 + number / 60), who, **dossier, action="dossiers.preview")
    story.tell(story.day(1, 10), who, SignalRule.DENIED_THEN_ALLOWED, **dossier)
    leaves, expected = story.leaves()
    async with pool.connection() as connection:
        await connection.executemany(APPEND, [(each,) for each in leaves])
        await settle(connection)
    await looked(pool)
    assert await found(pool) == expected


class Done(BaseException):
    """The test has seen enough."""


class Fickle(dict[SignalRule, int]):
    """Thresholds that cannot be read the first time."""

    failed = False

    def get(self, key: SignalRule, default: Any = None) -> Any:
        """The threshold."""
        if not self.failed:
            self.failed = True
            raise RuntimeError("not now")
        return super().get(key, default)


async def test_a_worker_goes_on_after_a_fault_which_it_tells(pool: Database, sown: set[tuple[SignalRule, int]]) -> None:
    told: list[Exception] = []
    rounds = 0

    def clock() -> datetime:
        nonlocal rounds
        rounds += 1
        if rounds == 800:  # a day of the volume each time
            raise Done
        return now()

    with pytest.raises(Done):
        await signals.run(
            pool, Watch(Fickle(WATCH.thresholds), WATCH.persons, WATCH.honey), clock, told.append, every=0
        )
    assert [str(each) for each in told] == ["not now"]
    assert await found(pool) == sown


async def test_a_database_that_is_away_is_a_fault_like_another(database: servers.Database) -> None:
    """Whether it is gone before the lead is taken, or while a rule looks: there is nothing to roll back."""
    pool = await Database.open(database.work_url, size=1)
    await pool.close()

    def notice(fault: Exception) -> None:
        assert isinstance(fault, Unavailable)
        raise Done

    with pytest.raises(Done):
        await signals.run(pool, WATCH, now, notice, every=0)
    told: list[Exception] = []
    assert not await signals.Lookout(pool, WATCH, now, told.append).look()
    assert len(told) == len(RULES)


def test_a_week_is_told_in_figures_and_signals_are_found_anew(database: servers.Database) -> None:
    """The commands, on a log that has not begun."""

    def ketenbrug(*words: str) -> Result:
        return CliRunner().invoke(
            main.assembled(words),
            words,
            env=live.environment(database_url=database.app_url, work_database_url=database.work_url),
        )

    told = [ketenbrug("audit", "digest", "--week", "2026-W47", *words) for words in ((), ("--dutch",))]
    assert [each.exit_code for each in told] == [0, 0]
    assert told[0].stdout.startswith("The log in the week of 2026-11-16 to 2026-11-22")
    assert told[1].stdout.startswith("Het logboek in de week van 2026-11-16 tot en met 2026-11-22")
    assert ketenbrug("audit", "digest", "--week", "47").exit_code == 2
    forgotten = ketenbrug("audit", "recompute-signals")
    assert forgotten.exit_code == 0, forgotten.output
    assert "All signals are forgotten" in forgotten.stdout
