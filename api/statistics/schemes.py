"""The outflow schemes: which leaving reasons an evaluation counts as lasting. They are data, in `schemes.json`."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import orjson

from api.statistics.model import Scheme
from api.vocabulary import LeavingReason, OutflowScheme

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILE: Final = "schemes.json"


def read(text: bytes) -> Mapping[OutflowScheme, Scheme]:
    """Read the schemes of a file: one of each name.

    Raises `ValueError` for an unknown word, for a reason in two classes, and for schemes that differ in what is
    lasting: the difference between their two durable figures would be a cell that nothing protects.
    """
    content: dict[str, dict[str, Any]] = orjson.loads(text)
    schemes = {
        OutflowScheme(name): Scheme(
            name=OutflowScheme(name),
            lasting=frozenset(LeavingReason(reason) for reason in each["lasting"]),
            semi_lasting=frozenset(LeavingReason(reason) for reason in each["semiLasting"]),
        )
        for name, each in content.items()
    }
    if set(schemes) != set(OutflowScheme):
        raise ValueError("one scheme of each name is needed")
    if any(scheme.lasting & scheme.semi_lasting for scheme in schemes.values()):
        raise ValueError("a reason has one class in a scheme")
    if len({scheme.lasting for scheme in schemes.values()}) > 1:
        raise ValueError("what is lasting is the same in all schemes")
    return schemes


SCHEMES: Final = read(resources.files("api.statistics").joinpath(_FILE).read_bytes())
