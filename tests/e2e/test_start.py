"""What is unsafe does not start, and says every reason at once; what has a database of its own looks at no other."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from importlib import metadata
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import asyncpg
import pytest

from api.crypto import keyfile
from tests import live
from tests.audit_kit import ORIGIN
from tests.audit_store import append, settle

if TYPE_CHECKING:
    from pathlib import Path

    from tests import servers

UNSAFE: Final = "http://ketenbrug.example.org"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A key file that is as it must be."""
    keyfile.create(tmp_path / "keys")
    return tmp_path / "keys"


def refused(*words: str, **settings: object) -> list[str]:
    """The sentences with which a command refuses to start. It never shows a secret, nor where in the code it was."""
    ended = live.command(*words, **settings)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    for name in ("database_url", "work_database_url"):
        if password := urlsplit(str(settings.get(name, ""))).password:
            assert password not in ended.stderr
    lines = ended.stderr.splitlines()
    assert all(line.startswith("- ") for line in lines), ended.stderr
    return lines


def test_every_fault_is_told_at_once(empty_database: servers.Database, tmp_path: Path) -> None:
    """Plain HTTP on a real host, no key file, no tables, and nothing said of the worker beside it."""
    found = refused("serve", database_url=empty_database.app_url, public_url=UNSAFE, key_file=tmp_path / "absent")

    assert len(found) == 4
    assert "http is for loopback only" in found[0]
    assert "does not exist" in found[1]
    assert "run `ketenbrug migrate`" in found[2]
    assert "KETENBRUG_WORK_DATABASE_URL" in found[3]


def test_keys_open_to_others_and_a_role_that_could_rewrite_the_log(database: servers.Database, keys: Path) -> None:
    """The owner of the tables may not serve: it could change what was logged."""
    keys.chmod(0o644)

    found = refused(
        "serve", "--no-work", database_url=database.owner_url, public_url="https://ketenbrug.example.org", key_file=keys
    )

    assert len(found) >= 2
    assert str(keys) in found[0]
    assert "this role owns the tables" in found[1]


@pytest.mark.parametrize(
    ("command", "needed"),
    [
        (("serve", "--no-work"), ["DATABASE_URL", "PUBLIC_URL"]),
        (("serve",), ["DATABASE_URL", "PUBLIC_URL", "WORK_DATABASE_URL"]),
        (("work",), ["PUBLIC_URL", "WORK_DATABASE_URL"]),
    ],
)
def test_without_any_setting_it_names_those_that_it_needs(command: tuple[str, ...], needed: list[str]) -> None:
    assert sorted(line.split(":")[0] for line in refused(*command)) == [f"- KETENBRUG_{each}" for each in needed]


def test_nobody_writes_the_log_by_the_role_of_another(database: servers.Database, keys: Path) -> None:
    """Each process has its own way into the database, takes none in its place, and says which statement makes it."""
    safe = {"public_url": "https://ketenbrug.example", "key_file": keys}
    ways = {"database_url": database.app_url, "work_database_url": database.work_url}
    for command in ("serve", "work"):
        (said,) = refused(command, database_url=database.app_url, **safe)
        assert said.startswith("- KETENBRUG_WORK_DATABASE_URL: ")
        assert "CREATE ROLE ketenbrug_work LOGIN IN ROLE ketenbrug_app" in said
        (said,) = refused(command, **ways | {"work_database_url": database.app_url}, **safe)
        assert "KETENBRUG_WORK_DATABASE_URL: this role may not write the log" in said
    (said,) = refused("serve", **ways | {"database_url": database.work_url}, **safe)
    assert "KETENBRUG_DATABASE_URL: this role could write the log" in said
    both = refused("serve", database_url=database.owner_url, work_database_url=database.owner_url, **safe)
    assert [said.split(": ", 1)[1].split(";")[0] for said in both] == [
        "this role owns the tables",
        "this role could rewrite the audit log",
    ] * 2


def test_a_machine_that_only_serves_cannot_sign_the_log(database: servers.Database, keys: Path, tmp_path: Path) -> None:
    """Its copy of the key file has nothing to sign with: whoever means to work there is told before it starts."""
    copy = tmp_path / "serving"
    assert live.command("keys", "for-serving", str(copy), key_file=keys).returncode == 0
    assert "a key file is never overwritten" in live.command("keys", "for-serving", str(copy), key_file=keys).stderr
    assert live.command("keys", "check", key_file=copy).returncode == 0
    ways = {"database_url": database.app_url, "work_database_url": database.work_url}
    for command in ("serve", "work"):
        (said,) = refused(command, **ways, public_url="https://ketenbrug.example", key_file=copy)
        assert "has no keys that sign the log: `ketenbrug serve --no-work` alone starts with it" in said


