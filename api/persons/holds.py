"""Legal holds (bewaarplicht): while one stands the person is not erased, whoever asks. GDPR article 17(3).

Placed and released on the machine itself; each is an entry in the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import uuid_utils.compat as uuid_utils

from api.custody import custodian
from api.errors import NotPossible
from api.persons import store

if TYPE_CHECKING:
    from uuid import UUID

    from api.persons.model import Person
    from api.principal import Principal
    from api.storage.unit import Unit
    from api.vocabulary import HoldGround

PLACE: Final = "legal-holds.place"
RELEASE: Final = "legal-holds.release"


async def place(unit: Unit, actor: Principal, case_id: UUID, ground: HoldGround) -> None:
    """Place a hold on the person of a case; who is held already stays so. Raises `NotPossible` when nobody is there."""
    who, hold = await _whom(unit, case_id), uuid_utils.uuid7()
    custodian.write_down(unit, actor, PLACE, "legal-hold", hold, who.alias, cause=str(ground))
    await store.place_hold(unit, hold, who.id, ground)


async def release(unit: Unit, actor: Principal, case_id: UUID) -> None:
    """Release the hold on the person of a case. Raises `NotPossible` when none stands."""
    who = await _whom(unit, case_id)
    hold = await store.held(unit, who.id)
    if hold is None:
        raise NotPossible("no legal hold stands on this person")
    custodian.write_down(unit, actor, RELEASE, "legal-hold", hold, who.alias)
    await store.release_hold(unit, hold)


async def _whom(unit: Unit, case_id: UUID) -> Person:
    """The person of a case, locked: an erasure waits for us, or we find that it was first."""
    who = await store.of_case(unit, case_id)
    if who is None or not await store.lock(unit, who.id):
        raise NotPossible("there is no such case, or its person was erased already")
    return who
