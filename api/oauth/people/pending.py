"""A sign-in that was begun: all of it is in a cookie of the browser that began it, under our authenticator.

    cookie    := base64url(body | HMAC(body))
    body      := 2 | language (1) | anew (1) | seconds since the epoch (8) | provider (16) | random (32)
    state, nonce, code verifier := base64url of an HMAC over the body, each with a label of its own

Nobody who proved nothing makes us store anything, and what only we may know of it (the verifier, RFC 7636) is nowhere.
An answer with this `state` is taken from this browser, for minutes, and once: `api.oauth.replay` marks it.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from api.oauth.people.ticket import packed, unpacked

if TYPE_CHECKING:
    from api.crypto.mac import Mac

LASTS: Final = timedelta(minutes=10)
"""How long somebody may take at their provider."""
LANGUAGES: Final = ("nl", "en")

_VERSION: Final = 2
_BODY: Final = 59
_TAG: Final = 32
_TEXT_MOST: Final = 128


@dataclass(frozen=True, slots=True)
class Pending:
    """One of them. `anew`: the person proves anew who they are, also where their provider knows them already."""

    provider_id: UUID
    begun_at: datetime
    language: str
    anew: bool
    cookie: str = field(repr=False)
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)

    def is_answered_by(self, state: str) -> bool:
        """Whether an answer with this `state` is for it, in constant time."""
        return hmac.compare_digest(self.state.encode(), state.encode())

    def expires_at(self) -> datetime:
        """Until when an answer is taken."""
        return self.begun_at + LASTS


def begin(mac: Mac, provider_id: UUID, language: str, now: datetime, *, anew: bool = False) -> Pending:
    """Begin one."""
    second = int(now.timestamp()).to_bytes(8, "big")
    head = bytes((_VERSION, LANGUAGES.index(language), anew))
    return _of(mac, head + second + provider_id.bytes + secrets.token_bytes(32))


def read(mac: Mac, cookie: str) -> Pending | None:
    """The one of a cookie; None when it is none of ours."""
    raw = unpacked(cookie) if len(cookie) <= _TEXT_MOST else None
    if raw is None or len(raw) != _BODY + _TAG or not mac.holds(raw[_BODY:], b"cookie", raw[:_BODY]):
        return None
    return _of(mac, raw[:_BODY])


def _of(mac: Mac, body: bytes) -> Pending:
    return Pending(
        provider_id=UUID(bytes=body[11:27]),
        begun_at=datetime.fromtimestamp(int.from_bytes(body[3:11], "big"), UTC),
        language=LANGUAGES[body[1]],
        anew=bool(body[2]),
        cookie=packed(body + mac.tag(b"cookie", body)),
        state=packed(mac.tag(b"state", body)),
        nonce=packed(mac.tag(b"nonce", body)),
        verifier=packed(mac.tag(b"verifier", body)),
    )
