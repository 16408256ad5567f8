"""The only server module that makes HTTP calls. Where to is configuration of the operator, never what a caller sent.

No redirect is followed, no proxy of the environment is asked, an answer has a size, and every call has an end.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import httpx

from api.errors import Unavailable

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

_ANSWER_MOST: Final = 64 * 1024
_PATIENCE: Final = 10.0
"""Seconds that a call may take in all."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    media_type: str
    body: bytes


class Outbound:
    """Calls that share connections. Leave the context to close them."""

    def __init__(self) -> None:
        self._client = httpx.AsyncClient(timeout=_PATIENCE, follow_redirects=False, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def post(self, url: str, body: bytes) -> Answer:
        """Send bytes. Raises `Unavailable` when no whole answer comes in time."""
        try:
            async with asyncio.timeout(_PATIENCE), self._client.stream("POST", url, content=body) as answer:
                told = bytearray()
                async for part in answer.aiter_raw():
                    told += part
                    if len(told) > _ANSWER_MOST:
                        raise Unavailable("peer")
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise Unavailable("peer") from error
        return Answer(answer.status_code, answer.headers.get("Content-Type", ""), bytes(told))
