"""The mark: what was signed for one use counts once, and only while its client stands (ASVS 5.0 15.4.2).

The mark is an INSERT that goes with whatever the unit does. Its `expires_at` is read from the client's row, so that one
statement answers three questions:

    a second mark of the same digest     pk_seen is violated      `Replayed`
    the client is disabled or changed    expires_at is NULL       `StaleStanding`
    the token was revoked                the same

PostgreSQL checks NOT NULL before it looks at the index, so who no longer stands never learns of a replay.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from sqlalchemy import DateTime, Integer, LargeBinary, Text, bindparam, delete, exists, insert, select, true

from api.errors import Replayed, StaleStanding
from api.oauth import revocation
from api.oauth.tables import client, revoked, seen
from api.storage.statement import statement

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from api.storage.unit import Unit
    from api.vocabulary import ClientId


class Kind(StrEnum):
    """What is used once."""

    PROOF = "proof"
    """A DPoP proof (RFC 9449 section 11.1), counted per key, so that no client burns another's `jti`."""
    ASSERTION = "assertion"
    """A client assertion (RFC 7523 section 3), counted per client."""
    SIGN_IN = "sign-in"
    """The answer to a sign-in of a person, counted per provider: whoever brings it is no client, so `once`."""


_DIGEST: Final = 16
_SIGNALS: Final = {"pk_seen": Replayed, "expires_at": StaleStanding}

_MARK: Final = statement(
    insert(seen).values(
        digest=bindparam("digest", type_=LargeBinary),
        expires_at=select(bindparam("forget_at", type_=DateTime(timezone=True)))
        .select_from(client)
        .where(
            client.c.client_id == bindparam("client_id", type_=Text),
            client.c.epoch == bindparam("epoch", type_=Integer),
            client.c.enabled == true(),
            ~exists().where(revoked.c.digest == bindparam("token", type_=LargeBinary)),
        )
        .scalar_subquery(),
    )
)
_ONCE: Final = statement(insert(seen), "digest", "expires_at")
_SEEN: Final = statement(select(seen.c.digest).where(seen.c.digest == bindparam("digest", type_=LargeBinary)))
_SWEEP: Final = statement(delete(seen).where(seen.c.expires_at < bindparam("now", type_=DateTime(timezone=True))))


def mark(
    unit: Unit,
    kind: Kind,
    who: str,
    jti: str,
    forget_at: datetime,
    client_id: ClientId,
    epoch: int,
    *,
    token_id: str = "",
) -> None:
    """Carry the mark. Whatever the unit does next, it raises `Replayed` or `StaleStanding` instead if either is so.

    `who`: the key's thumbprint for a proof, the client for an assertion. `epoch`: of the client as it was last read.
    `token_id`: of the access token that came with the proof; empty when none did.
    """
    bound = _MARK(
        digest=_digest(kind, who, jti),
        forget_at=forget_at,
        client_id=client_id,
        epoch=epoch,
        token=revocation.digest(token_id),
    )
    unit.mark(bound, _SIGNALS)


def once(unit: Unit, kind: Kind, who: str, what: str, forget_at: datetime) -> None:
    """Carry the mark of what no client sent. Whatever the unit does next, it raises `Replayed` instead if it is one."""
    unit.mark(_ONCE(digest=_digest(kind, who, what), expires_at=forget_at), _SIGNALS)


async def was_seen(unit: Unit, kind: Kind, who: str, jti: str) -> bool:
    """Tell whether it was marked before: only to say which of two marks was violated, never to decide."""
    return await unit.one(_SEEN(digest=_digest(kind, who, jti))) is not None


async def sweep(unit: Unit) -> None:
    """Forget what can no longer be replayed. For the housekeeping of `ketenbrug work`, once a minute."""
    await unit.run(_SWEEP(now=unit.now))


def _digest(kind: Kind, who: str, jti: str) -> bytes:
    parts: Sequence[bytes] = (kind.encode(), who.encode(), jti.encode())
    return hashlib.sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()[:_DIGEST]
