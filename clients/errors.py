"""What can go wrong, as one tree.

    KetenbrugClientError
    ├── Misconfigured        before anything is sent: an unusable key, a key file that others can read, plain HTTP
    ├── ConnectionFailed     no answer; whether a change took effect is unknown
    ├── UnexpectedAnswer     an answer that the API description does not know
    └── ProblemError         the API said no (RFC 9457)
        ├── InvalidInput     400, 413, 415 …: correct what `faults` lists
        ├── Unauthenticated  401
        │   └── TokenRefused the token endpoint said no (RFC 6749 section 5.2); `slug` is its error code
        ├── NotPermitted     403: `reasons` says per category why, and what to do next
        ├── NotFound         404: absent, or not yours to know about; nobody can tell which
        ├── Conflict         409, 412, 428, and an idempotency key that was used for something else
        ├── Overloaded       408, 429, 503: wait `retry_after` seconds
        └── ServerFailed     500 and the rest

A message holds the kind of problem, the next step and the request id: nothing that was sent, no token, no key. When the
call made something, `idempotency_key` is the key that it was sent with: with the same key, the same call made again has
one effect, whatever became of the first.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from pydantic import BaseModel, ValidationError

from api.schemas.problem import InputFault, WithheldReason

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from uuid import UUID

M = TypeVar("M", bound=BaseModel)

_TEXT_MOST: Final = 1_000
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_WORD: Final = re.compile(r"[a-z0-9_-]{1,64}")


class KeysAreOld(UserWarning):
    """The exchange says by when this client is to renew its keys; nobody is stopped for it. `due`: that day.

    It goes the way of Python's warnings: once for each day that is named, and `logging.captureWarnings` takes it along.
    """

    def __init__(self, client_id: str, due: date) -> None:
        super().__init__(f"renew the keys of {client_id} by {due.isoformat()}: `ketenbrug client renew` does it")
        self.due = due


class KetenbrugClientError(Exception):
    """Anything that the clients raise."""

    idempotency_key: UUID | None = None


class Misconfigured(KetenbrugClientError):
    """The client cannot work as it was set up. Nothing was sent. `where`: the file or the setting."""

    def __init__(self, what: str, where: str = "") -> None:
        super().__init__(f"{where}: {what}" if where else what)


class ConnectionFailed(KetenbrugClientError):
    """No answer came. Whether the request took effect is unknown. `kind`: a word for the failure."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"no answer ({kind})")
        self.kind: Final = kind


class UnexpectedAnswer(KetenbrugClientError):
    """The answer is not one of the API description."""

    def __init__(self, what: str, status: int, request_id: str | None = None) -> None:
        super().__init__(f"{what} (HTTP {status}, request {request_id or 'unknown'})")
        self.status: Final = status
        self.request_id: Final = request_id


@dataclass(frozen=True, slots=True)
class Told:
    """What the API said about a problem. `slug` is the last segment of `type`: the word to compare with.

    `receipt`: the signed receipt of the entry of the refusal (`Audit-Receipt`); of the last entry, where there are two.
    """

    status: int
    slug: str
    type: str = ""
    title: str = ""
    detail: str = ""
    next_step: str = ""
    request_id: str | None = None
    retry_after: float | None = None
    faults: tuple[InputFault, ...] = ()
    reasons: tuple[WithheldReason, ...] = ()
    receipt: str | None = None


class ProblemError(KetenbrugClientError):
    """The API said no. See `Told` for the fields."""

    def __init__(self, told: Told) -> None:
        super().__init__(told)
        self.told: Final = told
        self.status: Final = told.status
        self.slug: Final = told.slug
        self.type: Final = told.type
        self.title: Final = told.title
        self.detail: Final = told.detail
        self.next_step: Final = told.next_step
        self.request_id: Final = told.request_id
        self.retry_after: Final = told.retry_after
        self.faults: Final = told.faults
        self.reasons: Final = told.reasons
        self.receipt: Final = told.receipt

    def __str__(self) -> str:
        named = f"HTTP {self.status} {self.slug}".rstrip()
        if self.request_id is not None:
            named = f"{named}, request {self.request_id}"
        said = " ".join(f"{text.rstrip('.')}." for text in (self.title, self.next_step) if text)
        return f"{said} ({named})".lstrip()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"


