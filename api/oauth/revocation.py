"""Revoked access tokens (RFC 7009): what is revoked counts from the next request, on every worker.

Nobody asks this table by itself: the mark of every request (`api.oauth.replay`) looks into it, in the statement that
the request writes anyway.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from sqlalchemy import DateTime, LargeBinary, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert

from api.oauth.tables import revoked
from api.storage.statement import statement

if TYPE_CHECKING:
    from datetime import datetime

    from api.storage.unit import Unit

_LENGTH: Final = 16

_REVOKE: Final = statement(insert(revoked).on_conflict_do_nothing(), "digest", "expires_at")
_FIND: Final = statement(select(revoked.c.digest).where(revoked.c.digest == bindparam("digest", type_=LargeBinary)))
_SWEEP: Final = statement(delete(revoked).where(revoked.c.expires_at < bindparam("now", type_=DateTime(timezone=True))))


def digest(token_id: str) -> bytes:
    """What stands in the table for a token of this id (`jti`)."""
    return hashlib.sha256(token_id.encode()).digest()[:_LENGTH]


def revoke(unit: Unit, token_id: str, expires_at: datetime) -> None:
    """Carry the revocation. Of a token that was revoked before, it changes nothing."""
    unit.carry(_REVOKE(digest=digest(token_id), expires_at=expires_at))


async def is_revoked(unit: Unit, token_id: str) -> bool:
    """Tell whether a token was revoked: only to say so, never to decide on a request."""
    return await unit.one(_FIND(digest=digest(token_id))) is not None


async def sweep(unit: Unit) -> None:
    """Forget tokens that have expired. For the housekeeping of `ketenbrug work`."""
    await unit.run(_SWEEP(now=unit.now))
