"""Organisations and their clients: registering them, and what a process remembers of them.

Every change of an organisation or a client is an audit entry, and raises the `epoch` of the clients that it touches;
except a change of their keys, which are never taken from memory. A process may remember a client for as long as it
likes, because the mark of every request (`api.oauth.replay`) compares the epoch in the database.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import uuid_utils.compat as uuid_utils
from sqlalchemy import Date, DateTime, Text, Uuid, bindparam, false, insert, select, update
from sqlalchemy.dialects.postgresql import JSONB

from api.audit import log
from api.audit.entry import Entry, Thing
from api.errors import Misconfigured
from api.oauth import jose, model
from api.oauth.model import Client, Pin
from api.oauth.tables import GRANTS, client, organisation
from api.principal import Organisation
from api.storage.statement import statement
from api.vocabulary import ClientId, Municipality, OrganisationId, Party, Result, Scope, Signable

if TYPE_CHECKING:
    from collections.abc import Collection

    from api.oauth.jose import KeyRing
    from api.oauth.model import Designation, NewClient, NewOrganisation
    from api.principal import Principal
    from api.storage.unit import Record, Unit

REGISTER_ORGANISATION: Final = "oauth.register-organisation"
REGISTER_CLIENT: Final = "oauth.register-client"
DISABLE_CLIENT: Final = "oauth.disable-client"
DESIGNATE: Final = "oauth.record-designation"
RENEW_KEYS: Final = "oauth.replace-client-keys"
"""The actions, in the audit log. An entry about what proves a client has the `digest` of these."""


class Clients:
    """What this process remembers of clients: at most `most`, the least used forgotten first; only those that stand."""

    __slots__ = ("_known", "_most")

    def __init__(self, most: int = 1_024) -> None:
        self._most = most
        self._known: OrderedDict[ClientId, Client] = OrderedDict()

    async def find(self, unit: Unit, client_id: ClientId) -> Client | None:
        """The client as remembered, else as the database has it. None when there is none of that id."""
        known = self._known.get(client_id)
        if known is None:
            known = await read(unit, client_id)
            if known is None or not known.enabled:
                return known
            self._known[client_id] = known
        self._known.move_to_end(client_id)
        if len(self._known) > self._most:
            self._known.popitem(last=False)
        return known

    def forget(self, client_id: ClientId) -> None:
        """Read it again at the next request."""
        self._known.pop(client_id, None)


_JOINED: Final = (
    client.c.client_id,
    client.c.jwks,
    client.c.jwks_uri,
    client.c.keys_since,
    client.c.encryption_jwk,
    client.c.payload_jwks,
    client.c.certificates,
    client.c.scopes,
    client.c.grant_type,
    client.c.enabled,
    client.c.epoch,
    organisation.c.id,
    organisation.c.kind,
    organisation.c.name,
    organisation.c.oin,
    organisation.c.municipalities,
    organisation.c.designation_source,
    organisation.c.signs,
)
_READ: Final = statement(
    select(*_JOINED).join_from(client, organisation).where(client.c.client_id == bindparam("client_id", type_=Text))
)
_ORGANISATIONS: Final = statement(select(organisation).order_by(organisation.c.name, organisation.c.id))
_ORGANISATION: Final = statement(select(organisation).where(organisation.c.id == bindparam("id", type_=Uuid)))
_OF_OIN: Final = statement(select(organisation.c.id).where(organisation.c.oin == bindparam("oin", type_=Text)))
_OF_ORGANISATION: Final = ("id", "kind", "name", "oin", "municipalities", "designation_source", "designation_date")
_ADD_ORGANISATION: Final = statement(insert(organisation), *_OF_ORGANISATION, "signing_jwks", "created_at")
_OF_CLIENT: Final = ("client_id", "organisation_id", "jwks", "jwks_uri", "keys_since", "certificates", "scopes")
_ADD_CLIENT: Final = statement(insert(client), *_OF_CLIENT, "grant_type", "enabled", "epoch", "created_at")
_REPLACE_KEYS: Final = statement(
    update(client)
    .where(
        client.c.client_id == bindparam("of_client", type_=Text),
        client.c.jwks == bindparam("known_jwks", type_=JSONB),
    )
    .values(
        jwks=bindparam("new_jwks", type_=JSONB),
        keys_since=bindparam("since", type_=DateTime(timezone=True)),
    )
    .returning(client.c.client_id)
)
_CLIENTS: Final = statement(select(*_JOINED).join_from(client, organisation).order_by(client.c.client_id))
_DISABLE: Final = statement(
    update(client)
    .where(client.c.client_id == bindparam("of_client", type_=Text))
    .values(enabled=false(), epoch=client.c.epoch + 1)
    .returning(client.c.organisation_id)
)
_DESIGNATE: Final = statement(
    update(organisation)
    .where(organisation.c.id == bindparam("of_organisation", type_=Uuid))
    .values(designation_source=bindparam("source", type_=Text), designation_date=bindparam("since", type_=Date))
    .returning(organisation.c.id)
)
RAISE_EPOCHS: Final = statement(
    update(client)
    .where(client.c.organisation_id == bindparam("of_organisation", type_=Uuid))
    .values(epoch=client.c.epoch + 1)
)


async def read(unit: Unit, client_id: ClientId) -> Client | None:
    """The client as the database has it now, enabled or not."""
    row = await unit.one(_READ(client_id=client_id))
    return None if row is None else _client(row)


async def clients(unit: Unit) -> list[Client]:
    """Every client, enabled or not, by its id."""
    return [_client(row) for row in await unit.all(_CLIENTS())]


async def organisations(unit: Unit) -> list[Organisation]:
    """Every organisation that is registered, by name."""
    return [organisation_of(row) for row in await unit.all(_ORGANISATIONS())]


async def find_organisation(unit: Unit, organisation_id: OrganisationId) -> Organisation | None:
    """One organisation, or None."""
    row = await unit.one(_ORGANISATION(id=organisation_id))
    return None if row is None else organisation_of(row)


async def signing_keys(unit: Unit, organisation_id: OrganisationId) -> KeyRing | None:
    """The keys that sign agreements for an organisation, or None when it has none or does not exist."""
    row = await unit.one(_ORGANISATION(id=organisation_id))
    return None if row is None or row["signing_jwks"] is None else jose.key_ring(row["signing_jwks"])


async def register_organisation(unit: Unit, actor: Principal, new: NewOrganisation) -> None:
    """Register an organisation. Raises `Misconfigured` with every fault found."""
    faults = list(new.faults())
    if new.oin is not None and await unit.one(_OF_OIN(oin=new.oin)) is not None:
        faults.append("an organisation with this OIN is registered already")
    if faults:
        raise Misconfigured(tuple(faults))
    designation = new.designation
    log.append(unit, _entry(unit, actor, REGISTER_ORGANISATION, Thing("organisation", new.id)))
    await unit.run(
        _ADD_ORGANISATION(
            id=new.id,
            kind=str(new.kind),
            name=new.name,
            oin=new.oin,
            municipalities=sorted(new.municipalities),
            designation_source=None if designation is None else designation.source,
            designation_date=None if designation is None else designation.date,
            signing_jwks=jose.key_ring(new.signing_jwks).as_jwks() if new.signing_jwks else None,
            created_at=unit.now,
        )
    )


async def register_client(unit: Unit, actor: Principal, new: NewClient) -> KeyRing:
    """Register a client of an organisation, and return its keys. Raises `Misconfigured` with every fault found."""
    faults = list(new.faults())
    of = await unit.one(_ORGANISATION(id=new.organisation_id))
    if of is None:
        faults.append("no organisation of this id is registered")
    elif new.certificates is not None:
        faults.extend(model.certificate_faults(new.certificates, of["oin"], unit.now))
    if await unit.one(_READ(client_id=new.id)) is not None:
        faults.append("a client of this id is registered already")
    if faults:
        raise Misconfigured(tuple(faults))
    keys = jose.key_ring(new.jwks) if new.jwks else jose.KeyRing({})
    named = keys.thumbprints | {each.thumbprint for each in new.certificates or ()}
    thing = Thing(f"client:{new.id}", new.organisation_id, digest=digest(named))
    log.append(unit, _entry(unit, actor, REGISTER_CLIENT, thing))
    await unit.run(
        _ADD_CLIENT(
            client_id=new.id,
            organisation_id=new.organisation_id,
            jwks=keys.as_jwks(),
            jwks_uri=new.jwks_uri,
            keys_since=unit.now,
            certificates=None if new.certificates is None else [Pin.of(each).stored() for each in new.certificates],
            scopes=sorted(new.scopes),
            grant_type=GRANTS[0],
            enabled=True,
            epoch=1,
            created_at=unit.now,
        )
    )
    return keys


async def replace_keys(unit: Unit, actor: Principal, known: Client, keys: KeyRing) -> bool:
    """Replace the keys of a client as it was read. False when they changed in between: then nothing is done."""
    before, after = known.keys.as_jwks(), keys.as_jwks()
    if not await unit.run(_REPLACE_KEYS(of_client=known.id, known_jwks=before, new_jwks=after, since=unit.now)):
        return False
    thing = Thing(f"client:{known.id}", known.organisation.id, digest=keys.digest)
    log.append(unit, _entry(unit, actor, RENEW_KEYS, thing))
    return True


async def disable_client(unit: Unit, actor: Principal, client_id: ClientId) -> None:
    """Disable a client: counts from its next request, for tokens issued before too. Raises `Misconfigured`."""
    rows = await unit.run(_DISABLE(of_client=client_id))
    if not rows:
        raise Misconfigured(("no client of this id is registered",))
    log.append(unit, _entry(unit, actor, DISABLE_CLIENT, Thing(f"client:{client_id}", rows[0]["organisation_id"])))


async def record_designation(
    unit: Unit, actor: Principal, organisation_id: OrganisationId, designation: Designation
) -> None:
    """Record a designation under Aliens Act 2000 article 107(8). Raises `Misconfigured`."""
    if not designation.source.strip():
        raise Misconfigured(("a designation needs its source",))
    rows = await unit.run(
        _DESIGNATE(of_organisation=organisation_id, source=designation.source, since=designation.date)
    )
    if not rows:
        raise Misconfigured(("no organisation of this id is registered",))
    await unit.run(RAISE_EPOCHS(of_organisation=organisation_id))
    log.append(unit, _entry(unit, actor, DESIGNATE, Thing("organisation", organisation_id)))


def _client(row: Record) -> Client:
    return Client(
        id=ClientId(row["client_id"]),
        organisation=organisation_of(row),
        # One that publishes its keys has none here before they were fetched.
        keys=jose.key_ring(row["jwks"]) if row["jwks"] else jose.KeyRing({}),
        scopes=frozenset(Scope(scope) for scope in row["scopes"]),
        grant=row["grant_type"],
        enabled=row["enabled"],
        epoch=row["epoch"],
        keys_since=row["keys_since"],
        jwks_uri=row["jwks_uri"],
        encryption_jwk=row["encryption_jwk"],
        payload_jwks=row["payload_jwks"],
        pins=None if row["certificates"] is None else tuple(Pin.taken(each) for each in row["certificates"]),
    )


def organisation_of(row: Record) -> Organisation:
    """The organisation whose columns a row has."""
    return Organisation(
        id=OrganisationId(row["id"]),
        kind=Party(row["kind"]),
        name=row["name"],
        oin=row["oin"],
        municipalities=frozenset(Municipality(each) for each in row["municipalities"]),
        designated=row["designation_source"] is not None,
        signs=frozenset(Signable(each) for each in row["signs"]),
    )


def digest(thumbprints: Collection[str]) -> bytes | None:
    """SHA-256 of the sorted thumbprints of a set of keys or certificates, with a space between them."""
    return hashlib.sha256(" ".join(sorted(thumbprints)).encode()).digest() if thumbprints else None


def _entry(unit: Unit, actor: Principal, action: str, thing: Thing) -> Entry:
    return Entry(id=uuid_utils.uuid7(), at=unit.now, action=action, result=Result.PERMITTED, actor=actor, thing=thing)
