"""The rules that look through the log (signalen): fixed questions in SQL, each with an id, a reason and one threshold.

A rule looks at an entry and at what came before it, never at what comes later: whatever the batches, the same log gives
the same signals. What it finds is a reason to look, never a verdict; it is told to the auditor and does not refuse
anything.

Three counts are kept for each day (in Amsterdam), acting person and system, in `audit.signal_count`: disclosures
outside office hours, misses, and disclosures. The other rules look back along an index of the search columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from api.storage.statement import statement
from api.vocabulary import SignalRule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.storage.statement import Statement

_DISCLOSES: Final = "p.result = 'permitted' AND p.categories IS NOT NULL"
_LOCAL: Final = "p.at AT TIME ZONE 'Europe/Amsterdam'"
_OFF_HOURS: Final = (
    f"{_DISCLOSES} AND p.actor IS NOT NULL AND (extract(hour FROM {_LOCAL}) NOT BETWEEN 7 AND 19"
    f" OR extract(isodow FROM {_LOCAL}) > 5)"
)
_MISSES: Final = "p.result = 'refused' AND p.reason = 'not-found' AND p.kind <> 'auditor'"
_IN_BATCH: Final = "p.index >= CAST(:first AS bigint) AND p.index < CAST(:beyond AS bigint)"
_SAME: Final = "q.client = p.client AND q.organisation = p.organisation AND q.actor IS NOT DISTINCT FROM p.actor"
_INSERT: Final = "INSERT INTO audit.signal (rule, index, at, organisation, client, actor, figure, threshold)"
_ONCE: Final = "ON CONFLICT (rule, index) DO NOTHING"
_NEAR: Final = 20_000
"""Entries back that are looked at for a walk through ids."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule. In what it says, `{figure}` is what was counted and `{threshold}` what is usual."""

    id: SignalRule
    threshold: int
    english: str
    dutch: str
    steps: tuple[Statement, ...]


def _hits(what: str) -> str:
    return (
        f"SELECT p.index, p.at, p.organisation, p.client, COALESCE(p.actor, '') AS actor,"
        f" COALESCE(p.kind, '') AS kind, ({_LOCAL})::date AS day FROM audit.projection p WHERE {_IN_BATCH}"
        f" AND p.at IS NOT NULL AND p.organisation IS NOT NULL AND p.client IS NOT NULL AND {what}"
    )


def _counted(what: str, usual: str = "CAST(:threshold AS bigint)") -> tuple[Statement, ...]:
    """One signal a day, acting person and system: at the entry with which the count goes beyond what is usual."""
    before = (
        "SELECT c.count FROM audit.signal_count c WHERE c.rule = CAST(:rule AS text) AND c.day = hit.day"
        " AND c.organisation = hit.organisation AND c.client = hit.client AND c.actor = hit.actor"
    )
    find = (
        f"WITH hit AS ({_hits(what)}), ran AS (SELECT hit.*, COALESCE(({before}), 0) + row_number() OVER"
        f" (PARTITION BY hit.day, hit.organisation, hit.client, hit.actor ORDER BY hit.index) AS figure FROM hit),"
        f" most AS (SELECT x.kind, x.day, {usual} AS usual FROM (SELECT DISTINCT kind, day FROM hit) x)"
        f" {_INSERT} SELECT CAST(:rule AS text), ran.index, ran.at, ran.organisation, ran.client,"
        f" NULLIF(ran.actor, ''), ran.figure, most.usual FROM ran JOIN most USING (kind, day)"
        f" WHERE ran.figure = most.usual + 1 {_ONCE}"
    )
    keep = (
        f"INSERT INTO audit.signal_count (rule, day, organisation, client, actor, kind, count)"
        f" SELECT CAST(:rule AS text), day, organisation, client, actor, max(kind), count(*) FROM ({_hits(what)}) hit"
        f" GROUP BY day, organisation, client, actor ON CONFLICT (rule, day, organisation, client, actor)"
        f" DO UPDATE SET count = signal_count.count + excluded.count"
    )
    return statement(text(find)), statement(text(keep))


def _seen(figure: str, of: str, where: str) -> tuple[Statement, ...]:
    """A signal at each entry of which this holds, with this figure."""
    return (
        statement(
            text(
                f"{_INSERT} SELECT CAST(:rule AS text), p.index, p.at, p.organisation, p.client, p.actor, {figure},"
                f" CAST(:threshold AS bigint) FROM audit.projection p {of} WHERE {_IN_BATCH} AND p.at IS NOT NULL"
                f" AND p.organisation IS NOT NULL AND p.client IS NOT NULL AND {where} {_ONCE}"
            )
        ),
    )


