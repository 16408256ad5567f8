"""The signer guard in an object of an S3 bucket: for several machines, of which any may lead.

The laws are those of `api.audit.guard`; here a conditional write is what moves it in one step: `If-None-Match: *` for
the first head, `If-Match` with the ETag of the one before for every other. The store decides between two at once. One
that takes no notice of conditions would let both win, so that it is tried before anything is signed (`examine`).

A write whose answer is lost may have been done: who looks again finds the head of before, or the one that was promised,
and the next leader goes on from either.

`botocore` signs as AWS asks (SigV4), with credentials as AWS libraries find them. It is an extra; the calls are made by
`api.outbound`, as all of ours.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError

from api.errors import LogStopped, Misconfigured, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.outbound import Answer

_OK: Final = 200
_NOT_FOUND: Final = 404
_MOVED: Final = frozenset({404, 409, 412})
"""The object is gone, another write is under way, or the condition does not hold."""
_LATER: Final = frozenset({408, 429})
_SERVER: Final = 500
_NEVER: Final = '"00000000000000000000000000000000"'
"""The ETag of nothing."""


class Send(Protocol):
    """Sends a request. Raises `Unavailable` when no whole answer comes."""

    async def send(self, method: str, url: str, body: bytes | None = None, **headers: str) -> Answer: ...  # noqa: D102


class Signs(Protocol):
    """Signs a request: the headers that it is sent with. Blocks."""

    def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class _Held:
    """A note, and the ETag that it has in the store."""

    note: str
    etag: str


class BucketGuard:
    """The object at `url`, which is a guard for whoever has it. `sign` is what makes the store believe us."""

    def __init__(self, url: str, send: Send, sign: Signs) -> None:
        self._url = url
        self._send = send
        self._sign = sign
        self._known: _Held | None = None
        """What was written last by us. The store decides whether it is still so."""

    async def last(self) -> str | None:
        """The note in the object. Raises `Unavailable`, and `Misconfigured` when it cannot be read or is none."""
        found = await self._read()
        return None if found is None else found.note

    async def advance(self, before: str | None, after: str) -> None:
        """Write it anew. Raises `LogStopped` when somebody else did, `Unavailable`, and `Misconfigured`."""
        held = self._known if self._known is not None and self._known.note == before else await self._read()
        self._known = None
        if (None if held is None else held.note) != before:
            raise LogStopped("guard-moved")
        condition = {"If-None-Match": "*"} if held is None else {"If-Match": held.etag}
        answer = await self._ask("PUT", self._url, after.encode(), condition)
        if answer.status in _MOVED and not _no_bucket(answer):
            raise LogStopped("guard-moved")
        self._known = _Held(after, self._etag(self._good(answer)))

    async def examine(self) -> None:
        """See that the store does not write where a condition does not hold, in an object beside the guard.

        Raises `Misconfigured`, `Unavailable`.
        """
        beside = f"{self._url}.probe"
        self._good(await self._ask("PUT", beside, b"probe", {}))
        for condition in ({"If-None-Match": "*"}, {"If-Match": _NEVER}):
            if (await self._ask("PUT", beside, b"probe", condition)).status not in _MOVED:
                raise self._unfit("takes no notice of conditions: two machines could sign two histories there")

    async def _read(self) -> _Held | None:
        answer = await self._ask("GET", self._url, b"", {})
        if answer.status == _NOT_FOUND and not _no_bucket(answer):
            return None
        try:
            return _Held(self._good(answer).body.decode(), self._etag(answer))
        except UnicodeDecodeError:
            raise self._unfit("holds something that is no signed head") from None

    async def _ask(self, method: str, url: str, body: bytes, condition: Mapping[str, str]) -> Answer:
        # Credentials may have to be fetched, by a library that blocks.
        headers = await asyncio.to_thread(self._sign, method, url, condition, body)
        return await self._send.send(method, url, body or None, **headers)

    def _good(self, answer: Answer) -> Answer:
        if answer.status >= _SERVER or answer.status in _LATER:
            raise Unavailable("signer guard")
        if answer.status != _OK:
            why = f"answers {answer.status}: see its address, its region and what these credentials may"
            raise self._unfit(why)
        return answer

    def _etag(self, answer: Answer) -> str:
        if not answer.etag:
            raise self._unfit("gives no ETag, by which a write can be conditional")
        return answer.etag

    def _unfit(self, why: str) -> Misconfigured:
        return Misconfigured((f"KETENBRUG_LOG_GUARD_URL: {self._url} {why}",))


class SigV4:
    """Signs as AWS asks. `credentials`: those that its libraries found, None when there were none.

    Raises `Misconfigured` then.
    """

    def __init__(self, region: str, credentials: Any) -> None:  # noqa: ANN401 - as the library has it
        self._region = region
        self._credentials = credentials
        if credentials is None:
            raise Misconfigured(("KETENBRUG_LOG_GUARD_URL: there are no credentials (AWS_ACCESS_KEY_ID, or a role)",))

    def __repr__(self) -> str:
        return "<SigV4>"

    def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        """The headers, and those that sign them and the body."""
        try:
            frozen = self._credentials.get_frozen_credentials()
        except BotoCoreError:
            raise Unavailable("credentials") from None
        request = AWSRequest(method=method, url=url, headers=dict(headers), data=body)
        S3SigV4Auth(frozen, "s3", self._region).add_auth(request)
        return dict(request.headers.items())


def _no_bucket(answer: Answer) -> bool:
    """Whether what is absent is the bucket: an object that is absent is an answer, that is a fault."""
    return b"NoSuchBucket" in answer.body
