"""How a rule looks back from an entry `p`: bounded by entries, whoever makes however many, and without statistics.

Each is a lateral join, whose name the rule uses. A rule that looks for what an organisation was refused has an index
for that, so that nothing that is asked in between hides it.
"""

from __future__ import annotations

from typing import Final

_BACK: Final = 500
"""Entries about one thing, or one person, that are looked back at: who makes many makes no rule slow."""
_DENIALS: Final = 20
"""And refusals, which count no further."""
_PERSONS: Final = 20
"""And whom one entry is about."""


def _back(
    columns: str,
    *same: str,
    table: str = "projection q",
    of: str = "p",
    least: str = "0",
    end: str = "p.index",
    most: int = _BACK,
    where: str = "",
) -> str:
    """The last rows from `least` to below `end` that are alike in these columns, as a subquery.

    Ordered and bounded by whole keys of an index, and by a number that is not known beforehand, so that there is one
    way to read them: along that index, no further than `most`. Otherwise PostgreSQL reads and sorts all that there are
    where it expects few (20 s for a batch, measured), or walks back through the whole log where it expects many.
    """
    keys = ", ".join(f"q.{each}" for each in (*same, "index"))
    ours = ", ".join(f"{of}.{each}" for each in same)
    order = ", ".join(f"q.{each} DESC" for each in (*same, "index"))
    return (
        f"(SELECT {columns} FROM audit.{table} WHERE ({keys}) < ({ours}, {end}) AND ({keys}) >= ({ours}, {least})"
        f"{where} ORDER BY {order} LIMIT (SELECT {most}))"
    )


_OF_THING: Final = _back("q.index, q.at, q.organisation, q.action, q.result, q.categories", "object_id")
_DENIED: Final = _back(
    # They have an index of their own, so that nothing that is asked in between hides them.
    "q.index, q.at",
    "object_id",
    "organisation",
    "action",
    most=_DENIALS,
    where=" AND q.reason IN ('not-found', 'not-permitted') AND q.result = 'refused'",
)
REFUSALS: Final = (
    f"CROSS JOIN LATERAL (SELECT max(q.index) AS index FROM {_OF_THING} q WHERE q.organisation = p.organisation"
    " AND q.action = p.action AND q.result = 'permitted') allowed CROSS JOIN LATERAL (SELECT count(*) AS times FROM"
    f" {_DENIED} q WHERE q.index > COALESCE(allowed.index, -1)"
    " AND q.at > p.at - make_interval(hours => CAST(:threshold AS int))) denied"
)
_ABOUT: Final = _back("q.index", "person", table="projection_person q", of="a", least="had.index + 1")
WITHDRAWN: Final = (
    # Of what was not given now, the last that was given before; and whether one of whom it was about withdrew since.
    f"CROSS JOIN LATERAL (SELECT max(q.index) AS index FROM {_OF_THING} q WHERE q.organisation = p.organisation"
    " AND q.result = 'permitted' AND q.categories IS NOT NULL AND (p.withheld IS NULL OR q.categories && p.withheld))"
    " had CROSS JOIN LATERAL (SELECT w.at FROM (SELECT a.person FROM (SELECT a.person FROM audit.projection_person a"
    f" WHERE a.index = had.index OFFSET 0) a ORDER BY a.person LIMIT {_PERSONS}) a CROSS JOIN LATERAL {_ABOUT} about"
    " CROSS JOIN LATERAL (SELECT w.at, w.index FROM audit.projection w WHERE w.index = about.index"
    " AND w.action = 'consents.withdraw' AND w.result = 'permitted'"
    " AND w.at > p.at - make_interval(days => CAST(:threshold AS int)) OFFSET 0) w ORDER BY w.index DESC LIMIT 1) gone"
)
_GLASS: Final = _back(
    "q.at, q.organisation, q.actor, q.object_id",
    "client",
    end="p.index + 1",
    where=" AND q.action = 'emergencies.declare' AND q.result = 'permitted'",
)
AGAIN: Final = (
    # Emergencies, not what was read in them: who saves a life reads more than once.
    f"CROSS JOIN LATERAL (SELECT count(DISTINCT q.object_id) AS times FROM {_GLASS} q"
    " WHERE q.organisation = p.organisation AND q.actor IS NOT DISTINCT FROM p.actor"
    " AND q.at > p.at - interval '7 days') glass"
)
BEFORE: Final = f"CROSS JOIN LATERAL {_back('q.at', 'client', most=1)} last"
