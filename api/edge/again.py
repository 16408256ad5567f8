"""A request whose client changed since it was last read is run once more, on what the client is now.

What a process remembers of clients saves a statement on every request; the mark (`api.oauth.replay`) finds out when it
no longer holds. Then nothing of the request was committed, its proof least of all: so it is run again from the guard
on, with a scope of its own and the body as it came. Nothing is weakened by that: the second run reads the client, and
its mark compares once more. It is the last one: whose client changes again meanwhile is told to come again, and so is
who sent more than is kept here. What is counted in memory is counted once all the same: it stands in the passage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from api.edge import passage

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from starlette.types import Message, Receive, Scope, Send

    from api.edge.passage import Passage

KEPT: Final = 256 * 1024
"""Bytes of a body that are kept until it is known how its request ended."""


class Again(Exception):
    """Nothing was done: run it once more. It is no error, and never leaves the edge."""


class _Kept:
    """The way in of the first run, and what came in by it."""

    __slots__ = ("_came", "_receive", "_room", "_way")

    def __init__(self, receive: Receive, way: Passage) -> None:
        self._came: list[Message] = []
        self._receive = receive
        self._room = KEPT
        self._way = way

    async def __call__(self) -> Message:
        """The next part."""
        message = await self._receive()
        self._room -= len(message.get("body", b""))
        if self._room >= 0:
            self._came.append(message)
        else:
            self._came.clear()
            self._way.repeatable = False
        return message

    async def again(self) -> Message:
        """The same parts, from the first on."""
        return self._came.pop(0) if self._came else await self._receive()


async def run(
    handle: Callable[[Scope, Receive, Send], Coroutine[None, None, None]], scope: Scope, receive: Receive, send: Send
) -> None:
    """Run a request, and once more if it has to be: then nothing is left of what the first run put into its scope."""
    way = passage.of(scope)
    kept, way.repeatable = _Kept(receive, way), True
    try:
        await handle({**scope, "state": dict(scope.get("state", ()))}, kept, send)
    except Again:
        way.repeatable = False
        await handle(scope, kept.again, send)
