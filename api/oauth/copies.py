"""Copies of what is for one use. Whoever captured a request may send it again, but not at the cost of its client.

Only the database decides which copy wins (`api.oauth.replay`). What a worker remembers here keeps the others cheap:

    the first copy at a worker    is counted as a request of the client, and given back if the database knows it
    the next `TRIES`              are not counted: they were paid for, and may be the same request sent again by a proxy
    any further one, and any after the database said that it was used
                                  proves nothing: refused without an entry and without the database

What is remembered is bounded, because only what was admitted within a limit is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from datetime import datetime

    from api.oauth.limits import Quota
    from api.vocabulary import ClientId

TRIES: Final = 3
"""How many copies beside the first one a worker shows to the database before that has answered."""

Key: TypeAlias = tuple[str, str]
"""Whose it is, and its `jti`."""


@dataclass(slots=True)
class Once:
    """What this worker knows of one proof or assertion that it admitted."""

    copies: int = 0
    is_used: bool = False

    def again(self) -> bool:
        """Whether one more copy may be shown to the database."""
        self.copies += 1
        return not self.is_used and self.copies <= TRIES


@dataclass(frozen=True, slots=True)
class Admission:
    """A request that was let in: what it was let in with, and what its client paid for that."""

    once: Once
    client_id: ClientId
    at: datetime
    paid: tuple[Quota, ...] = ()


class Copies:
    """What is for one use and was admitted here, for at least `seconds` and at most twice that."""

    __slots__ = ("_before", "_now", "_seconds", "_turned_at")

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._turned_at = float("-inf")
        self._now: dict[Key, Once] = {}
        self._before: dict[Key, Once] = {}

    def find(self, key: Key, now: datetime) -> Once | None:
        """It, if a copy was admitted before."""
        self._turn(now.timestamp())
        return self._now.get(key) or self._before.get(key)

    def note(self, key: Key, now: datetime) -> Once:
        """Note that a copy was admitted: the first one, or one that came together with it."""
        found = self.find(key, now)
        if found is None:
            found = self._now[key] = Once()
        return found

    def _turn(self, at: float) -> None:
        passed = at - self._turned_at
        if passed < self._seconds:
            return
        self._before = self._now if passed < 2 * self._seconds else {}
        self._now = {}
        self._turned_at = at
