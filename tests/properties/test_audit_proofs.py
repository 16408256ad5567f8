"""Proofs: what is true can be proven at every size, and nothing that is false can be."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.audit import tree
from clients import verifier
from tests.audit_kit import ORIGIN, Log, grown, leaves
from tests.rfc6962 import mth, path, subproof

LARGEST = 1100


@cache
def whole() -> Log:
    return grown(LARGEST)


@cache
def exported() -> dict[str, bytes]:
    """An export of 300 entries with everything that an export can hold, by file."""
    with tempfile.TemporaryDirectory() as folder:
        Log(leaves(300)).export(Path(folder), proven=(0, 256, 299), older=77)
        return {
            file.relative_to(folder).as_posix(): file.read_bytes() for file in Path(folder).rglob("*") if file.is_file()
        }


def checkpoint(size: int) -> verifier.Checkpoint:
    return verifier.Checkpoint(ORIGIN, size, mth(0, size))


def test_a_tree_that_grows_leaf_by_leaf_has_the_root_of_the_definition_at_every_size() -> None:
    log = Log()
    for size in range(1101):
        grown(size, log)
        assert log.edge.root() == mth(0, size)
        if size:
            assert log.prove(tree.head(size)) == [mth(0, size)]
        assert tree.Edge.of(size, {each.level: each.data for each in log.edge.partials()}) == log.edge


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537])
def test_a_third_level_begins_where_it_must(size: int) -> None:
    log = grown(size)
    assert log.edge.root() == mth(0, size)
    widths = {each.level: (each.n, each.width) for each in log.edge.partials()}
    assert widths == {65_535: {0: (255, 255), 1: (0, 255)}, 65_536: {2: (0, 1)}, 65_537: {0: (256, 1), 2: (0, 1)}}[size]
    for index in (0, 255, 256, 40_000, 65_534, size - 1):
        assert log.prove(tree.inclusion(index, size)) == path(index, 0, size)
    for first in (1, 255, 256, 257, 32_768, 65_534, size):
        assert log.prove(tree.consistency(first, size)) == subproof(first, 0, size, known=True)


def test_an_export_of_three_levels_holds(tmp_path: Path) -> None:
    directory = Log(leaves(65_537)).export(tmp_path, proven=[65_536], older=65_535)
    assert verifier.verify(directory).older == 65_535


@given(st.data())
def test_every_leaf_of_every_tree_is_provable_and_only_at_its_place(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, LARGEST))
    index, other = (data.draw(st.integers(0, size - 1)) for _ in range(2))
    proof = whole().prove(tree.inclusion(index, size))
    assert proof == path(index, 0, size)
    leaf = whole().leaves[index]
    assert verifier.included(leaf, index, checkpoint(size), proof)
    assert other == index or not verifier.included(leaf, other, checkpoint(size), proof)
    assert not verifier.included(leaf + b"?", index, checkpoint(size), proof)


@given(st.integers(0, LARGEST), st.integers(0, LARGEST))
def test_every_tree_is_provably_the_beginning_of_every_larger_one(one: int, other: int) -> None:
    first, second = sorted((one, other))
    proof = whole().prove(tree.consistency(first, second))
    assert proof == (subproof(first, 0, second, known=True) if first else [])
    assert verifier.consistent(checkpoint(first), checkpoint(second), proof)


@given(st.integers(1, LARGEST), st.integers(1, LARGEST), st.data())
def test_a_proof_with_one_bit_changed_proves_nothing(one: int, other: int, data: st.DataObject) -> None:
    first, second = sorted((one, other))
    index = data.draw(st.integers(0, second - 1))
    inclusion = whole().prove(tree.inclusion(index, second))
    consistency = whole().prove(tree.consistency(first, second))
    if inclusion:
        broken = flipped(inclusion, data)
        assert not verifier.included(whole().leaves[index], index, checkpoint(second), broken)
    if consistency:
        assert not verifier.consistent(checkpoint(first), checkpoint(second), flipped(consistency, data))


@given(st.integers(1, LARGEST), st.integers(1, LARGEST), st.lists(st.binary(min_size=32, max_size=32), max_size=12))
def test_no_made_up_proof_holds(one: int, other: int, made_up: list[bytes]) -> None:
    first, second = sorted((one, other))
    forged = verifier.Checkpoint(ORIGIN, first, bytes(32))
    assert not verifier.consistent(forged, checkpoint(second), made_up)
    assert not verifier.included(b"never logged", first - 1, checkpoint(second), made_up)


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_any_changed_byte_of_an_export_is_found(data: st.DataObject) -> None:
    """One byte of any file becomes another one: the verifier stops, and by name."""
    name = data.draw(st.sampled_from(sorted(exported())))
    content = exported()[name]
    at = data.draw(st.integers(0, len(content) - 1))
    changed = content[:at] + bytes([content[at] ^ data.draw(st.integers(1, 255))]) + content[at + 1 :]
    with tempfile.TemporaryDirectory() as folder:
        for file, kept in exported().items():
            target = Path(folder) / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(changed if file == name else kept)
        with pytest.raises(verifier.DoesNotHold):
            verifier.verify(Path(folder))


def flipped(hashes: list[bytes], data: st.DataObject) -> list[bytes]:
    place, bit = data.draw(st.integers(0, len(hashes) - 1)), data.draw(st.integers(0, 255))
    number = int.from_bytes(hashes[place], "big") ^ 1 << bit
    return [*hashes[:place], number.to_bytes(32, "big"), *hashes[place + 1 :]]
