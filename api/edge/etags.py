"""Versions of what is shown, and the preconditions that name them (RFC 9110 sections 8.8.3 and 13.1).

An entity tag is over the bytes that this caller is shown: two callers who may see different sections have different
tags, and a tag tells nothing of what is withheld. Of a thing that is changed under `If-Match` the tag is its version,
which determines what each caller is shown of it. A 304 is an access like any other and is audited as one.
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
_VERSION: Final = re.compile(r"[1-9]\d{0,8}", re.ASCII)
_LENGTH: Final = 32


def of(shown: bytes) -> str:
    """The strong entity tag of a representation."""
    return f'"{hashlib.sha256(shown).hexdigest()[:_LENGTH]}"'


def of_version(version: int) -> str:
    """The strong entity tag of a thing of which nothing but its version changes what a caller is shown."""
    return f'"{version}"'


def has(request: Request, tag: str) -> bool:
    """Whether the caller has this version already (`If-None-Match`, weak comparison). For GET: answer 304."""
    sent = ",".join(request.headers.getlist("if-none-match"))
    return sent.strip() == "*" or any(strong == tag for _, strong in _TAG.findall(sent))


@dataclass(frozen=True, slots=True)
class Known:
    """The versions that the caller saw, of which one must be the current one. None: any (`If-Match: *`)."""

    versions: frozenset[int] | None


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
    # strong comparison: a weak tag never matches, and neither does one that is no version
    named = (tag.strip('"') for weak, tag in _TAG.findall(if_match) if not weak)
    return Known(frozenset(int(each) for each in named if _VERSION.fullmatch(each)))


Precondition = Annotated[Known, Depends(_known)]
"""What a change takes: without `If-Match` it is refused (428, RFC 6585 section 3)."""
