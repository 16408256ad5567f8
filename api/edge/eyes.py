"""To the recipient's eyes only: who stands between us and the client, its own TLS proxy too, reads nothing of a person.

The rule for every operation, held here and nowhere else: what it answers to a client that registered an encryption key
is sealed to that key, unless the operation declares why its answer may be read by anybody (`Operation.clear`). A route
does nothing for it. `hold` is asked by the guard, once it is proven who calls; `seal` by the route class, when the
answer is made and before it is committed. A problem is never sealed: it names no content.

A page of a list is sealed as one: a sealing costs as much as reading a row does, and whoever may open one item of a
page may open them all. A sealed answer has no entity tag that is a digest of its content, because that would confirm a
guess; the version of a thing that is changed under `If-Match` stays its tag, because it tells nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response, StreamingResponse

from api.crypto import jwe
from api.edge import media

if TYPE_CHECKING:
    from fastapi import Request

    from api.crypto.jwe import Recipient
    from api.disclosure.authority import Operation
    from api.principal import Principal

FORMS: Final[dict[str, Any]] = {kind: {"schema": {"type": "string"}} for kind in (jwe.NLGOV, jwe.COMPACT)}
"""How a sealed body is described, beside what it is when it is not sealed."""

_TO: Final = "eyes"
_GOOD: Final = frozenset({200, 201})
_OWN: Final = frozenset({b"content-type", b"content-length"})


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
        media.check_accept(accept, to.media_type)
        setattr(request.state, _TO, to)
    elif produces:
        media.check_any(accept, produces)


def recipient(request: Request) -> Recipient | None:
    """Whom the answer to this request is sealed to; None where it is in the clear."""
    found: Recipient | None = getattr(request.state, _TO, None)
    return found


def seal(request: Request, answer: Response) -> Response:
    """The answer as it leaves. Raises TypeError when it comes in parts: an operation that streams cannot be sealed."""
    to = recipient(request)
    if to is None or answer.status_code not in _GOOD:
        return answer
    if isinstance(answer, StreamingResponse):
        raise TypeError("what is sealed is whole: declare why this operation answers in the clear")
    said = answer.headers["content-type"].partition(";")[0]
    sealed = Response(jwe.sealed(to, bytes(answer.body), said), answer.status_code, media_type=to.media_type)
    sealed.raw_headers += [pair for pair in answer.raw_headers if pair[0] not in _OWN]
    return sealed
