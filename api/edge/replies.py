"""Answers of operations as responses: a value in its wire type, or the problem of a refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from starlette.responses import Response, StreamingResponse

from api import problems
from api.disclosure.permit import Refusal
from api.edge import etags, eyes, paging
from api.edge.answers import ProblemResponse
from api.edge.call import had_no_effect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from fastapi import Request

    from api.disclosure.call import Call
    from api.schemas.base import Wire

T = TypeVar("T")

_JSON: Final = "application/json"


def shown(
    request: Request, outcome: T | Refusal, wire: Callable[[T], Wire], version: Callable[[T], int] | None = None
) -> Response:
    """200 with an entity tag, 304 when the caller has it already (still an audited access), or the problem.

    `version`: of a thing that is changed under `If-Match`. What is to be sealed has no tag but that (`eyes`).
    """
    if isinstance(outcome, Refusal):
        return refused(outcome)
    value = wire(outcome)
    text = body(value)
    if version is None and eyes.recipient(request) is not None:
        return Response(text, media_type=_JSON, headers=paging.links(request, value))
    tag = etags.of(text) if version is None else etags.of_version(version(outcome))
    if etags.has(request, tag):
        return Response(status_code=304, headers={"ETag": tag})
    return Response(text, media_type=_JSON, headers={"ETag": tag, **paging.links(request, value)})


def file(outcome: bytes | Refusal, media_type: str) -> Response:
    """200 with these bytes, or the problem."""
    if isinstance(outcome, Refusal):
        return refused(outcome)
    return Response(outcome, media_type=media_type)


def made(
    call: Call,
    outcome: T | Refusal,
    wire: Callable[[T], Wire],
    location: str,
    version: Callable[[T], int] | None = None,
) -> Response:
    """201 with its address, or the problem; a refusal leaves the idempotency key free for the same request."""
    if isinstance(outcome, Refusal):
        answer = refused(outcome)
        had_no_effect(call, answer.status_code)
        return answer
    headers = {"Location": f"/v1{location}"}
    if call.replayed:
        headers["Idempotency-Replayed"] = "true"
    if version is not None:
        headers["ETag"] = etags.of_version(version(outcome))
    return Response(body(wire(outcome)), 201, headers, _JSON)


def done(outcome: object) -> Response:
    """204, or the problem."""
    return refused(outcome) if isinstance(outcome, Refusal) else Response(status_code=204)


def streamed(outcome: T | Refusal, parts: Callable[[T], AsyncIterator[bytes]], media_type: str, name: str) -> Response:
    """200 with a file that comes part by part, after the entry was committed; or the problem."""
    if isinstance(outcome, Refusal):
        return refused(outcome)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(parts(outcome), media_type=media_type, headers=headers)


def refused(refusal: Refusal) -> ProblemResponse:
    """The problem of a refusal."""
    return ProblemResponse(problems.refused(refusal.reason, refusal.withheld, refusal.faults))


def body(value: Wire) -> bytes:
    """A value as JSON."""
    return value.__pydantic_serializer__.to_json(value, by_alias=True)
