"""Files of keys that each have a beginning, beside the key file: next -> active -> retired -> gone.

What can be replaced at any time stands in a file of its own, and never touches the file whose loss is the loss of
everything. The state of a key is a function of the file and the time, so that workers agree without talking. Every
worker looks at the file every few seconds: a rotation needs no restart; where there are several machines, each has to
have the file before its new key begins. What the states mean is said where the keys are used: `api.oauth.signing`,
`api.crypto.inbox`. What the database knows of them, in `api.crypto.key_log`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

import structlog

from api.crypto import secretfile
from api.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EVER: Final = float("-inf")
NEVER: Final = float("inf")

_LOOK: Final = 5
"""Seconds between two looks at a file."""

T = TypeVar("T")


class State(StrEnum):
    """Of a key, at some moment."""

    NEXT = "next"
    ACTIVE = "active"
    RETIRED = "retired"
    GONE = "gone"


class Dated(Protocol):
    """A key, and the moment from which it is active, in seconds."""

    @property
    def kid(self) -> str: ...  # noqa: D102

    @property
    def begins(self) -> float: ...  # noqa: D102


def state(begins: float, end: float, at: float, stays: float) -> State:
    """The state of a key whose successor begins at `end`, and which is of some use for `stays` seconds after that."""
    if at < begins:
        return State.NEXT
    if at < end:
        return State.ACTIVE
    return State.RETIRED if at < end + stays else State.GONE


class Following(Generic[T]):
    """What a file says, read anew when it changes. `what`: the keys in it, in words."""

    __slots__ = ("_file", "_found", "_looked_at", "_read", "_version", "_what")

    def __init__(self, file: Path | None, read: Callable[[], T], what: str) -> None:
        """Read it. Raises what `read` raises."""
        self._file = file
        self._read = read
        self._what = what
        self._version = _version(file)
        self._found = read()
        self._looked_at = EVER

    def __repr__(self) -> str:
        return f"<Following {self._what}>"

    def at(self, moment: float) -> T:
        """What it says. It is another object when it changed; a file that is gone or cannot be read changes nothing."""
        if abs(moment - self._looked_at) >= _LOOK:
            self._looked_at = moment
            version = _version(self._file)
            if version not in {None, self._version}:
                try:
                    self._found = self._read()
                    self._version = version
                except Misconfigured:
                    structlog.get_logger("ketenbrug.keys").error("keys-unreadable", which=self._what)
        return self._found


def content(file: Path | None, what: str, absent: Any) -> Any:  # noqa: ANN401 - JSON
    """What is written in it; `absent` without a file. Raises `Misconfigured`."""
    if file is None or not file.exists():
        return absent
    try:
        if file.stat().st_mode & secretfile.OTHERS:
            raise Misconfigured((f"the file of {what} {file} is open to group or others: chmod 0400 it",))
        return json.loads(file.read_text())
    except (OSError, ValueError):
        raise damaged(file, what) from None


def damaged(file: Path | None, what: str) -> Misconfigured:
    """Say that it cannot be read."""
    return Misconfigured((f"the file of {what} {file} is damaged: restore it, or move it away",))


def moment(text: str) -> float:
    """When a key begins, as it is written. Raises `ValueError`."""
    return datetime.fromisoformat(text).timestamp()


def written(begins: float) -> str:
    """The same, to be written."""
    return datetime.fromtimestamp(begins, UTC).isoformat()


def at_once() -> None:
    """Wait for nothing."""


def _version(file: Path | None) -> tuple[int, int, int] | None:
    try:
        return None if file is None else secretfile.version(file)
    except OSError:
        return None
