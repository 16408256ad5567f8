"""The description of the API: OpenAPI 3.1, as the NL API Design Rules 2.2.0 want it.

FastAPI writes what it knows; this module adds what holds for every operation and takes out what does not hold here:
problems instead of its own 422, the headers that every answer carries, absolute servers, names without underscores.
A route adds the problems of its own with `responses=told(…)`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts
from starlette.responses import Response

from api import problems
from api.edge import documents, eyes, posts, routing
from api.oauth import payloads
from api.problems import Problem, ProblemType
from api.schemas import problem as wire

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fastapi import FastAPI

VERSION: Final = "1.0.0"
"""Of the API, not of the software (semantic versioning). `API-Version` on every answer, `info.version` here."""

BASE: Final = "/v1"

_SLUGS: Final = "x-problem-types"
_DESCRIPTION: Final = """\
Ketenbrug carries dossiers, screening outcomes and advice between the migration chain (IND, DT&V, AVIM) and the
organisations that guide undocumented migrants, as far as law, agreement and consent allow.

* Every request proves who calls: an access token bound to a key, and a new DPoP proof (RFC 9449).
* Data that crosses organisations is asked with a `Purpose` (doelbinding), and each access is written down first.
* Each answer carries an `Audit-Receipt`: the log's signed promise that its entry will be there, to be proven later.
* What tells of a person is sealed, to a client that registered an encryption key: a compact JWE (RFC 7516) to that key.
* A body may be sealed likewise: to a key of `/.well-known/encryption-keys`, as the same media types.
* The log itself is public as hashes, under `/log` beside `/v1`, in the layout of C2SP tlog-tiles.
* A "no" is a problem (RFC 9457) whose `nextStep` says what to do; its `type` leads to a page that explains it.
* Creating takes an `Idempotency-Key`: a retry with the same key has one effect.
* GET answers HEAD too. Lists are paged by `nextCursor`. No personal data ever stands in an address.
"""


@dataclass(frozen=True, slots=True)
class About:
    """Where the API is and who answers for it. `base_url` has neither `/v1` nor a slash at its end."""

    base_url: str
    contact_name: str = "Ketenbrug maintainers"
    contact_email: str = "api@ketenbrug.example"
    contact_url: str = "https://ketenbrug.example/contact"


def told(*types: ProblemType) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route: the problems that are its own, beside those that every operation has."""
    return {
        status: {"description": _titles(rows), _SLUGS: [row.slug for row in rows]}
        for status, rows in _by_status(types).items()
    }


def install(app: FastAPI, about: About) -> None:
    """Make `app.openapi()` the full description, and serve it to everybody (/core/publish-openapi)."""
    app.openapi = lambda: document(app, about)  # type: ignore[method-assign]
    text = b""

    async def openapi() -> Response:
        nonlocal text
        text = text or orjson.dumps(app.openapi())
        return Response(text, media_type=routing.JSON, headers={"Access-Control-Allow-Origin": "*"})

    served = routing.router(described=False)
    served.add_api_route(f"{BASE}/openapi.json", openapi)
    routing.join(app, served)


def document(app: FastAPI, about: About) -> dict[str, Any]:
    """The description of everything under `/v1`, drawn anew."""
    routes = [each for each in iter_route_contexts(app.routes) if (each.path or "").startswith(f"{BASE}/")]
    sealing = {
        route.operation_id
        for each in routes
        if isinstance(route := each.original_route, routing.EdgeRoute) and route.seals
    }
    described = get_openapi(
        title="Ketenbrug",
        version=VERSION,
        summary="Consent-aware exchange between the Dutch migration chain and guiding organisations",
        description=_DESCRIPTION,
        contact={"name": about.contact_name, "email": about.contact_email, "url": about.contact_url},
        license_info={"name": "European Union Public Licence 1.2", "identifier": "EUPL-1.2"},
        servers=[{"url": about.base_url + BASE}],
        routes=routes,
        separate_input_output_schemas=False,
    )
    described["paths"] = {path.removeprefix(BASE): item for path, item in described["paths"].items()}
    answers: dict[str, list[ProblemType]] = {}
    for item in described["paths"].values():
        for operation in item.values():
            answers |= _complete(operation, seals=operation.get("operationId") in sealing)
    _fill(described.setdefault("components", {}), answers, about)
    documents.tidy(described)
    return described


def _complete(operation: dict[str, Any], *, seals: bool) -> dict[str, list[ProblemType]]:
    """Give an operation its problems, headers and forms. Returns the answers that it refers to, by their names."""
    responses: dict[str, Any] = operation["responses"]
    taken = operation.get("requestBody", {}).get("content", {})
    if operation.get("security") and routing.JSON in taken:
        taken |= eyes.FORMS
    told_here = [problems.BY_SLUG[slug] for answer in responses.values() for slug in answer.get(_SLUGS, ())]
    rows = list(dict.fromkeys([*_usual(operation), *told_here]))
    good = {status: answer for status, answer in responses.items() if status < "4"}
    for answer in good.values():
        answer["headers"] = {
            **_headers("API-Version", "Request-Id", "traceparent", "Audit-Receipt"),
            **answer.get("headers", {}),
        }
        if seals and "content" in answer:
            answer["content"] |= eyes.forms(answer["content"])
    if operation.get("security") and routing.JSON in good.get("200", {}).get("content", ()):
        good["200"]["headers"] |= _headers("ETag")
        operation.setdefault("parameters", []).append(_IF_NONE_MATCH)
        good["304"] = {"description": "Not changed since `If-None-Match`.", "headers": dict(good["200"]["headers"])}
    if "201" in good:
        good["201"]["headers"] |= _headers("Location")
    bad = sorted(_by_status(rows).items())
    refs = {str(status): {"$ref": f"#/components/responses/{_named(of_status)}"} for status, of_status in bad}
    operation["responses"] = good | refs
    return {_named(of_status): of_status for _, of_status in bad}


