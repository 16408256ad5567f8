"""GDB's `gcore`, in the hands of the same user, of a process that holds keys; and in the hands of root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.live import environment

if TYPE_CHECKING:
    from collections.abc import Generator

GCORE: Final = shutil.which("gcore")
NOBODY: Final = 65534
HOLD: Final = """
import ctypes, os, sys
from api.crypto import memory
from api.crypto.wrappers import FileWrapper
os.setuid(int(sys.argv[2]))
assert ctypes.CDLL(None).prctl(4, 1, 0, 0, 0) == 0  # what changed its user is not dumpable: as if it had not
if sys.argv[1] == "kept":
    memory.keep()
key, mask = os.urandom(32), os.urandom(32)
wrapper = FileWrapper("k", key)
print(mask.hex(), bytes(one ^ other for one, other in zip(key, mask)).hex(), flush=True)
input()
"""

pytestmark = pytest.mark.skipif(GCORE is None, reason="needs gdb")


def user() -> int:
    """Who runs the process: one who is not root, where we are."""
    return NOBODY if os.getuid() == 0 else os.getuid()


@contextmanager
def holding(how: str) -> Generator[tuple[int, bytes]]:
    """A process of that user with a key-encryption key in it: its id, and the key."""
    words = (sys.executable, "-c", HOLD, how, str(user()))
    with subprocess.Popen(  # noqa: S603 - our own words
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        mask, masked = (bytes.fromhex(part) for part in child.stdout.readline().split())
        yield child.pid, bytes(one ^ other for one, other in zip(mask, masked, strict=True))
        child.stdin.write("\n")


def core(of: int, by: int) -> bytes | None:
    """The core that `gcore` makes of a process in the hands of a user; None when it makes none."""
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder)
        at.chmod(0o777)
        words = (str(GCORE), "-o", str(at / "core"), str(of))
        subprocess.run(words, user=by, cwd=at, capture_output=True, check=False, timeout=120)  # noqa: S603 - our own words
        made = list(at.iterdir())
        return made[0].read_bytes() if made else None


def test_the_same_user_makes_no_core_of_a_process_that_holds_keys() -> None:
    """Without our `prctl` it does, and the key is in it: the control."""
    with holding("open") as (pid, key):
        control = core(pid, user())
    if control is None:
        pytest.skip("here no user may trace even an open process of their own")
    assert key in control
    with holding("kept") as (pid, key):
        assert core(pid, user()) is None


@pytest.mark.skipif(os.getuid() != 0, reason="needs root")
def test_root_reads_the_key_encryption_key_all_the_same() -> None:
    """As the pages on keys and threats say: who is root on the machine is its operator."""
    with holding("kept") as (pid, key):
        made = core(pid, 0)
    assert made is not None
    assert key in made
