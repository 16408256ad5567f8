"""Who may ask what, as a table that people read. `python -m tests.authority.matrix` writes it anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from api.disclosure import authority
from api.vocabulary import Party

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.disclosure.authority import Operation

GOLDEN: Final = Path(__file__).with_name("authority.txt")
HEAD: Final = """\
Every operation: its scope, its reach, and the kinds of parties that may ask it. Which cases and which categories a
party then gets is the gate's decision. `sealed`: only the eyes of a client that registered an encryption key see the
answer. A change here is a change of rights: say in the commit who asked for it.

"""


def drawn(operations: Sequence[Operation]) -> str:
    """The table: a line for each operation, a column for each kind of party."""
    rows = [("operation", "scope", "reach", "answer", *Party)]
    rows += [
        (
            each.name,
            each.scope,
            each.reach,
            "clear" if each.clear else "sealed",
            *("yes" if party in each.parties else "." for party in Party),
        )
        for each in operations
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    GOLDEN.write_text(drawn(authority.OPERATIONS))
