"""Keys that never leave a key service: it wraps and unwraps for us, and computes the index of V-numbers.

    service (`KeyService`)    what one product can do: OpenBao or Vault Transit, PKCS#11, AWS KMS
    `ServiceWrapper`          epochs of the key-encryption key (KEK) on top of it, the same for each
    `ServiceIndex`            versions of the key of the index, the same for each

Each epoch is a key of its own in the service, named `ketenbrug-0001`, `ketenbrug-0002`, …: the one with the highest
number is current. So a destroyed epoch is a key that is gone, which no setting of the service brings back. In the key
table it is called `transit:ketenbrug-0001`. What a wrapped key is bound to (`wrappers.context`) is checked by the
service itself. A version of the index is `ketenbrug_index-0002`: no name of an installation has such a stroke in it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

from api.crypto.wrappers import KEY_BYTES, WrappedKey, context
from api.errors import Unavailable, Undecryptable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from uuid import UUID

_BATCH: Final = 200
"""OpenBao refuses a body with more than a thousand strings: four for each."""
_KNOWN: Final = 10.0
"""Seconds for which the current epoch is remembered when something is wrapped, and the live versions of the index."""


class NoSuchKey(Exception):
    """The service has no key of this name, or it may be used no more."""


class Use(Enum):
    """What a key is for."""

    WRAPS = auto()
    MACS = auto()


class KeyService(Protocol):
    """What we need of a product. Each call raises `Unavailable` when the service does not do it."""

    scheme: ClassVar[str]
    """How its keys are marked in the key table."""
    settles: ClassVar[float]
    """Seconds after which whoever asks for names is told of a new key."""

    async def names(self) -> list[str]:
        """The names of its keys; others' may be among them."""
        ...

    async def encrypt(self, name: str, place: bytes, text: bytes) -> bytes:
        """Seal a text to its place. Raises `NoSuchKey`."""
        ...

    async def decrypt(self, name: str, sealed: Sequence[Sealed]) -> list[bytes]:
        """Open a batch, in order. Raises `Undecryptable` when one of them is not as it was sealed, `NoSuchKey`."""
        ...

    async def macs(self, name: str, texts: Sequence[bytes]) -> list[bytes]:
        """HMAC-SHA-256 of a batch, in order, under a key of `Use.MACS`. Raises `NoSuchKey`."""
        ...

    async def make(self, name: str, use: Use) -> None:
        """Make a key that cannot leave and has this one use, unless there is one of this name."""
        ...

    async def destroy(self, name: str, use: Use) -> None:
        """Destroy a key for good; one that is gone already is no fault."""
        ...


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a service sealed, and the place that it was sealed to."""

    place: bytes
    text: bytes


class ServiceWrapper:
    """Wraps under the current epoch of a key service, and begins and ends epochs there."""

    __slots__ = ("_clock", "_current", "_name", "_service", "_until")

    def __init__(self, service: KeyService, name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._service = service
        self._name = name
        self._clock = clock
        self._current = ""
        self._until = clock()

    def __repr__(self) -> str:
        return f"<ServiceWrapper {self._service.scheme}:{self._name}>"

    def keeps(self, kek: str) -> bool:
        """Whether a KEK is one of this service's."""
        return kek.startswith(f"{self._service.scheme}:")

    async def current(self) -> str:
        """The KEK of the newest epoch. Raises `Unavailable`, also when the first was never made."""
        names = await self._epochs()
        if not names:
            raise Unavailable("key-epoch")
        self._current, self._until = names[-1], self._clock() + _KNOWN
        return self._kek(names[-1])

    async def wrap(self, person: UUID, version: int, key: bytes | bytearray) -> WrappedKey:
        """Wrap under the current KEK."""
        place, text = context(person, version), bytes(key)
        for fresh in (self._clock() >= self._until, True):
            if fresh:
                await self.current()
            try:
                sealed = await self._service.encrypt(self._current, place, text)
            except NoSuchKey:  # a newer epoch began, and the remembered one has ended
                continue
            return WrappedKey(person, version, self._kek(self._current), sealed)
        raise Unavailable("key-epoch")

    async def unwrap(self, wrapped: Sequence[WrappedKey]) -> list[bytearray]:
        """Unwrap a batch: a call for each KEK. What the service answers is copied, which cannot be helped."""
        found: list[bytearray | None] = [None] * len(wrapped)
        under: dict[str, list[int]] = {}
        for at, each in enumerate(wrapped):
            under.setdefault(each.kek, []).append(at)
        for kek, places in under.items():
            for start in range(0, len(places), _BATCH):
                part = places[start : start + _BATCH]
                for at, key in zip(part, await self._unwrap(kek, [wrapped[at] for at in part]), strict=True):
                    found[at] = key
        return [key for key in found if key is not None]

    async def renew(self, former: str) -> str:
        """Make a new key in the service, unless another command just did; `former` is empty for the first of all."""
        names = await self._epochs()
        if names and self._kek(names[-1]) != former:
            return self._kek(names[-1])
        number = int(names[-1].rpartition("-")[2]) + 1 if names else 1
        await self._service.make(f"{self._name}-{number:04d}", Use.WRAPS)
        return await self.current()

    async def destroy(self, kek: str) -> None:
        """Destroy the key of an epoch that is over."""
        await self._service.destroy(self._key_name(kek), Use.WRAPS)

    async def _unwrap(self, kek: str, wrapped: list[WrappedKey]) -> list[bytearray]:
        sealed = [Sealed(context(each.person, each.version), each.wrapped) for each in wrapped]
        try:
            found = await self._service.decrypt(self._key_name(kek), sealed)
        except NoSuchKey:
            raise Undecryptable from None
        if len(found) != len(sealed) or any(len(key) != KEY_BYTES for key in found):
            raise Undecryptable
        return [bytearray(key) for key in found]

    async def _epochs(self) -> list[str]:
        """Our keys there, oldest first."""
        before = f"{self._name}-"
        return [before + number for number in _numbers(await self._service.names(), before)]

    def _kek(self, name: str) -> str:
        return f"{self._service.scheme}:{name}"

    def _key_name(self, kek: str) -> str:
        """The name of a key of ours. What another wrote into the key table names no other key of the service."""
        name = kek.removeprefix(f"{self._service.scheme}:")
        number = name.removeprefix(f"{self._name}-")
        if name in {kek, number} or not number.isdecimal():
            raise Undecryptable
        return name


