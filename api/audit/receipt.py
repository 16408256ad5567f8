"""The receipt: the log's signed promise, on the answer itself, that an entry of this request will be in the tree.

To this log it is what a signed certificate timestamp is to Certificate Transparency (RFC 6962 section 3). Whoever keeps
it can ask for the proof of its leaf hash later. A hash that is in no tree when its time is over is evidence against the
log, also when somebody removed the entry before the sequencer saw it.

A request that was permitted and then failed has two entries, and a receipt for each: the header is a list (RFC 9110
section 5.6.1) in their order, nearly always of one.

A receipt is a signed note (C2SP) in base64url without padding, because a header is one line. Its text is five lines:

    ketenbrug audit receipt v1
    ORIGIN           the name of the log
    LEAF HASH        base64 (RFC 6962 section 2.1)
    AT               when the promise was given: RFC 3339, UTC, microseconds
    MERGE DELAY      whole seconds, from then

It is signed with a key of its own, whose name is ORIGIN/receipts: what one key signs can never be taken for the
other's. No origin has a space, so that no receipt reads as a checkpoint either.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from api.audit import tree
from api.audit.checkpoint import Ed25519Key

if TYPE_CHECKING:
    from datetime import datetime

HEADER: Final = "Audit-Receipt"
_FORM: Final = "ketenbrug audit receipt v1"


@dataclass(frozen=True, slots=True)
class Signer:
    """Gives receipts for one log. `merge_delay` is promised, in seconds: an entry is in the tree much sooner."""

    origin: str
    merge_delay: int
    key: Ed25519Key

    @classmethod
    def from_seed(cls, origin: str, merge_delay: int, seed: bytes) -> Signer:
        """With the receipt key of the key file."""
        return cls(origin, merge_delay, Ed25519Key.from_seed(f"{origin}/receipts", seed))

    def sign(self, leaf: bytes, at: datetime) -> str:
        """The receipt of a committed entry, as the header takes it."""
        hashed = base64.b64encode(tree.leaf_hash(leaf)).decode()
        given = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        text = f"{_FORM}\n{self.origin}\n{hashed}\n{given}\n{self.merge_delay}\n"
        note = f"{text}\n{self.key.signature(text)}\n"
        return base64.urlsafe_b64encode(note.encode()).rstrip(b"=").decode()
