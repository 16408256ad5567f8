"""A process that runs beside ours for as long as we run: when it ends before us, however, it is started anew."""

from __future__ import annotations

import subprocess
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

PAUSE: Final = 5.0
"""Seconds between its end and its new start: one that cannot start must not keep the machine busy."""

_GRACE: Final = 20
"""Seconds that it gets to end when we do."""


@contextmanager
def kept(command: Sequence[str], ended: Callable[[int], None], pause: float = PAUSE) -> Generator[None]:
    """Keep the command running for as long as the context lasts. `ended` is told the exit code each time it ends early.

    Its input closes when we end, however we do. Raises `OSError` when it cannot be started the first time.
    """
    child = _Child(command, ended, pause)
    thread = threading.Thread(target=child.watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        child.stop()
        thread.join(_GRACE)
        if thread.is_alive():
            child.kill()
            thread.join()


class _Child:
    """One process after another. Only the thread that watches waits for them and starts the next ones."""

    def __init__(self, command: Sequence[str], ended: Callable[[int], None], pause: float) -> None:
        self._command = command
        self._ended = ended
        self._pause = pause
        self._over = threading.Event()
        self._starting = threading.Lock()
        self._process = self._start()

    def watch(self) -> None:
        """Wait for its end and start it again, until it is stopped."""
        while True:
            with self._process:
                code = self._process.wait()
            if self._over.is_set():
                return
            self._ended(code)
            if not self._again():
                return

    def stop(self) -> None:
        """Ask it to end, and start it no more."""
        with self._starting:
            self._over.set()
            self._process.terminate()

    def kill(self) -> None:
        """End one that does not do as it is asked."""
        self._process.kill()

    def _again(self) -> bool:
        """After the pause, start it; for as long as the machine has no room for it, pause again. False: it is over."""
        while not self._over.wait(self._pause):
            with self._starting:
                if self._over.is_set():
                    return False
                try:
                    self._process = self._start()
                except OSError:
                    continue
                return True
        return False

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, stdin=subprocess.PIPE)  # noqa: S603 - our own words
