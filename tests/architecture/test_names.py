"""The project stands on its own: it names no folder of the machine on which it was made."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
MACHINE: Final = re.compile(rb"/(?:work/(?:main|shared)|tmp/(?:plan|boot|issues))\b|/(?:home|Users)/[a-z]")
TEXTLESS: Final = frozenset({".js", ".png", ".svg", ".lock"})


def files() -> list[Path]:
    """What belongs to the repository: tracked files, and new ones that are not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - git, as found
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    paths = (ROOT / name.decode() for name in listed.stdout.split(b"\0") if name)
    return [path for path in paths if path.is_file() and path.suffix not in TEXTLESS and path != Path(__file__)]


def test_no_file_names_the_machine_it_was_made_on() -> None:
    named = [
        f"{path.relative_to(ROOT)}:{number}: {line.decode(errors='replace').strip()}"
        for path in files()
        for number, line in enumerate(path.read_bytes().splitlines(), 1)
        if MACHINE.search(line)
    ]

    assert not named, "\n".join(named)
