"""Objects of an S3 bucket, read, and written under conditions: the one client that we have for them.

A conditional write is what decides between two who write at once: `If-None-Match: *` for what is not there yet,
`If-Match` with the ETag of what stands there for everything else. A store that takes no notice of conditions would let
both win, so that it is tried before anything rests on it (`examine`).

A write whose answer is lost may have been done: who looks again finds what was before, or what was written.

`botocore` signs as AWS asks (SigV4), with credentials as AWS libraries find them. It is an extra; the calls are made by
`api.outbound`, as all of ours.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError

from api.errors import Misconfigured, Unavailable

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
_PLAIN: Final[dict[str, str]] = {}


class Send(Protocol):
    """Sends a request. Raises `Unavailable` when no whole answer comes."""

    async def send(self, method: str, url: str, body: bytes | None = None, **headers: str) -> Answer: ...  # noqa: D102


class Signs(Protocol):
    """Signs a request: the headers that it is sent with. Blocks."""

    def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Held:
    """What an object holds, and the ETag that it has in the store."""

    body: bytes = field(repr=False)
    etag: str


class Objects:
    """Objects by their addresses. `setting`: where their address came from, to be told when something is wrong."""

    def __init__(self, send: Send, sign: Signs, setting: str) -> None:
        self._send = send
        self._sign = sign
        self._setting = setting

    async def read(self, url: str) -> Held | None:
        """What it holds; None when it is not there. Raises `Unavailable`, `Misconfigured`: it cannot be read."""
        answer = await self._ask("GET", url, b"", {})
        if answer.status == _NOT_FOUND and not _no_bucket(answer):
            return None
        return Held(self._good(url, answer).body, self._etag(url, answer))

    async def write(self, url: str, body: bytes, over: Held | None, headers: Mapping[str, str] = _PLAIN) -> Held | None:
        """Write it in the place of `over` (None: of nothing); None when something else stands there by now.

        Raises `Unavailable`, and `Misconfigured` when it cannot be written.
        """
        condition = {"If-None-Match": "*"} if over is None else {"If-Match": over.etag}
        answer = await self._ask("PUT", url, body, {**headers, **condition})
        if answer.status in _MOVED and not _no_bucket(answer):
            return None
        return Held(body, self._etag(url, self._good(url, answer)))

    async def examine(self, url: str) -> None:
        """See that the store does not write where a condition does not hold, in an object beside this one.

        Raises `Misconfigured`, `Unavailable`.
        """
        beside = f"{url}.probe"
        self._good(url, await self._ask("PUT", beside, b"probe", {}))
        for condition in ({"If-None-Match": "*"}, {"If-Match": _NEVER}):
            if (await self._ask("PUT", beside, b"probe", condition)).status not in _MOVED:
                raise self.unfit(url, "takes no notice of conditions: of two that write at once, both would win there")

    def unfit(self, url: str, why: str) -> Misconfigured:
        """Say that it will not do."""
        return Misconfigured((f"{self._setting}: {url} {why}",))

    async def _ask(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        # Credentials may have to be fetched, by a library that blocks.
        signed = await asyncio.to_thread(self._sign, method, url, headers, body)
        return await self._send.send(method, url, body or None, **signed)

    def _good(self, url: str, answer: Answer) -> Answer:
        if answer.status >= _SERVER or answer.status in _LATER:
            raise Unavailable("bucket")
        if answer.status != _OK:
            raise self.unfit(
                url, f"answers {answer.status}: see its address, its region and what these credentials may"
            )
        return answer

    def _etag(self, url: str, answer: Answer) -> str:
        if not answer.etag:
            raise self.unfit(url, "gives no ETag, by which a write can be conditional")
        return answer.etag


class SigV4:
    """Signs as AWS asks. `credentials`: those that its libraries found, None when there were none.

    Raises `Misconfigured` then. `setting`: what they are for.
    """

    def __init__(self, region: str, credentials: Any, setting: str) -> None:  # noqa: ANN401 - as the library has it
        self._region = region
        self._credentials = credentials
        if credentials is None:
            raise Misconfigured((f"{setting}: there are no credentials (AWS_ACCESS_KEY_ID, or a role)",))

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
