"""Whatever ends a request early becomes a problem, through the one table in `api.problems`.

FastAPI's own answers are replaced: invalid input is 400 with all faults together and nothing of the input (NL API
Design Rules /core/error-handling), 404 and 405 are problems, and 405 names every method of the address.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException

from api import problems
from api.edge.answers import ProblemResponse
from api.errors import KetenbrugError
from api.problems import InputError, Problem, ProblemType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

_MOST: Final = 100
_PLACES: Final = frozenset({"body", "query", "path", "header"})
_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}", re.ASCII)
_BY_STATUS: Final[Mapping[int, ProblemType]] = {
    row.status: row
    for row in (problems.NOT_FOUND, problems.METHOD_NOT_ALLOWED, problems.PAYLOAD_TOO_LARGE, problems.MALFORMED_JSON)
}

# Pydantic's words for facts of the description, which its own message tells without the value.
_TOLD: Final = frozenset(
    {
        "missing",
        "string_type",
        "string_too_short",
        "string_too_long",
        "string_pattern_mismatch",
        "int_type",
        "int_parsing",
        "int_from_float",
        "bool_type",
        "bool_parsing",
        "float_type",
        "float_parsing",
        "finite_number",
        "enum",
        "literal_error",
        "greater_than",
        "greater_than_equal",
        "less_than",
        "less_than_equal",
        "multiple_of",
        "list_type",
        "tuple_type",
        "too_short",
        "too_long",
        "dict_type",
        "model_type",
        "model_attributes_type",
        "timezone_aware",
        "union_tag_not_found",
        "none_required",
        "value_error",
    }
)
_OWN_WORDS: Final = {
    "extra_forbidden": ("unknown-member", "The description knows no member of this name."),
    "uuid_parsing": ("uuid", "Input should be a UUID."),
    "uuid_type": ("uuid", "Input should be a UUID."),
}


def install(app: FastAPI) -> None:
    """Make `app` answer every failure with a problem."""

    async def answered(request: Request, error: Exception) -> Response:
        problem = of(error)
        if problem.type is problems.METHOD_NOT_ALLOWED:
            problem = replace(problem, headers=(("Allow", allowed(app.routes, request)),))
        return ProblemResponse(problem)

    for kind in (RequestValidationError, KetenbrugError, HTTPException, Exception):
        app.add_exception_handler(kind, answered)


def of(error: Exception) -> Problem:
    """What an error means to the caller; `internal` if it is none that was foreseen."""
    match error:
        case RequestValidationError():
            return Problem(problems.INVALID_INPUT, errors=told(error.errors()))
        case KetenbrugError():
            return problems.of(error)
        case HTTPException():
            return Problem(_BY_STATUS.get(error.status_code, problems.INTERNAL))
        case _:
            return Problem(problems.INTERNAL)


def told(found: Iterable[Mapping[str, Any]]) -> tuple[InputError, ...]:
    """Pydantic's findings as ours: place, code and message; the value, and what a message would say of it, stay out."""
    return tuple(_told(one) for one in list(found)[:_MOST])


def _told(one: Mapping[str, Any]) -> InputError:
    place, *path = one["loc"]
    kind: str = one["type"]
    if place not in _PLACES:
        place, path = "header" if place == "cookie" else "body", [place, *path]
    code, message = _OWN_WORDS.get(kind, (kind.replace("_", "-"), "The value is not as described."))
    if kind in _TOLD:
        message = one["msg"].removeprefix("Value error, ")
    name = "".join(f"/{_segment(part)}" for part in path) if place == "body" else ".".join(map(_segment, path))
    return InputError(place, name, code, message)


def _segment(part: object) -> str:
    """A step of the path. A key that the caller made up may be personal data: only plain words are repeated."""
    text = str(part)
    return text if isinstance(part, int) or _PLAIN.fullmatch(text) else "*"


def allowed(routes: Sequence[BaseRoute], request: Request) -> str:
    """Every method of this address, as `Allow` lists them (RFC 9110 section 10.2.1)."""
    path = request.scope["path"]
    methods: set[str] = set()
    for route in iter_route_contexts(routes):
        if route.methods and route.path_regex.match(path):
            methods |= route.methods
    if "GET" in methods:
        methods.add("HEAD")
    return ", ".join(sorted(methods))
