"""The custodian of a key file: epochs are entries of the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.crypto import keyfile
from api.crypto.wrappers import FileWrapper

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from uuid import UUID

    from api.crypto.wrappers import WrappedKey


class FileCustodian:
    """Wraps as the service does, and may write the file."""

    __slots__ = ("_path", "_wrapper")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wrapper = FileWrapper.following(keyfile.Following(path).ring)

    def __repr__(self) -> str:
        return f"<FileCustodian {self._path}>"

    async def current(self) -> str:
        """The KEK that stands first in the file."""
        return await self._wrapper.current()

    async def wrap(self, person: UUID, version: int, key: bytes | bytearray) -> WrappedKey:
        """Wrap under the current KEK."""
        return await self._wrapper.wrap(person, version, key)

    async def unwrap(self, wrapped: Sequence[WrappedKey]) -> list[bytearray]:
        """Unwrap a batch."""
        return await self._wrapper.unwrap(wrapped)

    async def renew(self, former: str) -> str:
        """Write a file with a new KEK."""
        return keyfile.renew_kek(self._path, former)

    async def destroy(self, kek: str) -> None:
        """Write a file without this KEK. Copies of the old file are the operator's to destroy."""
        keyfile.forget_kek(self._path, kek)
