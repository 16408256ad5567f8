"""A file on its way out: whole, or one range of it (RFC 9110 section 14), after the entry was committed.

    Range        one range of bytes; several, another unit or what cannot be read is ignored, as section 14.2 allows
    If-Range     the range holds only for this entity tag; else all of it comes
    HEAD         the same head, and nothing is opened for it

What is sealed to its reader is sealed anew each time, so that no two answers have a byte in common: then there is no
entity tag, and a range is of a unit of our own (section 14.1), `content`: of the file within. The release, under a key
of its own, says where it begins.

Never shown by a browser and never guessed at: `attachment`, `nosniff`, a name that says nothing. An answer that breaks
off is no answer: the connection ends before `Content-Length` is reached, and the log has an entry that says it failed.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from api import problems
from api.edge import etags, eyes, passage, unit
from api.edge.answers import ProblemResponse
from api.problems import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from uuid import UUID

    from fastapi import Request

    from api.disclosure.call import Call

_RANGE: Final = re.compile(r"(bytes|content)=(\d{0,15})-(\d{0,15})", re.ASCII | re.IGNORECASE)
_BYTES: Final = "bytes"
_WITHIN: Final = "content"


@dataclass(frozen=True, slots=True)
class File:
    """What may leave: `read` gives the bytes from one place up to another. `document`: its id."""

    length: int
    media_type: str
    tag: str
    name: str
    document: UUID
    read: Callable[[int, int], AsyncIterator[bytes]]
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


def sent(request: Request, call: Call, file: File) -> Response:
    """200 with all of it, 206 with a range, 304 when the caller has it, 416 when there are no such bytes."""
    sealed = eyes.recipient(request) is not None
    if not sealed and etags.has(request, file.tag):
        return Response(status_code=304, headers={"ETag": file.tag})
    unit = _WITHIN if sealed else _BYTES
    asked = _range(request, file, unit)
    if asked is not None and not asked:
        told = (("Content-Range", f"{unit} */{file.length}"), ("Accept-Ranges", unit))
        return ProblemResponse(Problem(problems.RANGE_NOT_SATISFIABLE, headers=told))
    span = range(file.length) if asked is None else asked
    status = 200 if asked is None else 206
    headers = {"Accept-Ranges": unit, "Content-Disposition": f'attachment; filename="{file.name}"'}
    if asked is not None:
        headers["Content-Range"] = f"{unit} {span.start}-{span.stop - 1}/{file.length}"
    if not sealed:
        headers |= {"ETag": file.tag, "Content-Length": str(len(span)), **file.headers}
    says: dict[str, str | int] = {"documentId": str(file.document), "start": span.start}
    if passage.of(request.scope).method == "HEAD":
        if not sealed:
            return Response(status_code=status, headers=headers, media_type=file.media_type)
        span = span[:0]
    parts = _watched(request, call, file.read(span.start, span.stop))
    return eyes.Streamed(parts, status, headers, file.media_type, says)


async def _watched(request: Request, call: Call, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The parts. When they fail after the answer began that is written down; that somebody goes away is no failure."""
    try:
        async for part in parts:
            yield part
    except Exception:
        await asyncio.shield(unit.failed(request, call.unit))
        raise


def _range(request: Request, file: File, unit: str) -> range | None:
    """The bytes that are asked for; an empty range when there are no such bytes, None when all of it is."""
    condition = request.headers.get("if-range")
    if condition is not None and condition.strip() != file.tag:
        return None
    match = _RANGE.fullmatch(request.headers.get("range", "").replace(" ", ""))
    if match is None or match[1].lower() != unit or match[0].endswith("=-"):
        return None
    first, last = match[2], match[3]
    if not first:
        return range(max(file.length - int(last), 0), file.length)
    if last and int(last) < int(first):
        return None
    return range(int(first), min(int(last) + 1, file.length) if last else file.length)
