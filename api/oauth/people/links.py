"""A link by which somebody may sign in once, without a provider: for a sandbox, and for operators.

In a sandbox whoever has a shell makes one, for any organisation of it and any role that its people can have. Elsewhere
an operator signs for it with the key that they enrolled, and it makes them an operator of an organisation of that kind,
and nobody else (ADR 0044). The secret is 256 random bits, of which the database has a digest, and lasts for minutes.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import uuid_utils.compat as uuid_utils
from sqlalchemy import Boolean, DateTime, LargeBinary, bindparam, delete, insert, or_

from api.audit import log
from api.audit.entry import Entry, Thing
from api.errors import Misconfigured
from api.oauth import registry
from api.oauth.people import sessions
from api.oauth.people.model import roles_of
from api.oauth.people.ticket import Ticket
from api.oauth.tables import link, organisation
from api.storage.statement import statement
from api.vocabulary import Party, Result, Role

if TYPE_CHECKING:
    from api.oauth.people.model import SignedIn
    from api.principal import Principal
    from api.storage.unit import Unit
    from api.vocabulary import OrganisationId

MAKE: Final = "people.make-link"
"""The action, in the audit log."""

LASTS: Final = timedelta(minutes=10)
PATH: Final = "/console/link"
"""Where its code is typed in: an address is in the logs of whatever is on the way, before it is used."""

_ADD: Final = statement(insert(link), "digest", "organisation_id", "roles", "person", "expires_at")
_TAKE: Final = statement(
    delete(link)
    .where(
        link.c.digest == bindparam("of_digest", type_=LargeBinary),
        link.c.organisation_id == organisation.c.id,
        or_(bindparam("in_sandbox", type_=Boolean), organisation.c.kind == Party.OPERATOR.value),
    )
    .returning(*organisation.c, link.c.roles, link.c.person, link.c.expires_at)
)
_SWEEP: Final = statement(delete(link).where(link.c.expires_at <= bindparam("now", type_=DateTime(timezone=True))))


async def make(
    unit: Unit, actor: Principal, organisation_id: OrganisationId, roles: frozenset[Role], *, in_sandbox: bool
) -> Ticket:
    """Make one for a person of this organisation in these roles. Raises `Misconfigured`."""
    found = await registry.find_organisation(unit, organisation_id)
    if found is None:
        raise Misconfigured(("no organisation of this id is registered",))
    if not in_sandbox and found.kind is not Party.OPERATOR:
        raise Misconfigured(("outside a sandbox a link is for operators: others sign in with their own provider",))
    if not roles or roles - roles_of(found.kind):
        raise Misconfigured((f"people of this organisation can be {', '.join(sorted(roles_of(found.kind)))}",))
    ticket, entry_id = Ticket.fresh(), uuid_utils.uuid7()
    thing = Thing("link", organisation_id, digest=ticket.digest)
    log.append(unit, Entry(id=entry_id, at=unit.now, action=MAKE, result=Result.PERMITTED, actor=actor, thing=thing))
    await unit.run(
        _ADD(
            digest=ticket.digest,
            organisation_id=organisation_id,
            roles=sorted(roles),
            person=actor.person or str(actor.client_id),
            expires_at=unit.now + LASTS,
        )
    )
    return ticket


async def take(unit: Unit, ticket: Ticket, *, in_sandbox: bool) -> SignedIn | None:
    """Use a link up, and say who is to be signed in; None when there is none any more.

    Outside a sandbox none holds that was made in one, on the same database.
    """
    rows = await unit.run(_TAKE(of_digest=ticket.digest, in_sandbox=in_sandbox))
    if not rows or rows[0]["expires_at"] <= unit.now:
        return None
    row = rows[0]
    roles, person = frozenset(Role(role) for role in row["roles"]), row["person"]
    return sessions.made(registry.organisation_of(row), roles, person, person, unit.now, sessions.LINK_LASTS)


async def sweep(unit: Unit) -> None:
    """Forget links that are over. For the housekeeping of `ketenbrug work`, once a minute."""
    await unit.run(_SWEEP(now=unit.now))