_P99: Final = (
    # Of a kind that nobody has seen at work yet, nothing can be said to be much, but for the absurd.
    "(SELECT CASE WHEN count(*) >= 20 THEN GREATEST(CAST(:threshold AS bigint), percentile_disc(0.99) WITHIN GROUP"
    " (ORDER BY c.count)) ELSE CAST(:threshold AS bigint) * 10 END FROM audit.signal_count c WHERE c.rule ="
    " CAST(:rule AS text) AND c.kind = x.kind AND c.day < x.day AND c.day >= x.day - 30"
    # What was found once does not become usual by being repeated.
    " AND NOT EXISTS (SELECT 1 FROM audit.signal s WHERE s.rule = c.rule AND s.client = c.client"
    " AND s.organisation = c.organisation AND COALESCE(s.actor, '') = c.actor"
    " AND (s.at AT TIME ZONE 'Europe/Amsterdam')::date = c.day))"
)
_WALK: Final = (
    "CROSS JOIN LATERAL (SELECT array_agg(w.object_id ORDER BY w.index) AS ids, min(w.at) AS began,"
    " min(w.at) FILTER (WHERE w.place <= CAST(:threshold AS bigint)) AS since FROM (SELECT q.index, q.at, q.object_id,"
    f" row_number() OVER (ORDER BY q.index DESC) AS place FROM audit.projection q WHERE {_SAME}"
    f" AND q.action = p.action AND q.index <= p.index AND q.index > p.index - {_NEAR} AND q.object_id IS NOT NULL"
    " ORDER BY q.index DESC LIMIT CAST(:threshold AS bigint) + 1) w) walk CROSS JOIN LATERAL (SELECT walk.ids[GREATEST("
    "cardinality(walk.ids) - CAST(:threshold AS int) + 1, 1) :] AS last) tail"
)
_RISES: Final = "{ids} = (SELECT array_agg(DISTINCT id ORDER BY id) FROM unnest({ids}) id)"
_REFUSALS: Final = (
    "CROSS JOIN LATERAL (SELECT count(*) AS times FROM audit.projection q WHERE q.object_id = p.object_id"
    " AND q.organisation = p.organisation AND q.action = p.action AND q.index < p.index AND q.result = 'refused'"
    " AND q.reason IN ('not-found', 'not-permitted') AND q.at > p.at - make_interval(hours => CAST(:threshold AS int))"
    " AND NOT EXISTS (SELECT 1 FROM audit.projection r WHERE r.object_id = p.object_id AND r.action = p.action"
    " AND r.organisation = p.organisation AND r.result = 'permitted' AND r.index > q.index AND r.index < p.index)"
    ") denied"
)
_PERSON: Final = (
    "(SELECT convert_from(e.leaf, 'UTF8')::json ->> 'person' FROM audit.leaf l JOIN audit.entry e ON e.id = l.entry_id"
    " WHERE l.index = {index})"
)
_WITHDRAWN: Final = (
    "CROSS JOIN LATERAL (SELECT q.index FROM audit.projection q WHERE q.object_id = p.object_id AND q.organisation ="
    " p.organisation AND q.index < p.index AND q.result = 'permitted' AND q.categories IS NOT NULL"
    " ORDER BY q.index DESC LIMIT 1) had CROSS JOIN LATERAL (SELECT w.at FROM audit.projection w WHERE w.action ="
    " 'consents.withdraw' AND w.result = 'permitted' AND w.index > had.index AND w.index < p.index"
    " AND w.at > p.at - make_interval(days => CAST(:threshold AS int))"
    f" AND {_PERSON.format(index='w.index')} = {_PERSON.format(index='had.index')} ORDER BY w.index DESC LIMIT 1) gone"
)
_DECLARED: Final = (
    "p.action = 'emergencies.declare' AND p.result = 'permitted'"
    # Once for each: a request that is run a second time declares nothing.
    " AND NOT EXISTS (SELECT 1 FROM audit.projection q WHERE q.object_id = p.object_id AND q.action = p.action"
    " AND q.result = 'permitted' AND q.index < p.index)"
)
_AGAIN: Final = (
    # Emergencies, not what was read in them: who saves a life reads more than once.
    f"CROSS JOIN LATERAL (SELECT count(DISTINCT q.object_id) AS times FROM audit.projection q WHERE {_SAME}"
    " AND q.index <= p.index AND q.action = p.action AND q.result = 'permitted'"
    " AND q.at > p.at - interval '7 days') glass"
)
_BEFORE: Final = (
    "CROSS JOIN LATERAL (SELECT q.at FROM audit.projection q WHERE q.client = p.client AND q.index < p.index"
    " ORDER BY q.index DESC LIMIT 1) last"
)
_DAYS: Final = "extract(day FROM p.at - {at})::bigint"

