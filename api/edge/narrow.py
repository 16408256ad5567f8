"""What nobody has to prove anything for may not crowd out those who did: few at once, and no long queue.

Whoever serves the log to the world puts a cache in front: a tile never changes.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from api.errors import Overloaded

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

AT_ONCE: Final = 2
"""Connections that public files may hold in one process."""
WAITING: Final = 64


class Narrow:
    """A passage for so many at once; so many more may wait."""

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._most = at_once + waiting
        self._inside = 0

    @asynccontextmanager
    async def passed(self) -> AsyncGenerator[None]:
        """Pass, or raise `Overloaded`."""
        if self._inside >= self._most:
            raise Overloaded
        self._inside += 1
        try:
            async with self._free:
                yield
        finally:
            self._inside -= 1
