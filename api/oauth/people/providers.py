"""Which organisations have a provider for their people. Every change is an audit entry, and ends their sessions."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final, cast

import orjson
import uuid_utils.compat as uuid_utils
from sqlalchemy import Text, Uuid, bindparam, false, insert, select, true, update
from sqlalchemy.dialects.postgresql import JSONB

from api.audit import log
from api.audit.entry import Entry, Thing
from api.errors import Misconfigured
from api.oauth import registry
from api.oauth.people import sessions
from api.oauth.people.model import Provider, roles_of
from api.oauth.tables import organisation, provider
from api.storage.statement import statement
from api.vocabulary import Result, Role

if TYPE_CHECKING:
    from uuid import UUID

    from api.oauth.people.model import NewProvider
    from api.principal import Principal
    from api.storage.unit import Record, Unit

REGISTER: Final = "people.register-provider"
DISABLE: Final = "people.disable-provider"
"""The actions, in the audit log."""

_JOINED: Final = select(
    *organisation.c,
    provider.c.id.label("provider_id"),
    provider.c.issuer,
    provider.c.client_id,
    provider.c.role_claim,
    provider.c.roles,
    provider.c.contact,
).join_from(provider, organisation)
_STANDING: Final = statement(_JOINED.where(provider.c.enabled == true()).order_by(organisation.c.name, provider.c.id))
_ONE: Final = statement(
    _JOINED.where(provider.c.enabled == true(), provider.c.id == bindparam("of_provider", type_=Uuid))
)
_HELD: Final = statement(
    _JOINED.where(provider.c.enabled == true(), provider.c.id == bindparam("of_provider", type_=Uuid)).with_for_update(
        read=True, of=provider
    )
)
_SAME: Final = statement(
    select(provider.c.id, provider.c.organisation_id).where(
        provider.c.issuer == bindparam("of_issuer", type_=Text),
        provider.c.client_id == bindparam("of_client", type_=Text),
    )
)
_ADD: Final = statement(
    insert(provider),
    "id",
    "organisation_id",
    "issuer",
    "client_id",
    "role_claim",
    "roles",
    "contact",
    "enabled",
    "created_at",
)
_CHANGE: Final = statement(
    update(provider)
    .where(provider.c.id == bindparam("of_provider", type_=Uuid))
    .values(
        role_claim=bindparam("claim", type_=Text),
        roles=bindparam("mapping", type_=JSONB),
        contact=bindparam("whom", type_=Text),
        enabled=true(),
    )
)
_DISABLE: Final = statement(
    update(provider)
    .where(provider.c.id == bindparam("of_provider", type_=Uuid))
    .values(enabled=false())
    .returning(provider.c.organisation_id)
)


async def standing(unit: Unit) -> list[Provider]:
    """Every provider where somebody may sign in, by the name of its organisation."""
    return [_provider(row) for row in await unit.all(_STANDING())]


async def find(unit: Unit, provider_id: UUID) -> Provider | None:
    """One of them, or None."""
    row = await unit.one(_ONE(of_provider=provider_id))
    return None if row is None else _provider(row)


async def hold(unit: Unit, provider_id: UUID) -> Provider | None:
    """One of them as it is now, and until the unit is finished; or None."""
    rows = await unit.run(_HELD(of_provider=provider_id))
    return _provider(rows[0]) if rows else None


async def register(unit: Unit, actor: Principal, new: NewProvider) -> UUID:
    """Register a provider, or replace the roles of one that is there: its id stays, its sessions end.

    Raises `Misconfigured` with every fault found.
    """
    faults = list(new.faults())
    known = await registry.find_organisation(unit, new.organisation_id)
    if known is None:
        faults.append("no organisation of this id is registered")
    elif beyond := sorted(set(new.roles.values()) - roles_of(known.kind)):
        faults.append(f"people of such an organisation cannot be {', '.join(beyond)}")
    same = await unit.one(_SAME(of_issuer=new.issuer, of_client=new.client_id))
    if same is not None and same["organisation_id"] != new.organisation_id:
        faults.append("this issuer knows another organisation by this client id")
    if faults:
        raise Misconfigured(tuple(faults))
    roles = {value: str(role) for value, role in new.roles.items()}
    told = orjson.dumps([new.issuer, new.client_id, new.role_claim, roles], option=orjson.OPT_SORT_KEYS)
    found = new.id if same is None else cast("UUID", same["id"])
    log.append(unit, _entry(unit, actor, REGISTER, Thing("provider", found, digest=hashlib.sha256(told).digest())))
    if same is None:
        await unit.run(
            _ADD(
                id=found,
                organisation_id=new.organisation_id,
                issuer=new.issuer,
                client_id=new.client_id,
                role_claim=new.role_claim,
                roles=roles,
                contact=new.contact,
                enabled=True,
                created_at=unit.now,
            )
        )
    else:
        await unit.run(_CHANGE(of_provider=found, claim=new.role_claim, mapping=roles, whom=new.contact))
        await sessions.end_of_provider(unit, found)
    return found


async def disable(unit: Unit, actor: Principal, provider_id: UUID) -> None:
    """Let nobody sign in there any more, and end who did, from the next request. Raises `Misconfigured`."""
    if not await unit.run(_DISABLE(of_provider=provider_id)):
        raise Misconfigured(("no provider of this id is registered",))
    log.append(unit, _entry(unit, actor, DISABLE, Thing("provider", provider_id)))
    await sessions.end_of_provider(unit, provider_id)


def _provider(row: Record) -> Provider:
    roles: dict[str, Any] = row["roles"]
    return Provider(
        id=row["provider_id"],
        organisation=registry.organisation_of(row),
        issuer=row["issuer"],
        client_id=row["client_id"],
        role_claim=row["role_claim"],
        roles={value: Role(role) for value, role in roles.items()},
        contact=row["contact"],
    )


def _entry(unit: Unit, actor: Principal, action: str, thing: Thing) -> Entry:
    return Entry(id=uuid_utils.uuid7(), at=unit.now, action=action, result=Result.PERMITTED, actor=actor, thing=thing)
