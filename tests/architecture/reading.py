"""What a rule is, and how it reads the tree: modules as values, their nodes, and a few questions about them."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT: Final = Path(__file__).parents[2]

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


class Found(NamedTuple):
    """One violation."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


@dataclass(frozen=True)
class Module:
    """A module of the tree, or a snippet that pretends to be one. `path` is relative to the repository."""

    path: str
    source: str

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed module, in which every node knows its parent."""
        tree = ast.parse(self.source)
        for parent in ast.walk(tree):
            for child in ast.iter_child_nodes(parent):
                child.__dict__["parent"] = parent
        return tree

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node."""
        return tuple(ast.walk(self.tree))

    def calls(self) -> Iterator[ast.Call]:
        """Every call."""
        return (node for node in self.nodes if isinstance(node, ast.Call))

    def functions(self) -> Iterator[Function]:
        """Every function."""
        return (node for node in self.nodes if isinstance(node, Function))

    def found(self, node: ast.AST, what: str) -> Found:
        """A violation at a node."""
        return Found(self.path, getattr(node, "lineno", 0), what)


@dataclass(frozen=True)
class Rule:
    """What holds, why, and where it does not. `exempt` names a path (a folder ends in a slash) and says the reason."""

    name: str
    because: str
    check: Callable[[Module], Iterator[Found]]
    exempt: Mapping[str, str] = field(default_factory=dict)

    def violations(self, module: Module) -> list[Found]:
        """What breaks the rule in a module."""
        return [] if self.spares(module.path) else sorted(self.check(module))

    def spares(self, path: str) -> str | None:
        """The exemption that covers a path."""
        covers = (each for each in self.exempt if path == each or (each.endswith("/") and path.startswith(each)))
        return next(covers, None)


@lru_cache(maxsize=1)
def modules() -> tuple[Module, ...]:
    """Every module of the service and of the clients."""
    paths = sorted(path for room in ("api", "clients") for path in (ROOT / room).rglob("*.py"))
    return tuple(Module(path.relative_to(ROOT).as_posix(), path.read_text()) for path in paths)


def name_of(node: ast.AST | None) -> str:
    """The last word of a name: `c` for `a.b.c`, also when it is called."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=function):
            return name_of(function)
        case _:
            return ""


def dotted(node: ast.AST) -> str:
    """`a.b.c`, or nothing when it is not that simple."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            return f"{before}.{name}" if (before := dotted(value)) else ""
        case _:
            return ""


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """The value of a keyword of a call."""
    return next((each.value for each in call.keywords if each.arg == name), None)


def around(node: ast.AST) -> Iterator[ast.AST]:
    """What a node stands in, from the inside out."""
    while (parent := node.__dict__.get("parent")) is not None:
        yield parent
        node = parent
