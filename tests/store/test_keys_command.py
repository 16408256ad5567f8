"""`ketenbrug keys`, as an operator would type it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson
import pytest
from typer.testing import CliRunner

from api.cli import keys
from api.crypto import keyfile
from api.errors import Misconfigured, Unavailable
from api.oauth import signing

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

    from tests import servers


class Operator:
    """Somebody at a prompt, with a key file and a database."""

    def __init__(self, file: Path, database: servers.Database) -> None:
        self.file = file
        self._database = database

    def typed(self, *words: str) -> Result:
        """Run a command."""
        given = {"KETENBRUG_KEY_FILE": str(self.file), "KETENBRUG_DATABASE_URL": self._database.owner_url}
        return CliRunner().invoke(keys.app, list(words), env=given)

    def done(self, *words: str) -> str:
        """Run a command that succeeds, and return what it printed."""
        result = self.typed(*words)
        assert result.exit_code == 0, (result.output, result.exception)
        return result.stdout

    def written(self) -> list[tuple[str, str, str | None]]:
        """Action, result and reason of every entry, oldest first."""

        async def ask() -> list[Any]:
            connection = await asyncpg.connect(self._database.owner_url)
            try:
                return await connection.fetch("SELECT leaf FROM audit.entry ORDER BY id")
            finally:
                await connection.close()

        found = [orjson.loads(row["leaf"]) for row in asyncio.run(ask())]
        assert all(each["actor"]["client"] == "local-operator" for each in found)
        return [(each["action"], each["result"], each.get("reason")) for each in found]


@pytest.fixture
def operator(tmp_path: Path, database: servers.Database) -> Operator:
    made = tmp_path / "ketenbrug.keys"
    keyfile.create(made)
    return Operator(made, database)


def test_a_rotation_says_which_key_signs_from_when(operator: Operator) -> None:
    before = operator.file.read_bytes()
    said = operator.done("rotate-signing")
    assert str(operator.file.with_name("ketenbrug.keys.signing")) in said
    assert operator.file.read_bytes() == before, "a rotation does not touch the key file"
    first, second = operator.done("signing-keys").splitlines()
    assert first.startswith("active ")
    assert "the beginning" in first
    assert second.startswith("next ")
    assert second.split()[1] in said


def test_a_leaked_key_is_gone_at_once(operator: Operator) -> None:
    said = operator.done("rotate-signing", "--compromised")
    lines = {line.split()[0]: line.split()[1] for line in operator.done("signing-keys").splitlines()}
    assert set(lines) == {"gone", "active"}
    assert lines["active"] in said


def test_a_second_rotation_waits_for_the_first(operator: Operator) -> None:
    operator.done("rotate-signing")
    error = operator.typed("rotate-signing", "--ahead", str(signing.AHEAD_LEAST)).exception
    assert isinstance(error, Misconfigured)
    assert operator.written() == [
        ("keys.rotate-signing", "permitted", None),
        ("keys.rotate-signing", "refused", "not-possible"),
    ]


def test_a_key_is_never_used_before_others_can_have_it(operator: Operator) -> None:
    assert operator.typed("rotate-signing", "--ahead", str(signing.AHEAD_LEAST - 1)).exit_code == 2


def test_a_rotation_that_cannot_be_written_down_does_not_happen(operator: Operator) -> None:
    result = CliRunner().invoke(
        keys.app,
        ["rotate-signing"],
        env={"KETENBRUG_KEY_FILE": str(operator.file), "KETENBRUG_DATABASE_URL": "postgresql://x@127.0.0.1:1/x"},
    )
    assert isinstance(result.exception, Unavailable)
    assert not operator.file.with_name("ketenbrug.keys.signing").exists()


def test_each_command_is_written_down_as_often_as_it_says(operator: Operator) -> None:
    """What takes its time has an entry when it begins and one when it has ended. What only reads the file has none."""
    current = keyfile.load(operator.file).ring.current
    operator.typed("destroy-epoch", current)
    for words in (
        ("check",),
        ("check", "--rows"),
        ("rotate-kek",),
        ("destroy-epoch", current),
        ("rotate-dek",),
        ("rotate-index",),
        ("signing-keys",),
        ("rotate-signing", "--compromised"),
    ):
        operator.done(*words)
    assert operator.written() == [
        ("keys.destroy-epoch", "refused", "epoch-current"),
        ("keys.check", "permitted", None),
        ("keys.rotate-kek", "permitted", None),
        ("keys.destroy-epoch", "permitted", None),
        ("keys.rotate-dek", "permitted", None),
        ("keys.rotate-dek", "permitted", None),
        ("keys.rotate-index", "permitted", None),
        ("keys.rotate-index", "permitted", None),
        ("keys.rotate-signing", "permitted", None),
    ]


def test_an_inbox_key_is_made_known_and_replaced(operator: Operator) -> None:
    said = operator.done("rotate-inbox", "--ahead", "0")
    assert str(operator.file.with_name("ketenbrug.keys.inbox")) in said
    operator.done("rotate-inbox", "--kind", "RSA-OAEP")
    assert isinstance(operator.typed("rotate-inbox", "--kind", "RSA-OAEP", "--ahead", "0").exception, Misconfigured)
    first, second = (line.split() for line in operator.done("inbox-keys").splitlines())
    assert (first[:2], second[:2]) == (["active", "ECDH-X25519"], ["next", "RSA-OAEP"])
    assert first[2] in said
    operator.done("check")
    file = operator.file.with_name("ketenbrug.keys.inbox")
    file.chmod(0o440)
    assert isinstance(operator.typed("check").exception, Misconfigured), "a service would not start"
    file.chmod(0o400)
    operator.done("rotate-inbox", "--compromised")
    assert first[2] not in operator.done("inbox-keys")
    assert operator.written() == [
        ("keys.rotate-inbox", "permitted", None),
        ("keys.rotate-inbox", "permitted", None),
        ("keys.rotate-inbox", "refused", "not-possible"),
        ("keys.rotate-inbox", "permitted", None),
    ]
