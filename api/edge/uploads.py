"""Large bodies on their way in: what is announced of them in the head of the request (RFC 9530), and how long it takes.

A route that takes one says how large it may be; until then the bounds of every other request hold. The digest is asked
for, because a body that was cut at a proxy would look whole to it.
"""

from __future__ import annotations

import re
from base64 import b64decode
from typing import Annotated, Final

from fastapi import Header, Request

from api.edge import passage

SECONDS: Final = 600.0
"""In which it must have come."""

_SHA_256: Final = r"sha-256=:[A-Za-z0-9+/]{43}=:"
_ONE: Final = rf"{_SHA_256}|[a-z0-9*-]+=:[A-Za-z0-9+/=]*:"
_LIST: Final = rf"^(?:(?:{_ONE})\s*,\s*)*{_SHA_256}(?:\s*,\s*(?:{_ONE}))*$"
_FOUND: Final = re.compile(r"(?:^|[\s,])sha-256=:([A-Za-z0-9+/]{43}=):")

ContentDigest = Annotated[
    str,
    Header(
        alias="Content-Digest",
        max_length=1000,
        pattern=_LIST,
        description="SHA-256 of the body (RFC 9530), beside others if you like. What comes must have it.",
        examples=["sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"],
    ),
]
ReprDigest = Annotated[
    str | None,
    Header(
        alias="Repr-Digest",
        max_length=1000,
        pattern=_LIST,
        description="The same; a document has no content coding, so that the two do not differ.",
    ),
]


def digests(*headers: str | None) -> frozenset[bytes]:
    """The SHA-256 digests that these headers name: one, if they are of one mind."""
    return frozenset(b64decode(each) for header in headers if header is not None for each in _FOUND.findall(header))


def awaits(request: Request, most: int) -> int | None:
    """Let a body of this size come, slowly if need be. How long it is, if that is said."""
    here = passage.of(request.scope)
    here.max_body, here.patience = most, SECONDS
    said = request.headers.get("content-length", "")
    return int(said) if said.isdigit() else None
