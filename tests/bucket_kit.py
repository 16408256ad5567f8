"""A store of objects that plays S3 as its documentation has it: ETags, and writes under conditions."""

from __future__ import annotations

import math
from hashlib import md5

from api.audit.objects import Objects
from api.errors import Unavailable
from api.outbound import Answer

SIGNED = {"Authorization": "signed"}


class Store:
    """Objects with ETags, and conditional writes. `answers` are given first, in their order."""

    def __init__(self, *, heeds: bool = True) -> None:
        self.objects: dict[str, bytes] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answers: list[Answer | Exception] = []
        self.loses = 0
        """Answers to writes that are lost on the way, though the writes are done."""
        self.written: list[tuple[str, dict[str, str]]] = []
        """Addresses, in the order in which they were written, and what was said of them."""
        self.room: float = math.inf
        """So many writes are done; then it is away."""
        self._heeds = heeds

    async def send(self, method: str, url: str, body: bytes | None = None, **headers: str) -> Answer:
        """Answer."""
        assert headers.pop("Authorization") == "signed"
        self.asked.append((method, headers))
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        return self._written(url, body or b"", headers) if method == "PUT" else self._shown(url)

    def _shown(self, url: str) -> Answer:
        if url not in self.objects:
            return Answer(404, "application/xml", b"<Error><Code>NoSuchKey</Code></Error>")
        return Answer(200, "text/plain", self.objects[url], etag(self.objects[url]))

    def _written(self, url: str, body: bytes, headers: dict[str, str]) -> Answer:
        held = self.objects.get(url)
        if self._heeds and headers.get("If-None-Match") == "*" and held is not None:
            return Answer(412, "application/xml", b"")
        if self._heeds and "If-Match" in headers and (held is None or headers["If-Match"] != etag(held)):
            return Answer(404 if held is None else 412, "application/xml", b"")
        if len(self.written) >= self.room:
            raise Unavailable("peer")
        self.objects[url] = body
        self.written.append((url, headers))
        if self.loses:
            self.loses -= 1
            raise Unavailable("peer")
        return Answer(200, "", b"", etag(body))


def etag(body: bytes) -> str:
    return f'"{md5(body, usedforsecurity=False).hexdigest()}"'


def objects(store: Store) -> Objects:
    """The client for it."""
    return Objects(store, lambda _method, _url, headers, _body: {**headers, **SIGNED}, "KETENBRUG_LOG_GUARD_URL")
