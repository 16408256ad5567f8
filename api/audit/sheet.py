"""An entry as a row of a spreadsheet (CSV, RFC 4180). What a spreadsheet would run as a formula stays text.

Whatever stands in a cell may have been put there by a caller: what begins as a formula gets an apostrophe before it,
and every cell is quoted (OWASP, CSV injection). Where the comma is for decimals, a spreadsheet takes semicolons or tabs
to stand between cells, and sees cells that we did not make: the apostrophe stands wherever one of these might begin.
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any, Final, cast

from api.audit import projection

if TYPE_CHECKING:
    from collections.abc import Iterable

    from api.audit.proofs import Logged

MEDIA_TYPE: Final = "text/csv"
_COLUMNS: Final = (
    "index",
    "at",
    "action",
    "result",
    "reason",
    "organisation",
    "kind",
    "client",
    "person acting",
    "zone",
    "request",
    "object",
    "object id",
    "object version",
    "persons",
    "purpose",
    "grounds",
    "consents",
    "disclosed",
    "withheld",
)
_BEGINS: Final = re.compile(
    r"(?:^|(?<=[;\t\r\n]))(?=[\s\"']*[=+\-@＝＋－＠]|[\t\r\n])"  # noqa: RUF001 - as wide as spreadsheets take them
)
_SPACE: Final = " "


def head() -> bytes:
    """The names of the columns."""
    return _line(_COLUMNS)


def row(logged: Logged) -> bytes:
    """One entry. A member that is missing or odd is an empty cell."""
    columns, members = projection.of(logged.leaf), projection.content(logged.leaf)
    return _line(
        (
            str(logged.index),
            _text(members, "at"),
            columns.action,
            columns.result,
            columns.reason,
            columns.organisation,
            columns.kind,
            columns.client,
            columns.actor,
            _text(members, "origin", "zone"),
            columns.request_id,
            columns.object_type,
            columns.object_id,
            _text(members, "object", "version"),
            _SPACE.join(sorted(map(str, columns.persons))),
            columns.purpose,
            _SPACE.join(columns.grounds or ()),
            _SPACE.join(f"{which}/{version}" for which, version in projection.consents(logged.leaf)),
            _SPACE.join(columns.categories or ()),
            _SPACE.join(columns.withheld or ()),
        )
    )


def _line(cells: Iterable[object]) -> bytes:
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL).writerow(_harmless("" if each is None else str(each)) for each in cells)
    return line.getvalue().encode(errors="replace")


def _harmless(text: str) -> str:
    return _BEGINS.sub("'", text)


def _text(members: dict[str, Any], *path: str) -> str:
    found: Any = members
    for each in path:
        found = cast("dict[str, Any]", found).get(each) if isinstance(found, dict) else None
    return str(found) if isinstance(found, (str, int)) else ""
