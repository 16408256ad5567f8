"""One reading of a JSON body, or none (RFC 7493, I-JSON).

What two parsers could understand differently is refused: duplicate keys, NaN and infinities, numbers beyond a double,
integers that a double does not hold exactly (section 2.2: they are written as text), NUL, lone surrogates, other
encodings than UTF-8, a byte order mark. Nesting is bounded, whatever the parser's stack.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, Final, NoReturn

from api import problems
from api.problems import Problem, Stopped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_DEPTH: Final = 32
_SUSPECT: Final = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_FORBIDDEN: Final = re.compile("[\0\ud800-\udfff]")


class _RepeatedKeyError(ValueError):
    """An object names a key twice."""


def parse(raw: bytes) -> Any:  # noqa: ANN401 - JSON is any of its values
    """The value that `raw` stands for. Raises `Stopped` with duplicate-key or malformed-json, without the input."""
    try:
        text = raw.decode("utf-8")
        value = _DECODER.decode(text)
    except _RepeatedKeyError:
        raise Stopped(Problem(problems.DUPLICATE_KEY)) from None
    except (ValueError, RecursionError):
        raise _malformed() from None
    if _too_deep(value) or (_SUSPECT.search(text) and _unfit(value)):
        raise _malformed()
    return value


def _malformed() -> Stopped:
    return Stopped(Problem(problems.MALFORMED_JSON))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _RepeatedKeyError
    return value


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("beyond a double")
    return value


def _integer(text: str) -> int:
    value = int(text)
    if abs(value) > _EXACT:
        raise ValueError("a double does not hold it exactly")
    return value


def _constant(_: str) -> NoReturn:
    raise ValueError("not a JSON number")


_EXACT: Final = 2**53
_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_number, parse_int=_integer, parse_constant=_constant
)


def _containers(values: Iterable[Any]) -> list[dict[str, Any] | list[Any]]:
    return [value for value in values if isinstance(value, (dict, list))]


def _inside(containers: list[dict[str, Any] | list[Any]]) -> Iterator[Any]:
    for whole in containers:
        yield from whole.values() if isinstance(whole, dict) else whole


def _too_deep(value: Any) -> bool:  # noqa: ANN401 - JSON
    """Level by level, so that no input can exhaust the stack and flat input costs little."""
    level = _containers([value])
    for _ in range(MAX_DEPTH):
        if not level:
            return False
        level = _containers(_inside(level))
    return bool(level)


def _unfit(value: Any) -> bool:  # noqa: ANN401 - JSON
    """Whether a string or key holds NUL or half a surrogate pair. Asked only when an escape could have made one."""
    values: list[Any] = [value]
    while values:
        containers = _containers(values)
        keys = [key for whole in containers if isinstance(whole, dict) for key in whole]
        if any(_FORBIDDEN.search(text) for text in (*keys, *values) if isinstance(text, str)):
            return True
        values = list(_inside(containers))
    return False
