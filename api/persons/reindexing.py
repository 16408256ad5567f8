"""A new key of the V-number index, while the service runs: looked up under both, stored under the newest.

    (1) a new key becomes the current one    (2) each person's index is made anew from the sealed V-number
    (3) nobody is indexed under the old key, and nobody is about to be    (4) the old key is put away

Interrupted, it is taken up at (2). Should a person be left under a key that is gone, nothing is lost: (2) needs the new
key only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from api.crypto.rows import SEAL
from api.crypto.vault import Vault
from api.custody import custodian
from api.custody import store as keys_of
from api.errors import NotPossible, Overloaded
from api.persons import index_store, store
from api.persons.tables import PERSON

if TYPE_CHECKING:
    from uuid import UUID

    from api.crypto.blind import BlindIndex
    from api.crypto.wrappers import KeyWrapper
    from api.custody.custodian import Progress, Units
    from api.principal import Principal
    from api.storage.unit import Unit

_BATCH: Final = 200
_PASSES: Final = 10


class IndexKeys(Protocol):
    """Who keeps the keys of the index."""

    def renew(self) -> int:
        """Make a new key the current one, unless one is being replaced already; its version."""
        ...

    def finish(self, version: int) -> None:
        """Put the key before this version away, unless another was made current meanwhile."""
        ...


async def rotate(
    units: Units, wrapper: KeyWrapper, index: BlindIndex, index_keys: IndexKeys, actor: Principal, progress: Progress
) -> int:
    """Index every person under a new key, and return how many. Raises `NotPossible`, `Unavailable`, `Undecryptable`."""
    version = index_keys.renew()
    await _note(units, actor)
    done = left = 0
    for _ in range(_PASSES):
        after = keys_of.FIRST
        while people := await _older(units, version, after):
            for person in people:
                done += await move(units, wrapper, index, person)
            after = people[-1]
            progress(done, 0)
        left = await _left(units, version)
        if not left:
            index_keys.finish(version)
            await _note(units, actor)
            return done
    why = f"{left} persons are held by others: run it again"
    raise NotPossible(why)


async def _note(units: Units, actor: Principal) -> None:
    unit = units()
    custodian.write_down(unit, actor, custodian.ROTATE_INDEX, "v-number-index")
    await unit.finish()


async def _left(units: Units, version: int) -> int:
    """How many are not indexed under the new key, once nobody is adding a person. Raises `Overloaded`."""
    unit = units()
    try:
        await index_store.close(unit)
        left = await index_store.indexed_otherwise(unit, version)
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


async def move(units: Units, wrapper: KeyWrapper, index: BlindIndex, person: UUID) -> bool:
    """Index one person anew. False when somebody else held the key too long, or the person was erased meanwhile."""
    unit = units()
    try:
        held = await keys_of.hold(unit, person)
        if held is not None:
            vault = Vault(wrapper)
            await vault.take([held])
            await _index(unit, vault, index, person)
        await unit.finish()
    except Overloaded:
        await unit.abort()
        return False
    except BaseException:
        await unit.abort()
        raise
    return held is not None


async def _index(unit: Unit, vault: Vault, index: BlindIndex, person: UUID) -> None:
    for record in await index_store.sealed(unit, person):
        v_number = store.v_number(vault.open_row(person, PERSON, record, ("v_number",)))
        if v_number is not None:
            v_index = index.of_v_number(v_number)
            kept = {"v_number": PERSON.value(record, "v_number")}
            seal = vault.seal_row(person, PERSON, person, {}, {"v_index": v_index}, kept)[SEAL]
            await index_store.set_index(unit, person, v_index, seal)
