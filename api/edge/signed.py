"""A signature over the body of a request, where an operation takes one: held before anything is done with the body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import orjson
from fastapi import Header

from api.errors import BadRequest
from api.oauth import jose, payloads
from api.vocabulary import Reason

if TYPE_CHECKING:
    from datetime import datetime

    from fastapi import Request

    from api.disclosure.authority import Operation
    from api.oauth.payloads import SignedPayload
    from api.principal import Principal

PayloadSignature = Annotated[
    str | None,
    Header(
        alias=payloads.HEADER,
        description=(
            "Detached JWS over `Digest`, in the form of JAdES, as the signing module of the NL API Design Rules asks. "
            "Kept as evidence; required of organisations that registered so."
        ),
    ),
]
BodyDigest = Annotated[
    str | None,
    Header(
        alias=payloads.DIGEST,
        description="`SHA-256=` and the base64 of the hash of the body (RFC 3230). Needed with `Payload-Signature`.",
    ),
]


async def held(request: Request, operation: Operation, caller: Principal, now: datetime) -> SignedPayload | None:
    """The body, where it came with a signature that holds. Raises `BadRequest`."""
    signatures = request.headers.getlist(payloads.HEADER)
    if not signatures:
        if operation.name in caller.organisation.signs:
            raise BadRequest(Reason.PAYLOAD_SIGNATURE_MISSING)
        return None
    if caller.payload_jwks is None:
        raise _invalid("no key is registered for the payloads of this client: ask the operator to register it")
    keys = jose.key_ring(orjson.loads(caller.payload_jwks))
    try:
        return payloads.verified(signatures, request.headers.getlist(payloads.DIGEST), await request.body(), keys, now)
    except jose.Unreadable as error:
        raise _invalid(str(error)) from None


def _invalid(detail: str) -> BadRequest:
    return BadRequest(Reason.PAYLOAD_SIGNATURE_INVALID, detail=detail)
