"""The signed head of the tree: C2SP signed-note and tlog-checkpoint, with Ed25519 (RFC 8032) and ML-DSA-44 (FIPS 204).

A log never signs two heads of which one does not extend the other; the sequencer sees to it, here is only the form.

The Ed25519 signature is what makes a head the log's: it is deterministic, so that the same head is the same note, which
the signer guard holds. The ML-DSA-44 one is a C2SP cosignature by the log itself, for the day when quantum computers
forge the other: it tells its time, is random, and is kept beside the note as the cosignatures of witnesses are.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from api.errors import LogDamaged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

_ED25519: Final = b"\x01"
_ML_DSA_44: Final = b"\x06"
_COSIGNED: Final = b"subtree/v1\n\x00"
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
        if blank or len(head.root) != hashlib.sha256().digest_size or not note.startswith(head.text()):
            raise LogDamaged("what was kept as a checkpoint is none")
        return head


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
class MlDsaKey:
    """Cosigns heads of its own log (C2SP tlog-cosignature, ML-DSA-44). `name` is the origin of the log."""

    name: str
    _private: MLDSA44PrivateKey = field(repr=False)

    @classmethod
    def from_seed(cls, name: str, seed: bytes) -> MlDsaKey:
        """The key of a 32-byte seed, as the key file holds it."""
        return cls(name, MLDSA44PrivateKey.from_seed_bytes(seed))

    @property
    def vkey(self) -> str:
        """The verifier key line."""
        return f"{self.name}+{self._id.hex()}+{_base64(self._public)}"

    def line(self, head: Head, at: datetime) -> str:
        """Say that at this time the head was the largest that was signed."""
        seconds = int(at.timestamp()).to_bytes(8, "big")
        signature = self._private.sign(cosigned(self.name, seconds, head))
        return f"\u2014 {self.name} {_base64(self._id + seconds + signature)}"

    @property
    def _public(self) -> bytes:
        return _ML_DSA_44 + self._private.public_key().public_bytes_raw()

    @property
    def _id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + self._public).digest()[:4]


def cosigned(name: str, seconds: bytes, head: Head) -> bytes:
    """What an ML-DSA-44 cosignature signs: `cosigned_message` of C2SP tlog-cosignature, of a whole tree."""
    named, origin = name.encode(), head.origin.encode()
    return b"".join(
        (
            _COSIGNED,
            len(named).to_bytes(1, "big") + named,
            seconds,
            len(origin).to_bytes(1, "big") + origin,
            bytes(8) + head.size.to_bytes(8, "big"),
            head.root,
        )
    )


@dataclass(frozen=True, slots=True)
class Signer:
    """A log that can sign: its name, its two keys, and the clock that a cosignature is dated by."""

    origin: str
    key: Ed25519Key
    post_quantum: MlDsaKey
    clock: Callable[[], datetime]

    @classmethod
    def from_seeds(cls, origin: str, ed25519: bytes, ml_dsa: bytes, clock: Callable[[], datetime]) -> Signer:
        """A log with both keys under its own name."""
        return cls(origin, Ed25519Key.from_seed(origin, ed25519), MlDsaKey.from_seed(origin, ml_dsa), clock)

    @property
    def vkeys(self) -> tuple[str, str]:
        """What verifiers need to know of the keys, a line each."""
        return self.key.vkey, self.post_quantum.vkey

    def signed(self, head: Head) -> str:
        """The checkpoint. The same head is always the same bytes."""
        return signed(head, (self.key,))

    def cosignature(self, head: Head) -> str:
        """The post-quantum line that stands below it."""
        return self.post_quantum.line(head, self.clock())


def signed(head: Head, keys: Sequence[Ed25519Key]) -> str:
    """The checkpoint: the head as a note, signed by each key."""
    return f"{head.text()}\n" + "".join(f"{key.line(head)}\n" for key in keys)


def own(note: str) -> str:
    """Of a checkpoint what the log signed, without the lines below: of one head it is always the same bytes."""
    return "".join(note.splitlines(keepends=True)[:5])


def tlog_proof(index: int, path: Sequence[bytes], note: str) -> str:
    """An inclusion proof that stands alone (C2SP tlog-proof), over a checkpoint as it was signed."""
    return f"c2sp.org/tlog-proof@v1\nindex {index}\n{hash_lines(path)}\n{note}"


def hash_lines(hashes: Sequence[bytes]) -> str:
    """Hashes in base64, a line each."""
    return "".join(f"{_base64(each)}\n" for each in hashes)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
