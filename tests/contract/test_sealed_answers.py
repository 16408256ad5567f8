"""No answer that tells of a person can be forgotten: it is sealed where nothing is said, and what is clear says why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from fastapi.routing import iter_route_contexts
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api import app as assembly
from api.crypto import jwe, release
from api.disclosure import authority
from api.disclosure.authority import Operation
from api.edge import eyes
from api.edge.routing import EdgeRoute
from api.vocabulary import Reach
from tests.contract.test_route_sweep import APPS
from tests.jwe_kit import public

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CLEAR: Final = frozenset(
    {
        "agreements.add",
        "agreements.list",
        "agreements.read",
        "agreements.sign",
        "audit.checkpoint",
        "audit.prove",
        "audit.prove-receipt",
        "documents.store",
        "organisations.list",
        "statistics.flow",
    }
)
"""Operations whose answers tell of no person, or come otherwise. The list only shrinks."""

OTHERWISE: Final = {
    "documents.store": "no content (204)",
}

PERSONAL: Final = {"case", "caseId", "caseIds", "person", "personId", "personAlias", "vNumber", "content", "sections"}
"""Members that tell of a person, wherever they stand in an answer."""

DESCRIBED: Final[dict[str, Any]] = json.loads(Path("openapi/openapi.json").read_text())
FORMS: Final = {jwe.COMPACT, jwe.NLGOV}


def routes() -> dict[str, EdgeRoute]:
    """Every route of the API that proves its caller, by its operation id."""
    found = (each.original_route for each in iter_route_contexts(APPS["real"].routes))
    return {str(each.operation_id): each for each in found if isinstance(each, EdgeRoute) and each.proves}


def answers() -> dict[str, dict[str, Any]]:
    """The answers of each described operation when all is well."""
    return {
        operation["operationId"]: next(answer for status, answer in operation["responses"].items() if status < "3")
        for path in DESCRIBED["paths"].values()
        for operation in path.values()
    }


def members(schema: Any, seen: frozenset[str] = frozenset()) -> set[str]:
    """The name of every member that a schema can have, however deep."""
    if isinstance(schema, list):
        return {name for each in schema for name in members(each, seen)}
    if not isinstance(schema, dict):
        return set()
    found = {*schema.get("properties", {})}
    name = schema.get("$ref", "").rpartition("/")[2]
    if name and name not in seen:
        found |= members(DESCRIBED["components"]["schemas"][name], seen | {name})
    return found | {name for each in schema.values() for name in members(each, seen)}


def test_an_answer_is_sealed_where_nothing_is_said_of_it() -> None:
    assert {each.name for each in authority.OPERATIONS if each.clear} == CLEAR
    assert Operation("some.new", authority.READ_CASE.scope, Reach.OWN, frozenset()).clear == ""


def test_what_crosses_or_is_ones_own_is_never_clear() -> None:
    for each in authority.OPERATIONS:
        if each.reach in {Reach.CROSSING, Reach.OWN} and each.name not in OTHERWISE:
            assert not each.clear, each.name


def test_no_clear_answer_has_a_member_that_tells_of_a_person() -> None:
    found = {
        name: members(answer.get("content")) & PERSONAL
        for name, answer in answers().items()
        if not routes()[name].seals
    }
    assert len(found) >= len(CLEAR)
    assert not any(found.values()), found
    assert members(answers()["readDossier"]["content"]) >= {"caseId", "sections", "content"}
    assert "vNumber" in members(answers()["openIdentity"]["content"])


def test_the_description_says_which_answers_are_sealed() -> None:
    sealing = {name for name, route in routes().items() if route.seals and name in answers()}
    whole = {name for name, answer in answers().items() if answer.get("content", {}).keys() >= FORMS}
    streamed = {name for name, answer in answers().items() if release.MEDIA_TYPE in answer.get("content", {})}
    assert sealing == whole | streamed
    assert streamed == {name for name in sealing if eyes.forms(routes()[name].produces) is eyes.STREAMED}
    assert streamed == {"exportAudit", "readDocument"}
    assert eyes.forms({"application/octet-stream"}) is eyes.FORMS, "a bundle of entries is whole"
    assert len(sealing) == sum(not each.clear for each in authority.OPERATIONS)
    assert set(routes()) >= set(answers())


def test_every_route_of_the_service_is_behind_the_class_that_seals() -> None:
    """`test_route_sweep` holds the same of the app that is served; here: each sealed route lets its forms be asked."""
    assert len(assembly.ROUTES) > 10
    assert all(each.seals is not None for each in routes().values())


def request_to(kind: str) -> Request:
    request = Request({"type": "http", "headers": [], "state": {}})
    request.state.eyes = jwe.recipient(public(kind))
    return request


async def test_nothing_leaves_unsealed_where_it_is_to_be_sealed() -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"a line"

    request = request_to("x25519")
    named = {
        "Content-Disposition": "attachment",
        "ETag": '"0f"',
        "Repr-Digest": "sha-256=:AA==:",
        "Content-Length": "6",
    }
    streamed = eyes.seal(request, StreamingResponse(parts(), headers=named, media_type="application/x-ndjson"))
    assert isinstance(streamed, StreamingResponse)
    assert (streamed.headers["content-type"], streamed.headers["content-disposition"]) == (
        release.MEDIA_TYPE,
        "attachment",
    )
    assert not {"etag", "repr-digest", "content-length"} & set(streamed.headers)
    versioned = eyes.seal(request, Response(b"{}", headers={"ETag": '"7"'}, media_type="application/json"))
    assert versioned.headers["etag"] == '"7"'
    assert b"a line" not in b"".join([bytes(each) async for each in streamed.body_iterator if isinstance(each, bytes)])
    for status in (200, 201):
        sealed = eyes.seal(request, Response(b"{}", status, {"Location": "/v1/x"}, "application/json"))
        assert (sealed.status_code, sealed.headers["location"]) == (status, "/v1/x")
        assert sealed.headers["content-type"] == "application/jose"
        assert int(sealed.headers["content-length"]) == len(sealed.body)
        assert bytes(sealed.body).count(b".") == 4
    for untold in (Response(b"{}", 403, media_type="application/problem+json"), Response(status_code=304)):
        assert eyes.seal(request, untold) is untold
    with pytest.raises(TypeError, match="cannot be sealed"):
        eyes.seal(request, Response(b"a range", 206, media_type="application/pdf"))
