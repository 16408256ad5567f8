"""A process beside ours: started anew when it ends, ended when we do."""

from __future__ import annotations

import sys
from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest

from api.cli import beside
from tests import live

if TYPE_CHECKING:
    from pathlib import Path


def test_what_ends_is_told_and_started_anew() -> None:
    ends: SimpleQueue[int] = SimpleQueue()
    with beside.kept((sys.executable, "-c", "exit(3)"), ends.put, pause=0.01):
        assert [ends.get(timeout=30) for _ in range(3)] == [3, 3, 3]


def test_one_that_runs_ends_with_us_and_is_not_told_nor_started_anew(tmp_path: Path) -> None:
    """Whether it waits for its input or for a signal."""
    ends: SimpleQueue[int] = SimpleQueue()
    program = "import pathlib, sys; pathlib.Path(sys.argv[1]).touch(); sys.stdin.read()"
    with beside.kept((sys.executable, "-c", program, str(tmp_path / "runs")), ends.put, pause=0):
        live.until((tmp_path / "runs").exists)
    assert ends.empty()
    assert live.family(tmp_path) == []


def test_between_two_starts_it_can_be_stopped() -> None:
    """The pause is not waited for."""
    ends: SimpleQueue[int] = SimpleQueue()
    with beside.kept((sys.executable, "-c", ""), ends.put, pause=3600):
        assert ends.get(timeout=30) == 0
    assert ends.empty()


def test_what_cannot_be_started_at_all_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), beside.kept((str(tmp_path / "absent"),), print):
        pass


def test_what_cannot_be_started_for_a_while_is_tried_again(tmp_path: Path) -> None:
    ends: SimpleQueue[int] = SimpleQueue()
    program, aside = tmp_path / "program", tmp_path / "aside"
    program.symlink_to(sys.executable)

    def ended(code: int) -> None:
        if program.is_symlink():
            program.rename(aside)
        ends.put(code)

    with beside.kept((str(program), "-c", "exit(4)"), ended, pause=0.01):
        assert ends.get(timeout=30) == 4
        aside.rename(program)
        assert ends.get(timeout=30) == 4
