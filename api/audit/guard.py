"""The signer guard: the head that was signed last, kept where no backup of the database reaches it.

What holds:

- **A head is kept here before it stands anywhere else.** Whoever crashed in between left a guard that is one batch
  ahead; the entries of the batch are committed, so that the next leader puts them in again and gets the same root.
- **Nothing is signed that does not extend it.** A database that was restored, wiped or forked does not: the log stops
  instead of signing a second history (C2SP tlog-checkpoint: a log never signs two heads that are inconsistent).
- **A guard is moved by who knows what it holds**, in one step. Of two leaders at once one fails, and looks again.

A file is a guard for one machine. On several, each would have its own: a guard that is behind the log refuses, which is
how a second machine is found out. `api.audit.bucket` is the guard that several machines share. Another place that can
swap in one step is another `Guard`.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from api.errors import LogStopped, Misconfigured

if TYPE_CHECKING:
    from collections.abc import Generator


class Guard(Protocol):
    """Where the last signed head is kept, as the note that was signed."""

    async def last(self) -> str | None:
        """The note; None when no head was ever kept."""
        ...

    async def advance(self, before: str | None, after: str) -> None:
        """Keep `after`, if `before` is what is kept now. Durable when it returns. Raises `LogStopped`."""
        ...


@dataclass(frozen=True, slots=True)
class FileGuard:
    """A file, and beside it `.lock`. Both belong to the machine that signs, not to the database's backup."""

    path: Path

    async def last(self) -> str | None:
        """The note in the file. Raises `Misconfigured` when the file is there and cannot be read."""
        return await asyncio.to_thread(self._read)

    async def advance(self, before: str | None, after: str) -> None:
        """Write it anew. Raises `LogStopped` when somebody else did, `Misconfigured` when it cannot be written."""
        await asyncio.to_thread(self._swap, before, after)

    def _read(self) -> str | None:
        try:
            return self.path.read_text()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError):
            raise Misconfigured((f"the signer guard {self.path} cannot be read by this user",)) from None

    def _swap(self, before: str | None, after: str) -> None:
        with self._alone():
            if self._read() != before:
                raise LogStopped("guard-moved")
            descriptor, fresh = tempfile.mkstemp(dir=self.path.parent, prefix=f"{self.path.name}.")
            try:
                with os.fdopen(descriptor, "w") as file:
                    file.write(after)
                    file.flush()
                    os.fsync(file.fileno())
                Path(fresh).replace(self.path)
            except BaseException:
                # A disk that is full would be filled further, at each try.
                Path(fresh).unlink()
                raise
            self._sync()

    @contextmanager
    def _alone(self) -> Generator[None]:
        try:
            held = os.open(self.path.with_name(f"{self.path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            raise Misconfigured((f"the signer guard {self.path} cannot be written by this user",)) from None
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield
        finally:
            os.close(held)

    def _sync(self) -> None:
        """Make the new name last, too."""
        directory = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
