"""The sample: one entry in a hundred, drawn by a signed head, so that whoever has the head draws the same.

An entry is in it when the first eight bytes of SHA-256 over the label, the root and its index (eight bytes, big-endian)
are, as a number, below a hundredth of what they can be. Nobody chooses: not the operator, who signed the root before it
was known what it draws, and not the auditor.
"""

from __future__ import annotations

import hashlib
from typing import Final

_LABEL: Final = b"ketenbrug audit sample v1\n"
_BELOW: Final = 2**64 // 100


def drawn(root: bytes, first: int, beyond: int) -> list[int]:
    """The indexes of the sample from `first` to below `beyond`, in order."""
    begun = hashlib.sha256(_LABEL + root)

    def number(index: int) -> int:
        each = begun.copy()
        each.update(index.to_bytes(8, "big"))
        return int.from_bytes(each.digest()[:8], "big")

    return [index for index in range(first, beyond) if number(index) < _BELOW]
