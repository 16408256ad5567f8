"""`ketenbrug demo`: the whole story over real HTTP, and nothing is left of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests import live

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

STORY = [
    "case-opened",
    "nothing-without-consent",
    "consents-recorded",
    "admission-decided",
    "dossier-requested",
    "dossier-delivered",
    "dossier-pulled",
    "outsiders-see-nothing",
    "outcome-shared",
    "advice-received",
    "feed-read",
    "consent-withdrawn",
    "next-pull-refused",
    "receipt-redeemed",
    "log-proven",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the demo keeps what it needs for a while."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def played(folder: Path) -> subprocess.CompletedProcess[str]:
    return live.command("demo", "--json", "--people", "20", database_url=live.PRODUCTION, TMPDIR=folder)


@pytest.fixture(scope="module")
def told(played: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    last: dict[str, Any] = json.loads(played.stdout.splitlines()[-1])
    return last


def test_every_step_holds(played: subprocess.CompletedProcess[str], told: dict[str, Any]) -> None:
    assert played.returncode == 0, played.stderr
    assert set(told) == {"ok", "steps", "audit"}
    assert told["ok"] is True
    assert [step["name"] for step in told["steps"]] == STORY
    assert all(set(step) == {"name", "ok", "ms"} and step["ok"] is True and step["ms"] > 0 for step in told["steps"])


def test_the_log_of_it_is_verified(told: dict[str, Any]) -> None:
    assert set(told["audit"]) == {"size", "root", "verified"}
    assert told["audit"]["verified"] is True
    assert told["audit"]["size"] > len(STORY)
    assert len(bytes.fromhex(told["audit"]["root"])) == 32


def test_the_narration_is_for_the_eye_and_stays_out_of_the_way(played: subprocess.CompletedProcess[str]) -> None:
    assert len(played.stdout.splitlines()) == 1
    assert "The person takes the consent back." in played.stderr


def test_nothing_is_left_of_it(played: subprocess.CompletedProcess[str], folder: Path) -> None:
    """No process, no file, no word of a database that is not its own."""
    assert live.family(folder) == []
    assert list(folder.iterdir()) == []
    assert "production" not in played.stdout + played.stderr
