"""A file of secrets: for its owner only, replaced whole, by one command at a time.

A change is written beside the old file, given to the old file's owner, and renamed over it: whoever reads meets the one
or the other, and whoever could read the one can read the other, also when root types the command. Who changes it holds
`<file>.lock` from reading to renaming, so that two changes at once are both in the file.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from api.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from pathlib import Path

OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@contextmanager
def alone(path: Path) -> Generator[None]:
    """Wait until nobody else changes this file, and let nobody until the end. Raises `Misconfigured`."""
    lock = _beside(path, "lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        why = f"{lock} cannot be opened: change {path} as root, or as the user whose file it is"
        raise Misconfigured((why,)) from None
    try:
        with suppress(OSError):  # the file is new, or this user may not: then whose lock it is must do
            owner = path.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write(path: Path, content: Mapping[str, Any], owner: os.stat_result | None = None) -> None:
    """Write a new file, mode 0400, and give it to the owner of another. Raises `FileExistsError`, `Misconfigured`."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    with os.fdopen(descriptor, "w") as file:
        if owner is not None:
            _give(file.fileno(), path, owner)
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def replace(
    path: Path, content: Mapping[str, Any], check: Callable[[Path], object], *, like: Path | None = None
) -> None:
    """Put other content in the place of a file's, once it is found to be good. The caller has it `alone`.

    `like`: the file whose owner gets this one when it is new. Raises `Misconfigured`, or what `check` raises; then the
    old file stands.
    """
    fresh = _beside(path, "new")
    fresh.unlink(missing_ok=True)  # of a command that was killed
    try:
        write(fresh, content, next((each.stat() for each in (path, like) if each is not None and each.exists()), None))
        check(fresh)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def version(path: Path) -> tuple[int, int, int]:
    """What differs when the file was replaced, written to, or given to others. Raises `OSError`."""
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns


def _give(descriptor: int, path: Path, owner: os.stat_result) -> None:
    """Make it the same owner's and group's. Raises `Misconfigured` when this user may not."""
    try:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    except OSError:
        whose = f"{owner.st_uid}:{owner.st_gid}"
        why = (
            f"{path} cannot be given to {whose}, who has to read it: run this as root, or as that user. Nothing changed"
        )
        raise Misconfigured((why,)) from None


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name}.{suffix}")
