"""The keys of the V-number index of an installation: in its key file, or in the key service that was chosen beside it.

Where the next one is made is a choice (`KETENBRUG_KEY_SERVICE_INDEX`); where the present ones are, is what there is. So
an installation moves, either way, by replacing the key: both are live meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from api.crypto import keyfile
from api.crypto.blind import MOST, OwnKeys
from api.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from api.crypto.services import ServiceIndex

_SEEN: Final = 1.0
"""Seconds after which whoever looked for somebody before the key file had a new key has found them."""


class InstalledIndex:
    """Those keys. `service`: where those are that the file has not; `into_service`: where the next is made."""

    __slots__ = ("_file", "_filed", "_into_service", "_service")

    def __init__(self, file: Path, service: ServiceIndex | None = None, *, into_service: bool = False) -> None:
        follow = keyfile.Following(file)
        self._file = file
        self._filed = OwnKeys({}, follow=follow.index)
        self._service = service
        self._into_service = into_service

    def __repr__(self) -> str:
        return f"<InstalledIndex {self._file} {self._service}>"

    @property
    def settles(self) -> float:
        """Seconds after which every process looks under a new key too."""
        return _SEEN if self._service is None else self._service.settles

    async def versions(self) -> Collection[int]:
        """What is live, wherever it is. Raises `Unavailable`."""
        filed = await self._filed.versions()
        if self._service is None:
            return filed
        if live := {*filed, *await self._service.versions()}:
            return live
        self._service.forget()  # what was in the file until now is in the service since
        return await self._service.versions()

    async def macs(self, version: int, texts: Sequence[bytes]) -> list[bytes]:
        """Computed where the key of this version is."""
        if self._service is None or version in await self._filed.versions():
            return await self._filed.macs(version, texts)
        return await self._service.macs(version, texts)

    async def places(self) -> dict[int, str]:
        """Where each live key is, for an operator to read: the newest last."""
        filed = await self._filed.versions()
        return {each: self._place(each, filed) for each in sorted(await self._present())}

    async def renew(self, beyond: int, begun: int = 0, *, behind: bool = False) -> int:
        """Make a new key, unless there is one that not everybody stands under; its version, which is above `beyond`.

        `begun`: the newest version that a rotation began; `behind`: somebody stands under another one, be it that the
        rotation was cut short or that the database is an older one, whose living twin has this key too. Nobody behind
        and an older key beside it: a key file was restored, and none is being replaced. Raises `Unavailable`, also
        when the new key is not to be seen yet.
        """
        live = await self._present()
        if (len(live) > 1 and max(live) > begun) or (behind and begun == max(live, default=None)):
            return max(live)
        version = max([beyond, *live]) + 1
        if version > MOST:
            raise Unavailable("index-key")
        if self._service is not None and self._into_service:
            await self._service.make(version)
        else:
            keyfile.renew_index(self._file, version)
        if version not in (live := await self._present()):
            raise Unavailable("index-key")
        return max(live)

    async def finish(self, version: int) -> None:
        """Put the keys before this version away, for good, unless another was made current meanwhile."""
        live = await self._present()
        if max(live, default=0) != version:
            return
        keyfile.forget_index(self._file, version)
        if self._service is not None:
            for each in sorted(live - {version}):
                await self._service.destroy(each)

    async def _present(self) -> set[int]:
        """What is there at this moment, not some seconds ago."""
        filed = set(await self._filed.versions())
        return filed if self._service is None else filed | await self._service.listed()

    def _place(self, version: int, filed: Collection[int]) -> str:
        if self._service is None or version in filed:
            return "the key file"
        return self._service.told(version)
