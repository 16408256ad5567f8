"""What is left of a key in memory, seen from outside the process, and what leaves it when it crashes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from tests.live import environment

ONLY_LINUX: Final = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

HOLD: Final = """
import asyncio, gc, os, uuid
from api.crypto.vault import Vault
from api.crypto.wrappers import FileWrapper

def stage(said):
    print(said, flush=True)
    input()

async def main():
    wrapper, who = FileWrapper("k", bytes(range(32))), uuid.uuid4()
    key, mask = bytearray(os.urandom(32)), os.urandom(32)
    row = await wrapper.wrap(who, 1, key)
    masked = bytes(k ^ m for k, m in zip(key, mask))
    key[:] = bytes(32)
    stage(mask.hex() + " " + masked.hex())
    (plain,) = await wrapper.unwrap([row])
    stage("unwrapped")
    plain[:] = bytes(32)
    vault = Vault(wrapper)
    await vault.take([row])
    stage("held")
    del vault
    gc.collect()
    stage("dropped")

asyncio.run(main())
"""
KEEP: Final = """
import resource
from api.crypto import memory
memory.keep()
print(resource.getrlimit(resource.RLIMIT_CORE), open("/proc/self/status").read().count("CoreDumping:\\t0"))
import ctypes
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""


def run(script: str) -> str:
    """What a process of its own prints."""
    return subprocess.run(  # noqa: S603 - our own words
        (sys.executable, "-c", script), capture_output=True, text=True, check=True, timeout=60
    ).stdout


def copies(pid: int, key: bytes) -> int:
    """How often a key stands in the memory of a process of ours."""
    found = 0
    with Path(f"/proc/{pid}/maps").open() as maps, Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            start, stop = (int(part, 16) for part in span.split("-"))
            if rights.startswith("rw"):
                memory.seek(start)
                with suppress(OSError):
                    found += memory.read(stop - start).count(key)
    return found


@ONLY_LINUX
def test_of_a_key_nothing_is_left_once_its_vault_is_dropped() -> None:
    """The buffer is overwritten when the ciphers are made; what those hold is cleared when they go."""
    found: list[int] = []
    with subprocess.Popen(  # noqa: S603 - our own words
        (sys.executable, "-c", HOLD), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        mask, masked = (bytes.fromhex(part) for part in child.stdout.readline().split())
        key = bytes(one ^ other for one, other in zip(mask, masked, strict=True))
        for _ in range(4):
            found.append(copies(child.pid, key))
            child.stdin.write("\n")
            child.stdin.flush()
            child.stdout.readline()
    before, unwrapped, held, dropped = found
    assert before == 0
    assert unwrapped >= 1, "the search finds a key that is there"
    assert held <= 2, "of a key in use only what the library holds"
    assert dropped == 0


@ONLY_LINUX
def test_a_process_that_holds_keys_leaves_no_core_dump() -> None:
    """The limit is zero, and the process is not dumpable."""
    said = run(KEEP).splitlines()
    assert said[0].startswith("(0, 0)")
    assert said[1] == "0"


@ONLY_LINUX
def test_a_process_that_holds_keys_and_crashes_leaves_no_core(tmp_path: Path) -> None:
    """The kernel's own word (`WCOREDUMP`), wherever it would have put the core, from a parent that allows any size."""

    def dumped(first: str) -> bool:
        script = f"from api.crypto import memory\n{first}\nimport os; os.abort()"
        unlimited = "import os, resource as r, sys; r.setrlimit(r.RLIMIT_CORE, (r.getrlimit(r.RLIMIT_CORE)[1],) * 2);"
        words = (sys.executable, "-c", f"{unlimited} os.execv(sys.executable, [sys.executable, '-c', sys.argv[1]])")
        with subprocess.Popen((*words, script), cwd=tmp_path, env=environment()) as child:  # noqa: S603 - our own words
            _, status = os.waitpid(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == -signal.SIGABRT
        return os.WCOREDUMP(status)

    assert not dumped("memory.keep()")
    assert list(tmp_path.iterdir()) == []
    if not dumped(""):
        pytest.skip("this machine makes no core of anybody, so that ours proves nothing")


@ONLY_LINUX
@pytest.mark.parametrize(
    "command",
    [
        "from api.cli.keys import app; app(['signing-keys'])",
        "from api.cli.work import work; work()",
        "from api.cli.serve import serve; serve()",
        "import uuid; from api.cli.erase_person import erase_person; erase_person(uuid.uuid4(), 'objection')",
    ],
)
def test_every_command_that_reads_the_key_file_keeps_it_out_of_files(command: str, tmp_path: Path) -> None:
    """Whatever else it finds: here no key file and no database."""
    given = {"KETENBRUG_KEY_FILE": str(tmp_path / "none"), "KETENBRUG_DATABASE_URL": "postgresql://x@127.0.0.1:1/x"}
    script = f"import os; os.environ.update({given}); from contextlib import suppress\n"
    script += f"with suppress(Exception):\n    {command}\n"
    script += "import ctypes, resource\n"
    script += "print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    assert run(script).splitlines()[-1] == "(0, 0) 0"
