"""The version of the rules of the decision: every entry names it, so it may not stay when the rules change."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

from api.consent import answers, decision, emergency, model, soundness, visibility

RECORDED = (3, "87afff523fda0fed")
"""The version, and the digest of the modules that decide, as code and without comments."""


def _code(module: object) -> str:
    """The module without comments and docstrings."""
    tree = ast.parse(Path(str(vars(module)["__file__"])).read_text())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [each for each in body if not _is_text(each)] or [ast.Pass()]  # type: ignore[attr-defined]
    return ast.unparse(tree)


def _is_text(node: object) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def test_whoever_changes_how_it_is_decided_says_so() -> None:
    """If the decision of any question could be another one now, raise `model.POLICY`; then record the digest here."""
    text = "\n".join(map(_code, (decision, answers, emergency, soundness, visibility)))
    assert (model.POLICY, hashlib.sha256(text.encode()).hexdigest()[:16]) == RECORDED
