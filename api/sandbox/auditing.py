"""What an auditor and a distrustful NGO do with the log of the sandbox: read it whole, and redeem receipts."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from api.disclosure.authority import EXPORT_LOG
from clients import receipts, verifier
from clients.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from api.sandbox.cast import Cast

_SEQUENCED: Final = 20.0
"""Seconds within which the log must hold what was committed."""
_AGAIN: Final = 0.2
_ASIDE: Final = {"oauth.issue-token", EXPORT_LOG}


@dataclass(frozen=True, slots=True)
class Auditing:
    """The log, exported to a directory as the operator does it for an auditor."""

    directory: Path
    export: Callable[[Path], None]

    def size(self) -> int:
        """How many entries there are."""
        self.export(self.directory)
        return len(verifier.story(self.directory))

    def entries(self, start: int, requests: Collection[str]) -> list[dict[str, Any]]:
        """What was done from an index on, tokens and our own exports aside.

        Once all these requests are in the log, or time is over.
        """
        until = time.monotonic() + _SEQUENCED
        while True:
            self.export(self.directory)
            found = [dict(each.content) for each in verifier.story(self.directory)][start:]
            entries = [each for each in found if each["action"] not in _ASIDE]
            logged = {each["origin"]["requestId"] for each in entries}
            if set(requests) <= logged or time.monotonic() > until:
                return entries
            time.sleep(_AGAIN)

    def redeemed(self, cast: Cast, text: str) -> tuple[int, int]:
        """Index and size of the log: the NGO has what a receipt promised proven. Raises `NotFound`, `DoesNotHold`."""
        receipt = receipts.read(text, cast.receipt_key())
        until = time.monotonic() + _SEQUENCED
        while True:
            try:
                proof = cast.ngo.receipts.prove(receipt.hashed).value.tlog_proof
                break
            except NotFound:
                if time.monotonic() > until:
                    raise
                time.sleep(_AGAIN)
        index, head = receipts.kept(receipt, proof, cast.auditor.audit.checkpoint().value.verifier_keys)
        return index, head.size

    def promises(self, cast: Cast) -> int:
        """How many receipts came. Raises `DoesNotHold` when this export does not keep one."""
        key = cast.receipt_key()
        read = [receipts.read(each, key) for each in cast.journal.receipts]
        for each in receipts.broken(read, self.directory):
            raise verifier.DoesNotHold("receipt", f"the entry that was promised at {each.at} is not there")
        return len(read)
