"""The description that we publish: it is the one of the code, and it says what every operation does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import yaml  # type: ignore[import-untyped]

from api import app as assembly
from api import problems
from api.edge import documents, openapi, published
from tests import edge_kit

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parents[2] / "openapi"
DOCUMENTS = {"real": orjson.loads((FOLDER / "openapi.json").read_bytes()), "demo": edge_kit.demo().openapi()}
PERSONAL = re.compile(r"vNumber|v-number|name|birth|bsn|person(?!Id)", re.IGNORECASE)


def _operations() -> Iterator[Any]:
    for name, document in DOCUMENTS.items():
        for path, item in document["paths"].items():
            for method, operation in item.items():
                yield pytest.param(document, path, method, operation, id=f"{name} {method} {path}")


each_operation = pytest.mark.parametrize(("document", "path", "method", "operation"), tuple(_operations()))


def test_what_is_checked_in_is_what_the_code_says() -> None:
    """A change of the API is a diff in the review. `ketenbrug openapi` writes it."""
    files = published.files(assembly.described())
    for name in ("openapi.json", "openapi.yaml"):
        assert (FOLDER / name).read_bytes() == files[name], "run: make openapi"


def test_both_forms_are_the_same_description(tmp_path: Path) -> None:
    """/core/publish-openapi; and a page of a problem that there no longer is goes away."""
    (tmp_path / "problems").mkdir()
    (tmp_path / "problems" / "forgotten.md").touch()
    written = published.write(tmp_path, edge_kit.demo())
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == set(written)
    assert yaml.safe_load((tmp_path / "openapi.yaml").read_bytes()) == orjson.loads(
        (tmp_path / "openapi.json").read_bytes()
    )


@pytest.mark.parametrize("document", tuple(DOCUMENTS.values()), ids=tuple(DOCUMENTS))
def test_the_description_says_whose_it_is_and_where(document: dict[str, Any]) -> None:
    info = document["info"]
    assert document["openapi"].startswith("3.1.")
    assert info["version"] == openapi.VERSION
    assert set(info["contact"]) == {"name", "email", "url"}
    assert info["license"]["identifier"] == "EUPL-1.2"
    assert [server["url"].endswith("/v1") for server in document["servers"]] == [True]
    assert document["servers"][0]["url"].startswith("https://")


@pytest.mark.parametrize("document", tuple(DOCUMENTS.values()), ids=tuple(DOCUMENTS))
def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for ref in re.findall(r'"\$ref":"#/([^"]+)"', orjson.dumps(document).decode()):
        node: Any = document
        for step in ref.split("/"):
            node = node[step]
        assert node


@pytest.mark.parametrize("document", tuple(DOCUMENTS.values()), ids=tuple(DOCUMENTS))
def test_nothing_of_the_framework_shows(document: dict[str, Any]) -> None:
    """/core/hide-implementation: no HTTPValidationError, no generated names."""
    text = orjson.dumps(document).decode()
    assert "ValidationError" not in text
    assert not [name for name in document["components"]["schemas"] if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", name)]


@each_operation
def test_an_operation_has_a_name_a_description_and_its_problems(
    document: dict[str, Any], path: str, method: str, operation: dict[str, Any]
) -> None:
    assert re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", operation["operationId"])
    assert operation["description"].endswith(".")
    assert operation["tags"]
    responses = operation["responses"]
    statuses = set(responses)
    assert statuses >= {"400", "406", "415", "429", "500", "503"}
    assert not statuses & {"422"} or _has_parameter(operation, "Idempotency-Key")
    for status, response in responses.items():
        answer = _resolved(document, response)
        assert {"API-Version", "Request-Id"} <= set(answer["headers"])
        if status >= "400":
            (content,) = answer["content"].items()
            assert content[0] == problems.MEDIA_TYPE
            assert content[1]["schema"] == {"$ref": "#/components/schemas/Problem"}
            for slug in content[1]["examples"]:
                assert problems.BY_SLUG[slug].status == int(status)
    assert path.startswith("/")
    assert method in {"get", "post", "put", "patch", "delete"}


@each_operation
def test_what_needs_a_token_says_so_and_what_creates_takes_a_key(
    document: dict[str, Any], path: str, method: str, operation: dict[str, Any]
) -> None:
    """Of the real API, no operation is open, and every 201 has an idempotency key."""
    if document is DOCUMENTS["demo"]:
        return
    ((name, scopes),) = operation["security"][0].items()
    assert len(scopes) == 1
    assert scopes[0] in document["components"]["securitySchemes"][name]["flows"]["clientCredentials"]["scopes"]
    assert {"401", "403"} <= set(operation["responses"])
    assert ("201" in operation["responses"]) is _has_parameter(operation, "Idempotency-Key"), (method, path)


@each_operation
def test_no_address_holds_anything_personal(
    document: dict[str, Any], path: str, method: str, operation: dict[str, Any]
) -> None:
    """/core/transport/no-sensitive-uris: V-numbers, names and birth dates are looked up by POST."""
    assert document
    assert method
    for parameter in operation.get("parameters", ()):
        if parameter["in"] in {"query", "path"}:
            assert not PERSONAL.search(parameter["name"]), path
            assert re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", parameter["name"])


def test_a_lists_of_types_or_null_is_one_schema() -> None:
    """A date that may be absent carries its format itself; what is not simple stays as it is."""
    schemas = {
        "Page_Thing_": {
            "title": "Page[Thing]",
            "type": "object",
            "properties": {
                "title": {"title": "Title", "type": "string"},
                "due": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}], "description": "When."},
                "kind": {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "null"}]},
                "other": {"anyOf": [{"$ref": "#/components/schemas/Page_Thing_"}, {"type": "null"}]},
                "three": {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]},
                "elsewhere": {"$ref": "#/components/headers/Page_Thing_"},
            },
        }
    }
    document: dict[str, Any] = {"components": {"schemas": schemas}, "paths": {"/x": [1, "two"]}}
    documents.tidy(document)
    properties = document["components"]["schemas"]["ThingPage"]["properties"]
    assert "title" not in document["components"]["schemas"]["ThingPage"]
    assert properties["title"] == {"type": "string"}
    assert properties["due"] == {"type": ["string", "null"], "format": "date", "description": "When."}
    assert properties["kind"]["anyOf"][0]["enum"] == ["a"]
    assert properties["other"]["anyOf"][0] == {"$ref": "#/components/schemas/ThingPage"}
    assert len(properties["three"]["anyOf"]) == 3
    assert properties["elsewhere"] == {"$ref": "#/components/headers/Page_Thing_"}
    assert document["paths"] == {"/x": [1, "two"]}


def _has_parameter(operation: dict[str, Any], name: str) -> bool:
    return any(parameter["name"] == name for parameter in operation.get("parameters", ()))


def _resolved(document: dict[str, Any], response: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in response:
        return response
    found: dict[str, Any] = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
    return found
