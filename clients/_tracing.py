"""W3C Trace Context: each request says which trace it is part of, so that its audit entry can be joined with others.

A call that is made on behalf of something continues its trace; any other begins one. Each attempt is a span by itself.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Final

HEADER: Final = "traceparent"
_FORM: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-[0-9a-f]{16}-([0-9a-f]{2})(-.*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace, and the flags with which it came."""

    id: str
    flags: str

    @classmethod
    def of(cls, parent: str | None) -> Trace:
        """The trace of a `traceparent`; a new one when there is none, or it cannot be read (section 3.2.2)."""
        if parent is not None and (match := _FORM.fullmatch(parent)):
            version, trace, flags, more = match.groups()
            span = parent.split("-")[2]
            if version != "ff" and (version != "00" or more is None) and trace.strip("0") and span.strip("0"):
                return cls(trace, flags)
        return cls(secrets.token_hex(16), "00")

    def child(self) -> str:
        """The `traceparent` of one request in it: a span that nobody else has."""
        return f"00-{self.id}-{secrets.token_hex(8)}-{self.flags}"
