"""The rules that look through the log (signalen): fixed questions in SQL, each with an id, a reason and one threshold.

A rule looks at an entry and at what came before it, never at what comes later: whatever the batches, the same log gives
the same signals. How far it looks back is bounded by entries and not only by time: nobody makes it slow by asking
often. What it finds is a reason to look, never a verdict; it is told to the auditor and does not refuse anything.

Three counts are kept for each day (in Amsterdam), acting person and system, in `audit.signal_count`: disclosures
outside office hours (those of a night with the day before), misses, and disclosures. The other rules look back along an
index of the search columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from api.audit import lookback
from api.storage.statement import statement
from api.vocabulary import SignalRule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.storage.statement import Statement

_DISCLOSES: Final = "p.result = 'permitted' AND p.categories IS NOT NULL"
_LOCAL: Final = "p.at AT TIME ZONE 'Europe/Amsterdam'"
_OPENS: Final = 7
"""The hour with which offices open: what is seen in a night is seen on the day on which it began."""
_OFF_HOURS: Final = (
    f"{_DISCLOSES} AND p.actor IS NOT NULL AND (extract(hour FROM {_LOCAL}) NOT BETWEEN {_OPENS} AND 19"
    f" OR extract(isodow FROM {_LOCAL}) > 5)"
)
_MISSES: Final = "p.result = 'refused' AND p.reason = 'not-found' AND p.kind <> 'auditor'"
_IN_BATCH: Final = "p.index >= CAST(:first AS bigint) AND p.index < CAST(:beyond AS bigint)"
_TOLD: Final = "p.index, p.at, p.organisation, p.client, p.actor"
_MOST: Final = "CAST(:threshold AS bigint)"
_WHOLE: Final = " as a whole"
"""Stands for all persons of a system, named or not: no person is called so."""
_NEAR: Final = 20_000
"""Entries back that are looked at for a walk through ids."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule. In what it says, `{figure}` is what was counted and `{threshold}` what is usual."""

    id: SignalRule
    threshold: int
    english: str
    dutch: str
    find: Statement
    count: Statement | None = None
    """What is to be added to the counts of the days."""
    end: Statement | None = None
    """Where a batch ends early."""


def _hits(what: str, begins: int = 0) -> str:
    """The entries of a batch that count. `begins`: the hour with which a day does."""
    return (
        f"SELECT p.index, p.at, p.organisation, p.client, COALESCE(p.actor, '') AS actor,"
        f" COALESCE(p.kind, '') AS kind, ({_LOCAL} - interval '{begins} hours')::date AS day"
        f" FROM audit.projection p WHERE {_IN_BATCH} AND p.at IS NOT NULL AND p.organisation IS NOT NULL"
        f" AND p.client IS NOT NULL AND {what}"
    )


def _over(hits: str, usual: str = _MOST) -> Statement:
    """One signal a day, acting person and system: at the entry with which the count goes beyond what is usual."""
    before = (
        "SELECT c.count FROM audit.signal_count c WHERE c.rule = CAST(:rule AS text) AND c.day = hit.day"
        " AND c.organisation = hit.organisation AND c.client = hit.client AND c.actor = hit.actor"
    )
    return statement(
        text(
            f"WITH hit AS ({hits}), ran AS (SELECT hit.*, COALESCE(({before}), 0) + row_number() OVER"
            f" (PARTITION BY hit.day, hit.organisation, hit.client, hit.actor ORDER BY hit.index) AS figure FROM hit),"
            f" most AS MATERIALIZED (SELECT x.kind, x.day, {usual} AS usual FROM"
            f" (SELECT DISTINCT kind, day FROM hit) x)"
            f" SELECT ran.index, ran.at, ran.organisation, ran.client,"
            f" NULLIF(NULLIF(ran.actor, ''), '{_WHOLE}') AS actor, ran.figure, most.usual AS threshold"
            f" FROM ran JOIN most USING (kind, day) WHERE ran.figure = most.usual + 1"
            f" ORDER BY ran.index, ran.actor"
        )
    )


def _days(hits: str) -> Statement:
    return statement(
        text(
            f"SELECT day, organisation, client, actor, max(kind) AS kind, count(*) AS count FROM ({hits}) hit"
            f" GROUP BY day, organisation, client, actor"
        )
    )