def test_a_database_that_does_not_answer_is_told_without_its_password(keys: Path) -> None:
    found = refused(
        "work", work_database_url=live.PRODUCTION, public_url="https://ketenbrug.example.org", key_file=keys
    )

    assert len(found) == 1
    assert "does not answer" in found[0]


def test_a_machine_whose_guard_is_not_the_logs_does_not_start_to_sign(
    database: servers.Database, keys: Path, tmp_path: Path
) -> None:
    """A second host, or one that lost its guard: it is told before it serves. Adopting makes a new guard, once."""

    async def log() -> None:
        connection = await asyncpg.connect(database.work_url)
        await append(connection, 3)
        await settle(connection)
        await connection.close()

    asyncio.run(log())
    settings = {"public_url": "https://ketenbrug.example", "log_origin": ORIGIN, "log_guard": tmp_path / "guard"}
    (said,) = refused("work", work_database_url=database.work_url, key_file=keys, **settings)
    assert "guard-missing" in said
    assert "ketenbrug audit adopt" in said

    adopted = live.command("audit", "adopt", database_url=database.owner_url, **settings)
    assert "Generation 2 of ketenbrug.example/log begins after entry 3." in adopted.stdout, adopted.stderr
    assert (tmp_path / "guard").read_text().startswith(f"{ORIGIN}\n3\n")
    again = live.command("audit", "adopt", database_url=database.owner_url, **settings)
    assert again.returncode == 1
    assert "nothing-to-adopt" in again.stderr
    (said,) = refused("work", work_database_url=database.work_url, key_file=keys, **settings)
    assert "guard-of-another-key" in said, "it was signed by the key of the tests"


def test_witnesses_that_cannot_be_read_are_told_before_anything_starts(
    database: servers.Database, keys: Path, tmp_path: Path
) -> None:
    settings = {"public_url": "https://ketenbrug.example", "log_guard": tmp_path / "guard", "key_file": keys}
    absent = refused("work", work_database_url=database.work_url, log_witnesses=tmp_path / "absent", **settings)
    (tmp_path / "policy").write_text("quorum nobody\n")
    wrong = refused("work", work_database_url=database.work_url, log_witnesses=tmp_path / "policy", **settings)
    assert [len(absent), len(wrong)] == [1, 1]
    assert "KETENBRUG_LOG_WITNESSES" in absent[0]
    assert "line 1: is not a line of a policy" in wrong[0]


def test_a_library_that_publishing_needs_is_told_before_anything_starts(
    database: servers.Database, keys: Path, tmp_path: Path
) -> None:
    (tmp_path / "botocore.py").write_text("raise ModuleNotFoundError")
    settings = {"public_url": "https://ketenbrug.example", "log_guard": tmp_path / "guard", "key_file": keys}
    bucket = {"log_bucket_url": "https://log.s3.example", "PYTHONPATH": tmp_path}
    (said,) = refused("work", work_database_url=database.work_url, **settings, **bucket)
    assert "KETENBRUG_LOG_BUCKET_URL: needs a library: install ketenbrug[s3]" in said


def test_tests_forget_every_setting_of_the_service() -> None:
    """The sandbox and the demo forget them too: see their tests."""
    program = (
        "import os; from tests import conftest; conftest.forget_settings(); "
        "print([name for name in os.environ if name.startswith('KETENBRUG_')])"
    )
    ended = subprocess.run(  # noqa: S603 - our own words
        (sys.executable, "-c", program),
        env=live.environment(database_url=live.PRODUCTION, key_file="/production/keys", public_url=UNSAFE),
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == "[]\n"


def test_a_folder_that_cannot_be_made_is_named_in_one_line() -> None:
    ended = live.command("sandbox", "--dir", "/proc/nowhere")
    assert (ended.returncode, ended.stderr) == (1, "No such file or directory: /proc/nowhere\n")


def test_it_says_which_release_it_is() -> None:
    ended = live.command("--version")
    assert (ended.returncode, ended.stdout) == (0, f"ketenbrug {metadata.version('ketenbrug')}\n")
