"""Rate limits, exact over all workers, without a row that every request would write (OWASP ASVS 5.0 V2.4).

A limit belongs to one client and one window of time. Workers lease its requests in blocks from one row, in a statement
of its own, outside the unit of the request; in between they count in memory. What is leased never exceeds the limit,
so that all workers together admit at most that, and at least that less one block for each worker.

The table is unlogged: after a crash of the database the window begins anew. If it does not answer, nobody is admitted.

What is found to be a copy of a request that was made before is given back: a thief must not use up the limit of whom
it robbed (`api.oauth.copies`).
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sqlalchemy import BigInteger, Integer, Text, bindparam, case, func
from sqlalchemy.dialects.postgresql import insert

from api.crypto.mac import Mac
from api.oauth.copies import Copies
from api.oauth.tables import allowance
from api.storage.statement import statement

if TYPE_CHECKING:
    from datetime import datetime

    from api.oauth.copies import Admission
    from api.storage.pool import Database
    from api.vocabulary import ClientId

GUESSES_MOST: Final = 20
"""Failures in a minute after which whoever fails by a key that nobody registered is told to wait."""

PROOFS_KEPT: Final = 120
ASSERTIONS_KEPT: Final = 660
"""Seconds for which a worker knows what it admitted: longer than a proof, or an assertion, can hold."""

_KEY_BYTES: Final = 32
_MINUTE: Final = 60
_BLOCKS: Final = 20
"""Into so many blocks a limit is divided: a worker asks the database once for each."""


@dataclass(frozen=True, slots=True)
class Quota:
    """How many requests a client may make in a window of so many seconds. `name` is a word of ours."""

    name: str
    most: int
    seconds: int

    @property
    def policy(self) -> str:
        """An item of `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10)."""
        return f'"{self.name}";q={self.most};w={self.seconds}'

    @property
    def block(self) -> int:
        """Requests that are leased at once."""
        return max(1, self.most // _BLOCKS)


@dataclass(frozen=True, slots=True)
class Standing:
    """What came of asking for one request. `left` is what this worker knows to be left, at least.

    `is_first`: it is the first one in this window that this worker turned away.
    """

    quota: Quota
    admitted: bool
    left: int
    reset: int
    is_first: bool = False

    @property
    def limit(self) -> str:
        """An item of `RateLimit`."""
        return f'"{self.quota.name}";r={self.left};t={self.reset}'


@dataclass(slots=True)
class _Lease:
    """What a worker has of one window."""

    window: int
    left: int = 0
    unleased: int = 1  # until the database has said how many
    has_refused: bool = False
    renewing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One block is leased at a time: what requests that came together lease each would be kept from other workers."""


_NEW: Final = insert(allowance).values(
    subject=bindparam("subject", type_=Text),
    window_no=bindparam("window_no", type_=BigInteger),
    taken=bindparam("block", type_=Integer),
)
_LEASE: Final = statement(
    _NEW.on_conflict_do_update(
        index_elements=[allowance.c.subject],
        set_={
            # A worker whose clock is behind counts into the window of the others.
            "taken": case(
                (allowance.c.window_no >= _NEW.excluded.window_no, allowance.c.taken + _NEW.excluded.taken),
                else_=_NEW.excluded.taken,
            ),
            "window_no": func.greatest(allowance.c.window_no, _NEW.excluded.window_no),
        },
    ).returning(allowance.c.taken)
)


@dataclass(frozen=True, slots=True)
class Quotas:
    """The limits of every client.

    `requests`: of the API. `lookups`: by V-number. `same_person`: by one and the same V-number. `tokens`: at the token
    endpoint, and revoking them. `introspections`: asking about them.
    """

    requests: Quota
    lookups: Quota
    same_person: Quota
    tokens: Quota
    introspections: Quota


class Limits:
    """What this worker has leased. One entry for each client and quota: only proven clients are counted."""

    __slots__ = ("_database", "_leases", "_persons", "_unnamed", "assertions", "proofs", "quotas")

    def __init__(self, database: Database, quotas: Quotas) -> None:
        self._database = database
        self.quotas: Final = quotas
        self.proofs: Final = Copies(PROOFS_KEPT)
        self.assertions: Final = Copies(ASSERTIONS_KEPT)
        self._leases: dict[tuple[str, ClientId], _Lease] = {}
        self._persons = _Counts(quotas.same_person)
        self._unnamed = Mac(secrets.token_bytes(_KEY_BYTES))

    async def take(self, quota: Quota, client_id: ClientId, now: datetime) -> Standing:
        """Ask for one request of a proven client. The caller holds no connection: here one may be borrowed."""
        at = int(now.timestamp())
        window, reset = at // quota.seconds, quota.seconds - at % quota.seconds
        lease = self._leases.get((quota.name, client_id))
        if lease is None or lease.window < window:  # who began in the window before counts into this one
            lease = self._leases[quota.name, client_id] = _Lease(window)
        if not lease.left and lease.unleased:
            async with lease.renewing:
                await self._renew(quota, client_id, lease, now)
        if lease.left:
            lease.left -= 1
            return Standing(quota, admitted=True, left=lease.left + lease.unleased, reset=reset)
        is_first, lease.has_refused = not lease.has_refused, True
        return Standing(quota, admitted=False, left=0, reset=reset, is_first=is_first)

    def replayed(self, admission: Admission) -> None:
        """Note that the database knew what a request was admitted with. What its client paid is given back."""
        admission.once.is_used = True
        for quota in admission.paid:
            lease = self._leases.get((quota.name, admission.client_id))
            if lease is not None and lease.window == int(admission.at.timestamp()) // quota.seconds:
                lease.left += 1

    def look_up(self, client_id: ClientId, v_number: str, now: datetime) -> Standing:
        """Ask for one look-up of a person: counted in this worker alone, in memory alone, under a key of this worker.

        A row of the database that says who was looked for how often would be worth stealing.
        """
        return self._persons.take((client_id, self._unnamed.tag(v_number.encode())), now)

    async def _renew(self, quota: Quota, client_id: ClientId, lease: _Lease, now: datetime) -> None:
        if lease.left or not lease.unleased:
            return  # done while this request waited for its turn
        unit = self._database.unit(now)
        subject = f"{quota.name} {client_id}"
        try:
            (row,) = await unit.all(_LEASE(subject=subject, window_no=lease.window, block=quota.block))
        finally:
            await unit.finish()
        taken: int = row["taken"]
        lease.left += min(quota.block, max(0, quota.most - taken + quota.block))
        lease.unleased = max(0, quota.most - taken)


class _Counts:
    """How often each was taken in the present window, in this worker. Bounded by the limit that stands before it."""

    __slots__ = ("_quota", "_taken", "_window")

    def __init__(self, quota: Quota) -> None:
        self._quota = quota
        self._window = 0
        self._taken: dict[tuple[ClientId, bytes], int] = {}

    def take(self, key: tuple[ClientId, bytes], now: datetime) -> Standing:
        quota, at = self._quota, int(now.timestamp())
        window, reset = at // quota.seconds, quota.seconds - at % quota.seconds
        if window != self._window:
            self._window = window
            self._taken.clear()
        taken = self._taken.get(key, 0)
        if taken >= quota.most:
            return Standing(quota, admitted=False, left=0, reset=reset)
        self._taken[key] = taken + 1
        return Standing(quota, admitted=True, left=quota.most - taken - 1, reset=reset)


class Guesses:
    """How often somebody failed to prove to be a client, in this minute and this worker.

    After some failures whoever fails again is told to wait. Ask only about who failed: a client that proves to be it
    is never told so, whatever others did in its name.
    """

    __slots__ = ("_failed", "_minute")

    def __init__(self) -> None:
        self._minute = 0
        self._failed: dict[ClientId, int] = {}

    def note(self, client_id: ClientId, now: datetime) -> None:
        """Note one failure in the name of a client that is registered."""
        self._turn(now)
        self._failed[client_id] = self._failed.get(client_id, 0) + 1

    def closed_for(self, client_id: ClientId, now: datetime) -> int:
        """Seconds to wait for whoever failed in the name of this client; 0 when there were few failures."""
        self._turn(now)
        if self._failed.get(client_id, 0) < GUESSES_MOST:
            return 0
        return _MINUTE - int(now.timestamp()) % _MINUTE

    def _turn(self, now: datetime) -> None:
        minute = int(now.timestamp()) // _MINUTE
        if minute != self._minute:
            self._minute = minute
            self._failed.clear()