class InvalidInput(ProblemError):
    """The request is not as described."""


class Unauthenticated(ProblemError):
    """Who calls is not proven."""


class TokenRefused(Unauthenticated):
    """The token endpoint gave no token. `slug` is the error code, `detail` its description."""


class NotPermitted(ProblemError):
    """The law, the agreement, the person or the registration does not allow it."""


class NotFound(ProblemError):
    """It does not exist, or it is not yours to know about."""


class Conflict(ProblemError):
    """It does not follow on the present state, or a key or version was used before."""


class Overloaded(ProblemError):
    """No capacity at this moment, or something that the service needs does not answer."""


class ServerFailed(ProblemError):
    """Something went wrong on the server's side. Nothing was disclosed."""


_BY_SLUG: Final[Mapping[str, type[ProblemError]]] = {
    "idempotency-key-reused": Conflict,
    "precondition-required": Conflict,
    "not-available": NotFound,
}
_BY_STATUS: Final[Mapping[int, type[ProblemError]]] = {
    400: InvalidInput,
    401: Unauthenticated,
    403: NotPermitted,
    404: NotFound,
    405: InvalidInput,
    406: InvalidInput,
    408: Overloaded,
    409: Conflict,
    410: NotFound,
    412: Conflict,
    413: InvalidInput,
    414: InvalidInput,
    415: InvalidInput,
    416: InvalidInput,
    422: InvalidInput,
    428: Conflict,
    429: Overloaded,
    431: InvalidInput,
    503: Overloaded,
}


def of_problem(
    status: int,
    content: bytes,
    *,
    request_id: str | None = None,
    retry_after: float | None = None,
    receipt: str | None = None,
) -> ProblemError:
    """The error for an answer of 400 or more. What is no problem document (a proxy's page) is told by its status."""
    said = _object(content)
    kind = _text(said.get("type"))
    slug = kind.rstrip("/").rpartition("/")[2]
    told = Told(
        status=status,
        slug=slug if _WORD.fullmatch(slug) else "",
        type=kind,
        title=_text(said.get("title")) or _phrase(status),
        detail=_text(said.get("detail")),
        next_step=_text(said.get("nextStep")),
        request_id=_text(said.get("requestId")) or request_id,
        retry_after=retry_after,
        faults=_each(InputFault, said.get("errors")),
        reasons=_each(WithheldReason, said.get("reasons")),
        receipt=receipt,
    )
    unlisted = ServerFailed if status >= HTTPStatus.INTERNAL_SERVER_ERROR else ProblemError
    return _BY_SLUG.get(told.slug, _BY_STATUS.get(status, unlisted))(told)


def of_token_refusal(status: int, content: bytes, *, request_id: str | None = None) -> TokenRefused:
    """The error for an answer of the token endpoint that is an OAuth error (RFC 6749 section 5.2)."""
    said = _object(content)
    code = _text(said.get("error"))
    told = Told(
        status=status,
        slug=code if _WORD.fullmatch(code) else "",
        title="The token endpoint gave no token",
        detail=_text(said.get("error_description")),
        next_step=_text(said.get("error_description")),
        request_id=request_id,
    )
    return TokenRefused(told)


def is_token_refusal(content: bytes) -> bool:
    """Whether an answer is an OAuth error, rather than a problem or a proxy's page."""
    return isinstance(_object(content).get("error"), str)


def _object(content: bytes) -> dict[str, Any]:
    try:
        value: object = json.loads(content)
    except ValueError:
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text(value: object) -> str:
    """One line of bounded length: whatever stands between us and the server, a message stays a message."""
    return _CONTROL.sub(" ", value)[:_TEXT_MOST] if isinstance(value, str) else ""


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _each(model: type[M], values: object) -> tuple[M, ...]:
    """The items that we understand: a newer server may know words that we do not."""
    found: list[M] = []
    for value in cast("list[object]", values) if isinstance(values, list) else ():
        try:
            found.append(model.model_validate(value, extra="ignore"))
        except ValidationError:
            continue
    return tuple(found)
