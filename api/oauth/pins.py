"""The certificates that a client is held to, and holding it to others.

Without any, each certificate counts that has the OIN of its organisation: a renewed one serves without a word to the
operators. With some, only they do, from the next request on and for tokens that were issued before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import uuid_utils.compat as uuid_utils
from sqlalchemy import Text, bindparam, update
from sqlalchemy.dialects.postgresql import JSONB

from api.audit import log
from api.audit.entry import Entry, Thing
from api.errors import Misconfigured
from api.oauth import model, registry
from api.oauth.model import Pin
from api.oauth.tables import client
from api.storage.statement import statement
from api.vocabulary import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.oauth.certificate import Certificate
    from api.principal import Principal
    from api.storage.unit import Unit
    from api.vocabulary import ClientId

PIN: Final = "oauth.pin-certificates"

_PIN: Final = statement(
    update(client)
    .where(client.c.client_id == bindparam("of_client", type_=Text))
    .values(certificates=bindparam("pins", type_=JSONB), epoch=client.c.epoch + 1)
    .returning(client.c.client_id)
)


async def replace(unit: Unit, actor: Principal, client_id: ClientId, certificates: Sequence[Certificate]) -> None:
    """Hold a client to these certificates from its next request on; to none, when there are none.

    Raises `Misconfigured`.
    """
    known = await registry.read(unit, client_id)
    if known is None or known.pins is None:
        raise Misconfigured(("no client of this id proves itself by a certificate",))
    if faults := model.certificate_faults(certificates, known.organisation.oin, unit.now):
        raise Misconfigured(tuple(faults))
    named = [each.thumbprint for each in certificates]
    thing = Thing(f"client:{client_id}", known.organisation.id, digest=registry.digest(named))
    await unit.run(_PIN(of_client=client_id, pins=[Pin.of(each).stored() for each in certificates]))
    log.append(
        unit,
        Entry(id=uuid_utils.uuid7(), at=unit.now, action=PIN, result=Result.PERMITTED, actor=actor, thing=thing),
    )
