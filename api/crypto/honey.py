"""An eye on planted records: who makes the service unwrap the key of a person who does not exist is told on at once.

It stands before the key service, so that it does not matter which operation, or which error in one, led there. What
custody does with keys (rotation, checks) is done at the key service itself, and so rings nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from uuid import UUID

    from api.crypto.wrappers import KeyWrapper, WrappedKey


@dataclass(frozen=True, slots=True)
class Eye:
    """What is planted, by each of its ids, and what is called when somebody comes to it; to which, it is not told."""

    planted: frozenset[UUID] = frozenset()
    tell: Callable[[], None] = field(default=lambda: None)

    def look(self, persons: Iterable[UUID]) -> None:
        """Tell, once, when one of these is planted."""
        if not self.planted.isdisjoint(persons):
            self.tell()

    def once(self) -> Eye:
        """The same eye for one request: it tells once, however often somebody comes to something there."""
        told: list[None] = []

        def tell() -> None:
            if not told:
                told.append(None)
                self.tell()

        return replace(self, tell=tell)


class Watched:
    """A key service that lets an eye look at whose keys are about to be unwrapped."""

    __slots__ = ("_eye", "_wrapper")

    def __init__(self, wrapper: KeyWrapper, eye: Eye) -> None:
        self._wrapper = wrapper
        self._eye = eye

    async def wrap(self, person: UUID, version: int, key: bytes | bytearray) -> WrappedKey:
        """Wrap a key."""
        return await self._wrapper.wrap(person, version, key)

    async def unwrap(self, wrapped: Sequence[WrappedKey]) -> list[bytearray]:
        """Unwrap a batch, whoever is in it: what is planted opens like anything else."""
        self._eye.look(each.person for each in wrapped)
        return await self._wrapper.unwrap(wrapped)
