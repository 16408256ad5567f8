"""Every operation against its own description: what schemathesis makes of it, sent in this process, the same each time.

Cases are made first, without randomness, and sent then: so that they can be sent in the event loop of the app.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode, Response
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    import httpx
    from schemathesis import Case as AnyCase

    Case = AnyCase[Any]

    Headers = Callable[[str, str, str], Awaitable[Mapping[str, str]]]
    """Given operation id, method and URL: the headers that prove who calls, made anew for each request."""

CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def cases(document: dict[str, Any], *, examples: int) -> dict[str, list[Case]]:
    """By operation id: requests as described, and requests that are wrong in one way."""
    schema = schemathesis.openapi.from_dict(document)
    found: dict[str, list[Case]] = {}
    for result in schema.get_all_operations():
        operation = result.ok()  # type: ignore[union-attr] # a description that cannot be read fails here
        name = operation.definition.raw["operationId"]
        found[name] = [
            case
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
            for case in _made(operation, mode, examples)
        ]
    return found


async def assert_conforms(
    client: httpx.AsyncClient, name: str, some: list[Case], headers: Headers | None = None
) -> Counter[int]:
    """Send them and hold each answer against the description. Returns how often each status was seen."""
    seen: Counter[int] = Counter()
    for case in some:
        request = _request(client, case)
        if headers is not None:
            address = str(request.url.copy_with(query=None))
            request.headers.update(await headers(name, request.method, address))
        answer = await client.send(request)
        case.validate_response(_comparable(request, answer), checks=CHECKS)
        seen[answer.status_code] += 1
    return seen


def _request(client: httpx.AsyncClient, case: Case) -> httpx.Request:
    asked = case.as_transport_kwargs(base_url=f"{str(client.base_url).rstrip('/')}/v1")
    content = json.dumps(asked["json"]).encode() if "json" in asked else asked.get("data")
    # A field may have octets beyond ASCII (RFC 9110 section 5.5), which the library refuses in a str.
    headers = [(name.encode(), value.encode("latin-1")) for name, value in asked["headers"].items()]
    return client.build_request(
        asked["method"], asked["url"], params=asked["params"] or None, headers=headers, content=content
    )


def _comparable(request: httpx.Request, answer: httpx.Response) -> Response:
    """As schemathesis reads answers, whoever sent the request."""
    sent = requests.Request(request.method, str(request.url), headers=dict(request.headers)).prepare()
    return Response(
        status_code=answer.status_code,
        headers={name: answer.headers.get_list(name) for name in answer.headers},
        content=answer.content,
        request=sent,
        elapsed=0.0,
        verify=False,
    )


def _made(operation: Any, mode: GenerationMode, examples: int) -> list[Case]:
    made: list[Case] = []

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def collect(case: Case) -> None:
        made.append(case)

    try:
        collect()
    except Unsatisfiable:
        return []  # nothing in this operation can be wrong
    return made
