"""The public key that a client has its answers sealed to (`api.crypto.jwe`): registering it, and taking it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import uuid_utils.compat as uuid_utils
from sqlalchemy import Text, bindparam, update

from api.audit import log
from api.audit.entry import Entry, Thing
from api.errors import Misconfigured
from api.oauth.tables import client
from api.storage.statement import statement
from api.vocabulary import Result

if TYPE_CHECKING:
    from api.crypto.jwe import Recipient
    from api.principal import Principal
    from api.storage.unit import Unit
    from api.vocabulary import ClientId

SEAL_ANSWERS: Final = "oauth.register-encryption-key"

_SET: Final = statement(
    update(client)
    .where(client.c.client_id == bindparam("of_client", type_=Text))
    .values(encryption_jwk=bindparam("jwk", type_=Text), epoch=client.c.epoch + 1)
    .returning(client.c.organisation_id)
)


async def register(unit: Unit, actor: Principal, client_id: ClientId, key: Recipient | None) -> None:
    """Have the answers of a client sealed to this key from its next request on; None: in the clear again.

    Raises `Misconfigured`.
    """
    rows = await unit.run(_SET(of_client=client_id, jwk=None if key is None else key.jwk))
    if not rows:
        raise Misconfigured(("no client of this id is registered",))
    thing = Thing(f"client:{client_id}", rows[0]["organisation_id"])
    log.append(
        unit,
        Entry(
            id=uuid_utils.uuid7(), at=unit.now, action=SEAL_ANSWERS, result=Result.PERMITTED, actor=actor, thing=thing
        ),
    )
