"""Addresses of published files: exactly as C2SP tlog-tiles writes them, or none."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.audit import tiles, tree
from api.audit.tiles import At
from api.edge.narrow import Narrow
from api.errors import Overloaded


@given(
    st.one_of(st.just("entries"), st.integers(0, 63).map(str)),
    st.integers(0, 2**54),
    st.integers(1, 256),
)
def test_an_address_that_is_written_is_read(level: str, n: int, width: int) -> None:
    place = tree.path(level, n, width).removeprefix(f"tile/{level}/")
    assert tiles.read(level, place) == At(None if level == "entries" else int(level), n, width)


@pytest.mark.parametrize(
    ("level", "place", "at"),
    [
        ("0", "x001/x234/067", At(0, 1_234_067, 256)),
        ("1", "000.p/70", At(1, 0, 70)),
        ("entries", "999", At(None, 999, 256)),
        ("63", "000", At(63, 0, 256)),
    ],
)
def test_the_examples_of_the_specification(level: str, place: str, at: At) -> None:
    assert tiles.read(level, place) == at


@pytest.mark.parametrize(
    ("level", "place"),
    [
        ("00", "000"),
        ("64", "000"),
        ("-1", "000"),
        ("data", "000"),
        ("0", ""),
        ("0", "0"),
        ("0", "0000"),
        ("0", "x000/001"),
        ("0", "001/234"),
        ("0", "x001/x234"),
        ("0", "000.p/0"),
        ("0", "000.p/256"),
        ("0", "000.p/257"),
        ("0", "000.p/07"),
        ("0", "000/"),
        ("0", "\u0660\u0660\u0660"),
        ("0", "x999/x999/x999/x999/x999/999"),
    ],
)
def test_any_other_address_is_none(level: str, place: str) -> None:
    assert tiles.read(level, place) is None


async def test_few_pass_at_once_and_few_may_wait() -> None:
    narrow, free, inside = Narrow(1, 1), asyncio.Event(), asyncio.Event()

    async def through() -> None:
        async with narrow.passed():
            inside.set()
            await free.wait()

    first, second = asyncio.create_task(through()), asyncio.create_task(through())
    await inside.wait()
    with pytest.raises(Overloaded):
        await through()
    free.set()
    await asyncio.gather(first, second)
    await through()
