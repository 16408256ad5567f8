"""What the database knows of the keys in a file of them: ids, when each begins, and which of them leaked. Never a key.

Each rotation is a row, beside its entry in the log. Whoever loses such a file, or restores an old one, would use keys
that were replaced, and believe what leaked: so a service does not start, and is not ready, while its file lacks what
has begun, or does not know of a leak.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from api.crypto import dated
from api.crypto.dated import NEVER, Dated, State
from api.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from api.storage.statement import Statement
    from api.storage.unit import Record, Unit

K = TypeVar("K", bound=Dated)

_NEEDED: Final = frozenset({State.ACTIVE, State.RETIRED})


@dataclass(frozen=True, slots=True)
class KeyLog(Generic[K]):
    """Of one kind of file. `read` gives the rows, `note` writes one down.

    `stays`: for how long a key is needed after its successor began. `kind`: of a key or a row, the columns that tell
    within what keys follow each other.
    `what`, `use`, `give_up`: the keys in words, what one does, and the command that begins anew without a lost file.
    """

    read: Statement
    note: Statement
    kind: Callable[[Any], dict[str, Any]]
    stays: float
    what: str
    use: str
    give_up: str

    async def record(
        self, unit: Unit, keys: Sequence[K], lost: Container[str] = (), *, given_up: Callable[[Record], bool]
    ) -> None:
        """Write down what the database does not know of these keys yet. What leaked once has leaked for good.

        `given_up`: whether a key that is known and not among them is lost too, so that a lost file can be begun anew.
        """
        known = {row["kid"]: row for row in await unit.all(self.read())}
        for key in keys:
            row = known.pop(key.kid, None)
            if row is None or (key.kid in lost and not row["lost"]):
                begins = datetime.fromtimestamp(max(key.begins, 0.0), UTC)
                await unit.run(self.note(kid=key.kid, begins_at=begins, lost=key.kid in lost, **self.kind(key)))
        for kid, row in known.items():
            if not row["lost"] and given_up(row):
                await unit.run(self.note(kid=kid, begins_at=row["begins_at"], lost=True, **self.kind(row)))

    async def faults(self, unit: Unit, keys: Sequence[K], lost: Container[str] = ()) -> tuple[str, ...]:
        """What the file must have and has not, in sentences."""
        here, found = {key.kid for key in keys}, list[str]()
        rows = await unit.all(self.read())
        for row in rows:
            kid: str = row["kid"]
            if row["lost"]:
                if kid in here and kid not in lost:
                    found.append(f"the file of {self.what} does not know that {kid} leaked: restore the newest one")
            elif kid not in here and self._state(row, rows, unit.now) in _NEEDED:
                found.append(
                    f"the file of {self.what} lacks {kid}, {self.use}: restore it from where it was rotated, or give "
                    f"it up with `{self.give_up}`"
                )
        return tuple(found)

    async def hold(self, unit: Unit, keys: Sequence[K], lost: Container[str] = ()) -> None:
        """Raise `Misconfigured` when there is a fault."""
        if found := await self.faults(unit, keys, lost):
            raise Misconfigured(found)

    def _state(self, row: Record, rows: Sequence[Record], now: datetime) -> State:
        begins: datetime = row["begins_at"]
        after = [
            each["begins_at"].timestamp()
            for each in rows
            if each["begins_at"] > begins and not each["lost"] and self.kind(each) == self.kind(row)
        ]
        return dated.state(begins.timestamp(), min(after, default=NEVER), now.timestamp(), self.stays)
