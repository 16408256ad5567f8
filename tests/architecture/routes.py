"""The rules for routes, and what a handler declares."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from tests.architecture.reading import Found, Function, Module, dotted, keyword, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_VERBS: Final = frozenset({"get", "post", "put", "patch", "delete"})
_ASKERS: Final = frozenset({"calls", "creates", "creates_signed", "may"})
_ADDERS: Final = frozenset({"add_api_route", "add_route", "api_route", "route", "mount", "websocket"})
_HANDLER_LINES: Final = 15

_OAUTH: Final = "speaks OAuth, not our API: whoever asks has no token yet"
_PEOPLE: Final = "a page for a person's browser, which has a session or none, and never a token"
_PUBLIC: Final = "hashes and signatures, which anybody may keep: they tell nothing of the entries"
OUTSIDE_V1: Final[Mapping[str, str]] = {
    "api/routes/oauth.py:token": _OAUTH,
    "api/routes/oauth.py:revoke": _OAUTH,
    "api/routes/oauth.py:introspect": _OAUTH,
    "api/routes/oauth.py:client_keys": _OAUTH,
    "api/routes/oauth.py:metadata": _OAUTH,
    "api/routes/oauth.py:jwks": _OAUTH,
    "api/routes/oauth.py:protected_resource": _OAUTH,
    "api/routes/people.py:who": _PEOPLE,
    "api/routes/people.py:begin": _PEOPLE,
    "api/routes/people.py:arrive": _PEOPLE,
    "api/routes/people.py:show_link": _PEOPLE,
    "api/routes/people.py:enter": _PEOPLE,
    "api/routes/people.py:leave": _PEOPLE,
    "api/routes/people.py:signed_out": _PEOPLE,
    "api/routes/log.py:checkpoint": _PUBLIC,
    "api/routes/log.py:tile": _PUBLIC,
}
"""Handlers that nobody needs a scope for. All others declare an operation."""


def routed(function: Function) -> list[ast.Call]:
    """The decorators that make a function a route."""
    return [
        each
        for each in function.decorator_list
        if isinstance(each, ast.Call)
        and isinstance(each.func, ast.Attribute)
        and each.func.attr in _VERBS | {"api_route"}
        and name_of(each.func.value) in {"routes", "router", "resource", "app"}
    ]


def asked(function: Function) -> list[str]:
    """The operations that a handler declares, as `authority.` names; what it declares otherwise is an empty name."""
    parameters = (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
    places = (*(each.annotation for each in parameters), *function.args.defaults, *function.args.kw_defaults)
    return [
        each.args[0].attr
        if len(each.args) == 1 and isinstance(each.args[0], ast.Attribute) and dotted(each.args[0].value) == "authority"
        else ""
        for place in places
        if place is not None
        for each in ast.walk(place)
        if isinstance(each, ast.Call) and name_of(each.func) in _ASKERS
    ]


def _of_api(module: Module) -> Iterator[Function]:
    if module.path.startswith("api/routes/"):
        for function in module.functions():
            if routed(function) and f"{module.path}:{function.name}" not in OUTSIDE_V1:
                yield function


def ask(module: Module) -> Iterator[Found]:
    for function in _of_api(module):
        match asked(function):
            case [operation] if operation:
                pass
            case _:
                yield module.found(
                    function, f"{function.name} does not take one of {', '.join(sorted(_ASKERS))} (authority.…)"
                )


def tell(module: Module) -> Iterator[Found]:
    for function in _of_api(module):
        for decorator in routed(function):
            for part in ("operation_id", "response_model", "responses"):
                if keyword(decorator, part) is None:
                    yield module.found(function, f"{function.name} does not declare {part}")


def short(module: Module) -> Iterator[Found]:
    if not module.path.startswith("api/routes/"):
        return
    for function in module.functions():
        if not routed(function):
            continue
        body = function.body[1:] if ast.get_docstring(function) is not None else function.body
        lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
        if lines > _HANDLER_LINES:
            yield module.found(function, f"the handler {function.name} has {lines} lines")


def elsewhere(module: Module) -> Iterator[Found]:
    if module.path.startswith("api/routes/"):
        return
    for function in module.functions():
        if routed(function):
            yield module.found(function, f"{function.name} is a route")
    for call in module.calls():
        if isinstance(call.func, ast.Attribute) and call.func.attr in _ADDERS:
            yield module.found(call, f"calls .{call.func.attr}(")
