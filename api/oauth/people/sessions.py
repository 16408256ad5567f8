"""Who is signed in. A session is a row: to end it is to delete the row, and that counts from the next request.

A session ends when it was not used for `IDLE`, at the latest `LASTS` after it began (`LINK_LASTS` by a link), when its
person signs out or signs in again in the same browser, when their provider is disabled or its roles are replaced, and
when an operator ends it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import uuid_utils.compat as uuid_utils
from sqlalchemy import DateTime, LargeBinary, Uuid, bindparam, delete, exists, insert, or_, true, update

from api.audit import log
from api.audit.entry import Entry, Thing
from api.errors import Undecryptable
from api.oauth import registry
from api.oauth.people.model import SignedIn
from api.oauth.people.ticket import Ticket
from api.oauth.tables import link, organisation, provider, session
from api.principal import Principal
from api.storage.statement import statement
from api.vocabulary import ClientId, Result, Role

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from api.principal import Organisation, Origin
    from api.storage.unit import Record, Unit
    from api.vocabulary import OrganisationId

CLIENT: Final = ClientId("console")
"""By which client people act, in the log: beside it, `person` was proven, and is no mere claim of a machine."""

END: Final = "people.end-sessions"
"""The action of an operator, in the audit log."""

IDLE: Final = timedelta(minutes=15)
LASTS: Final = timedelta(hours=8)
LINK_LASTS: Final = timedelta(hours=1)

_AT: Final = DateTime(timezone=True)
_ADD: Final = statement(
    insert(session),
    "digest",
    "id",
    "organisation_id",
    "provider_id",
    "roles",
    "person",
    "sealed",
    "created_at",
    "seen_at",
    "expires_at",
)
_WHOLE: Final = (
    *organisation.c,
    session.c.id.label("session_id"),
    session.c.provider_id,
    session.c.roles,
    session.c.person,
    session.c.sealed,
    session.c.created_at.label("since"),
    session.c.expires_at,
)
_OF_DIGEST: Final = session.c.digest == bindparam("of_digest", type_=LargeBinary)
_OF_ORGANISATION: Final = session.c.organisation_id == organisation.c.id
_STANDS: Final = or_(
    session.c.provider_id.is_(None),
    exists().where(provider.c.id == session.c.provider_id, provider.c.enabled == true()),
)
_TOUCH: Final = statement(
    update(session)
    .where(
        _OF_DIGEST,
        _OF_ORGANISATION,
        session.c.expires_at > bindparam("now", type_=_AT),
        session.c.seen_at > bindparam("used_since", type_=_AT),
        _STANDS,
    )
    .values(seen_at=bindparam("now", type_=_AT))
    .returning(*_WHOLE)
)
_TAKE: Final = statement(delete(session).where(_OF_DIGEST, _OF_ORGANISATION).returning(*_WHOLE))
_OF_PROVIDER: Final = statement(
    delete(session).where(session.c.provider_id == bindparam("of_provider", type_=Uuid)).returning(session.c.id)
)
_ALL: Final = statement(delete(session).returning(session.c.id))
_OF_ONE: Final = statement(
    delete(session).where(session.c.organisation_id == bindparam("of_organisation", type_=Uuid)).returning(session.c.id)
)
_NO_LINKS: Final = statement(delete(link))
_NO_LINKS_OF: Final = statement(delete(link).where(link.c.organisation_id == bindparam("of_organisation", type_=Uuid)))
_SWEEP: Final = statement(
    delete(session).where(
        or_(
            session.c.expires_at <= bindparam("now", type_=_AT), session.c.seen_at <= bindparam("used_since", type_=_AT)
        )
    )
)


async def begin(unit: Unit, signed_in: SignedIn) -> Ticket:
    """Begin a session, with a ticket that was never used before."""
    ticket = Ticket.fresh()
    await unit.run(
        _ADD(
            digest=ticket.digest,
            id=signed_in.id,
            organisation_id=signed_in.organisation.id,
            provider_id=signed_in.provider_id,
            roles=sorted(signed_in.roles),
            person=signed_in.person,
            sealed=ticket.seal(signed_in.name.encode(), signed_in.id),
            created_at=signed_in.since,
            seen_at=signed_in.since,
            expires_at=signed_in.until,
        )
    )
    return ticket


async def find(unit: Unit, ticket: Ticket) -> SignedIn | None:
    """Who is signed in with this ticket, which they use now; None when nobody is, any more."""
    rows = await unit.run(_TOUCH(of_digest=ticket.digest, now=unit.now, used_since=unit.now - IDLE))
    return _signed_in(rows[0], ticket) if rows else None


async def take(unit: Unit, ticket: Ticket) -> SignedIn | None:
    """End the session of this ticket, and say whose it was; None when there was none."""
    rows = await unit.run(_TAKE(of_digest=ticket.digest))
    return _signed_in(rows[0], ticket) if rows else None


async def end_of_provider(unit: Unit, provider_id: UUID) -> None:
    """End every session of people who signed in there."""
    await unit.run(_OF_PROVIDER(of_provider=provider_id))


async def end(unit: Unit, actor: Principal, organisation_id: OrganisationId | None) -> int:
    """End every session of an organisation, or every one there is; how many. One entry says so.

    Links go first: one that is used meanwhile has its session by then.
    """
    if organisation_id is None:
        await unit.run(_NO_LINKS())
        rows = await unit.run(_ALL())
    else:
        await unit.run(_NO_LINKS_OF(of_organisation=organisation_id))
        rows = await unit.run(_OF_ONE(of_organisation=organisation_id))
    thing = Thing("sessions", organisation_id)
    log.append(
        unit,
        Entry(id=uuid_utils.uuid7(), at=unit.now, action=END, result=Result.PERMITTED, actor=actor, thing=thing),
    )
    return len(rows)


async def sweep(unit: Unit) -> None:
    """Forget sessions that are over. For the housekeeping of `ketenbrug work`, once a minute."""
    await unit.run(_SWEEP(now=unit.now, used_since=unit.now - IDLE))


def record(unit: Unit, action: str, origin: Origin, who: SignedIn, *, refused: str | None = None) -> None:
    """Carry the entry of what somebody did to be signed in or out."""
    principal = Principal(CLIENT, who.organisation, frozenset(), origin, str(who.id), who.person)
    entry = Entry(
        id=uuid_utils.uuid7(),
        at=unit.now,
        action=action,
        result=Result.PERMITTED if refused is None else Result.REFUSED,
        actor=principal,
        thing=Thing("session", who.id),
        reason=refused,
    )
    log.append(unit, entry)


def made(
    of: Organisation,
    roles: frozenset[Role],
    person: str,
    name: str,
    now: datetime,
    lasts: timedelta,
    *,
    provider_id: UUID | None = None,
) -> SignedIn:
    """A session that is to begin now."""
    return SignedIn(
        id=uuid_utils.uuid7(),
        organisation=of,
        roles=roles,
        person=person,
        name=name,
        since=now,
        until=now + lasts,
        provider_id=provider_id,
    )


def _signed_in(row: Record, ticket: Ticket) -> SignedIn | None:
    """What the row says; None when somebody changed it, so that nobody is signed in by it."""
    try:
        name = ticket.open(row["sealed"], row["session_id"]).decode()
    except Undecryptable:
        return None
    return SignedIn(
        id=row["session_id"],
        organisation=registry.organisation_of(row),
        roles=frozenset(Role(role) for role in row["roles"]),
        person=row["person"],
        name=name,
        since=row["since"],
        until=row["expires_at"],
        provider_id=row["provider_id"],
    )
