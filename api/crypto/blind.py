"""Blind index: find a row by a V-number (vreemdelingennummer) that only its envelope holds.

    index := version (1) | first 16 bytes of HMAC-SHA-256(key, "ketenbrug/blind/1" | 0x00 | name | 0x00 | value)

A V-number is a unique identifier of ten digits, so nothing is gained by truncating further: a collision would show
another person. Whoever holds the key can try all ten-digit numbers; its place is the protection
(docs/how/threat-model.md): a key service that computes with it and shows it to nobody, or the key file. While the key
is being replaced two versions are live, and looked for is under either. Under which one somebody new is stored, the
database says in the look-up itself (`api.persons.standing`): what a process remembers of the keys is never its word.

Whoever is looked up costs one call for each version, known or not: so its time says nothing.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from api.crypto.services import NoSuchKey
from api.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

MAC_BYTES: Final = 32
MOST: Final = 254
"""The highest version: a tag begins with it, and beyond all tags there is room for one byte more."""

_KEPT: Final = 16
_V_NUMBER: Final = re.compile(r"[0-9]{10}")

Versions: TypeAlias = Mapping[int, bytes]
"""Keys of the index, by version."""


@dataclass(frozen=True, slots=True)
class Tags:
    """What a row with a V-number may be stored under today: a tag of each live version, the newest first."""

    sought: tuple[bytes, ...] = field(repr=False)

    @property
    def versions(self) -> tuple[int, ...]:
        """The versions under which is looked."""
        return tuple(tag[0] for tag in self.sought)

    def stored(self, version: int | None) -> bytes:
        """The tag of a version; of the oldest where none was ever replaced. Raises `Unavailable`: not live here."""
        if version is None:
            return self.sought[-1]
        for tag in self.sought:
            if tag[0] == version:
                return tag
        raise Unavailable("index-key")


class IndexKeys(Protocol):
    """Who has the keys of the index, and computes with them."""

    async def versions(self) -> Collection[int]:
        """Which versions are live. Raises `Unavailable`."""
        ...

    async def macs(self, version: int, texts: Sequence[bytes]) -> list[bytes]:
        """HMAC-SHA-256 of each text, whole and in order. Raises `NoSuchKey` for a version that is gone.

        Raises `Unavailable`.
        """
        ...


class BlindIndex:
    """The index under whoever has its keys."""

    __slots__ = ("_keys",)

    def __init__(self, keys: IndexKeys) -> None:
        self._keys = keys

    def __repr__(self) -> str:
        return "<BlindIndex>"

    async def live(self) -> Collection[int]:
        """The versions under which somebody is found. Raises `Unavailable`, also when there is none or one too high."""
        versions = await self._keys.versions()
        if not versions or min(versions) < 1 or max(versions) > MOST:
            raise Unavailable("index-key")
        return versions

    async def of(self, v_number: str) -> Tags:
        """The tags of a V-number: exactly ten digits (no check digit is known, so none is checked)."""
        (tags,) = await self.tags([v_number])
        return tags

    async def tags(self, v_numbers: Sequence[str]) -> list[Tags]:
        """The tags of each V-number: one call for each live version. Raises `Unavailable`."""
        found = await self._under(lambda live: sorted(live, reverse=True), v_numbers)
        return [Tags(each) for each in zip(*found, strict=True)]

    async def stored(self, v_numbers: Sequence[str], version: int | None) -> list[bytes]:
        """What each V-number is stored under in this version, or the oldest: one call for all of them."""
        (found,) = await self._under(lambda live: [min(live) if version is None else version], v_numbers)
        return found

    async def _under(
        self, which: Callable[[Collection[int]], list[int]], v_numbers: Sequence[str]
    ) -> list[list[bytes]]:
        """For each of these of the live versions the tags of all V-numbers. Raises `Unavailable`."""
        texts = [_text(each) for each in v_numbers]
        for _ in range(2):
            try:
                return [await self._tags(version, texts) for version in which(await self.live())]
            except NoSuchKey:  # who replaced it put it away since it was known to be live
                continue
        raise Unavailable("index-key")

    async def _tags(self, version: int, texts: Sequence[bytes]) -> list[bytes]:
        macs = await self._keys.macs(version, texts) if texts else []
        if len(macs) != len(texts) or any(len(each) != MAC_BYTES for each in macs):
            raise Unavailable("index-key")
        return [bytes((version,)) + each[:_KEPT] for each in macs]


class OwnKeys:
    """Keys of the index in the memory of this process. `follow` gives them anew when they have changed."""

    __slots__ = ("_follow", "_keys")

    def __init__(self, keys: Versions, *, follow: Callable[[], Versions | None] = lambda: None) -> None:
        self._keys = keys
        self._follow = follow

    def __repr__(self) -> str:
        return "<OwnKeys>"

    def __reduce__(self) -> str:
        raise TypeError("keys are not serialised")

    async def versions(self) -> Collection[int]:
        """Those that there are now."""
        if (keys := self._follow()) is not None:
            self._keys = keys
        return self._keys.keys()

    async def macs(self, version: int, texts: Sequence[bytes]) -> list[bytes]:
        """Microseconds each, so it stays on the event loop."""
        key = self._keys.get(version)
        if key is None:
            raise NoSuchKey
        return [hmac.digest(key, text, "sha256") for text in texts]


def _text(v_number: str) -> bytes:
    if not _V_NUMBER.fullmatch(v_number):
        raise ValueError("a V-number has ten digits")
    return b"ketenbrug/blind/1\x00v-number\x00" + v_number.encode()
