"""The signed head of the tree: C2SP signed-note and tlog-checkpoint, with Ed25519 (RFC 8032).

A log never signs two heads of which one does not extend the other; the sequencer sees to it, here is only the form. A
second signature of another kind (ML-DSA-44, a C2SP cosignature) signs the head's members and not its text: that is why
a `LogKey` is given the head.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.errors import LogDamaged

if TYPE_CHECKING:
    from collections.abc import Sequence

_ED25519: Final = b"\x01"
_NAME: Final = re.compile(r"[^\s+\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class Head:
    """A tree of this size has this root, says the log of this origin."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The note text: three lines (C2SP tlog-checkpoint)."""
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\n"

    @classmethod
    def of(cls, note: str) -> Head:
        """Read the head of a note that we wrote ourselves. No signature is looked at. Raises `LogDamaged`."""
        try:
            origin, size, root, blank, *_ = note.split("\n")
            head = cls(origin, int(size), base64.b64decode(root, validate=True))
        except ValueError:
            raise LogDamaged("what was kept as a checkpoint is none") from None
        if blank or not note.startswith(head.text()):
            raise LogDamaged("what was kept as a checkpoint is none")
        return head


class LogKey(Protocol):
    """Whatever signs for the log. Each has a use of its own: no key signs anything but heads."""

    @property
    def vkey(self) -> str:
        """What verifiers need to know of it, on one line (C2SP signed-note)."""
        ...

    def line(self, head: Head) -> str:
        """The signature line, without its newline."""
        ...


@dataclass(frozen=True, slots=True)
class Ed25519Key:
    """Signs the text of the note. `name` is the origin of the log; that of a receipt key stands in `audit.receipt`."""

    name: str
    _private: Ed25519PrivateKey = field(repr=False)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError("the name of a log has no spaces, plus signs or control characters")

    @classmethod
    def from_seed(cls, name: str, seed: bytes) -> Ed25519Key:
        """The key of a 32-byte seed, as the key file holds it."""
        return cls(name, Ed25519PrivateKey.from_private_bytes(seed))

    @property
    def vkey(self) -> str:
        """The verifier key line."""
        return f"{self.name}+{self._id.hex()}+{_base64(self._public)}"

    def line(self, head: Head) -> str:
        """Sign."""
        return self.signature(head.text())

    def signature(self, text: str) -> str:
        """The signature line of a note text, without its newline."""
        return f"\u2014 {self.name} {_base64(self._id + self._private.sign(text.encode()))}"

    @property
    def _public(self) -> bytes:
        return _ED25519 + self._private.public_key().public_bytes_raw()

    @property
    def _id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + self._public).digest()[:4]


@dataclass(frozen=True, slots=True)
class Signer:
    """A log that can sign: its name, and the keys of which each signs every head."""

    origin: str
    keys: tuple[LogKey, ...]

    @classmethod
    def from_seed(cls, origin: str, seed: bytes) -> Signer:
        """A log with one Ed25519 key under its own name."""
        return cls(origin, (Ed25519Key.from_seed(origin, seed),))

    def signed(self, head: Head) -> str:
        """The checkpoint. Ed25519 is deterministic: the same head is always the same bytes."""
        return signed(head, self.keys)


def signed(head: Head, keys: Sequence[LogKey]) -> str:
    """The checkpoint: the head as a note, signed by each key."""
    return f"{head.text()}\n" + "".join(f"{key.line(head)}\n" for key in keys)


def tlog_proof(index: int, path: Sequence[bytes], note: str) -> str:
    """An inclusion proof that stands alone (C2SP tlog-proof), over a checkpoint as it was signed."""
    return f"c2sp.org/tlog-proof@v1\nindex {index}\n{hash_lines(path)}\n{note}"


def hash_lines(hashes: Sequence[bytes]) -> str:
    """Hashes in base64, a line each."""
    return "".join(f"{_base64(each)}\n" for each in hashes)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
