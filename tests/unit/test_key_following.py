"""A process that runs follows the key file; one that is damaged or gone for a moment changes nothing for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from api.crypto import keyfile
from api.crypto.wrappers import FileWrapper
from api.custody.filed import FileCustodian
from api.errors import Misconfigured

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    keyfile.create(tmp_path / "keys")
    return tmp_path / "keys"


def test_what_is_damaged_changes_nothing_and_what_is_put_right_is_followed(file: Path) -> None:
    follow, whole = keyfile.Following(file), file.read_bytes()
    assert follow() is not None
    file.chmod(0o600)
    file.write_bytes(whole[:-20])
    assert follow() is None
    file.unlink()
    assert follow() is None
    file.write_bytes(whole)
    file.chmod(0o400)
    assert follow() is not None
    assert follow() is None


def test_who_begins_with_a_damaged_file_does_not_begin(file: Path) -> None:
    file.chmod(0o600)
    file.write_text("{}")
    with pytest.raises(Misconfigured):
        keyfile.Following(file)()


def test_a_wrapper_that_never_read_a_ring_is_none() -> None:
    with pytest.raises(AssertionError):
        FileWrapper.following(lambda: None)


def test_who_is_slow_with_the_index_undoes_nothing_that_another_did(file: Path) -> None:
    """A key that was made is not made again, and one that still finds is not taken away."""
    keyfile.renew_index(file, 2)
    (made,) = [key for version, key in keyfile.load(file).blind_index.items() if version == 2]
    keyfile.renew_index(file, 2)
    keyfile.forget_index(file, 1)
    assert keyfile.load(file).blind_index[2] == made
    keyfile.forget_index(file, 2)
    keyfile.renew_index(file, 5)
    keyfile.forget_index(file, 2)
    assert sorted(keyfile.load(file).blind_index) == [2, 5]


def test_a_release_before_wrote_no_version_of_a_former_key(file: Path) -> None:
    keyfile.renew_index(file, 2)
    content = json.loads(file.read_text())
    del content["formerBlindIndexVersion"]
    file.chmod(0o600)
    file.write_text(json.dumps(content))
    assert sorted(keyfile.load(file).blind_index) == [1, 2]


def test_who_holds_the_file_shows_where_it_is_and_no_key(file: Path) -> None:
    assert repr(FileCustodian(file)) == f"<FileCustodian {file}>"
