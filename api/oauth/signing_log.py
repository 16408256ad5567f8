"""What the database knows of the keys that sign access tokens: ids, and which of them leaked. Never a key.

Each rotation is a row here, beside its entry in the log. Whoever loses the file of signing keys, or restores an old
one, would sign with a key that was replaced, and take what a leaked one signed: so a service does not start, and is
not ready, while its file lacks what has begun, or does not know of a leak.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from api.errors import Misconfigured
from api.oauth.tables import signing_key
from api.storage.statement import statement

if TYPE_CHECKING:
    from api.oauth.signing import Schedule, SigningKey
    from api.storage.unit import Unit

_READ: Final = statement(select(signing_key.c.kid, signing_key.c.begins_at, signing_key.c.lost))
_NEW: Final = upsert(signing_key)
_NOTE: Final = statement(
    _NEW.on_conflict_do_update(index_elements=["kid"], set_={"lost": _NEW.excluded.lost}),
    "kid",
    "begins_at",
    "lost",
)


async def record(unit: Unit, schedule: Schedule, *, alone: bool = False) -> None:
    """Write down what the database does not know of a schedule yet. What leaked once has leaked for good.

    `alone`: what the schedule does not have is lost too, so that a lost file can be begun anew.
    """
    known = {row["kid"]: row for row in await unit.all(_READ())}
    for key in schedule.keys:
        row, lost = known.pop(key.kid, None), key.kid in schedule.lost
        if row is None or (lost and not row["lost"]):
            await unit.run(_NOTE(kid=key.kid, begins_at=_moment(key), lost=lost))
    for kid, row in known.items():
        if alone:
            await unit.run(_NOTE(kid=kid, begins_at=row["begins_at"], lost=True))


async def faults(unit: Unit, schedule: Schedule) -> tuple[str, ...]:
    """What the file of signing keys must have and has not, in sentences."""
    here, found = {key.kid for key in schedule.keys}, list[str]()
    for row in await unit.all(_READ()):
        kid: str = row["kid"]
        if row["lost"]:
            if kid in here - schedule.lost:
                found.append(f"the file of signing keys does not know that {kid} leaked: restore the newest one")
        elif kid not in here and row["begins_at"] <= unit.now:
            found.append(
                f"the file of signing keys lacks {kid}, which signs: restore it from where it was rotated, or give "
                "it up with `ketenbrug keys rotate-signing --compromised`"
            )
    return tuple(found)


async def hold(unit: Unit, schedule: Schedule) -> None:
    """Raise `Misconfigured` when there is a fault."""
    if found := await faults(unit, schedule):
        raise Misconfigured(found)


def _moment(key: SigningKey) -> datetime:
    return datetime.fromtimestamp(max(key.begins, 0.0), UTC)
