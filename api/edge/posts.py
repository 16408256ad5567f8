"""Posts that are sealed to us (`api.crypto.unsealing`): opened once it is proven who calls, before anything reads them.

A route that takes JSON takes a compact JWE of it too, under the media types of both profiles, and does nothing for it.
Nothing is opened for who is not proven: whoever asks us to try a key is known, limited and written down.

What is opened takes the place of what was sent, as if it had come in the clear: the idempotency key stands for the text
within, because a retry that seals anew has other bytes. So does a signature over the body: sign, then seal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from fastapi import Request

from api import problems
from api.crypto import unsealing
from api.edge import eyes, passage, strict_json
from api.errors import Undecryptable
from api.problems import InputError, Problem, Stopped

if TYPE_CHECKING:
    from starlette.types import Receive, Scope

    from api.crypto.inbox import Inbox

KINDS: Final = frozenset(eyes.FORMS)

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
            raise Stopped(Problem(problems.NOT_SEALED_TO_US)) from None
        text = text.rstrip(b" ")  # whoever seals may have hidden its length
        if len(text) > self._most:
            raise Stopped(Problem(problems.PAYLOAD_TOO_LARGE))
        value: object = strict_json.parse(text)
        if not isinstance(value, dict):
            raise Stopped(Problem(problems.INVALID_INPUT, errors=(_NO_OBJECT,)))
        self._text = text
        self._members.update(cast("dict[str, Any]", value))