class ServiceIndex:
    """The keys of the V-number index that a key service has: every version that is there is live.

    A list that is too short ends none: a service may list late, or not all, or nothing to who lost a login. A version
    that was live once is, until the service says of that key that it is gone.
    """

    __slots__ = ("_before", "_clock", "_gone", "_live", "_service", "_until")

    def __init__(self, service: KeyService, name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._service = service
        self._before = f"{name}_index-"
        self._clock = clock
        self._live: set[int] = set()
        self._gone: set[int] = set()
        self._until = clock()

    def __repr__(self) -> str:
        return f"<ServiceIndex {self._service.scheme}:{self._before}>"

    @property
    def settles(self) -> float:
        """Seconds after which every process looks under a new key, and is done with what it began before it did."""
        return 2 * _KNOWN + self._service.settles

    async def versions(self) -> Collection[int]:
        """Those that are there, or were when they were last met. Raises `Unavailable`."""
        if (asked := self._clock()) >= self._until:
            listed = await self.listed()
            self._live, self._gone = (self._live | listed) - self._gone, set()
            self._until = asked + _KNOWN
        return self._live

    async def listed(self) -> set[int]:
        """Those that the service lists at this moment. Raises `Unavailable`."""
        return {int(each) for each in _numbers(await self._service.names(), self._before)}

    async def macs(self, version: int, texts: Sequence[bytes]) -> list[bytes]:
        """Computed in the service. Raises `NoSuchKey`, `Unavailable`."""
        found: list[bytes] = []
        try:
            for start in range(0, len(texts), _BATCH):
                found += await self._service.macs(self._named(version), texts[start : start + _BATCH])
        except NoSuchKey:
            self._gone.add(version)  # also where it is still listed for a while
            self.forget()
            raise
        return found

    async def make(self, version: int) -> None:
        """Make the key of a version, unless it is there."""
        await self._service.make(self._named(version), Use.MACS)
        self.forget()

    async def destroy(self, version: int) -> None:
        """Destroy the key of a version, for good."""
        await self._service.destroy(self._named(version), Use.MACS)
        self._gone.add(version)
        self.forget()

    def forget(self) -> None:
        """Ask the service at the next occasion what is there."""
        self._until = self._clock()

    def told(self, version: int) -> str:
        """How the key of a version is told to an operator."""
        return f"{self._service.scheme}:{self._named(version)}"

    def _named(self, version: int) -> str:
        return f"{self._before}{version:04d}"


def _numbers(names: Iterable[str], before: str) -> list[str]:
    """The numbers of our keys among these, in order."""
    ours = (each.removeprefix(before) for each in names if each.startswith(before))
    return sorted((each for each in ours if each.isdecimal()), key=int)
