"""The sandbox's service as a process: `ketenbrug serve`, which starts its worker. It ends with us, whatever ends us."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Final, Self

from api.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

COMMAND: Final = (sys.executable, "-m", "api.cli")
"""How our processes start one another."""

_STARTING: Final = 60.0
_STOPPING: Final = 30.0
_OK: Final = 200


class Service:
    """A service that runs. Leave the context, or call `stop`, to stop it."""

    def __init__(self, environment: Mapping[str, str], issuer: str, said: Path | None = None) -> None:
        self._environment: Final = environment
        self._issuer: Final = issuer
        self._said: Final = said
        self._child: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(cls, environment: Mapping[str, str], issuer: str, said: Path | None = None) -> Self:
        """Start it, and wait until it is ready. `said`: where its output goes, else to ours. Raises `Misconfigured`."""
        service = cls(environment, issuer, said)
        service.restart()
        return service

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def runs(self) -> bool:
        """Whether its first process lives."""
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int:
        """The process id of its first process. Raises `Misconfigured` when there is none."""
        if self._child is None:
            raise Misconfigured(("The service does not run.",))
        return self._child.pid

    def restart(self) -> None:
        """Start it where it was, after `kill` or `stop`, and wait until it is ready. Raises `Misconfigured`."""
        self.stop()
        command = [*COMMAND, "serve", "--with-parent"]
        output = None if self._said is None else self._said.open("ab")
        try:
            self._child = subprocess.Popen(  # noqa: S603 - our own command
                command, stdin=subprocess.PIPE, stdout=output, stderr=output, env=self._environment
            )
        finally:
            if output is not None:
                output.close()
        try:
            self._await_ready(self._child)
        except BaseException:
            self.stop()
            raise

    def kill(self) -> None:
        """Kill its first process as a crash would, and the others end by themselves: for tests of what survives."""
        if self._child is not None:
            self._child.kill()
        self.stop()

    def stop(self) -> None:
        """Stop it, and wait. Does nothing when it is stopped already."""
        child, self._child = self._child, None
        if child is None:
            return
        child.terminate()
        try:
            child.wait(timeout=_STOPPING)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdin is not None:
            child.stdin.close()

    def _await_ready(self, child: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + _STARTING
        while time.monotonic() < until:
            if child.poll() is not None:
                raise Misconfigured(("The service did not start: see what it said.",))
            try:
                with urllib.request.urlopen(f"{self._issuer}/health/ready", timeout=2) as answer:  # noqa: S310 - loopback
                    if answer.status == _OK:
                        return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise Misconfigured((f"The service was not ready within {_STARTING:.0f} seconds.",))


def port(wanted: int) -> int:
    """A port of 127.0.0.1 that is free: the one that is wanted, or any when that is 0. Raises `Misconfigured`."""
    with socket.socket() as probe:
        # As the server does, so that connections of an earlier one that are still closing do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError as error:
            raise Misconfigured((f"Port {wanted} on 127.0.0.1 cannot be used: {error.strerror}.",)) from error
        found: int = probe.getsockname()[1]
        return found
