"""The unit of work of a request, as a dependency: committed before the first byte of the answer leaves.

How a request can end, and what is then in the database:

    answered               everything
    a decided "no"         everything that was carried: the mark, the entry of the refusal; nothing of who is unproven
    replayed               nothing of it; the entry that says so
    stale                  nothing of it, and it is run once more (`again`); or the entry that says how it ended
    anything unforeseen    nothing of it; the mark, and the entry that says that it failed
    cancelled              the same: the peer went away, or patience ran out

Whatever cannot be committed ends in 503, never in an answer that nobody wrote down. However it ends, each entry that is
committed gets a receipt; the last one tells how it ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Annotated, Final

import uuid_utils.compat as uuid_utils
from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api.audit import log
from api.audit.entry import Entry, Thing
from api.disclosure.authority import Operation
from api.edge import failures, passage, state
from api.edge.again import Again
from api.errors import KetenbrugError, Overloaded, Refused, Replayed, StaleStanding, Unauthenticated
from api.oauth import registry, revocation
from api.oauth.copies import Admission
from api.principal import Principal
from api.problems import Stopped
from api.storage.unit import Unit
from api.vocabulary import Reason, Result

USED: Final = "this proof was used before"
"""What a copy of a proof is told."""

_DECIDED: Final = (Refused, Stopped, RequestValidationError, HTTPException)
"""A "no" that was decided before an operation was reached: no gate was asked, so its entry is written here."""


@dataclass(frozen=True, slots=True)
class Acting:
    """Who acts and what was asked, once the guard has proven it: what an entry needs when the request ends badly."""

    caller: Principal
    operation: Operation
    admission: Admission | None = None

    def entry(self, unit: Unit, result: Result, reason: str | None = None) -> Entry:
        """The entry for an operation that was not reached, or not completed."""
        return Entry(
            id=uuid_utils.uuid7(),
            at=unit.now,
            action=self.operation.name,
            result=result,
            actor=self.caller,
            thing=Thing(self.operation.name.partition(".")[0]),
            reason=reason,
        )


def act(request: Request, acting: Acting) -> None:
    """Tell the unit of this request who acts."""
    request.state.acting = acting


async def unit_of_work(request: Request) -> AsyncGenerator[Unit]:
    """Open a unit, and end it in one of the ways above."""
    here = state.of(request)
    unit = here.database.unit(here.clock())
    try:
        try:
            yield unit
        except _DECIDED as decided:
            _told(request, unit, failures.of(decided).type.slug)
            await unit.decline()
            raise
        await unit.finish()
    except _DECIDED:
        raise
    except (Replayed, StaleStanding) as ended:
        # The task may be cancelled meanwhile; what is being written down is written.
        raise await asyncio.shield(_turned_away(request, unit, ended)) from None
    except BaseException:
        await asyncio.shield(failed(request, unit))
        raise
    finally:
        _promise(request, unit)


UnitOfWork = Annotated[Unit, Depends(unit_of_work, scope="function")]
"""What a route takes. `scope="function"` is what makes the commit precede the response."""


def _promise(request: Request, unit: Unit) -> None:
    """Sign a receipt for each entry that is committed, in their order: none can be removed without breaking one.

    The clock is read anew: a promise counts from when it is given.
    """
    here = state.of(request)
    if leaves := log.committed(unit):
        at = here.clock()
        passage.of(request.scope).receipts = ", ".join(here.log_receipts.sign(leaf, at) for leaf in leaves)


def _acting(request: Request) -> Acting | None:
    acting: Acting | None = getattr(request.state, "acting", None)
    return acting


def _told(request: Request, unit: Unit, reason: str) -> None:
    """Carry the entry of a refusal; who proved nothing is only counted."""
    if (acting := _acting(request)) is not None:
        log.append(unit, acting.entry(unit, Result.REFUSED, reason))
    else:
        state.of(request).unproven.count(unit.now, passage.of(request.scope).origin.zone, reason)


async def failed(request: Request, unit: Unit) -> None:
    """Roll back, and write down that it failed; also after an answer that began, whose unit had ended."""
    acting = _acting(request)
    testimony = () if acting is None else (log.testimony(acting.entry(unit, Result.FAILED)),)
    try:
        await unit.abort(*testimony)
    except (Replayed, StaleStanding):
        # An equal request came in between and won, or the client was disabled; that this one failed stays true.
        await unit.abort(*testimony)


async def _turned_away(request: Request, unit: Unit, ended: KetenbrugError) -> KetenbrugError | Again:
    """Write down that the mark was refused, and say what the caller is to be told; or that nothing is lost yet."""
    await unit.abort()
    acting = _acting(request)
    if acting is None:
        return ended
    answer = await _answer(request, unit, acting, ended)
    if isinstance(answer, Overloaded) and passage.of(request.scope).repeatable:
        await unit.finish()
        return Again()
    if isinstance(answer, Refused):
        log.append(unit, acting.entry(unit, Result.REFUSED, answer.reason))
    else:
        log.append(unit, acting.entry(unit, Result.FAILED))
    await unit.finish()
    return answer


async def _answer(request: Request, unit: Unit, acting: Acting, ended: KetenbrugError) -> KetenbrugError:
    if isinstance(ended, Replayed):
        if acting.admission is not None:
            state.of(request).limits.replayed(acting.admission)
        return Unauthenticated(Reason.INVALID_PROOF, "invalid_dpop_proof", detail=USED)
    client_id = acting.caller.client_id
    state.of(request).clients.forget(client_id)
    client = await registry.read(unit, client_id)
    if client is None or not client.enabled:
        return Unauthenticated(Reason.INVALID_TOKEN, "invalid_token", detail="this client is disabled")
    if await revocation.is_revoked(unit, acting.caller.token_id):
        return Unauthenticated(Reason.INVALID_TOKEN, "invalid_token", detail="this token was revoked")
    # It stands, but not as it was remembered: nothing was done, and whoever runs next sees it as it is.
    return Overloaded()