_RULES: Final = (
    Rule(
        SignalRule.OFF_HOURS,
        3,
        "{figure} disclosures to one person on one day outside office hours; more than {threshold} is unusual.",
        "{figure} inzagen door één persoon op één dag buiten kantoortijd; meer dan {threshold} is ongewoon.",
        _counted(_OFF_HOURS),
    ),
    Rule(
        SignalRule.NO_CASE_RELATION,
        5,
        "{figure} times on one day something was asked without any relation to it; more than {threshold} is unusual.",
        "{figure} keer op één dag iets gevraagd waarmee geen relatie is; meer dan {threshold} is ongewoon.",
        _counted(_MISSES),
    ),
    Rule(
        SignalRule.VOLUME,
        20,
        "{figure} disclosures on one day; on 99 of 100 days others in such organisations have at most {threshold}.",
        "{figure} inzagen op één dag; op 99 van de 100 dagen zijn het er in zulke organisaties hooguit {threshold}.",
        _counted(_DISCLOSES, _P99),
    ),
    Rule(
        SignalRule.SEQUENTIAL_IDS,
        8,
        "{figure} things asked one after the other, each with a higher id than the last, within ten minutes.",
        "{figure} zaken achter elkaar gevraagd, elk met een hoger nummer dan de vorige, binnen tien minuten.",
        _seen(
            "CAST(:threshold AS bigint)",
            _WALK,
            # What is made has a higher id than what was made before it: only looking is a walk.
            "p.action LIKE '%.read%' AND p.object_id IS NOT NULL AND cardinality(walk.ids) >= CAST(:threshold AS int)"
            f" AND {_RISES.format(ids='tail.last')} AND walk.since >= p.at - interval '10 minutes'"
            " AND NOT (cardinality(walk.ids) > CAST(:threshold AS int) AND walk.began >= p.at - interval '10 minutes'"
            f" AND {_RISES.format(ids='walk.ids')})",
        ),
    ),
    Rule(
        SignalRule.DENIED_THEN_ALLOWED,
        24,
        "Refused {figure} times, and then allowed, within {threshold} hours: what changed in between?",
        "{figure} keer geweigerd en daarna toegestaan, binnen {threshold} uur: wat is er intussen veranderd?",
        _seen("denied.times", _REFUSALS, f"{_DISCLOSES} AND p.object_id IS NOT NULL AND denied.times > 0"),
    ),
    Rule(
        SignalRule.AFTER_WITHDRAWAL,
        30,
        "Asked again {figure} days after consent was withdrawn for what had been seen before, and refused.",
        "{figure} dagen na intrekking van de toestemming opnieuw gevraagd wat eerder was gezien, en geweigerd.",
        _seen(
            _DAYS.format(at="gone.at"),
            _WITHDRAWN,
            "p.result = 'refused' AND p.object_id IS NOT NULL AND p.reason IN ('not-found', 'not-permitted')",
        ),
    ),
    Rule(
        SignalRule.BREAK_GLASS,
        1,
        "An emergency was declared: what saves a life goes without consent. Two people review it.",
        "Er is een noodprocedure gestart: wat een leven redt, gaat zonder toestemming. Twee personen toetsen dat.",
        _seen("1", "", _DECLARED),
    ),
    Rule(
        SignalRule.REPEATED_BREAK_GLASS,
        2,
        "{figure} emergencies declared by one person in seven days; {threshold} is a reason to ask.",
        "{figure} noodprocedures door één persoon in zeven dagen; {threshold} is reden om te vragen.",
        _seen("glass.times", _AGAIN, f"{_DECLARED} AND glass.times >= CAST(:threshold AS bigint)"),
    ),
    Rule(
        SignalRule.COLLEAGUE_LIST,
        1,
        "A disclosure of a person on the list of colleagues and others who are watched over.",
        "Inzage in gegevens van iemand op de lijst van collega's en anderen over wie wordt gewaakt.",
        _seen(
            "1",
            "",
            f"{_DISCLOSES} AND EXISTS (SELECT 1 FROM audit.projection_person a WHERE a.person ="
            " ANY (CAST(:watched AS uuid[])) AND a.index = p.index)",
        ),
    ),
    Rule(
        SignalRule.DORMANT_CLIENT,
        60,
        "A system that had asked nothing for {figure} days asks again; {threshold} days is long.",
        "Een systeem dat {figure} dagen niets had gevraagd, vraagt weer; {threshold} dagen is lang.",
        _seen(
            _DAYS.format(at="last.at"),
            _BEFORE,
            "p.result = 'permitted' AND last.at <= p.at - make_interval(days => CAST(:threshold AS int))",
        ),
    ),
    Rule(
        SignalRule.HONEY_RECORD,
        1,
        "Somebody came to a planted record, of a person who does not exist: nobody has a reason to.",
        "Iemand kwam bij een lokdossier, van iemand die niet bestaat: niemand heeft daar reden toe.",
        _seen(
            "1",
            "",
            # Also what was refused: who asks for its id has it from where nobody should look.
            "(p.object_id = ANY (CAST(:honey AS uuid[])) OR EXISTS (SELECT 1 FROM audit.projection_person a"
            " WHERE a.person = ANY (CAST(:honey AS uuid[])) AND a.index = p.index))",
        ),
    ),
)
RULES: Final[Mapping[SignalRule, Rule]] = {each.id: each for each in _RULES}
