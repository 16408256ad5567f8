"""Honey records (lokdossiers): a person who does not exist, with a V-number of nobody, a key and a case like any other.

Nobody has a reason to come there. Which it is stands in no table and in no entry: only whoever plants it is told, and
tells the service (`KETENBRUG_HONEY`). So that its instants do not betray it beside the entry, it seems some weeks old.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import uuid_utils.compat as uuid_utils

from api.cases import store
from api.custody import custodian
from api.errors import NotPossible
from api.oauth import registry
from api.persons import store as persons
from api.vocabulary import CareFunction, CaseId

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from api.crypto.blind import BlindIndex
    from api.crypto.vault import Vault
    from api.principal import Principal
    from api.storage.unit import Unit
    from api.vocabulary import Municipality, OrganisationId

PLANT: Final = "honey.plant"
SYNTHETIC: Final = "0000"
"""V-numbers that begin so are of nobody: the demo, the sandbox and the tests invent theirs there too."""

_AGE: Final = 90 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Planted:
    """By which ids a planted record is known: in requests and entries, in the log, in the key table."""

    case: UUID
    alias: UUID
    person: UUID


def announce(unit: Unit, actor: Principal) -> None:
    """Carry the entry, of a unit of its own: that one is planted, and not which it is."""
    custodian.write_down(unit, actor, PLANT, "honey")


def seeming(now: datetime) -> datetime:
    """When a record that is planted now was made, as it will seem. For the unit that plants it."""
    return now - timedelta(seconds=secrets.randbelow(_AGE) + 1)


async def plant(
    unit: Unit, vault: Vault, index: BlindIndex, host: OrganisationId, municipality: Municipality
) -> Planted:
    """Plant one at an organisation. Raises `NotPossible`."""
    keeper = await registry.find_organisation(unit, host)
    if keeper is None or municipality not in keeper.municipalities:
        raise NotPossible("there is no such organisation, or it does not work in this municipality")
    v_number = f"{SYNTHETIC}{secrets.randbelow(10**6):06}"
    tags = await index.of(v_number)
    known, v_index = await persons.find(unit, tags)
    if known is not None:
        raise NotPossible("chance led to a V-number that is there already: try again")
    moment = int(unit.now.timestamp() * 1e9)
    who, case = persons.named(), CaseId(uuid_utils.uuid7(nanoseconds=moment))
    await persons.add(unit, vault, who, v_number, v_index)
    await store.add(unit, case, who.id, municipality, host, with_status=True)
    await store.assign(unit, uuid_utils.uuid7(nanoseconds=moment), case, host, CareFunction.COORDINATION)
    return Planted(case, who.alias, who.id)
