"""Blind index: find a row by a V-number (vreemdelingennummer) that only its envelope holds.

    index := version (1) | first 16 bytes of HMAC-SHA-256(key, "ketenbrug/blind/1" | 0x00 | name | 0x00 | value)

A V-number is a unique identifier of ten digits, so nothing is gained by truncating further: a collision would show
another person. Whoever holds the key can try all ten-digit numbers; its place is the protection
(docs/how/threat-model.md). While the key is being replaced two versions are live: what is stored is of the newest, what
is looked for is of either.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

_KEPT: Final = 16
_V_NUMBER: Final = re.compile(r"[0-9]{10}")

Versions: TypeAlias = Mapping[int, bytes]
"""Keys of the index, by version."""


class BlindIndex:
    """The index under its keys. `follow` gives them anew when they have changed."""

    __slots__ = ("_follow", "_keys")

    def __init__(self, key: bytes | Versions, *, follow: Callable[[], Versions | None] | None = None) -> None:
        self._keys: Versions = {1: key} if isinstance(key, bytes) else key
        self._follow = follow

    def __repr__(self) -> str:
        return "<BlindIndex>"

    @property
    def version(self) -> int:
        """The version under which is stored from now on."""
        self._look()
        return max(self._keys)

    def of_v_number(self, v_number: str) -> bytes:
        """What is stored for a V-number: exactly ten digits (no check digit is known, so none is checked)."""
        return self._tag(self.version, v_number)

    def sought(self, v_number: str) -> list[bytes]:
        """What a row with this V-number may be stored under today."""
        self._look()
        return [self._tag(version, v_number) for version in sorted(self._keys, reverse=True)]

    def _tag(self, version: int, v_number: str) -> bytes:
        if not _V_NUMBER.fullmatch(v_number):
            raise ValueError("a V-number has ten digits")
        text = b"ketenbrug/blind/1\x00v-number\x00" + v_number.encode()
        return bytes((version,)) + hmac.digest(self._keys[version], text, "sha256")[:_KEPT]

    def _look(self) -> None:
        if self._follow is not None and (keys := self._follow()) is not None:
            self._keys = keys
