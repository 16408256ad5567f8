"""Who keeps the keys of an installation: its key file, or its key service.

Where a service was chosen after the first persons were sealed for, keys under the file's own key-encryption key still
unwrap: until `rotate-kek` has brought all under the service, and `destroy-epoch` has taken that key out of the file.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.crypto import choice, keyfile
from api.crypto.blind import BlindIndex
from api.crypto.services import ServiceIndex, ServiceWrapper
from api.custody.filed import FileCustodian
from api.custody.index_keys import InstalledIndex
from api.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path
    from uuid import UUID

    from api.crypto.choice import Choice
    from api.crypto.keyfile import KeyFile
    from api.crypto.wrappers import WrappedKey
    from api.custody.custodian import Custodian


@dataclass(frozen=True, slots=True)
class Keepers:
    """Who keeps the key-encryption keys, and who the keys of the V-number index."""

    keys: Custodian
    index_keys: InstalledIndex

    @property
    def index(self) -> BlindIndex:
        """The index under its keys."""
        return BlindIndex(self.index_keys)


def faults(keys: KeyFile, chosen: Choice) -> tuple[str, ...]:
    """Why this key file and this choice do not go together."""
    if chosen.kind is not choice.Kind.FILE or keys.blind_index:
        return ()
    return (f"KETENBRUG_KEY_SERVICE: {keys.path} has no key of the V-number index, so a key service must have it",)


@asynccontextmanager
async def keepers(path: Path, chosen: Choice) -> AsyncGenerator[Keepers]:
    """Open them: of this key file, and of the service that was chosen beside it. Raises `Misconfigured`."""
    if found := faults(keyfile.load(path), chosen):
        raise Misconfigured(found)
    filed = FileCustodian(path)
    if chosen.kind is choice.Kind.FILE:
        yield Keepers(filed, InstalledIndex(path))
        return
    async with choice.opened(chosen) as service:
        index = InstalledIndex(path, ServiceIndex(service, chosen.name), into_service=chosen.index)
        yield Keepers(ServiceCustodian(ServiceWrapper(service, chosen.name), filed), index)


class ServiceCustodian:
    """A key service, and the key file that was there before it."""

    __slots__ = ("_filed", "_service")

    def __init__(self, service: ServiceWrapper, filed: FileCustodian) -> None:
        self._service = service
        self._filed = filed

    def __repr__(self) -> str:
        return f"<ServiceCustodian {self._service!r}>"

    async def current(self) -> str:
        """The newest epoch of the service."""
        return await self._service.current()

    async def wrap(self, person: UUID, version: int, key: bytes | bytearray) -> WrappedKey:
        """Wrap in the service."""
        return await self._service.wrap(person, version, key)

    async def unwrap(self, wrapped: Sequence[WrappedKey]) -> list[bytearray]:
        """Unwrap where each was wrapped, in order."""
        served = [each for each in wrapped if self._service.keeps(each.kek)]
        filed = [each for each in wrapped if not self._service.keeps(each.kek)]
        by_service = iter(await self._service.unwrap(served) if served else ())
        by_file = iter(await self._filed.unwrap(filed) if filed else ())
        return [next(by_service if self._service.keeps(each.kek) else by_file) for each in wrapped]

    async def renew(self, former: str) -> str:
        """Begin an epoch in the service."""
        return await self._service.renew(former)

    async def destroy(self, kek: str) -> None:
        """End an epoch where it was. The file keeps a key that nothing is under, because it is never without one."""
        if self._service.keeps(kek):
            await self._service.destroy(kek)
            return
        if kek == await self._filed.current():
            await self._filed.renew(kek)
        await self._filed.destroy(kek)
