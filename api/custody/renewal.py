"""A new key for each person, while the service runs: a short transaction each, in which nobody else seals for them.

    (1) hold the person's key                               (2) make a new one
    (3) open every row with the old, seal it with the new   (4) put the new one in its place

Who reads meets one or the other, whole, because row and key are read in one statement. Who writes waits for (4) and
then seals with the new key. A rotation that was interrupted goes on: keys that are younger than its beginning are done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from api.crypto.vault import Vault
from api.custody import custodian, sealing, store
from api.errors import NotPossible, Overloaded

if TYPE_CHECKING:
    from uuid import UUID

    from api.crypto.wrappers import KeyWrapper
    from api.custody.custodian import Progress, Units
    from api.principal import Principal

_WHAT: Final = "dek"
_BATCH: Final = 200
_PASSES: Final = 10


async def rotate(units: Units, keys: KeyWrapper, actor: Principal, progress: Progress) -> int:
    """Replace the key of every person, and return how many. Raises `NotPossible`, `Unavailable`, `Undecryptable`."""
    unit = units()
    which, began = await store.running(unit, _WHAT) or await store.begin(unit, _WHAT)
    custodian.write_down(unit, actor, custodian.ROTATE_DEK, "key-rotation", which)
    await unit.finish()
    done = left = 0
    for _ in range(_PASSES):
        after = store.FIRST
        while True:
            unit = units()
            people = await store.older(unit, began, after, _BATCH)
            left = await store.left(unit, began)
            await unit.finish()
            progress(done, left)
            if not people:
                break
            for person in people:
                done += await renew(units, keys, person)
            after = people[-1]
        if not left:
            unit = units()
            await store.end(unit, which)
            custodian.write_down(unit, actor, custodian.ROTATE_DEK, "key-rotation", which)
            await unit.finish()
            return done
    why = f"the keys of {left} persons are held by others: run it again"
    raise NotPossible(why)


async def renew(units: Units, keys: KeyWrapper, person: UUID) -> bool:
    """Replace the key of one person. False when somebody else held it too long, or the person was erased meanwhile."""
    unit = units()
    try:
        held = await store.hold(unit, person)
        if held is None:
            await unit.finish()
            return False
        old, new = Vault(keys), Vault(keys)
        await old.take([held])
        wrapped = await new.renewed(person, held.version + 1)
        await sealing.renew(unit, person, old, new)
        await store.replace(unit, wrapped)
        await unit.finish()
    except Overloaded:
        await unit.abort()
        return False
    except BaseException:
        await unit.abort()
        raise
    return True
