"""Posts that are sealed to us (`api.crypto.unsealing`): opened once it is proven who calls, before anything reads them.

A route that takes JSON takes a compact JWE of it too, under the media types of both profiles, and does nothing for it.
Nothing is opened for who is not proven: whoever asks us to try a key is known, limited and written down.

What is opened takes the place of what was sent, as if it had come in the clear: the idempotency key stands for the text
within, because a retry that seals anew has other bytes. So does a signature over the body: sign, then seal.

A file comes as a release (`api.crypto.release`). Its first line is what is opened then; the rest is opened as it comes.
"""

from __future__ import annotations

import sys
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from fastapi import Request

from api import problems
from api.crypto import release, unsealing
from api.edge import eyes, passage, strict_json
from api.errors import Undecryptable
from api.problems import InputError, Problem, Stopped

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection

    from starlette.types import Receive, Scope

    from api.crypto.inbox import Inbox
    from api.crypto.release import Release

KINDS: Final = frozenset(eyes.FORMS)
FILES: Final = frozenset({release.MEDIA_TYPE})

_NO_OBJECT: Final = InputError("body", "", "no-object", "A JSON object.")


class SealedPost(Request):
    """A request of which nobody sees the body before it is opened.

    FastAPI asks for the body before it asks who calls: it is given an object that is filled when the body is opened.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        scope.setdefault("state", {})  # one for both
        named = [(name, b"application/json" if name == b"content-type" else value) for name, value in scope["headers"]]
        super().__init__({**scope, "headers": named}, receive)
        here = passage.of(scope)
        self._most = here.max_text
        here.max_body = unsealing.sealed_length(here.max_text)
        self._members: dict[str, Any] = {}
        self._sent = b""
        self._text: bytes | None = None

    async def read(self) -> None:
        """Take in what was sent. Raises `Stopped` when it is too large."""
        self._sent = await super().body()

    async def body(self) -> bytes:
        """The text within, once it is opened; before that what came, so that it is known that something did."""
        return self._sent if self._text is None else self._text

    async def json(self) -> Any:  # noqa: ANN401 - JSON
        """What it says, once it is opened."""
        return self._members

    def open(self, inbox: Inbox, at: float) -> None:
        """Open it. Raises `Stopped`: one problem for whatever keeps it closed, then what any body is refused for."""
        try:
            text = unsealing.opened(self._sent, inbox, at)
        except Undecryptable:
            raise not_ours() from None
        text = text.rstrip(b" ")  # whoever seals may have hidden its length
        if len(text) > self._most:
            raise Stopped(Problem(problems.PAYLOAD_TOO_LARGE))
        value: object = strict_json.parse(text)
        if not isinstance(value, dict):
            raise Stopped(Problem(problems.INVALID_INPUT, errors=(_NO_OBJECT,)))
        self._text = text
        self._members.update(cast("dict[str, Any]", value))


class SealedFile(Request):
    """A request whose body is a release: in the clear, from outside, once its line was opened."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        scope.setdefault("state", {})
        super().__init__(scope, receive)
        self._raw = super().stream()
        self._held = b""
        self._named: frozenset[bytes] = frozenset()
        self._release: Release | None = None

    async def read(self) -> None:
        """Take in its line. No more of it is asked for, so that it does not matter yet how long it is."""
        way = passage.of(self.scope)
        way.max_body = sys.maxsize
        async for block in self._raw:
            self._held += block
            if b"\n" in block or len(self._held) > release.LINE_MOST:
                break
        way.max_body = way.max_text

    def open(self, inbox: Inbox, at: float) -> None:
        """Open its line. Raises `Stopped`."""
        line, _, self._held = self._held.partition(b"\n")
        try:
            self._release = release.received(line[: release.LINE_MOST], inbox, at)
        except Undecryptable:
            raise not_ours() from None

    @property
    def release(self) -> Release:
        """What its line says."""
        if self._release is None:
            raise AssertionError("the guard opens it")
        return self._release

    def hold(self, digests: Collection[bytes]) -> None:
        """Hold all that comes, sealed as it is, to these SHA-256 digests (RFC 9530); to none is fine."""
        self._named = frozenset(digests)

    async def stream(self) -> AsyncGenerator[bytes]:
        """The file. Raises `Stopped` when it is not as it was sealed, or not all of it came."""
        try:
            async for block in self.release.opened(self._sealed()):
                yield block
        except Undecryptable:
            raise not_ours() from None

    async def _sealed(self) -> AsyncGenerator[bytes]:
        digest = sha256(self.release.line + b"\n" + self._held)
        yield self._held
        async for block in self._raw:
            if self._named:
                digest.update(block)
            yield block
        if not self._named <= {digest.digest()}:
            raise Stopped(Problem(problems.NOT_AS_DECLARED))


Sealed: TypeAlias = SealedPost | SealedFile


def not_ours() -> Stopped:
    """The one problem for whatever keeps it closed."""
    return Stopped(Problem(problems.NOT_SEALED_TO_US))
