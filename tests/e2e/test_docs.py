"""Python in the documents runs as it stands, against a sandbox."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests import live

if TYPE_CHECKING:
    from tests.live import Sandbox

ROOT: Final = Path(__file__).parents[2]
BLOCKS: Final = [
    pytest.param(block, id=f"{name}-{number}")
    for name in ("README.md", "docs/sandbox.md")
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(), re.DOTALL))
]


def test_there_is_one() -> None:
    assert BLOCKS


@pytest.mark.parametrize("block", BLOCKS)
def test_it_runs_and_shows_the_sample(block: str, sandbox: Sandbox, tmp_path: Path) -> None:
    """In a folder where the sandbox is, as the documents start it."""
    (tmp_path / ".sandbox").symlink_to(sandbox.directory)
    ended = subprocess.run(  # noqa: S603 - our own words
        (sys.executable, "-c", block),
        cwd=tmp_path,
        env=live.environment() | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert len(ended.stdout.splitlines()) >= 8
    assert "identity {" in ended.stdout


def test_every_member_of_the_description_is_told(sandbox: Sandbox) -> None:
    """docs/sandbox.md names each member of sandbox.json, and none that is not there."""
    page = (ROOT / "docs/sandbox.md").read_text()
    table = page.split("## sandbox.json")[1].split("\n## ")[0]
    told = set(re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE))
    described = sandbox.description()
    expected = set(described)
    expected |= {f"clients.*.{member}" for client in described["clients"].values() for member in client}
    expected |= {f"samples.{member}" for member in described["samples"]}
    assert told == expected
