"""Keys that somebody else publishes: an issuer whose tokens are taken, a client that hosts its own.

They are kept for some minutes. An unknown key id asks anew, but not more often than the cooldown, whoever sends how
many; one fetch is in flight at a time. When nobody answers, the keys that are known serve for a day. Without any, the
request is one to be repeated (503), never one that proved nothing.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

from api.errors import Unavailable
from api.oauth import jose
from api.outbound import NotFetched

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from api.oauth.jose import PublicKey

    Keys = Mapping[str, PublicKey]

FRESH: Final = 300
"""Seconds for which fetched keys are not asked for again."""
COOLDOWN: Final = 30
"""Seconds between two attempts, at least."""
STALE: Final = 86_400
"""Seconds for which known keys serve while nobody answers."""

_NEVER: Final = float("-inf")


class Remote:
    """The keys of one of them. `what` names it, when it is away."""

    __slots__ = ("_fetch", "_fetched_at", "_keys", "_lock", "_tried_at", "_what")

    def __init__(self, what: str, fetch: Callable[[], Awaitable[Keys]]) -> None:
        """`fetch` raises `NotFetched`."""
        self._what = what
        self._fetch = fetch
        self._keys: Keys = {}
        self._fetched_at = _NEVER
        self._tried_at = _NEVER
        self._lock = asyncio.Lock()

    def know(self, keys: Keys, at: float) -> None:
        """Serve with these while nobody answers: they were found there before."""
        self._keys, self._fetched_at = keys, at - FRESH

    async def find(self, kid: str, at: float) -> Keys:
        """The keys, as far as they can be had; another object when they were fetched anew. Raises `Unavailable`.

        Whoever waits here waits for one fetch.
        """
        if self._is_wanting(kid, at) or (self._lock.locked() and self._lacks(kid)):
            async with self._lock:
                if self._is_wanting(kid, at):
                    self._tried_at = at
                    with suppress(NotFetched):
                        self._keys = await self._fetch()
                        self._fetched_at = at
        if not self._keys or at - self._fetched_at > STALE:
            raise Unavailable(self._what, retry_after=COOLDOWN)
        return self._keys

    def _is_wanting(self, kid: str, at: float) -> bool:
        if at - self._tried_at < COOLDOWN:
            return False
        return at - self._fetched_at >= FRESH or self._lacks(kid)

    def _lacks(self, kid: str) -> bool:
        """Whether this key is not known; for who names none, whether any is."""
        return kid not in self._keys if kid else not self._keys


def taken(document: Mapping[str, Any]) -> dict[str, PublicKey]:
    """The signing keys of a JWK set that have an id and are of a kind that we take. Others are left alone."""
    jwks: object = document.get("keys")
    found: dict[str, PublicKey] = {}
    for each in cast("list[object]", jwks) if isinstance(jwks, list) else []:
        members = cast("dict[str, Any]", each) if isinstance(each, dict) else {}
        kid: object = members.get("kid")
        if isinstance(kid, str) and members.get("use", "sig") == "sig":
            with suppress(jose.Unreadable):
                found[kid] = jose.public_key(members)
    return found
