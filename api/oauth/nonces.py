"""Nonces of the token endpoint (RFC 9449 section 8): a proof cannot have been made long before it is sent.

A nonce is the MAC of a minute under a key that every worker has: nothing is stored, any worker takes what another gave.
It is no single-use value, because the proof's `jti` is; it only ties the proof to the present.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from api.crypto.mac import Mac

PERIOD: Final = 60
"""Seconds for which one nonce is given out. It is taken for one period more, and by a worker whose clock is behind."""

_LENGTH: Final = 16
_MOST: Final = 64


class Nonces:
    """Gives nonces out and takes them back."""

    __slots__ = ("_mac",)

    def __init__(self, mac: Mac) -> None:
        self._mac = mac

    def fresh(self, now: datetime) -> str:
        """The nonce of this moment."""
        return base64.urlsafe_b64encode(self._mac.tag(_minute(now, 0))[:_LENGTH]).rstrip(b"=").decode()

    def holds(self, nonce: object, now: datetime) -> bool:
        """Whether this is a nonce of this minute, of the last one or of the next."""
        if not isinstance(nonce, str) or len(nonce) > _MOST:
            return False
        try:
            tag = base64.b64decode(nonce.encode("ascii") + b"==", altchars=b"-_", validate=True)
        except ValueError:
            return False
        return any(self._mac.holds(tag, _minute(now, shift)) for shift in (0, -1, 1))


def _minute(now: datetime, shift: int) -> bytes:
    return (int(now.timestamp()) // PERIOD + shift).to_bytes(8, "big")
