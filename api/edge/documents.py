"""Tidying what Pydantic and FastAPI draw, so that people and linters can read it."""

from __future__ import annotations

import re
from typing import Any, Final, cast

_REF: Final = "#/components/schemas/"
_GENERIC: Final = re.compile(r"([A-Za-z]+)_([A-Za-z]+)_")
_NULL: Final = {"type": "null"}


def tidy(document: dict[str, Any]) -> None:
    """`Page_Case_` becomes `CasePage`; a simple type or null becomes one schema; titles that repeat names are dropped.

    A date that may be absent must carry its `format` itself (nlgov:specify-format-for-date-and-time).
    """
    components = document["components"]
    components["schemas"] = {_name(name): _tidied(schema) for name, schema in components["schemas"].items()}
    document["paths"] = _tidied(document["paths"])


def _name(name: str) -> str:
    return _GENERIC.sub(r"\2\1", name)


def _tidied(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, list):
        return [_tidied(item) for item in cast("list[Any]", value)]  # type: ignore[redundant-cast] # not to pyright
    if not isinstance(value, dict):
        return value
    node = cast("dict[str, Any]", value)
    if isinstance(node.get("title"), str) and ("type" in node or "anyOf" in node or "$ref" in node):
        node = {key: part for key, part in node.items() if key != "title"}
    if isinstance(node.get("$ref"), str):
        target: str = node["$ref"]
        return {**node, "$ref": _REF + _name(target.removeprefix(_REF)) if target.startswith(_REF) else target}
    tidied = {key: _tidied(part) for key, part in node.items()}
    return _merged(tidied)


def _merged(node: dict[str, Any]) -> dict[str, Any]:
    options = cast("list[dict[str, Any]]", node.get("anyOf", []))
    found = [option for option in options if option != _NULL]
    if len(found) != 1 or len(options) == 1 or not isinstance(found[0].get("type"), str) or "enum" in found[0]:
        return node
    rest = {key: part for key, part in node.items() if key != "anyOf"}
    return {**found[0], **rest, "type": [found[0]["type"], "null"]}
