"""Versions of what is shown, and the preconditions that name them (RFC 9110 sections 8.8.3 and 13.1).

An entity tag is over the bytes that this caller is shown: two callers who may see different sections have different
tags, and a tag tells nothing of what is withheld. A 304 is an access like any other and is audited as one.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Header, Request

from api import problems
from api.problems import InputError, Problem, Stopped

_LIST: Final = re.compile(r'\s*(?:W/)?"[\x21\x23-\x7e]*"\s*(?:,\s*(?:W/)?"[\x21\x23-\x7e]*"\s*)*', re.ASCII)
_TAG: Final = re.compile(r'(W/)?("[\x21\x23-\x7e]*")', re.ASCII)
_LENGTH: Final = 32


def of(shown: bytes) -> str:
    """The strong entity tag of a representation."""
    return f'"{hashlib.sha256(shown).hexdigest()[:_LENGTH]}"'


def has(request: Request, tag: str) -> bool:
    """Whether the caller has this version already (`If-None-Match`, weak comparison). For GET: answer 304."""
    sent = ",".join(request.headers.getlist("if-none-match"))
    return sent.strip() == "*" or any(strong == tag for _, strong in _TAG.findall(sent))


@dataclass(frozen=True, slots=True)
class Known:
    """The versions that the caller saw, of which one must be the current one. None: any (`If-Match: *`)."""

    tags: frozenset[str] | None

    def check(self, current: str) -> None:
        """Raise `Stopped` with precondition-failed unless `current` is one that the caller saw."""
        if self.tags is not None and current not in self.tags:
            raise Stopped(Problem(problems.PRECONDITION_FAILED))


IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", max_length=1000, description="The `ETag` of the version that you change."),
]


async def _known(if_match: IfMatch = None) -> Known:
    if if_match is None:
        raise Stopped(Problem(problems.PRECONDITION_REQUIRED))
    if if_match.strip() == "*":
        return Known(None)
    if not _LIST.fullmatch(if_match):
        fault = InputError("header", "If-Match", "entity-tag", "One or more quoted entity tags, or `*`.")
        raise Stopped(Problem(problems.INVALID_INPUT, errors=(fault,)))
    # strong comparison: a weak tag never matches
    return Known(frozenset(tag for weak, tag in _TAG.findall(if_match) if not weak))


Precondition = Annotated[Known, Depends(_known)]
"""What a change takes: without `If-Match` it is refused (428, RFC 6585 section 3)."""
