"""Large bodies on their way in: what is announced of them in the head of the request (RFC 9530), and how long it takes.

A route that takes one says how large it may be; until then the bounds of every other request hold. The digest is asked
for, because a body that was cut at a proxy would look whole to it.

A body that is sealed to us (`posts.SealedFile`) says the same within: kind, digest, and what it is sent for. A digest
in its head is of what is sent, sealed as it is: RFC 9530 knows no other, and one of the file would tell whoever has the
same file that it is that. It need not be there, because a sealed stream that was cut is refused anyway.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated, Final
from uuid import UUID

from fastapi import Header, Request

from api import problems
from api.crypto import stream
from api.edge import passage, posts
from api.edge.posts import SealedFile
from api.problems import InputError, Problem, Stopped

SECONDS: Final = 600.0
"""In which it must have come."""

_SHA_256: Final = r"sha-256=:[A-Za-z0-9+/]{43}=:"
_ONE: Final = rf"{_SHA_256}|[a-z0-9*-]+=:[A-Za-z0-9+/=]*:"
_LIST: Final = rf"^(?:(?:{_ONE})\s*,\s*)*{_SHA_256}(?:\s*,\s*(?:{_ONE}))*$"
_FOUND: Final = re.compile(r"(?:^|[\s,])sha-256=:([A-Za-z0-9+/]{43}=):")

ContentDigest = Annotated[
    str | None,
    Header(
        alias="Content-Digest",
        max_length=1000,
        pattern=_LIST,
        description="SHA-256 of the body as it is sent (RFC 9530), beside others if you like. What comes must have it. "
        "Needed, unless the body is sealed: then the digest of the content is within.",
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


_MISSING: Final = InputError("header", "Content-Digest", "missing", "Field required")


@dataclass(frozen=True, slots=True)
class Coming:
    """A body that comes, and what is said of it: kind, length if told, SHA-256."""

    media_type: str
    length: int | None
    digest: bytes = field(repr=False)
    blocks: AsyncIterator[bytes] = field(repr=False)


def coming(request: Request, most: int, what: UUID, *headers: str | None) -> Coming:
    """Let a body of this size come, slowly if need be. `what`: it is sent for. `headers`: the digests that are named.

    Raises `Stopped` when nothing is said of it, or it is sealed for something else.
    """
    here, named = passage.of(request.scope), _digests(*headers)
    here.patience = SECONDS
    if isinstance(request, SealedFile):
        sealed = request.release
        if sealed.document != str(what):
            raise posts.not_ours()
        here.max_body = len(sealed.line) + 1 + stream.sealed_length(most)
        request.hold(named)
        return Coming(sealed.media_type, None, sealed.digest, request.stream())
    if not named:
        raise Stopped(Problem(problems.INVALID_INPUT, errors=(_MISSING,)))
    here.max_body = most
    said = request.headers.get("content-length", "")
    # Two digests that differ are met by no content.
    digest = next(iter(named)) if len(named) == 1 else b""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return Coming(kind, int(said) if said.isdigit() else None, digest, request.stream())


def _digests(*headers: str | None) -> frozenset[bytes]:
    """The SHA-256 digests that these headers name: one, if they are of one mind."""
    return frozenset(b64decode(each) for header in headers if header is not None for each in _FOUND.findall(header))
