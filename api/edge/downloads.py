"""A file on its way out: whole, or one range of it (RFC 9110 section 14), after the entry was committed.

    Range        one range of bytes; several, another unit or what cannot be read is ignored, as section 14.2 allows
    If-Range     the range holds only for this entity tag; else all of it comes
    HEAD         the same head, and nothing is opened for it

Never shown by a browser and never guessed at: `attachment`, `nosniff`, a name that says nothing. An answer that breaks
off is no answer: the connection ends before `Content-Length` is reached, and the log has an entry that says it failed.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from starlette.responses import Response, StreamingResponse

from api import problems
from api.edge import etags, eyes, passage, unit
from api.edge.answers import ProblemResponse
from api.problems import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from fastapi import Request

    from api.disclosure.call import Call

_RANGE: Final = re.compile(r"bytes=(\d{0,15})-(\d{0,15})", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class File:
    """What may leave: `read` gives the bytes from one place up to another."""

    length: int
    media_type: str
    tag: str
    name: str
    read: Callable[[int, int], AsyncIterator[bytes]]
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


def sent(request: Request, call: Call, file: File) -> Response:
    """200 with all of it, 206 with a range, 304 when the caller has it, 416 when there are no such bytes."""
    if eyes.recipient(request) is not None:  # whole, under a key made for this answer: no two have a range in common
        whole = _watched(request, call, file.read(0, 0 if _heads(request) else file.length))
        return StreamingResponse(whole, headers=_attached(file), media_type=file.media_type)
    if etags.has(request, file.tag):
        return Response(status_code=304, headers={"ETag": file.tag})
    asked = _range(request, file)
    if asked is not None and not asked:
        told = (("Content-Range", f"bytes */{file.length}"), ("Accept-Ranges", "bytes"))
        return ProblemResponse(Problem(problems.RANGE_NOT_SATISFIABLE, headers=told))
    span = range(file.length) if asked is None else asked
    headers = {
        "ETag": file.tag,
        "Accept-Ranges": "bytes",
        **_attached(file),
        "Content-Length": str(len(span)),
        **file.headers,
    }
    if asked is not None:
        headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{file.length}"
    status = 200 if asked is None else 206
    if _heads(request):
        return Response(status_code=status, headers=headers, media_type=file.media_type)
    parts = _watched(request, call, file.read(span.start, span.stop))
    return StreamingResponse(parts, status, headers, file.media_type)


def _heads(request: Request) -> bool:
    return passage.of(request.scope).method == "HEAD"


def _attached(file: File) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{file.name}"'}


async def _watched(request: Request, call: Call, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The parts. When they fail after the answer began that is written down; that somebody goes away is no failure."""
    try:
        async for part in parts:
            yield part
    except Exception:
        await asyncio.shield(unit.failed(request, call.unit))
        raise


def _range(request: Request, file: File) -> range | None:
    """The bytes that are asked for; an empty range when there are no such bytes, None when all of it is."""
    condition = request.headers.get("if-range")
    if condition is not None and condition.strip() != file.tag:
        return None
    match = _RANGE.fullmatch(request.headers.get("range", "").replace(" ", ""))
    if match is None or match[0].endswith("=-"):
        return None
    first, last = match.groups()
    if not first:
        return range(max(file.length - int(last), 0), file.length)
    if last and int(last) < int(first):
        return None
    return range(int(first), min(int(last) + 1, file.length) if last else file.length)
