"""One sandbox for all tests here: they may end it, and whoever comes next has it started again where it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import live

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def _sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[live.Sandbox]:
    made = live.Sandbox(tmp_path_factory.mktemp("e2e") / "sandbox", "--workers", "2")
    yield made
    if made.runs:
        made.end()
    live.assert_gone(made.directory)


@pytest.fixture(scope="module")
def running(_sandbox: live.Sandbox) -> live.Sandbox:
    """`ketenbrug sandbox --workers 2`, ready when a file of tests begins."""
    if not _sandbox.runs:
        _sandbox.start()
    return _sandbox


@pytest.fixture
def sandbox(_sandbox: live.Sandbox) -> live.Sandbox:
    """The same, ready when a test begins."""
    if not _sandbox.runs:
        _sandbox.start()
    return _sandbox
