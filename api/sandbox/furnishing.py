"""A database of the sandbox's own, furnished: members registered, agreements taken in and signed by their parties.

Administration goes the way that administration goes, through the rooms, with its entries. What happens between the
parties is never made up here: that goes through the API, in `api.sandbox.story`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from joserfc.jwk import ECKey

from api.consent import agreements, document, intake, signatures
from api.consent.model import Objection
from api.errors import Misconfigured
from api.oauth import registry
from api.sandbox import agreements as shipped
from api.sandbox import members
from api.sandbox.members import OTHER_MUNICIPALITIES, PARTS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from api.sandbox.members import Member
    from api.storage.pool import Database
    from api.storage.unit import Unit


async def furnish(database: Database, now: datetime) -> dict[str, Member]:
    """Register every part and put the shipped agreements in force, in one transaction each."""
    unit = database.unit(now)
    made = {part.key: await members.register(unit, part) for part in (*PARTS, *OTHER_MUNICIPALITIES)}
    await unit.finish()
    unit = database.unit(now)
    for raw in shipped.documents():
        await _put_in_force(unit, raw, made)
    await unit.finish()
    return made


async def _put_in_force(unit: Unit, raw: dict[str, Any], made: Mapping[str, Member]) -> None:
    added = await intake.add(unit, raw, await registry.organisations(unit))
    if isinstance(added, Objection):
        raise Misconfigured(tuple(f"{fault.place}: {fault.sentence}" for fault in added.faults))
    text = document.canonical(raw)
    for member in made.values():
        keys = await registry.signing_keys(unit, member.organisation_id)
        if keys is None:
            continue
        key = ECKey.import_key(dict(member.signing_jwk))
        signature = signatures.make(text, key, key.thumbprint(), "ES256")
        # Who is no party to this one is told so, and that is all.
        await agreements.sign(unit, added.agreement, added.number, member.organisation_id, signature, keys)
