"""The process between us and PostgreSQL. It stops the server when we are gone, however we went.

A program of its own, run by its path: it imports nothing of ours, so that it starts in a few milliseconds. Its one
argument is JSON (`Order`). It stops the server, first gently, when

1. the lifeline ends: a pipe of which we alone hold the other end, so a kill -9 of ours ends it too;
2. the process that ordered it is gone (Linux), in case a forked child of that process still holds the pipe;
3. it is told to by SIGTERM, SIGINT or SIGHUP.

When this process itself is killed, Linux sends the server SIGINT, its word for a fast shutdown. That signal is tied to
the *thread* that started the server. Here it is the only one; in our own process a worker thread's end would stop it.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE: Final = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))
"""PostgreSQL's fast shutdown, its immediate shutdown, and the end; each with the seconds it is given."""

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36


class Order(TypedDict):
    """What is run, and how.

    `lifeline` is the pipe's file descriptor. `owner` is the process that orders. `held` are file descriptors that the
    server keeps open as long as any process of it lives. `account` is its uid and gid, or null to stay who we are.
    `litter` is a folder to remove at the end, or null.
    """

    command: list[str]
    environment: dict[str, str]
    account: tuple[int, int] | None
    lifeline: int
    owner: int
    held: list[int]
    litter: str | None


def guard(order: Order) -> int:
    """Run the command until it ends or must end. Returns its exit code, negative when a signal ended it."""
    alarm, told = _alarm()
    uid, gid = order["account"] or (None, None)
    process = subprocess.Popen(  # noqa: S603 - our own words
        order["command"],
        cwd="/",
        env=order["environment"],
        user=uid,
        group=gid,
        extra_groups=None if uid is None else (),
        pass_fds=order["held"],
        preexec_fn=_tied_to(os.getpid()),  # noqa: PLW1509 - there is no other thread here
    )
    for descriptor in order["held"]:
        os.close(descriptor)
    try:
        watched = [order["lifeline"], alarm, *_watched(order["owner"])]
        while process.poll() is None:
            ready, _, _ = select.select(watched, (), ())
            if ready == [alarm]:
                os.read(alarm, 64)
            if ready != [alarm] or told():
                _stop(process)
        _bury(5.0)
        return process.returncode
    finally:
        if order["litter"]:
            shutil.rmtree(order["litter"], ignore_errors=True)


def _stop(process: subprocess.Popen[bytes]) -> None:
    for word, seconds in PATIENCE:
        process.send_signal(word)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            return


def _bury(seconds: float) -> None:
    """Wait for the server's own children, who outlive a crash of their parent for a moment and come to us (Linux)."""
    until = time.monotonic() + seconds
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < until:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.005)


def _alarm() -> tuple[int, Callable[[], bool]]:
    """Make a file descriptor that is readable after a signal, and a question: was one of them a word to stop."""
    heard: list[int] = []
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    for word in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(word, lambda number, _frame: heard.append(number))
    return reading, lambda: bool(heard)


def _watched(owner: int) -> list[int]:
    """File descriptors that are readable once the owner is gone: none where the system has no such thing."""
    if not hasattr(os, "pidfd_open"):
        return []
    try:
        return [os.pidfd_open(owner)]
    except OSError:
        # Already gone, in which case the lifeline has ended, or a kernel older than 5.3.
        return []


def _tied_to(watchdog: int) -> Callable[[], None] | None:
    """What a child of ours does just before it becomes the server: ask for SIGINT at our death."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)

    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)

    def tie() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != watchdog:
            os._exit(1)

    return tie


if __name__ == "__main__":
    sys.exit(guard(json.loads(sys.argv[1])))