def _usual(operation: dict[str, Any]) -> Iterator[ProblemType]:
    """The problems that an operation has by what it is."""
    yield problems.INVALID_INPUT
    names = {parameter["name"] for parameter in operation.get("parameters", ())}
    if "cursor" in names:
        yield problems.INVALID_CURSOR
    if "requestBody" in operation:
        yield from (problems.MALFORMED_JSON, problems.DUPLICATE_KEY, problems.PAYLOAD_TOO_LARGE)
        if operation["requestBody"]["content"].keys() >= posts.KINDS:
            yield problems.NOT_SEALED_TO_US
    if "Idempotency-Key" in names:
        yield from (problems.IDEMPOTENCY_KEY_MISSING, problems.IDEMPOTENCY_KEY_REUSED)
    if payloads.HEADER in names:
        yield from (problems.PAYLOAD_SIGNATURE_MISSING, problems.PAYLOAD_SIGNATURE_INVALID)
    if "Purpose" in names:
        yield from (problems.PURPOSE_MISSING, problems.PURPOSE_NEVER, problems.ACTOR_MISSING)
    if "If-Match" in names:
        yield from (problems.PRECONDITION_FAILED, problems.PRECONDITION_REQUIRED)
    if operation.get("security"):
        yield from (problems.UNAUTHENTICATED, problems.INVALID_TOKEN, problems.INVALID_PROOF)
        yield problems.INSUFFICIENT_SCOPE
    yield from (problems.NOT_ACCEPTABLE, problems.URI_TOO_LONG, problems.UNSUPPORTED_MEDIA_TYPE)
    yield from (problems.TOO_MANY_REQUESTS, problems.HEADERS_TOO_LARGE)
    yield from (problems.INTERNAL, problems.OVERLOADED, problems.UNAVAILABLE, problems.TIMED_OUT)


def _named(rows: list[ProblemType]) -> str:
    return "Or".join("".join(word.capitalize() for word in row.slug.split("-")) for row in rows)


def _answer(rows: list[ProblemType]) -> dict[str, Any]:
    status = rows[0].status
    headers = _headers("API-Version", "Request-Id", "traceparent", "Audit-Receipt")
    if status in {problems.TOO_MANY_REQUESTS.status, problems.OVERLOADED.status}:
        headers |= _headers("Retry-After")
    if status == problems.UNAUTHENTICATED.status:
        headers |= _headers("WWW-Authenticate")
    return {
        "description": _titles(rows),
        "headers": headers,
        "content": {
            problems.MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {row.slug: {"$ref": f"#/components/examples/{row.slug}"} for row in rows},
            }
        },
    }


def _fill(components: dict[str, Any], answers: dict[str, list[ProblemType]], about: About) -> None:
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    drawn = wire.Problem.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
    for name, schema in (*drawn.pop("$defs").items(), ("Problem", drawn)):
        schemas.setdefault(name, schema)
    components["schemas"] = dict(sorted(schemas.items()))
    components["responses"] = {name: _answer(rows) for name, rows in sorted(answers.items())}
    components["headers"] = {
        re.sub("[^A-Za-z]", "", name): {"description": text, "schema": {"type": "string"}}
        for name, text in _HEADERS.items()
    }
    components["examples"] = {
        row.slug: {"summary": row.title, "value": orjson.loads(Problem(row).body(about.base_url, _SOME_REQUEST))}
        for row in problems.TYPES
        if any(row in rows for rows in answers.values())
    }
    for scheme in components.get("securitySchemes", {}).values():
        for flow in scheme.get("flows", {}).values():
            flow["tokenUrl"] = about.base_url + flow["tokenUrl"]


_SOME_REQUEST: Final = "019a0000-0000-7000-8000-000000000000"
_IF_NONE_MATCH: Final = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": 1000},
    "description": "The `ETag` that you have: the answer is 304 when nothing changed.",
}
_HEADERS: Final = {
    "API-Version": "Full version of the API.",
    "Request-Id": "Ours; name it when you ask for help.",
    "traceparent": "Our span, in your trace if you sent one (W3C Trace Context).",
    "Audit-Receipt": (
        "Signed promise that the entry of this request will be in the audit log in time (kwitantie): keep it. There "
        "whenever an entry was written, so not when it is unknown who calls. What was permitted and then failed has "
        "two, with a comma between them. The key: `/.well-known/audit-receipts`."
    ),
    "ETag": "The version of what is shown to you; send it as `If-None-Match` or `If-Match`. "
    "Not on a sealed answer, but of what is changed under `If-Match`.",
    "Location": "Where what was made can be read.",
    "Retry-After": "Seconds to wait before the same request may succeed.",
    "WWW-Authenticate": "How to prove who calls (RFC 9449 section 7.1).",
}


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{re.sub('[^A-Za-z]', '', name)}"} for name in names}


def _by_status(rows: Iterable[ProblemType]) -> dict[int, list[ProblemType]]:
    found: dict[int, list[ProblemType]] = defaultdict(list)
    for row in rows:
        found[row.status].append(row)
    return dict(found)


def _titles(rows: list[ProblemType]) -> str:
    return "\n".join(f"* {row.title} (`{row.slug}`)" for row in rows) if len(rows) > 1 else rows[0].title
