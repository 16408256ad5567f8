"""To the recipient's eyes only: who stands between us and the client, its own TLS proxy too, reads nothing of a person.

The rule for every operation, held here and nowhere else: what it answers to a client that registered an encryption key
is sealed to that key, unless the operation declares why its answer may be read by anybody (`Operation.clear`). A route
does nothing for it. `hold` is asked by the guard, once it is proven who calls; `seal` by the route class, when the
answer is made and before it is committed. A problem is never sealed: it names no content.

A page of a list is sealed as one: a sealing costs as much as reading a row does, and whoever may open one item of a
page may open them all. A sealed answer has no entity tag that is a digest of its content, because that would confirm a
guess; the version of a thing that is changed under `If-Match` stays its tag, because it tells nothing else. JSON is
padded, so that its length says little. What streams is a release: its key is sealed, and the file is under that key.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

from starlette.responses import Response, StreamingResponse

from api.crypto import jwe, release
from api.crypto.padding import padded
from api.edge import media

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Collection, Mapping

    from fastapi import Request

    from api.crypto.jwe import Recipient
    from api.disclosure.authority import Operation
    from api.principal import Principal

FORMS: Final[dict[str, Any]] = {kind: {"schema": {"type": "string"}} for kind in (jwe.NLGOV, jwe.COMPACT)}
"""How a sealed body is described, beside what it is when it is not sealed."""

STREAMED: Final[dict[str, Any]] = {release.MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}
"""The same, of what streams."""

_WHOLE: Final = frozenset({"application/json", "application/octet-stream"})
"""What is made before it leaves. Any other answer streams."""

_TO: Final = "eyes"
_JSON: Final = "application/json"
_STEP: Final = 256
_GOOD: Final = frozenset({200, 201})
_KEPT: Final = frozenset(
    {b"location", b"link", b"content-disposition", b"idempotency-replayed", b"content-range", b"accept-ranges"}
)
"""Header fields that stay beside a sealed answer. Any other may be a digest of the content, or its length."""

_TAG: Final = b"etag"


class Streamed(StreamingResponse):
    """A file that comes in parts, or a range of one. `says`: what its release says of it, where it is sealed."""

    def __init__(
        self,
        parts: AsyncIterator[bytes],
        status: int,
        headers: Mapping[str, str],
        media_type: str,
        says: Mapping[str, str | int],
    ) -> None:
        super().__init__(parts, status, headers, media_type)
        self.says = says


def forms(produces: Collection[str]) -> dict[str, Any]:
    """The forms of a sealed answer, each with how it is described. `produces`: what the answer is in the clear."""
    return STREAMED if _WHOLE.isdisjoint(produces) else FORMS


def hold(request: Request, operation: Operation, caller: Principal, produces: frozenset[str]) -> None:
    """Note whose eyes the answer is for. `produces`: what it is in the clear.

    Raises `Stopped` for a client with a key that accepts only an answer in the clear, or only another form, and for a
    client without that accepts none in the clear: a request cannot choose less than what was registered.
    """
    if operation.clear:
        return
    accept = request.headers.get("accept")
    if caller.encryption_jwk is not None:
        to = jwe.stored(caller.encryption_jwk)
        media.check_accept(accept, to.media_type if to.media_type in forms(produces) else release.MEDIA_TYPE)
        setattr(request.state, _TO, to)
    elif produces:
        media.check_any(accept, produces)


def check(request: Request, produces: str) -> None:
    """Raise `Stopped` when the answer is in the clear, and `produces` is not accepted: for who decides that late."""
    if recipient(request) is None:
        media.check_accept(request.headers.get("accept"), produces)


def recipient(request: Request) -> Recipient | None:
    """Whom the answer to this request is sealed to; None where it is in the clear."""
    found: Recipient | None = getattr(request.state, _TO, None)
    return found


def seal(request: Request, answer: Response) -> Response:
    """The answer as it leaves: whole, or a file that comes in parts as a release (`api.crypto.release`).

    What is left alone has no content of ours: problems, and what has not changed. Raises TypeError for any other answer
    that cannot be sealed: of a range of a file the release says where it begins, or nobody does.
    """
    to = recipient(request)
    if to is None or answer.status_code >= HTTPStatus.MULTIPLE_CHOICES:
        return answer
    says: Mapping[str, str | int] = answer.says if isinstance(answer, Streamed) else {}
    if answer.status_code not in _GOOD and not says:
        raise TypeError("an answer of this status cannot be sealed", answer.status_code)
    said = answer.headers["content-type"].partition(";")[0]
    sealed: Response
    if isinstance(answer, StreamingResponse):
        parts = release.sealed(to, cast("AsyncIterable[bytes]", answer.body_iterator), said, says)
        sealed = StreamingResponse(parts, answer.status_code, media_type=release.MEDIA_TYPE)
    else:
        text = bytes(answer.body)
        text = padded(text, _STEP) if said == _JSON else text
        sealed = Response(jwe.sealed(to, text, said), answer.status_code, media_type=to.media_type)
    sealed.raw_headers += [pair for pair in answer.raw_headers if pair[0] in _KEPT or _is_version(pair)]
    return sealed


def _is_version(pair: tuple[bytes, bytes]) -> bool:
    name, value = pair
    return name == _TAG and value.strip(b'"').isdigit()
