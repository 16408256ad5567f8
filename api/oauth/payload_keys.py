"""What signs the payloads of a client, and which payloads an organisation always signs (`api.oauth.payloads`).

A payload key is let in for that one use, and one client: a signature of it is evidence of who said something. Two
operators register it, as they let the client in. Both changes count from the next request.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import orjson
import uuid_utils.compat as uuid_utils
from sqlalchemy import ARRAY, Text, Uuid, bindparam, select, update

from api.audit import log
from api.audit.entry import Entry, Thing
from api.errors import Misconfigured
from api.oauth import jose, registry
from api.oauth.model import key_faults
from api.oauth.tables import client, organisation
from api.storage.statement import statement
from api.vocabulary import Result

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from api.principal import Principal
    from api.storage.unit import Unit
    from api.vocabulary import ClientId, OrganisationId, Signable

REGISTER: Final = "oauth.register-payload-keys"
REQUIRE: Final = "oauth.require-payload-signatures"
"""The actions, in the audit log."""

_USED: Final = statement(select(client.c.client_id, client.c.jwks, client.c.payload_jwks))
_SET: Final = statement(
    update(client)
    .where(client.c.client_id == bindparam("of_client", type_=Text))
    .values(payload_jwks=bindparam("keys", type_=Text), epoch=client.c.epoch + 1)
    .returning(client.c.organisation_id)
)
_REQUIRE: Final = statement(
    update(organisation)
    .where(organisation.c.id == bindparam("of_organisation", type_=Uuid))
    .values(signs=bindparam("operations", type_=ARRAY(Text)))
    .returning(organisation.c.id)
)


async def register(unit: Unit, actor: Principal, client_id: ClientId, jwks: Sequence[Mapping[str, Any]]) -> None:
    """Have these keys sign the payloads of a client, and no others; none: it signs nothing. Raises `Misconfigured`."""
    faults = key_faults(jwks) if jwks else []
    if faults:
        raise Misconfigured(tuple(faults))
    keys = jose.key_ring(jwks) if jwks else jose.KeyRing({})
    for row in await unit.all(_USED()):
        foreign = row["client_id"] != client_id and row["payload_jwks"] is not None
        used = (*row["jwks"], *(orjson.loads(row["payload_jwks"]) if foreign else ()))
        if {jose.public_key(each).thumbprint for each in used} & keys.thumbprints:
            raise Misconfigured(("a key that signs payloads has no other use, and no other client",))
    text = orjson.dumps(keys.as_jwks()).decode() if jwks else None
    rows = await unit.run(_SET(of_client=client_id, keys=text))
    if not rows:
        raise Misconfigured(("no client of this id is registered",))
    _record(unit, actor, REGISTER, Thing(f"client:{client_id}", rows[0]["organisation_id"], digest=keys.digest))


async def require(
    unit: Unit, actor: Principal, organisation_id: OrganisationId, operations: frozenset[Signable]
) -> None:
    """Have an organisation sign what it sends in these operations, and in no others. Raises `Misconfigured`."""
    if not await unit.run(_REQUIRE(of_organisation=organisation_id, operations=sorted(operations))):
        raise Misconfigured(("no organisation of this id is registered",))
    await unit.run(registry.RAISE_EPOCHS(of_organisation=organisation_id))
    said = hashlib.sha256(" ".join(sorted(operations)).encode()).digest()
    _record(unit, actor, REQUIRE, Thing("organisation", organisation_id, digest=said))


def _record(unit: Unit, actor: Principal, action: str, thing: Thing) -> None:
    entry = Entry(id=uuid_utils.uuid7(), at=unit.now, action=action, result=Result.PERMITTED, actor=actor, thing=thing)
    log.append(unit, entry)