_NEXT_DAY: Final = statement(
    text(
        # What is usual on a day is known when the days before it are counted: else it would differ by the batches.
        f"SELECT min(p.index) AS index FROM audit.projection p WHERE {_IN_BATCH} AND ({_LOCAL})::date <>"
        f" (SELECT ({_LOCAL})::date FROM audit.projection p WHERE {_IN_BATCH} AND p.at IS NOT NULL"
        " ORDER BY p.index LIMIT 1)"
    )
)


def _seen(figure: str, of: str, where: str) -> Statement:
    """A signal at each entry of which this holds, with this figure."""
    return statement(
        text(
            f"SELECT {_TOLD}, {figure} AS figure, {_MOST} AS threshold FROM audit.projection p {of} WHERE {_IN_BATCH}"
            f" AND p.at IS NOT NULL AND p.organisation IS NOT NULL AND p.client IS NOT NULL AND {where}"
            " ORDER BY p.index"
        )
    )


def _by(what: str) -> str:
    """The entries that count, of each person and of a system as a whole: it may name another person each time."""
    return (
        f"SELECT * FROM ({_hits(what)}) each UNION ALL SELECT index, at, organisation, client,"
        f" '{_WHOLE}' AS actor, kind || '{_WHOLE}' AS kind, day FROM ({_hits(what)}) whole"
    )


def _usual(person: str) -> str:
    """What is usual on a day: this for a person, and twice the 99th percentile of its kind for a system."""
    return (
        f"(SELECT CASE WHEN x.kind LIKE '%{_WHOLE}' THEN GREATEST({_MOST} * 10, 2 * {_P99}) ELSE {person} END"
        " FROM (SELECT organisation, client, actor, day, count FROM audit.signal_count"
        " WHERE rule = CAST(:rule AS text) AND kind = x.kind AND day < x.day AND day >= x.day - 30)"
        # What a person was found for once does not become usual by being repeated; a system is as large as it is. A
        # full join is hashed or merged: never a loop.
        " c FULL JOIN (SELECT organisation, client, COALESCE(actor, '') AS actor,"
        " (at AT TIME ZONE 'Europe/Amsterdam')::date AS day FROM audit.signal WHERE rule = CAST(:rule AS text)"
        " AND at >= x.day - interval '31 days' AND at < x.day + interval '1 day') s"
        f" USING (organisation, client, actor, day) WHERE s.organisation IS NULL OR x.kind LIKE '%{_WHOLE}')"
    )


_P99: Final = "percentile_disc(0.99) WITHIN GROUP (ORDER BY c.count)"
# Of a kind that nobody has seen at work yet, nothing can be said to be much, but for the absurd.
_MUCH: Final = f"CASE WHEN count(*) >= 20 THEN GREATEST({_MOST}, {_P99}) ELSE {_MOST} * 10 END"
_WALK: Final = statement(
    text(
        "WITH asked AS (SELECT p.*, row_number() OVER walk AS n,"
        # Up or down: lists show the newest first.
        " CASE WHEN p.object_id > lag(p.object_id) OVER walk THEN 1 WHEN p.object_id < lag(p.object_id) OVER walk"
        " THEN -1 ELSE 0 END AS turn"
        f" FROM audit.projection p WHERE p.index >= CAST(:first AS bigint) - {_NEAR}"
        " AND p.index < CAST(:beyond AS bigint) AND p.organisation IS NOT NULL AND p.client IS NOT NULL"
        " AND p.object_id IS NOT NULL"
        # What is made has a higher id than what was made before it: only looking is a walk.
        " AND p.action LIKE '%.read%'"
        " WINDOW walk AS (PARTITION BY p.client, p.organisation, p.actor, p.action ORDER BY p.index)),"
        # How many steps of one turn end here; and from where, and when, the last of them and one more were.
        " walked AS (SELECT p.*, n - LEAST(max(n) FILTER (WHERE turn <> 1) OVER walk,"
        " max(n) FILTER (WHERE turn <> -1) OVER walk) AS steps,"
        " lag(p.index, CAST(:threshold AS int) - 1) OVER walk AS last,"
        " lag(p.index, CAST(:threshold AS int)) OVER walk AS more,"
        f" min(p.at) OVER (walk ROWS {_MOST} - 1 PRECEDING) AS since,"
        f" min(p.at) OVER (walk ROWS {_MOST} PRECEDING) AS began"
        " FROM asked p WINDOW walk AS (PARTITION BY p.client, p.organisation, p.actor, p.action ORDER BY p.index))"
        f" SELECT {_TOLD}, {_MOST} AS figure, {_MOST} AS threshold FROM walked p"
        f" WHERE {_IN_BATCH} AND p.at IS NOT NULL AND p.steps >= {_MOST} - 1"
        f" AND p.last > p.index - {_NEAR} AND p.since >= p.at - interval '5 minutes'"
        f" AND NOT (p.steps >= {_MOST} AND p.more > p.index - {_NEAR} AND p.began >= p.at - interval '5 minutes')"
        " ORDER BY p.index"
    )
)
_DECLARED: Final = (
    "p.action = 'emergencies.declare' AND p.result = 'permitted'"
    # Once for each: a request that is run a second time declares nothing.
    " AND NOT EXISTS (SELECT 1 FROM audit.projection q WHERE q.object_id = p.object_id AND q.action = p.action"
    " AND q.result = 'permitted' AND q.index < p.index)"
)
_DAYS: Final = "extract(day FROM p.at - {at})::bigint"

