"""Cosignatures of checkpoints: witnesses are asked for them, they are kept beside the note, old ones are forgotten.

Witnesses belong to other parties, so that the operator cannot show two histories: each cosigns only what extends what
it cosigned before. Nobody waits for them: a head is published when it is signed, and cosigned a moment later. A
witness that is away is asked again; one that refuses is told aloud, because that is what it is there for.

Which head is handed out (`proofs.shown`) is a row of `audit.delivery`, so that it is the same for all who serve, and
only moves forward, however late an answer comes: at once to a head that has a quorum, and when there was none for ten
seconds, to the one that was asked for last.
"""

from __future__ import annotations

import asyncio
import base64
import re
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
from sqlalchemy import BigInteger, Date, bindparam, cast, delete, func, select, text
from sqlalchemy.types import DateTime

from api.audit import proofs
from api.audit.checkpoint import Head, cosigned, hash_lines
from api.audit.sequencer import COSIGNATURE
from api.audit.tables import cosignature
from api.errors import Unavailable, WitnessRefused
from api.storage.statement import statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from api.audit.policy import Policy, Witness
    from api.audit.proofs import Checkpoint
    from api.outbound import Answer
    from api.storage.pool import Database
    from api.storage.unit import Unit

EVERY: Final = 2.0
"""Seconds between two rounds."""

_KEPT: Final = timedelta(days=1)
_ED25519: Final = 4
_NO_TIME: Final = 253_402_300_800
"""The year 10000: a verifier takes no later one for a time, so that the cosignature would count here and not there."""
_SIZE: Final = re.compile(rb"(0|[1-9][0-9]{0,17})\n")
_DAY: Final = cast(func.timezone("UTC", cosignature.c.at), Date)
_LAST_OF_DAY: Final = select(func.max(cosignature.c.size)).group_by(_DAY).scalar_subquery()
_VKEYS: Final = statement(select(cosignature.c.vkey).where(cosignature.c.size == bindparam("size", type_=BigInteger)))
_BEGIN: Final = statement(
    text(
        "INSERT INTO audit.delivery AS seen (name, next, at) SELECT CAST(:name AS text), max(size), now()"
        " FROM audit.checkpoint ON CONFLICT (name) DO UPDATE SET next = excluded.next, at = excluded.at"
        " WHERE seen.next < excluded.next"
    )
)
_MOVE: Final = statement(
    text(
        "UPDATE audit.delivery seen SET next = CAST(:size AS bigint), at = now()"
        " WHERE name = CAST(:name AS text) AND next < CAST(:size AS bigint) AND (CAST(:quorum AS boolean) OR"
        # Of all heads, the one after it: the first that its index gives.
        " (SELECT c.at FROM audit.checkpoint c WHERE c.size > seen.next ORDER BY c.size LIMIT 1)"
        " < now() - interval '10 seconds')"
    )
)
_FORGET: Final = statement(
    delete(cosignature).where(
        cosignature.c.at < bindparam("before", type_=DateTime(timezone=True)), cosignature.c.size.not_in(_LAST_OF_DAY)
    )
)


class Post(Protocol):
    """Sends bytes to a URL."""

    async def post(self, url: str, body: bytes) -> Answer: ...  # noqa: D102


async def run(
    database: Database,
    policy: Policy,
    outbound: Post,
    clock: Callable[[], datetime],
    notice: Callable[[Exception], None],
) -> None:
    """Have each new head cosigned, until cancelled.

    `notice` hears of every witness that is away or refuses, and of every other fault; then it goes on.
    """
    asked = Rounds(database, policy, outbound, clock)
    while True:
        try:
            for fault in await asked.round():
                notice(fault)
        except Exception as fault:  # noqa: BLE001 - a witness's odd answer must stop nothing that runs beside this
            notice(fault)
        await asyncio.sleep(EVERY)


