"""Statements on what was signed. It is opened only under a permit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, insert, select

from api.crypto.rows import digest, named
from api.crypto.tables import person_key
from api.evidence.model import Evidence, Kept
from api.evidence.tables import SIGNED_PAYLOAD, signed_payload
from api.persons import store as persons
from api.storage.statement import statement

if TYPE_CHECKING:
    from uuid import UUID

    from api.disclosure.call import Call
    from api.disclosure.permit import Permit
    from api.vocabulary import PersonId

_INSERT: Final = statement(
    insert(signed_payload), "id", "person_id", "operation", "author", "thumbprint", "content", "seal", "signed_at"
)

_FIND: Final = statement(select(signed_payload.c.seal).where(signed_payload.c.id == bindparam("thing_id")))
_OPEN: Final = statement(
    select(*SIGNED_PAYLOAD.selected("content"), *persons.KEY_COLUMNS)
    .join(person_key, person_key.c.person_id == signed_payload.c.person_id)
    .where(signed_payload.c.id == bindparam("thing_id"))
)


async def keep(call: Call, thing_id: UUID, who: PersonId) -> None:
    """Keep the body of this call, if it came signed, as evidence of the thing that was made of it.

    The keys of the person are in the vault: what was made of the body was sealed a moment ago.
    """
    sent = call.signed
    if sent is None:
        return
    content = {
        "body": sent.body.decode(),
        "digest": sent.digest,
        "signature": sent.signature,
        "key": sent.key.jwk,
    }
    clear = {
        "id": thing_id,
        "person_id": who,
        "operation": call.operation.name,
        "author": call.caller.organisation.id,
        "thumbprint": sent.key.thumbprint,
        "signed_at": sent.signed_at,
    }
    await call.unit.run(_INSERT(**call.vault.row(who, SIGNED_PAYLOAD, {"content": content}, clear)))


async def find(call: Call, thing_id: UUID) -> Kept | None:
    """Whether the body that a thing was made of was signed; None when it was not."""
    row = await call.unit.one(_FIND(thing_id=thing_id))
    return None if row is None else Kept(thing_id, {named(signed_payload, thing_id): digest(row["seal"])})


async def open_payload(permit: Permit, call: Call, kept: Kept) -> Evidence:
    """The body as it came, whole: the permit names every category that it may hold something of.

    This is the unit's last statement.
    """
    (who,) = permit.persons
    if not permit.categories:
        raise AssertionError("the gate names what the body holds, or refuses")
    row = await persons.opening(call.vault, await call.unit.last(_OPEN(thing_id=kept.id)))
    content = call.vault.open_row(who, SIGNED_PAYLOAD, row, ("content",))["content"]
    signed_at = SIGNED_PAYLOAD.bound_in(row)["signed_at"]
    return Evidence(content["body"], content["digest"], content["signature"], content["key"], signed_at)
