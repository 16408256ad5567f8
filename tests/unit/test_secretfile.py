"""Files of secrets: whoever could read one can read its successor, and of two changes at once none is lost."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import pytest

from api.crypto import keyfile, secretfile
from api.errors import Misconfigured
from api.oauth import signing

if TYPE_CHECKING:
    from collections.abc import Generator

NOBODY: Final = 65_534
STRANGER: Final = 54_321
NOW: Final = datetime(2026, 11, 25, tzinfo=UTC)
AS_ROOT: Final = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A key file."""
    keyfile.create(tmp_path / "keys")
    return tmp_path / "keys"


@contextmanager
def somebody() -> Generator[None]:
    """Be a user who may give nothing away, if we are root."""
    us = os.geteuid()
    if us == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(us)


def owner(path: Path) -> tuple[int, int]:
    """User and group."""
    status = path.stat()
    return status.st_uid, status.st_gid


@AS_ROOT
def test_a_change_by_root_leaves_the_files_to_the_service(path: Path) -> None:
    """Else it would go on with the old keys, in silence, while everything is wrapped under a key it cannot read."""
    os.chown(path, NOBODY, STRANGER)
    keyfile.renew_kek(path, keyfile.load(path).ring.current)
    keyfile.renew_index(path, 2)
    later = path.with_name("keys.signing")
    for _ in range(2):
        signing.rotate(keyfile.load(path).token, later, NOW, compromised=True, like=path)
    locks = [path.with_name("keys.lock"), path.with_name("keys.signing.lock")]
    assert [owner(each) for each in (path, later, *locks)] == [(NOBODY, STRANGER)] * 4
    assert path.stat().st_mode & 0o777 == 0o400


def test_a_file_that_cannot_be_left_to_its_owner_is_not_changed() -> None:
    """It says whose it must be, and nothing of the attempt stays."""
    with somebody(), TemporaryDirectory() as folder:
        with pytest.raises(Misconfigured, match="cannot be given to 0:0"):
            secretfile.replace(Path(folder) / "keys", {}, lambda fresh: fresh, like=Path("/"))
        assert list(Path(folder).iterdir()) == []


def test_what_is_found_to_be_bad_does_not_take_the_place(path: Path) -> None:
    before = path.read_bytes()
    with secretfile.alone(path), pytest.raises(Misconfigured, match="damaged"):
        secretfile.replace(path, {}, keyfile.load)
    assert path.read_bytes() == before
    assert {each.name for each in path.parent.iterdir()} == {"keys", "keys.lock"}


def test_what_a_killed_command_left_is_not_in_the_way(path: Path) -> None:
    path.with_name("keys.new").write_text("half of")
    keyfile.renew_index(path, 2)
    assert not path.with_name("keys.new").exists()


def test_of_changes_at_once_none_is_lost(path: Path) -> None:
    """What a command returned as made is in the file: else what was sealed under it would be lost for ever."""
    first, later = keyfile.load(path), path.with_name("keys.signing")
    with ThreadPoolExecutor(8) as pool:
        signs = [pool.submit(signing.rotate, first.token, later, NOW, compromised=True) for _ in range(8)]
        index = pool.submit(keyfile.renew_index, path, 2)
        keks = [pool.submit(keyfile.renew_kek, path, first.ring.current) for _ in range(4)]
    made = {each.result() for each in keks}
    after = keyfile.load(path)
    assert made == {after.ring.current}, "two rotations at once are one"
    assert after.ring.keks.keys() == made | {first.ring.current}
    index.result()
    assert max(after.blind_index) == 2
    kids = {key.kid for key in signing.read(first.token, later).keys}
    assert kids >= {each.result().kid for each in signs}


def test_a_lock_that_cannot_be_opened_says_who_may(path: Path) -> None:
    path.with_name("keys.lock").symlink_to(path)
    with pytest.raises(Misconfigured, match="as root, or as the user whose file it is"):
        keyfile.renew_index(path, 2)
