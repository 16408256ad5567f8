"""A new key of the V-number index, while the service runs: looked up under both, stored under the newest.

    (1) a new key becomes the current one, and every process sees it
    (2) each person's index is made anew from the sealed V-number
    (3) nobody is indexed under the old key, and nobody can be: the table refuses it
    (4) the old key is put away

Interrupted, it is taken up at (1). Should a person be left under a key that is gone, nothing is lost: (2) needs the new
key only. Each may be in the key file or in a key service, so that this is also how an installation moves.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from api.crypto.rows import SEAL
from api.crypto.vault import Vault
from api.custody import custodian
from api.custody import store as keys_of
from api.errors import NotPossible, Overloaded, Undecryptable
from api.persons import index_store, store
from api.persons.tables import PERSON

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from uuid import UUID

    from api.crypto.blind import BlindIndex
    from api.crypto.wrappers import KeyWrapper
    from api.custody.custodian import Progress, Units
    from api.principal import Principal
    from api.storage.unit import Record, Unit

_BATCH: Final = 50
"""Persons whose keys are held at once: for two calls of a key service and as many statements."""
_PASSES: Final = 10
_PAUSE: Final = 0.2
"""Seconds before those are tried again whom somebody else held: that is for milliseconds."""


class IndexKeys(Protocol):
    """Who keeps the keys of the index."""

    @property
    def settles(self) -> float:
        """Seconds after which whoever serves looks under a new key too."""
        ...

    async def renew(self, beyond: int) -> int:
        """Make a new key the current one, unless one is being replaced already; its version, which is above `beyond`.

        Raises `Unavailable`.
        """
        ...

    async def finish(self, version: int) -> None:
        """Put the key before this version away, unless another was made current meanwhile. Raises `Unavailable`."""
        ...


async def rotate(
    units: Units,
    wrapper: KeyWrapper,
    index: BlindIndex,
    index_keys: IndexKeys,
    actor: Principal,
    progress: Progress,
    *,
    wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> int:
    """Index every person under a new key, and return how many. Raises `NotPossible`, `Unavailable`, `Undecryptable`."""
    version = await index_keys.renew(await _newest(units))
    await _note(units, actor)
    await wait(index_keys.settles)
    done = left = 0
    for _ in range(_PASSES):
        after = keys_of.FIRST
        while people := await _older(units, version, after):
            done += await move(units, wrapper, index, people)
            after = people[-1]
            progress(done, 0)
        left = await _left(units, version)
        if not left:
            await index_keys.finish(version)
            await _note(units, actor)
            return done
        await wait(_PAUSE)
    why = f"{left} persons are held by others: run it again"
    raise NotPossible(why)


async def _note(units: Units, actor: Principal) -> None:
    unit = units()
    custodian.write_down(unit, actor, custodian.ROTATE_INDEX, "v-number-index")
    await unit.finish()


async def _newest(units: Units) -> int:
    unit = units()
    try:
        return await index_store.newest(unit)
    finally:
        await unit.finish()


async def _left(units: Units, version: int) -> int:
    """How many are not indexed under the new key, once nobody is adding a person. If none: so it stays.

    Raises `Overloaded`.
    """
    unit = units()
    try:
        await index_store.close(unit)
        left = await index_store.indexed_otherwise(unit, version)
        if not left:
            await index_store.alone(unit, version)
        await unit.finish()
    except BaseException:
        await unit.abort()
        raise
    return left


async def _older(units: Units, version: int, after: UUID) -> list[UUID]:
    unit = units()
    try:
        return await index_store.older_index(unit, version, after, _BATCH)
    finally:
        await unit.finish()


async def move(units: Units, wrapper: KeyWrapper, index: BlindIndex, people: Sequence[UUID]) -> int:
    """Index these persons anew, and return how many. Whom somebody else holds, or who was erased, is left out."""
    unit = units()
    try:
        held = await keys_of.hold_free(unit, people)
        vault = Vault(wrapper)
        await vault.take(held)
        await _index(unit, vault, index, await index_store.sealed(unit, [each.person for each in held]))
        await unit.finish()
    except Overloaded:
        await unit.abort()
        return 0
    except BaseException:
        await unit.abort()
        raise
    return len(held)


async def _index(unit: Unit, vault: Vault, index: BlindIndex, records: Sequence[Record]) -> None:
    stored = await index.stored([_opened(vault, record) for record in records])
    for record, v_index in zip(records, stored, strict=True):
        person = PERSON.row(record)
        kept = {"v_number": PERSON.value(record, "v_number")}
        seal = vault.seal_row(person, PERSON, person, {}, {"v_index": v_index}, kept)[SEAL]
        await index_store.set_index(unit, person, v_index, seal)


async def astray(units: Units, wrapper: KeyWrapper, index: BlindIndex) -> list[UUID]:
    """Persons whom their V-number does not lead to. Raises `Unavailable`, `Undecryptable`."""
    found: list[UUID] = []
    after = keys_of.FIRST
    while records := await _page(units, after):
        vault = Vault(wrapper)
        await vault.take(store.wrapped(records))
        tags = await index.tags([_opened(vault, record) for record in records])
        pairs = zip(records, tags, strict=True)
        found += [PERSON.row(record) for record, tag in pairs if PERSON.bound_in(record)["v_index"] not in tag.sought]
        after = PERSON.row(records[-1])
    return found


async def _page(units: Units, after: UUID) -> list[Record]:
    unit = units()
    try:
        return await index_store.page(unit, after, _BATCH)
    finally:
        await unit.finish()


def _opened(vault: Vault, record: Record) -> str:
    v_number = store.v_number(vault.open_row(PERSON.row(record), PERSON, record, ("v_number",)))
    if v_number is None:
        raise Undecryptable
    return v_number
