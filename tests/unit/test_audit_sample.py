"""One entry in a hundred: drawn by the head alone, the same by server and verifier, and none left out unseen."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING

import pytest

from api.audit import sample
from clients import verifier
from tests.audit_kit import Log, leaves, lightened, retention

if TYPE_CHECKING:
    from pathlib import Path

ROOT = hashlib.sha256(b"some root").digest()


def test_the_same_head_draws_the_same_and_another_others() -> None:
    """Golden: an auditor of next year draws what one of this year drew."""
    drawn = sample.drawn(ROOT, 0, 1_000)
    assert drawn == [114, 230, 247, 478, 548, 659, 682, 729, 741, 798, 876, 977]
    assert sample.drawn(ROOT, 258, 600) == [each for each in drawn if 258 <= each < 600]
    assert sample.drawn(bytes(32), 0, 1_000) != drawn


def test_it_is_about_a_hundredth() -> None:
    assert 900 < len(sample.drawn(ROOT, 0, 100_000)) < 1_100


def test_the_verifier_draws_the_same_by_code_of_its_own() -> None:
    head = verifier.Checkpoint("x", 20_000, ROOT)
    assert list(verifier.sampled(head, 300)) == sample.drawn(ROOT, 300, 20_000)


@pytest.mark.parametrize("kept", ["the proofs", "the log from 256 on"])
def test_a_sample_is_checked_to_be_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str], kept: str) -> None:
    """In a bundle, and in an export of a log of which some is past its term: what it said may come from an archive."""
    log = Log([*leaves(700), retention(256)])
    drawn = sample.drawn(log.head().root, 0, 701)
    if kept != "the proofs":
        drawn = [each for each in drawn if each < 256]
    for number, proven in enumerate((drawn, drawn[1:], drawn[:-1])):
        directory = log.export(tmp_path / str(number), proven=proven)
        if kept == "the proofs":
            shutil.rmtree(directory / "tile")
        else:
            lightened(directory, 256)
            assert verifier.main([str(directory), "--sample", "256"]) == 0
        assert verifier.main([str(directory), "--sample", "0"]) == (number > 0)
        told = capsys.readouterr()
        if number:
            missing = drawn[0] if number == 1 else drawn[-1]
            assert f"entry {missing} is of the sample" in told.err
        else:
            assert "draws for the sample, from 0 on, is here" in told.out


@pytest.mark.parametrize("first", ["-1", "some", "1" * 19])
def test_a_sample_begins_at_an_entry(tmp_path: Path, capsys: pytest.CaptureFixture[str], first: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        verifier.main([str(tmp_path), "--sample", first])
    assert "argument --sample: is not the index of an entry" in capsys.readouterr().err