class Rounds:
    """One round after another. What each witness cosigned last is remembered; a witness corrects what is not so."""

    def __init__(self, database: Database, policy: Policy, outbound: Post, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._policy = policy
        self._outbound = outbound
        self._clock = clock
        self._last: dict[str, int] = {}
        self._keys: dict[str, list[Witness]] = {}
        for witness in policy.witnesses.values():
            if witness.url is not None:
                self._keys.setdefault(witness.url.rstrip("/"), []).append(witness)

    async def round(self) -> list[Exception]:
        """Ask every witness about the last head that it has not cosigned. Returns what went wrong with each."""
        unit = self._database.unit(self._clock())
        try:
            head = await proofs.latest(unit)
            if head is not None and await proofs.seen(unit) is None:
                unit.carry(_BEGIN(name=proofs.WITNESSES))
        finally:
            await unit.finish()
        if head is None:
            return []
        outcomes = await asyncio.gather(
            *(self._have_cosigned(url, head) for url in self._keys if self._last.get(url) != head.size),
            return_exceptions=True,
        )
        await self._move(head)
        return [each for each in outcomes if isinstance(each, Exception)]

    async def _have_cosigned(self, url: str, head: Checkpoint) -> None:
        """Raises `WitnessRefused`, or `Unavailable`, which say the URL."""
        old = self._last.get(url, 0)
        answer = await self._add(url, old, head)
        if answer.status == HTTPStatus.CONFLICT and (match := _SIZE.fullmatch(answer.body)):
            old = int(match[1])
            if old > head.size:
                raise WitnessRefused(url, "it has cosigned a larger tree than there is here")
            answer = await self._add(url, old, head)
        if answer.status != HTTPStatus.OK:
            raise WitnessRefused(url, _why(answer.status, same=old == head.size))
        found = list(cosignatures(answer.body, head, self._keys[url]))
        if not found:
            raise WitnessRefused(url, "none of its lines is by a key of the policy")
        unit = self._database.unit(self._clock())
        try:
            for witness, line in found:
                unit.carry(COSIGNATURE(size=head.size, vkey=witness.vkey, line=line))
        finally:
            await unit.finish()
        self._last[url] = head.size
        await self._move(head)

    async def _move(self, head: Checkpoint) -> None:
        """Hand this head out from now on, if there is a quorum for it, or was none for too long."""
        unit = self._database.unit(self._clock())
        try:
            quorum = self._policy.satisfied(row["vkey"] for row in await unit.all(_VKEYS(size=head.size)))
            unit.carry(_MOVE(name=proofs.WITNESSES, size=head.size, quorum=quorum))
        finally:
            await unit.finish()

    async def _add(self, url: str, old: int, head: Checkpoint) -> Answer:
        unit = self._database.unit(self._clock())
        try:
            proof = await proofs.consistency(unit, old, head.size, head.known)
        finally:
            await unit.finish()
        body = f"old {old}\n{hash_lines(proof)}\n{head.note}"
        try:
            return await self._outbound.post(f"{url}/add-checkpoint", body.encode())
        except Unavailable:
            raise Unavailable(url) from None


def _why(status: int, *, same: bool) -> str:
    """What an answer means (C2SP tlog-witness). `same`: to a head of the size that the witness cosigned last."""
    match status:
        case HTTPStatus.CONFLICT if same:
            return "it has cosigned another tree of this size, or a larger one"
        case HTTPStatus.UNPROCESSABLE_ENTITY:
            return "what it cosigned is not the beginning of this log"
        case _:
            return f"it answered {status}"


def cosignatures(body: bytes, head: Checkpoint, witnesses: Iterable[Witness]) -> Iterable[tuple[Witness, str]]:
    """The lines of an answer that are cosignatures of the head by these keys; others are passed over.

    The bytes of each are written again in the one form of base64 that verifiers take: with a line in another one, a
    witness would spoil the whole checkpoint.
    """
    known = {(each.name, each.id): each for each in witnesses}
    for line in body.decode(errors="replace").splitlines():
        match line.split(" "):
            case ["\u2014", name, encoded]:
                try:
                    data = base64.b64decode(encoded, validate=True)
                except ValueError:
                    continue
                witness = known.get((name, data[:4]))
                if witness is not None and _holds(witness, data[4:12], data[12:], head):
                    yield witness, f"\u2014 {name} {base64.b64encode(data).decode()}"
            case _:
                pass


def _holds(witness: Witness, seconds: bytes, signature: bytes, checkpoint: Checkpoint) -> bool:
    head = Head.of(checkpoint.note)
    try:
        if witness.kind == _ED25519:
            said = f"cosignature/v1\ntime {int.from_bytes(seconds, 'big')}\n{head.text()}".encode()
            Ed25519PublicKey.from_public_bytes(witness.public).verify(signature, said)
        else:
            MLDSA44PublicKey.from_public_bytes(witness.public).verify(signature, cosigned(witness.name, seconds, head))
    except InvalidSignature:
        return False
    return len(seconds) == 8 and int.from_bytes(seconds, "big") < _NO_TIME  # noqa: PLR2004 - a 64-bit time


async def sweep(unit: Unit) -> None:
    """Of what is older than a day, keep what stands below the last head of each day. For housekeeping."""
    await unit.run(_FORGET(before=unit.now - _KEPT))
