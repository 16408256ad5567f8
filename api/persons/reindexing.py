"""A new key of the V-number index, while the service runs: looked up under both, stored under one at a time.

    (1) a new key is made, and every process sees it; whoever is new is stored under the old one still
    (2) the table says that the new one is current, once nobody is adding a person: from now on it refuses the old one
    (3) each person's index is made anew from the sealed V-number
    (4) nobody is indexed under the old key, which is put away

Who did not see the new key in (1) finds nobody and takes nobody in after (2): 503, never somebody twice. Interrupted,
it is taken up at (1). Should a person be left under a key that is gone, nothing is lost: (3) needs the new key only.
Each may be in the key file or in a key service, so that this is also how an installation moves.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol
from uuid import UUID

from api.crypto.rows import SEAL
from api.crypto.vault import Vault
from api.custody import custodian
from api.custody import store as keys_of
from api.errors import NotPossible, Overloaded, Undecryptable
from api.persons import index_store, store
from api.persons.tables import PERSON

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

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

    async def renew(self, beyond: int, begun: int, *, behind: bool) -> int:
        """Make a new key, unless there is one that not everybody stands under; its version, which is above `beyond`.

        `begun`: the newest version that a rotation began; `behind`: somebody is under another. Raises `Unavailable`.
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
    newest, begun, behind = await _known(units)
    version = await index_keys.renew(newest, begun, behind=behind)
    await _note(units, actor)
    await wait(index_keys.settles)
    await _begin(units, version)
    done = left = 0
    for _ in range(_PASSES):
        after, twice = keys_of.FIRST, list[UUID]()
        while people := await _older(units, version, after):
            moved, again = await move(units, wrapper, index, version, people)
            done, twice = done + moved, twice + again
            after = people[-1]
            progress(done, 0)
        left = await _left(units, version)
        if twice and left == len(twice):
            raise NotPossible(_twice(twice))
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


def _twice(people: Sequence[UUID]) -> str:
    named = ", ".join(str(each) for each in people)
    return (
        f"the V-number of person {named} is that of another, who was taken in as well: nobody is missed, and the old"
        " key stays. Let who works with the cases of one go on in those of the other, erase the one with `ketenbrug"
        " erase-person`, and run it again"
    )


async def _known(units: Units) -> tuple[int, int, bool]:
    """The newest version that was ever used, the newest that a rotation began, and whether anybody is under another."""
    unit = units()
    try:
        begun = await index_store.begun(unit)
        newest = max(begun, await index_store.newest(unit))
        return newest, begun, await index_store.indexed_otherwise(unit, begun) > 0
    finally:
        await unit.finish()


async def _begin(units: Units, version: int) -> None:
    """Let the new version be the current one, once nobody is adding a person. Raises `Overloaded`."""
    unit = units()
    try:
        await index_store.close(unit)
        await index_store.begin(unit, version)
        await unit.finish()
    except BaseException:
        await unit.abort()
        raise


async def _left(units: Units, version: int) -> int:
    """How many are not indexed under the new key. If none: so it stays."""
    unit = units()
    try:
        return await index_store.indexed_otherwise(unit, version)
    finally:
        await unit.finish()


async def _older(units: Units, version: int, after: UUID) -> list[UUID]:
    unit = units()
    try:
        return await index_store.older_index(unit, version, after, _BATCH)
    finally:
        await unit.finish()


async def move(
    units: Units, wrapper: KeyWrapper, index: BlindIndex, version: int, people: Sequence[UUID]
) -> tuple[int, list[UUID]]:
    """Index these persons anew; how many, and who is left because another person has their V-number.

    Whom somebody else holds, or who was erased, is left out.
    """
    unit = units()
    try:
        held = await keys_of.hold_free(unit, people)
        vault = Vault(wrapper)
        await vault.take(held)
        records = await index_store.sealed(unit, [each.person for each in held])
        twice = await _index(unit, vault, index, version, records)
        await unit.finish()
    except Overloaded:
        await unit.abort()
        return 0, []
    except BaseException:
        await unit.abort()
        raise
    return len(held) - len(twice), twice


async def _index(unit: Unit, vault: Vault, index: BlindIndex, version: int, records: Sequence[Record]) -> list[UUID]:
    twice: list[UUID] = []
    stored = await index.stored([_opened(vault, record) for record in records], version)
    for record, v_index in zip(records, stored, strict=True):
        person = PERSON.row(record)
        kept = {"v_number": PERSON.value(record, "v_number")}
        seal = vault.seal_row(person, PERSON, person, {}, {"v_index": v_index}, kept)[SEAL]
        if not await index_store.set_index(unit, person, v_index, seal):
            twice.append(person)
    return twice


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
