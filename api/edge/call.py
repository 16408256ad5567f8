"""What a route takes: one dependency that proves the caller, opens the unit of work and hands over a `Call`.

    call: Annotated[Call, calls(authority.READ_DOSSIER)]
    call: Annotated[Call, creates(authority.REQUEST_DOSSIER)]
    call: Annotated[Call, creates_signed(authority.GIVE_ADVICE)]

`creates` is for every operation that makes something: it claims the `Idempotency-Key` in the transaction of the effect.
`creates_signed` takes a signature over the body as well, and holds it before the key is claimed.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, Final

import uuid_utils.compat as uuid_utils
from fastapi import Depends, Header, Request

from api.crypto.honey import Watched
from api.crypto.vault import Vault
from api.disclosure.authority import Operation
from api.disclosure.call import Call, Once
from api.edge import passage, signed, state
from api.edge.actor import may
from api.edge.unit import UnitOfWork
from api.errors import BadRequest, TooManyRequests
from api.principal import Principal
from api.storage import idempotency
from api.storage.unit import Unit
from api.vocabulary import Purpose, Reach, Reason

_KEY: Final = r'^"?[A-Za-z0-9_-]{8,128}"?$'
_SIGNED: Final = b"signed"

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=_KEY,
        description="A random key per intention; send the same one with each retry. Kept for 24 hours.",
        examples=["7f1f0c9e-2f0e-4c36-9a25-6f1f6b3c9f10"],
    ),
]
AskedPurpose = Annotated[
    Purpose | None,
    Header(
        alias="Purpose",
        description="Why the data is asked (doelbinding). Needed where data crosses organisations.",
        examples=["legal-screening"],
    ),
]


def calls(operation: Operation) -> Any:  # noqa: ANN401 - what FastAPI takes as metadata of a parameter
    """A call of an operation that makes nothing."""

    async def call(request: Request, unit: UnitOfWork, caller: Principal = may(operation)) -> Call:
        _provable(request, operation)
        return _call(request, operation, unit, caller, None)

    return Depends(call, scope="function")


async def _nothing() -> None:
    """What most calls are prepared with."""


def creates(operation: Operation, *, prepared: Callable[..., Any] = _nothing) -> Any:  # noqa: ANN401 - as above
    """A call of an operation that makes something, once per idempotency key.

    `prepared`: a dependency of the route that may wait for others. It is met once the caller is proven, and before the
    key is claimed: from then on a transaction is open.
    """

    async def call(
        request: Request,
        unit: UnitOfWork,
        key: IdempotencyKey = None,
        caller: Principal = may(operation),
        _prepared: object = Depends(prepared),
    ) -> Call:
        _provable(request, operation)
        return _call(request, operation, unit, caller, await _once(request, operation, unit, caller, key))

    return Depends(call, scope="function")


def creates_signed(operation: Operation) -> Any:  # noqa: ANN401 - as above
    """The same, of a body that may be signed for evidence, and must be where that was registered."""

    async def call(
        request: Request,
        unit: UnitOfWork,
        key: IdempotencyKey = None,
        _signature: signed.PayloadSignature = None,
        _digest: signed.BodyDigest = None,
        caller: Principal = may(operation),
    ) -> Call:
        _provable(request, operation)
        held = await signed.held(request, operation, caller, unit.now)
        once = await _once(request, operation, unit, caller, key, signed_too=held is not None)
        return replace(_call(request, operation, unit, caller, once), signed=held)

    return Depends(call, scope="function")


def looks_up(request: Request, call: Call, v_number: str) -> None:
    """Count a look-up of this person by this client. Raises `TooManyRequests`: who is watched that often is stalked."""
    here, way = state.of(request), passage.of(request.scope)
    standing = way.looked_up
    if standing is None:
        standing = here.limits.look_up(call.caller.client_id, v_number, call.unit.now)
        way.looked_up = standing
        way.told += ((b"ratelimit-policy", standing.quota.policy.encode()), (b"ratelimit", standing.limit.encode()))
    if not standing.admitted:
        raise TooManyRequests(standing.reset)


def had_no_effect(call: Call, status: int) -> None:
    """Note on the key that the request was refused, so that it may be tried again."""
    if call.once is not None and not call.once.replayed:
        idempotency.note(call.unit, call.caller.client_id, call.operation.name, call.once.key, status)


async def _once(
    request: Request, operation: Operation, unit: Unit, caller: Principal, key: str | None, *, signed_too: bool = False
) -> Once:
    if key is None:
        raise BadRequest(Reason.IDEMPOTENCY_KEY_MISSING)
    bare = key.strip('"')
    asked = [request.method.encode(), request.scope["path"].encode(), await request.body()]
    if signed_too:
        asked.append(_SIGNED)  # else the entry of a retry could say `signed` where the effect kept no evidence
    fingerprint = state.of(request).fingerprints.tag(*asked)
    claim = await idempotency.claim(unit, caller.client_id, operation.name, bare, fingerprint, uuid_utils.uuid7())
    if claim.reused:
        raise BadRequest(Reason.IDEMPOTENCY_KEY_REUSED)
    return Once(bare, claim.resource, claim.replayed)


def _call(request: Request, operation: Operation, unit: Unit, caller: Principal, once: Once | None) -> Call:
    here, way = state.of(request), passage.of(request.scope)
    eye = way.eye = way.eye or here.eye.once()
    return Call(operation, caller, unit, Vault(Watched(here.wrapper, eye)), here.index, once, eye)


def _provable(request: Request, operation: Operation) -> None:
    """See that what is done or disclosed will be in the log in time. An auditor may ask a log that stands still."""
    if operation.reach is not Reach.SUPERVISION:
        state.of(request).delay.must_not_be_late()
