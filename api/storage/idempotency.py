"""Idempotency keys: one effect per key, client and operation, in the transaction of the effect.

A row holds the key, an HMAC of the request, the status and the id of what was made: never a body. A replay renders the
resource anew, through the gate. Rows live for 24 hours. A request that was refused had no effect: the same request
may be tried again with its key.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import (
    Column,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    bindparam,
    delete,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from api.storage.base import instant, metadata
from api.storage.statement import statement

if TYPE_CHECKING:
    from uuid import UUID

    from api.storage.unit import Unit
    from api.vocabulary import ClientId

LIFETIME: Final = timedelta(hours=24)
_REFUSED: Final = 400

used: Final = Table(
    "idempotency_key",
    metadata,
    Column("client_id", Text),
    Column("operation", Text),
    Column("key", Text),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("resource_id", Uuid, nullable=False),
    instant("expires_at"),
    PrimaryKeyConstraint("client_id", "operation", "key"),
    schema="exchange",
)

_FRESH: Final = insert(used)
_CLAIM: Final = statement(
    _FRESH.on_conflict_do_update(
        index_elements=["client_id", "operation", "key"],
        set_={
            "fingerprint": _FRESH.excluded.fingerprint,
            "status": _FRESH.excluded.status,
            "resource_id": _FRESH.excluded.resource_id,
            "expires_at": _FRESH.excluded.expires_at,
        },
        where=or_(
            used.c.expires_at <= bindparam("now", type_=used.c.expires_at.type),
            (used.c.status >= _REFUSED) & (used.c.fingerprint == _FRESH.excluded.fingerprint),
        ),
    ).returning(used.c.resource_id),
    "client_id",
    "operation",
    "key",
    "fingerprint",
    "status",
    "resource_id",
    "expires_at",
)
_MINE: Final = (
    (used.c.client_id == bindparam("client"))
    & (used.c.operation == bindparam("op"))
    & (used.c.key == bindparam("idempotency_key"))
)
_KNOWN: Final = statement(select(used.c.fingerprint, used.c.resource_id).where(_MINE))
_NOTE: Final = statement(update(used).where(_MINE).values(status=bindparam("new_status")))


_SWEEP: Final = statement(delete(used).where(used.c.expires_at < bindparam("now", type_=used.c.expires_at.type)))


@dataclass(frozen=True, slots=True)
class Claim:
    """What a key stands for: `resource` is the id that was, or now is to be, made. `reused`: for another request."""

    resource: UUID
    replayed: bool = False
    reused: bool = False


async def claim(unit: Unit, client: ClientId, operation: str, key: str, fingerprint: bytes, resource: UUID) -> Claim:
    """Claim a key. A claim by another unit that still runs is waited for, as long as locks are; then `Overloaded`."""
    fresh = await unit.run(
        _CLAIM(
            client_id=client,
            operation=operation,
            key=key,
            fingerprint=fingerprint,
            status=201,
            resource_id=resource,
            expires_at=unit.now + LIFETIME,
            now=unit.now,
        )
    )
    if fresh:
        return Claim(resource)
    known = await unit.one(_KNOWN(client=client, op=operation, idempotency_key=key))
    if known is None:  # pragma: no cover - only if housekeeping removed it between two statements
        return Claim(resource)
    return Claim(known["resource_id"], replayed=True, reused=known["fingerprint"] != fingerprint)


async def sweep(unit: Unit) -> None:
    """Forget the keys whose day is over."""
    await unit.run(_SWEEP(now=unit.now))


def note(unit: Unit, client: ClientId, operation: str, key: str, status: int) -> None:
    """Carry the status that the answer will have."""
    unit.carry(_NOTE(client=client, op=operation, idempotency_key=key, new_status=status))
