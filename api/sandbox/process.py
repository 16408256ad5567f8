"""Running a program of PostgreSQL on a directory, under a watchdog, and knowing when the last of it is gone."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from api.errors import Misconfigured
from api.sandbox import binaries, watchdog

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

LEAVING: Final = 30.0
"""Seconds that the server of an earlier run may take to go."""

_OPENED: Final = Path("/proc/self/fd")
_TAIL: Final = 6


@dataclass(frozen=True, slots=True)
class Place:
    """A directory, and who runs which programs there. `open_to_all`: that account can find it by its name."""

    directory: Path
    who: binaries.Account
    programs: binaries.Binaries
    open_to_all: bool

    @classmethod
    def choose(cls, directory: Path, programs: binaries.Binaries | None) -> Self:
        """Choose who, and which programs unless they are given. Raises `Misconfigured`."""
        who = binaries.account()
        within = who.reaches(directory)
        if not within and not _OPENED.exists():
            raise Misconfigured((f"The account `{who.name}` cannot enter {directory}: take one under /var/tmp.",))
        return cls(directory, who, programs or binaries.find(binaries.candidates()), within)

    @property
    def log(self) -> Path:
        """What the programs say."""
        return self.directory / "server.log"

    def last_words(self) -> str:
        """The end of what the programs said, for an error."""
        return " / ".join(self.log.read_text(errors="replace").splitlines()[-_TAIL:])

    def own(self, what: Path | int) -> None:
        """Give a folder or an open file to the account."""
        if self.who.ids:
            os.chown(what, *self.who.ids)

    @contextlib.contextmanager
    def alone(self) -> Generator[int]:
        """Wait until no process of an earlier program lives, and hold that. What is run meanwhile holds it too."""
        lock = os.open(self.directory / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            until = time.monotonic() + LEAVING
            while not locked(lock):
                if time.monotonic() > until:
                    raise Misconfigured((f"An earlier PostgreSQL under {self.directory} does not end.",))
                time.sleep(0.02)
            yield lock
        finally:
            os.close(lock)


class Watched:
    """A program that runs. It ends with us, however we end."""

    def __init__(self, process: subprocess.Popen[bytes], lifeline: int) -> None:
        self._process: Final = process
        self._lifeline = lifeline

    def runs(self) -> bool:
        """Tell whether it does."""
        return self._process.poll() is None

    def wait(self) -> int:
        """Let it end by itself. Returns its exit code."""
        return self._process.wait()

    def stop(self) -> bool:
        """Stop it, if it runs, and wait. False when nobody saw it end, because its watchdog was killed."""
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
        return self._process.wait() >= 0


def run(
    place: Place, program: str, data: Path, words: Sequence[str], lock: int, standard_input: int = subprocess.DEVNULL
) -> Watched:
    """Run a program on `data`. The account may be unable to find that by name: it gets the folder opened, by us."""
    programs, litter = binaries.within_reach(place.programs, place.who, place.directory)
    with contextlib.ExitStack() as passed:
        folder = os.open(data, os.O_RDONLY | os.O_DIRECTORY)
        passed.callback(os.close, folder)
        reading, writing = os.pipe()
        passed.callback(os.close, reading)
        log = os.open(place.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        passed.callback(os.close, log)
        called = data if place.open_to_all else _OPENED / str(folder)
        order: watchdog.Order = {
            "command": [str(programs.folder / program), "-D", str(called), *words],
            "environment": binaries.ENVIRONMENT,
            "account": place.who.ids,
            "lifeline": reading,
            "owner": os.getpid(),
            "held": [lock, folder],
            "litter": str(litter) if litter else None,
        }
        try:
            process = subprocess.Popen(  # noqa: S603 - our own words
                (sys.executable, "-I", "-S", watchdog.__file__, json.dumps(order)),
                stdin=standard_input,
                stdout=log,
                stderr=log,
                pass_fds=(reading, lock, folder),
                start_new_session=True,
            )
        except BaseException:
            os.close(writing)
            raise
    return Watched(process, writing)


def locked(descriptor: int) -> bool:
    """Take the lock of an open file, for as long as the file is open anywhere. False when another has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
