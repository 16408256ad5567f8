"""docs/agreements.md says what a document holds: each member, and no other."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from api.consent import document
from api.sandbox import agreements

if TYPE_CHECKING:
    from pydantic import BaseModel

PAGE: Final = (Path(__file__).parents[2] / "docs/agreements.md").read_text()


def section(heading: str) -> set[str]:
    """The members that a section names, in the first column of its table."""
    text = PAGE.split(f"\n{heading}\n")[1].split("\n#")[0]
    return set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))


def members(*models: type[BaseModel]) -> set[str]:
    """As they are called in JSON."""
    return {str(field.alias) for model in models for field in model.model_fields.values()}


@pytest.mark.parametrize(
    ("heading", "models"),
    [
        ("## The document", (document.AgreementDocument,)),
        ("### In `parties`", (document.PartyLine,)),
        (
            "### In `controllers`, `processor`, `dpia` and `terms`",
            (document.ControllerLine, document.ProcessorLine, document.Assessment, document.TermLine),
        ),
        ("### In `rules`", (document.RuleLine,)),
    ],
)
def test_each_member_is_told_and_no_other(heading: str, models: tuple[type[BaseModel], ...]) -> None:
    assert section(heading) == members(*models)


def test_its_example_is_a_rule_of_the_sandbox() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    rules: list[Any] = [rule for each in agreements.documents() for rule in each["rules"]]
    assert json.loads(example) in rules
