"""The signer guard in an object of an S3 bucket: for several machines, of which any may lead.

The laws are those of `api.audit.guard`; here a conditional write is what moves it in one step (`api.audit.objects`).
After a write whose answer was lost the head of before stands there, or the one that was promised, and the next leader
goes on from either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.errors import LogStopped

if TYPE_CHECKING:
    from api.audit.objects import Held, Objects


class BucketGuard:
    """The object at `url`, which is a guard for whoever has it."""

    def __init__(self, url: str, objects: Objects) -> None:
        self._url = url
        self._objects = objects
        self._known: Held | None = None
        """What was written last by us. The store decides whether it is still so."""

    async def last(self) -> str | None:
        """The note in the object. Raises `Unavailable`, and `Misconfigured` when it cannot be read or is none."""
        return self._note(await self._objects.read(self._url))

    async def advance(self, before: str | None, after: str) -> None:
        """Write it anew. Raises `LogStopped` when somebody else did, `Unavailable`, and `Misconfigured`."""
        held = self._known
        if held is None or self._note(held) != before:
            held = await self._objects.read(self._url)
        self._known = None
        if self._note(held) != before:
            raise LogStopped("guard-moved")
        self._known = await self._objects.write(self._url, after.encode(), held)
        if self._known is None:
            raise LogStopped("guard-moved")

    async def examine(self) -> None:
        """See that the store heeds conditions. Raises `Misconfigured`, `Unavailable`."""
        await self._objects.examine(self._url)

    def _note(self, held: Held | None) -> str | None:
        try:
            return None if held is None else held.body.decode()
        except UnicodeDecodeError:
            raise self._objects.unfit(self._url, "holds something that is no signed head") from None
