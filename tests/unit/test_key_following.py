"""A process that runs follows the key file; one that is damaged or gone for a moment changes nothing for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.crypto import keyfile
from api.crypto.wrappers import FileWrapper
from api.custody.filed import FileCustodian, FiledIndex
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


def test_while_one_key_of_the_index_is_replaced_no_other_begins(file: Path) -> None:
    assert [keyfile.renew_index(file), keyfile.renew_index(file)] == [2, 2]
    keyfile.forget_index(file, 2)
    assert keyfile.renew_index(file) == 3


def test_who_ends_an_older_rotation_leaves_the_former_key_of_the_next(file: Path) -> None:
    index = FiledIndex(file)
    first = index.renew()
    index.finish(first)
    second = index.renew()
    index.finish(first)
    assert sorted(keyfile.load(file).blind_index) == [first, second]
    index.finish(second)
    assert sorted(keyfile.load(file).blind_index) == [second]


def test_who_holds_the_file_shows_where_it_is_and_no_key(file: Path) -> None:
    assert repr(FiledIndex(file)) == f"<FiledIndex {file}>"
    assert repr(FileCustodian(file)) == f"<FileCustodian {file}>"
