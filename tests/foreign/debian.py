"""Programs out of packages of Debian, beside the checkout: nothing is installed, and nobody need be root."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from tests.foreign.tools import CACHE

FETCHING: Final = 300
"""Seconds."""


def unpacked(*packages: str) -> Path:
    """The folder that these packages would fill `/` with; fetched once. A package that is missing is a failure."""
    folder = CACHE / f"debian-{'-'.join(packages)}"
    if folder.is_dir():
        return folder
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        fresh, found = Path(scratch) / "root", Path(scratch) / "packages"
        found.mkdir()
        _run("apt-get", "download", "--quiet", *packages, at=found)
        for each in sorted(found.glob("*.deb")):
            _run("dpkg-deb", "--extract", str(each), str(fresh), at=found)
        if not folder.is_dir():
            fresh.rename(folder)
    return folder


def _run(program: str, *words: str, at: Path) -> None:
    path = shutil.which(program)
    assert path is not None, f"{program} is missing: these tests take a proxy out of Debian's packages"
    ended = subprocess.run((path, *words), cwd=at, capture_output=True, text=True, check=False, timeout=FETCHING)  # noqa: S603 - our own words
    assert ended.returncode == 0, f"{ended.stderr}\nWithout lists of packages: apt-get update"
