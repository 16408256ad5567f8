"""The agreements of the sandbox, as readable files: `2019-pilot` is history, `2026` is in force today.

The organisations in them are those of `api.sandbox.members`. What is known of the real ones stands in their notes, and
what is made up says so.
"""

from __future__ import annotations

from importlib import resources
from typing import Any, Final

import orjson

EDITIONS: Final = ("2019-pilot", "2026")
"""Oldest first: the order in which they are taken in."""


def documents(*editions: str) -> list[dict[str, Any]]:
    """The documents of these editions, or of all, in the order in which they are taken in."""
    here = resources.files(__name__)
    return [
        orjson.loads(file.read_bytes())
        for edition in editions or EDITIONS
        for file in sorted((here / edition).iterdir(), key=lambda each: each.name)
        if file.name.endswith(".json")
    ]