_RULES: Final = (
    Rule(
        SignalRule.OFF_HOURS,
        3,
        "{figure} disclosures to one person on one day outside office hours; more than {threshold} is unusual.",
        "{figure} inzagen door één persoon op één dag buiten kantoortijd; meer dan {threshold} is ongewoon.",
        _over(_hits(_OFF_HOURS, _OPENS)),
        _days(_hits(_OFF_HOURS, _OPENS)),
    ),
    Rule(
        SignalRule.NO_CASE_RELATION,
        5,
        "{figure} times on one day something was asked without any relation to it; more than {threshold} is unusual.",
        "{figure} keer op één dag iets gevraagd waarmee geen relatie is; meer dan {threshold} is ongewoon.",
        _over(_by(_MISSES), _usual(_MOST)),
        _days(_by(_MISSES)),
        _NEXT_DAY,
    ),
    Rule(
        SignalRule.VOLUME,
        20,
        "{figure} disclosures on one day by one person or a whole system; usual there is {threshold}.",
        "{figure} inzagen op één dag door één persoon of een heel systeem; gewoon is daar {threshold}.",
        _over(_by(_DISCLOSES), _usual(_MUCH)),
        _days(_by(_DISCLOSES)),
        _NEXT_DAY,
    ),
    Rule(
        SignalRule.SEQUENTIAL_IDS,
        8,
        "{figure} things asked one after the other within five minutes, in the order of their ids, up or down.",
        "{figure} zaken achter elkaar gevraagd binnen vijf minuten, op volgorde van nummer, op- of aflopend.",
        _WALK,
    ),
    Rule(
        SignalRule.DENIED_THEN_ALLOWED,
        24,
        "Refused {figure} times, and then allowed, within {threshold} hours: what changed in between?",
        "{figure} keer geweigerd en daarna toegestaan, binnen {threshold} uur: wat is er intussen veranderd?",
        _seen("denied.times", lookback.REFUSALS, f"{_DISCLOSES} AND p.object_id IS NOT NULL AND denied.times > 0"),
    ),
    Rule(
        SignalRule.AFTER_WITHDRAWAL,
        30,
        "Asked again {figure} days after consent was withdrawn for what had been seen before, and not given.",
        "{figure} dagen na intrekking van de toestemming opnieuw gevraagd wat eerder was gezien, en niet gekregen.",
        _seen(
            _DAYS.format(at="gone.at"),
            lookback.WITHDRAWN,
            "p.object_id IS NOT NULL AND (p.result = 'refused' AND p.reason IN ('not-found', 'not-permitted')"
            # Some of it, and not what was withdrawn.
            " OR p.result = 'permitted' AND p.withheld IS NOT NULL)",
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
        _seen("glass.times", lookback.AGAIN, f"{_DECLARED} AND glass.times >= CAST(:threshold AS bigint)"),
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
            lookback.BEFORE,
            # Also what is refused: else the first would wake it without a sound.
            "last.at <= p.at - make_interval(days => CAST(:threshold AS int))",
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
