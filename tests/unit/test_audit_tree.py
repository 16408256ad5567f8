"""The tree, held against RFC 6962 as it is written: a recursive definition over lists of leaves."""

from __future__ import annotations

from itertools import pairwise

import pytest

from api.audit import tree
from tests.audit_kit import Log, grown
from tests.rfc6962 import mth, path, subproof

LEAVES = tuple(
    bytes.fromhex(each)
    for each in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
)
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
"""The known answers that Certificate Transparency implementations share, for the first 0 to 8 leaves."""


@pytest.mark.parametrize("size", range(9))
def test_the_roots_are_those_that_other_implementations_compute(size: int) -> None:
    edge, _ = tree.Edge().grown(tree.leaf_hash(leaf) for leaf in LEAVES[:size])
    assert edge.root().hex() == ROOTS[size]


@pytest.mark.parametrize("step", [7, 255, 256, 257, 1100])
def test_the_size_of_the_batches_does_not_matter(step: int) -> None:
    one, other = grown(1100), Log()
    for size in range(step, 1100 + step, step):
        grown(min(size, 1100), other)
    assert (one.edge, one.tiles) == (other.edge, other.tiles)


def test_every_inclusion_proof_is_that_of_the_definition() -> None:
    log = grown(1100)
    for size in (*range(1, 40), 255, 256, 257, 1100):
        for index in range(0, size, 1 if size < 40 else 17):
            assert log.prove(tree.inclusion(index, size)) == path(index, 0, size)


def test_every_consistency_proof_is_that_of_the_definition() -> None:
    log = grown(1100)
    for second in (*range(1, 40), 255, 256, 257, 1100):
        for first in range(1, second + 1, 1 if second < 40 else 17):
            assert log.prove(tree.consistency(first, second)) == subproof(first, 0, second, known=True)
        assert tree.consistency(0, second) == ()


def test_the_tiles_of_a_tree_are_those_that_c2sp_counts() -> None:
    """The example of C2SP tlog-tiles: a tree of 70,000 leaves."""
    full = list(tree.full_tiles(70_000))
    assert full == [*(tree.TileAt(0, n) for n in range(273)), tree.TileAt(1, 0)]
    assert tree.partial_tiles(70_000) == [(0, 273, 112), (1, 1, 17), (2, 0, 1)]
    assert tree.partial_tiles(256) == [(1, 0, 1)]
    assert not tree.partial_tiles(0)
    assert not list(tree.full_tiles(0))


def test_a_tile_has_the_address_that_c2sp_gives_it() -> None:
    assert tree.path(0, 1_234_067) == "tile/0/x001/x234/067"
    assert tree.path(1, 0, 3) == "tile/1/000.p/3"
    assert tree.path("entries", 1_000) == "tile/entries/x001/000"


def test_a_proof_that_no_tree_can_have_is_refused() -> None:
    for index, size in ((0, 0), (5, 5), (-1, 5)):
        with pytest.raises(ValueError, match="no leaf"):
            tree.inclusion(index, size)
    for first, second in ((6, 5), (-1, 5)):
        with pytest.raises(ValueError, match="cannot shrink"):
            tree.consistency(first, second)


def test_an_edge_is_taken_up_only_from_the_tiles_of_its_size() -> None:
    log = grown(1100)
    partials = {each.level: each.data for each in log.edge.partials()}
    assert sorted(partials) == [0, 1]
    for wrong in ({}, {0: partials[0]}, partials | {2: partials[1]}, partials | {0: partials[0][:-32]}):
        with pytest.raises(ValueError, match="partial tiles"):
            tree.Edge.of(1100, wrong)


def test_a_missing_or_narrow_strip_is_never_passed_over() -> None:
    log = grown(300)
    plan = tree.inclusion(299, 300)
    strips = {at: log.strip(at) for at in tree.strips(plan, {})}
    for broken in ({}, {at: data for at, data in strips.items() if at.step == 0}, strips | {tree.StripAt(0, 18): b""}):
        with pytest.raises(LookupError):
            tree.hashes(plan, {}, broken)


def test_beside_a_tile_stands_what_is_over_each_sixteen_of_its_hashes() -> None:
    (tile,) = grown(40).edge.partials()
    assert (tile.width, tile.middle) == (40, mth(0, 16) + mth(16, 32))


def test_sizes_that_follow_each_other_prove_each_other() -> None:
    log = grown(600)
    for first, second in pairwise((1, 2, 3, 200, 256, 257, 512, 600)):
        assert log.prove(tree.consistency(first, second)) == subproof(first, 0, second, known=True)
