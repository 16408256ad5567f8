"""`ketenbrug keys`, as an operator would type it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from api.cli import keys
from api.crypto import keyfile
from api.errors import Misconfigured
from api.oauth import signing

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "ketenbrug.keys"
    keyfile.create(made)
    return made


def typed(file: Path, *words: str) -> Result:
    return CliRunner().invoke(keys.app, list(words), env={"KETENBRUG_KEY_FILE": str(file)})


def done(file: Path, *words: str) -> str:
    result = typed(file, *words)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def test_a_rotation_says_which_key_signs_from_when(file: Path) -> None:
    before = file.read_bytes()
    said = done(file, "rotate-signing")
    assert str(file.with_name("ketenbrug.keys.signing")) in said
    assert file.read_bytes() == before, "a rotation does not touch the key file"
    first, second = done(file, "signing-keys").splitlines()
    assert first.startswith("active ")
    assert first.endswith("the beginning")
    assert second.startswith("next ")
    assert second.split()[1] in said


def test_a_leaked_key_is_gone_at_once(file: Path) -> None:
    said = done(file, "rotate-signing", "--compromised")
    lines = {line.split()[0]: line.split()[1] for line in done(file, "signing-keys").splitlines()}
    assert set(lines) == {"gone", "active"}
    assert lines["active"] in said


def test_a_second_rotation_waits_for_the_first(file: Path) -> None:
    done(file, "rotate-signing")
    error = typed(file, "rotate-signing", "--ahead", str(signing.AHEAD_LEAST)).exception
    assert isinstance(error, Misconfigured)


def test_a_key_is_never_used_before_others_can_have_it(file: Path) -> None:
    assert typed(file, "rotate-signing", "--ahead", str(signing.AHEAD_LEAST - 1)).exit_code == 2
