"""Epochs of the key-encryption key (KEK): what makes erasure reach backups.

Once an epoch is over, no copy of a key table from it opens anything, wherever it lies. The order of the acts is what
keeps the living safe:

    rotate    (1) a new KEK becomes the current one; (2) every key is wrapped anew under it, in batches
    destroy   (1) no key is under the old KEK, and none can come: the table refuses it; (2) the KEK itself is destroyed

Each step may be interrupted and run again: what is left to do is read from the key table, never remembered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from api.custody import custodian, store
from api.errors import NotPossible, Overloaded

if TYPE_CHECKING:
    from api.custody.custodian import Custodian, Progress, Units
    from api.principal import Principal

_BATCH: Final = 100
_TRIES: Final = 3
"""Who seals holds a key for milliseconds. Who holds one through three waits is stuck."""


async def rotate(units: Units, keys: Custodian, actor: Principal, progress: Progress) -> str:
    """Wrap every key under a new KEK, and return its id. A rotation that was interrupted is taken up.

    Raises `NotPossible` when keys stay held by others, `Unavailable`, `Undecryptable`.
    """
    unit = units()
    under = await store.under(unit)
    current = await keys.current()
    if not under.keys() - {current}:
        current = await keys.renew(current)
    custodian.write_down(unit, actor, custodian.ROTATE_KEK, f"key-epoch:{current}")
    await unit.finish()
    done = 0
    for _ in range(_TRIES):
        try:
            while count := await _rewrap(units, keys):
                done += count
                progress(done, 0)
        except Overloaded:
            continue
        return await keys.current()
    raise NotPossible("a key is held by somebody else: run it again")


async def destroy(units: Units, keys: Custodian, actor: Principal, kek: str) -> None:
    """End an epoch for good. Raises `NotPossible` while it is current or a key is still under it."""
    unit = units()
    if kek == await keys.current():
        custodian.write_down(unit, actor, custodian.DESTROY_EPOCH, "key-epoch", refused="epoch-current")
        await unit.finish()
        why = f"{kek} is the current key-encryption key: rotate it first"
        raise NotPossible(why)
    await store.close(unit)
    still = (await store.under(unit)).get(kek, 0)
    if still:
        custodian.write_down(unit, actor, custodian.DESTROY_EPOCH, "key-epoch", refused="epoch-in-use")
        await unit.decline()
        why = f"{still} keys are still under {kek}: rotate the key-encryption key again"
        raise NotPossible(why)
    await store.destroyed(unit, kek)
    custodian.write_down(unit, actor, custodian.DESTROY_EPOCH, f"key-epoch:{kek}")
    await unit.finish()
    await keys.destroy(kek)


async def _rewrap(units: Units, keys: Custodian) -> int:
    """Wrap a batch of keys under the current KEK, and return how many there were."""
    unit = units()
    try:
        found = await store.former(unit, await keys.current(), _BATCH)
        for old, key in zip(found, await keys.unwrap(found) if found else (), strict=True):
            await store.rewrap(unit, await keys.wrap(old.person, old.version, key))
            key[:] = bytes(len(key))
        await unit.finish()
    except BaseException:
        await unit.abort()
        raise
    return len(found)
