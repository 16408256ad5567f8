"""What is too long to be read in one go is cut, or says here why not. The lists only shrink."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from tests.architecture import reading
from tests.architecture.reading import Module

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MODULE_LINES: Final = 300
FUNCTION_LINES: Final = 45


class Known(NamedTuple):
    """A length that is over the budget, as it is now, and the reason."""

    lines: int
    because: str


MODULES: Final[Mapping[str, Known]] = {
    "api/problems.py": Known(496, "the one table from reasons to answers: two tables would have to agree"),
    "api/vocabulary.py": Known(637, "the one place where a word is born; lists without branches"),
    "clients/verifier.py": Known(840, "one file that an auditor can carry away on a stick, and that shares nothing"),
}
FUNCTIONS: Final[Mapping[str, Known]] = {}


def measured() -> tuple[Module, ...]:
    """Every module but the migrations, which Alembic draws."""
    return tuple(each for each in reading.modules() if not each.path.startswith("api/storage/migrations/versions/"))


def lengths_of_modules(modules: Iterable[Module]) -> dict[str, int]:
    """Lines of each module."""
    return {each.path: len(each.source.splitlines()) for each in modules}


def lengths_of_functions(modules: Iterable[Module]) -> dict[str, int]:
    """Lines of each function, its docstring and what it holds included, decorators not."""
    return {
        f"{module.path}:{function.name}": (function.end_lineno or 0) - function.lineno + 1
        for module in modules
        for function in module.functions()
    }


def overruns(lengths: Mapping[str, int], most: int, known: Mapping[str, Known]) -> list[str]:
    """What is longer than allowed, and what the list says that is no longer so."""
    return [
        *(
            f"{place}: {lines} lines, allowed {known[place].lines if place in known else most}"
            for place, lines in lengths.items()
            if lines > (known[place].lines if place in known else most)
        ),
        *(f"{place}: within {most} lines now, take it off" for place in known if lengths.get(place, 0) <= most),
    ]


def test_modules_are_within_budget() -> None:
    found = overruns(lengths_of_modules(measured()), MODULE_LINES, MODULES)

    assert not found, "\n".join(found)


def test_functions_are_within_budget() -> None:
    found = overruns(lengths_of_functions(measured()), FUNCTION_LINES, FUNCTIONS)

    assert not found, "\n".join(found)


def test_every_exception_has_a_reason() -> None:
    assert all(each.because for each in (*MODULES.values(), *FUNCTIONS.values()))


@pytest.mark.parametrize(
    ("lines", "known", "said"),
    [
        (300, None, None),
        (301, None, "301 lines, allowed 300"),
        (350, 350, None),
        (351, 350, "351 lines, allowed 350"),
        (349, 350, None),
        (300, 350, "take it off"),
        (None, 350, "take it off"),
    ],
)
def test_the_list_only_shrinks(lines: int | None, known: int | None, said: str | None) -> None:
    lengths = {} if lines is None else lengths_of_modules([Module("api/a.py", "\n" * lines)])
    listed = {} if known is None else {"api/a.py": Known(known, "a reason")}

    found = overruns(lengths, MODULE_LINES, listed)

    assert len(found) == (said is not None)
    assert said is None or said in found[0]


def test_a_function_is_measured_with_its_body() -> None:
    module = Module("api/a.py", "@decorated\nasync def long():\n" + "    step()\n" * FUNCTION_LINES)

    assert overruns(lengths_of_functions([module]), FUNCTION_LINES, {}) == ["api/a.py:long: 46 lines, allowed 45"]
