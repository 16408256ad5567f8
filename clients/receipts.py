"""Receipts: what the exchange promised with each answer, and what became of the promise. All of it is checked offline.

    receipt = read(answer.receipt, key)            the promise, if it is signed by the receipt key that you know
    proof = client.receipts.prove(receipt.hashed)  ask for the proof; `NotFound` says that it is in no tree (yet)
    kept(receipt, proof.value.tlog_proof, vkeys)   the promise is kept: at this index, in this signed tree
    broken(receipts, export)                       the promises that a whole log, as it was signed, did not keep

    python -m clients.receipts EXPORT RECEIPTS --receipt-key FILE [--policy FILE | --vkeys FILE]

checks a file of receipts, a line each, against an export of the log. A receipt whose time was over when the log was
signed, and whose entry is not there, is evidence that anybody can check: the receipt, its key, and the log that was
signed later without it. It does not tell who removed the entry; nobody can deny any more that there was one. What an
entry said may be past its term: its hash is there all the same, and keeps the promise.

Like the verifier it needs the standard library and `cryptography` only.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import re
import sys
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from clients import verifier
from clients.verifier import DoesNotHold

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from clients.verifier import Checkpoint

_WHERE: Final = "receipt"
_TEXT: Final = re.compile(
    r"ketenbrug audit receipt v1\n(?P<origin>\S+)\n(?P<hash>[A-Za-z0-9+/]{43}=)\n"
    r"(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)\n(?P<delay>[1-9][0-9]{0,7})\n",
    re.ASCII,
)
SKEW: Final = timedelta(minutes=5)
"""By so much the clocks of servers may differ: no promise is called broken for that."""

_HEADER: Final = re.compile(r"[A-Za-z0-9_-]{1,4096}")


@dataclass(frozen=True, slots=True)
class Receipt:
    """A promise of the log of this origin: the entry of this leaf hash will be in its tree at `due` at the latest."""

    origin: str
    leaf_hash: bytes = field(repr=False)
    at: datetime
    merge_delay: timedelta
    text: str = field(repr=False)
    """As it came in the header."""

    @property
    def due(self) -> datetime:
        """When the promise must have been kept."""
        return self.at + self.merge_delay

    @property
    def hashed(self) -> str:
        """The leaf hash as an address takes it: base64url without padding."""
        return base64.urlsafe_b64encode(self.leaf_hash).rstrip(b"=").decode()


def read(text: str, key: str) -> Receipt:
    """Read the value of an `Audit-Receipt`; `key` is the receipt key of the log. Raises `DoesNotHold`."""
    said = _TEXT.fullmatch(verifier.endorsed(_WHERE, _note(text), key))
    if said is None or key.partition("+")[0] != f"{said['origin']}/receipts":
        raise DoesNotHold(_WHERE, "is none of a form that is known here")
    delay = timedelta(seconds=int(said["delay"]))
    try:
        at = datetime.fromisoformat(said["at"])
        _ = at + delay
    except (ValueError, OverflowError):
        raise DoesNotHold(_WHERE, "names no instant") from None
    return Receipt(said["origin"], base64.b64decode(said["hash"]), at, delay, text)


def kept(receipt: Receipt, proof: str, vkeys: Iterable[str]) -> tuple[int, Checkpoint]:
    """Where the entry stands, and in which signed tree. Raises `DoesNotHold` when the proof does not prove it."""
    index, head = verifier.placed("proof", proof.encode(), receipt.leaf_hash, vkeys)
    if head.origin != receipt.origin:
        raise DoesNotHold("proof", "is of another log than the receipt")
    return index, head


class Judged(NamedTuple):
    """Promises whose entries are not in a log: those that were due when it was signed, and those that were not yet."""

    broken: tuple[Receipt, ...]
    early: tuple[Receipt, ...]


def judged(
    receipts: Iterable[Receipt], directory: Path, *, vkeys: Path | None = None, policy: Path | None = None
) -> Judged:
    """What this log did not keep of the receipts. The log is verified first: raises `DoesNotHold`.

    When it was signed, the log's own signature tells, else the first of the policy's witnesses; entries do not, for a
    clock of one server may be ahead. When nobody tells, what was due cannot be told: if anything is missing, that is
    raised too.
    """
    report = verifier.verify(directory, vkeys=vkeys, policy=policy)
    there = set(verifier.leaf_hashes(directory, report.checkpoint))
    missing = [each for each in receipts if each.origin == report.checkpoint.origin and each.leaf_hash not in there]
    witnessed = report.cosigned.values() if report.by_policy else ()
    at = report.at or min(witnessed, default=None)
    if missing and at is None:
        raise DoesNotHold("checkpoint", "no signature by a key that you gave says when it was made: what was due?")
    due = {each for each in missing if at is not None and each.due + SKEW < at}
    return Judged(tuple(each for each in missing if each in due), tuple(each for each in missing if each not in due))


def broken(
    receipts: Iterable[Receipt], directory: Path, *, vkeys: Path | None = None, policy: Path | None = None
) -> tuple[Receipt, ...]:
    """The receipts that were due when this log was signed, and whose entries are not in it. As `judged`."""
    return judged(receipts, directory, vkeys=vkeys, policy=policy).broken


@dataclass(frozen=True, slots=True)
class Keeper:
    """Keeps receipts in a file, a line each: `NgoClient(…, keep=Keeper(path))`."""

    path: Path

    def __call__(self, receipt: str) -> None:
        """Add one. A line is one write, so that threads and processes may share the file."""
        with self.path.open("a") as file:
            file.write(f"{receipt}\n")

    def read(self, key: str) -> tuple[Receipt, ...]:
        """All of them. Raises `DoesNotHold`."""
        return tuple(read(line, key) for line in _text(self.path).splitlines())


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise DoesNotHold(file.name, "is not UTF-8") from None


def _note(text: str) -> bytes:
    if not _HEADER.fullmatch(text):
        raise DoesNotHold(_WHERE, "is not base64url")
    try:
        note = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        note = b""
    if base64.urlsafe_b64encode(note).rstrip(b"=").decode() != text:
        raise DoesNotHold(_WHERE, "is not base64url")
    return note


def main(arguments: Sequence[str] | None = None) -> int:
    """Check, and say which promises were not kept. Exit 1 if there are any."""
    parser = argparse.ArgumentParser(prog="python -m clients.receipts", description="Check receipts against a log.")
    parser.add_argument("directory", type=Path, help="an export of the log")
    parser.add_argument("receipts", type=Path, help="the receipts that you kept, a line each")
    parser.add_argument("--receipt-key", type=Path, required=True, help="the receipt key that you have from elsewhere")
    parser.add_argument("--vkeys", type=Path, help="verifier keys of the log that you have from elsewhere, a line each")
    parser.add_argument("--policy", type=Path, help="whom you trust, in the form of C2SP tlog-policy")
    options = parser.parse_args(arguments)
    try:
        mine = Keeper(options.receipts).read(_text(options.receipt_key).strip())
        found = judged(mine, options.directory, vkeys=options.vkeys, policy=options.policy)
    except (DoesNotHold, OSError) as fault:
        sys.stderr.write(f"It does not hold. {fault}\n")
        return 1
    for said, those in (("Broken", found.broken), ("Not due when this log was signed", found.early)):
        for each in those:
            at = f"{each.at:%Y-%m-%d %H:%M:%S} UTC"
            sys.stdout.write(f"{said}: promised {at}, leaf hash {each.hashed}, not in the log.\n")
    sys.stdout.write(f"{len(mine)} receipts, {len(found.broken)} broken promises.\n")
    return 1 if found.broken else 0


if __name__ == "__main__":  # pragma: no cover - a test runs it as a process of its own
    sys.exit(main())
