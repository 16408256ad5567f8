"""Whether everything that is sealed opens, and stands where it was sealed. It reads all of it and shows none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from api.crypto.vault import Vault
from api.custody import custodian, sealing, store
from api.errors import Undecryptable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from api.crypto.wrappers import KeyWrapper
    from api.custody.custodian import Progress, Units
    from api.custody.sealing import Broken
    from api.principal import Principal

_BATCH: Final = 200


@dataclass
class Inspection:
    """What was found. `under`: how many keys are under each KEK; `locked`: persons whose key does not open."""

    under: Mapping[str, int]
    persons: int = 0
    rows: int = 0
    locked: list[UUID] = field(default_factory=list["UUID"])
    broken: list[Broken] = field(default_factory=list["Broken"])

    @property
    def holds(self) -> bool:
        """Whether all of it opens."""
        return not self.locked and not self.broken


async def inspect(units: Units, keys: KeyWrapper, actor: Principal, progress: Progress) -> Inspection:
    """Open every sealed row under its seal. Raises `Unavailable`."""
    unit = units()
    found = Inspection(await store.under(unit))
    custodian.write_down(unit, actor, custodian.CHECK, "keys")
    await unit.finish()
    after, total = store.FIRST, sum(found.under.values())
    while True:
        unit = units()
        batch = await store.keys(unit, after, _BATCH)
        await unit.finish()
        if not batch:
            return found
        for each in batch:
            await _look(units, keys, each.person, found)
        after = batch[-1].person
        progress(found.persons, total - found.persons)


async def _look(units: Units, keys: KeyWrapper, person: UUID, found: Inspection) -> None:
    unit, vault = units(), Vault(keys)
    try:
        held = await store.hold(unit, person)
        if held is None:
            return
        found.persons += 1
        await vault.take([held])
        rows, broken = await sealing.broken(unit, person, vault)
        found.rows += rows
        found.broken += broken
    except Undecryptable:
        found.locked.append(person)
    finally:
        await unit.finish()
