"""An eye on planted records: who makes the service unwrap the key of a person who does not exist is told on at once.

It stands before the key service, so that it does not matter which operation, or which error in one, led there. What
custody does with keys (rotation, checks) is done at the key service itself, and so rings nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from api.crypto.wrappers import KeyWrapper, WrappedKey


class Watched:
    """A key service. `tell` is called before the key of one of these persons is unwrapped; of whom, it is not told."""

    __slots__ = ("_persons", "_tell", "_wrapper")

    def __init__(self, wrapper: KeyWrapper, persons: frozenset[UUID], tell: Callable[[], None]) -> None:
        self._wrapper = wrapper
        self._persons = persons
        self._tell = tell

    async def wrap(self, person: UUID, version: int, key: bytes | bytearray) -> WrappedKey:
        """Wrap a key."""
        return await self._wrapper.wrap(person, version, key)

    async def unwrap(self, wrapped: Sequence[WrappedKey]) -> list[bytearray]:
        """Unwrap a batch, whoever is in it: what is planted opens like anything else."""
        if not self._persons.isdisjoint(each.person for each in wrapped):
            self._tell()
        return await self._wrapper.unwrap(wrapped)
