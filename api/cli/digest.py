"""`ketenbrug audit digest`: a week of the log in figures, in English or Dutch, for a data protection officer."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from api.audit.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.audit.digest import Digest

_WEEK: Final = re.compile(r"(\d{4})-W(\d{2})", re.ASCII)
_ENGLISH: Final = {
    "title": "The log in the week of {monday} to {sunday}",
    "entries": "entries",
    "disclosures": "of which disclosed something of a person",
    "refused": "of which were refused",
    "failed": "of which failed on our side",
    "vital": "of which on the ground of a vital interest (break-glass)",
    "opened": "aliases opened by an auditor",
    "exports": "exports by an auditor",
    "kinds": "Disclosures by kind of organisation",
    "signals": "Signals: reasons to look, no verdicts",
    "sample": "Sample of this week: an export with sampleFrom {first} (one in a hundred, drawn by the signed head).",
}
_DUTCH: Final = {
    "title": "Het logboek in de week van {monday} tot en met {sunday}",
    "entries": "logregels",
    "disclosures": "waarvan iets van een persoon is getoond",
    "refused": "waarvan geweigerd",
    "failed": "waarvan bij ons mislukt",
    "vital": "waarvan op grond van een vitaal belang (noodprocedure)",
    "opened": "aliassen herleid door een auditor",
    "exports": "keer uitgevoerd door een auditor",
    "kinds": "Inzagen per soort organisatie",
    "signals": "Signalen: reden om te kijken, geen oordeel",
    "sample": "Steekproef van deze week: een uitvoer met sampleFrom {first} (één op de honderd, geloot door de stand).",
}


def monday(week: str | None, today: date) -> date:
    """The first day of an ISO week such as 2026-W47; of the last one that is over when none is named.

    Raises `ValueError`.
    """
    if week is None:
        return today - timedelta(days=today.weekday() + 7)
    match = _WEEK.fullmatch(week)
    if match is None:
        raise ValueError("a week is written as 2026-W47")
    return date.fromisocalendar(int(match[1]), int(match[2]), 1)


def text(found: Digest, *, dutch: bool = False) -> str:
    """The figures as a page."""
    return "\n".join(_lines(found, _DUTCH if dutch else _ENGLISH, dutch=dutch))


def _lines(found: Digest, words: dict[str, str], *, dutch: bool) -> Iterator[str]:
    yield words["title"].format(monday=found.monday, sunday=found.monday + timedelta(days=6))
    yield ""
    for name in ("entries", "disclosures", "refused", "failed", "vital", "opened", "exports"):
        yield f"{getattr(found, name):>8}  {words[name]}"
    yield from ("", words["kinds"])
    for kind, times in found.by_kind.items():
        yield f"{times:>8}  {kind}"
    yield from ("", words["signals"])
    for rule, times in found.signals.items():
        said = RULES[rule].dutch if dutch else RULES[rule].english
        yield f"{times:>8}  {rule}: {said.format(figure='n', threshold='m')}"
    if found.first is not None:
        yield from ("", words["sample"].format(first=found.first))
