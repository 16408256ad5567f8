"""Blind index: find a row by a V-number (vreemdelingennummer) that only its envelope holds.

    index := version (1) | first 16 bytes of HMAC-SHA-256(key, "ketenbrug/blind/1" | 0x00 | name | 0x00 | value)

A V-number is a unique identifier of ten digits, so nothing is gained by truncating further: a collision would show
another person. Whoever holds the key can try all ten-digit numbers; its place is the protection
(docs/how/threat-model.md).
"""

from __future__ import annotations

import hmac
import re
from typing import Final

_VERSION: Final = b"\x01"
_KEPT: Final = 16
_V_NUMBER: Final = re.compile(r"[0-9]{10}")


class BlindIndex:
    """The index under one key."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "<BlindIndex>"

    def of_v_number(self, v_number: str) -> bytes:
        """The index of a V-number: exactly ten digits (no check digit is known, so none is checked)."""
        if not _V_NUMBER.fullmatch(v_number):
            raise ValueError("a V-number has ten digits")
        mac = hmac.digest(self._key, b"ketenbrug/blind/1\x00v-number\x00" + v_number.encode(), "sha256")
        return _VERSION + mac[:_KEPT]
