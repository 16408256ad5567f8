"""Short authenticators for what we hand out and take back (cursors) and for what we compare (idempotency)."""

from __future__ import annotations

import hmac


class Mac:
    """HMAC-SHA-256 under one key, for one use."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "<Mac>"

    def tag(self, *parts: bytes) -> bytes:
        """32 bytes over the parts, each with its length, so that no two lists of parts are the same text."""
        text = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hmac.digest(self._key, text, "sha256")

    def holds(self, tag: bytes, *parts: bytes) -> bool:
        """Whether `tag` (whole or its first 16 bytes at least) is over these parts, in constant time."""
        return hmac.compare_digest(tag, self.tag(*parts)[: max(len(tag), 16)])
