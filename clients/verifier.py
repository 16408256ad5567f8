"""Checks an export of the log offline: `python verifier.py DIR [--policy FILE | --vkeys FILE]`.

One file, standard library and `cryptography` only; it shares no line with the server, so that a fault there cannot hide
itself here. The steps, each resting on the ones before; the first thing that does not hold ends it with exit code 1:

    (1) keys         those of a policy (C2SP tlog-policy), which alone says who is a witness, or of a list that you have
                     from elsewhere, else the `vkeys` of the export (C2SP signed-note)
    (2) checkpoint   signed by the log under its own name, and cosigned by as many witnesses as the policy demands
                     (C2SP tlog-checkpoint, tlog-cosignature: Ed25519 and ML-DSA-44)
    (3) tile/        exactly the tiles of a tree of the signed size or of earlier ones; their right edge gives its root,
                     and each hash above level 0 is the root of a tile below it (C2SP tlog-tiles, RFC 6962 section 2.1)
    (4) tile/entries the entries alone give the signed root once more; else the first foreign one is named. Those below
                     the number in `retained` are past their term: a later entry must say so; their hashes stand for
                     them, their bodies must not be there
    (5) entries/     each INDEX.json is the leaf at that index (C2SP tlog-proof, RFC 9162 section 2.1.3.2)
    (6) consistency  the log of checkpoint.old is the beginning of this one (RFC 9162 section 2.1.4.2)
    (7) sample       if asked: each entry that the head draws is there (SHA-256 over a label, the root and the index)

A directory without `tile` is an evidence bundle: some entries with their proofs, without the rest of the log. Then (3)
and (4) are left out, and what it says is less. A bundle may also be the tar file that the exchange exports.

Not proven by this: that the keys are the log's (get them from elsewhere), that others were shown the same tree (that is
what witnesses are for), that everything that was done was written down.
"""

from __future__ import annotations

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    del sys.path[0]  # what lies beside it on the stick, or in the working directory, is not to be run

import argparse
import base64
import binascii
import hashlib
import itertools
import json
import re
import tarfile
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence

_HASH: Final = 32
_WIDTH: Final = 256
_NONE: Final = "none"
_COSIGNED: Final = b"subtree/v1\n\x00"
_SIGNATURES_MOST: Final = 64
_MEMBER: Final = re.compile(r"vkeys|checkpoint|entries/[0-9]{1,18}\.(json|tlog-proof)", re.ASCII)
_MEMBER_MOST: Final = 1 << 20
_FILE_MOST: Final = _WIDTH * (2 + 0xFFFF)
_NAME_MOST: Final = 255
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
_VKEY: Final = re.compile(r"([^\s+]+)\+([0-9a-f]{8})\+(\S+)")
_SIGNATURE: Final = re.compile(r"\u2014 ([^\s+]+) (\S+)")


class Kind(IntEnum):
    """The signature types of C2SP signed-note that are known here."""

    ED25519 = 1
    COSIGNATURE = 4
    ML_DSA_44 = 6


_PUBLIC: Final = {Kind.ED25519: 32, Kind.COSIGNATURE: 32, Kind.ML_DSA_44: 1312}
"""Bytes of a public key."""

_NAMES: Final = {Kind.ED25519: "Ed25519", Kind.COSIGNATURE: "an Ed25519 cosignature", Kind.ML_DSA_44: "ML-DSA-44"}


class DoesNotHold(Exception):
    """The first thing that does not hold: the file, and what is wrong with it."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}")
        self.where = where


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A head that one of the keys signed."""

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """One leaf, as it was hashed."""

    index: int
    leaf: bytes = field(repr=False)

    @property
    def content(self) -> Mapping[str, Any]:
        """What the leaf says. Raises `ValueError` when it is not JSON, or nested deeper than anybody means."""
        try:
            content: dict[str, Any] = json.loads(self.leaf)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        return content


@dataclass(frozen=True, slots=True)
class Report:
    """What holds: this head, who signed it, and what was proven of it.

    `signed`: the names of the signatures. `at`: when the log says that it signed. `cosigned`: by whom else, and when;
    that these are witnesses is proven `by_policy` only. `older`: the size of the older head if one was given. `whole`:
    whether the entries of the whole log were there, or only those `proven` by themselves. `retained`: of so many at its
    beginning only the hashes are left; the entry `retention` says so.
    """

    checkpoint: Checkpoint
    signed: tuple[str, ...]
    at: datetime | None
    cosigned: Mapping[str, datetime]
    proven: tuple[int, ...]
    older: int | None
    whole: bool
    keys_from_elsewhere: bool
    by_policy: bool
    retained: int = 0
    retention: int | None = None
    sample: int | None = None

    def words(self) -> str:
        """What was proven and what was not, for a reader."""
        return "\n".join((*self._proven(), *self._open()))

    def _proven(self) -> Iterator[str]:
        head = self.checkpoint
        yield f"It holds: log {head.origin}, {head.size} entries, root {base64.b64encode(head.root).decode()}."
        yield f"Proven: the log signed this head, with {' and '.join(self.signed)}."
        if self.whole and self.retained:
            yield f"Proven: entries {self.retained} and on are exactly those that it was signed for, in this order."
            yield f"Proven: the first {self.retained} entries stand in it with their hashes, in their order."
        elif self.whole:
            yield "Proven: the entries are exactly those that it was signed for, in this order."
        if self.proven:
            yield f"Proven by themselves: {', '.join(str(index) for index in self.proven)}."
        if self.older is not None:
            yield f"Proven: the log as it was at {self.older} entries is the beginning of this one."
        if self.sample is not None:
            yield f"Proven: every entry that this head draws for the sample, from {self.sample} on, is here."
        for name, at in self.cosigned.items() if self.by_policy else ():
            yield f"Proven: {name} saw this head, which extends all it saw before, on {at:%Y-%m-%d at %H:%M:%S} UTC."

    def _open(self) -> Iterator[str]:
        if self.cosigned and self.by_policy:
            yield "Not proven: that everything that was done was written down."
        else:
            yield "Not proven: that everything that was done was written down, or that others see this same log."
        for name, at in self.cosigned.items() if not self.by_policy else ():
            claim = f"By a key that is called so it saw this head, it says, on {at:%Y-%m-%d at %H:%M:%S} UTC"
            yield f"Not proven: that {name} is a witness. {claim}; say whom you trust: --policy."
        if not self.whole:
            yield "Not proven: anything about the entries that are not in this bundle."
        if self.retained:
            over = f"Entry {self.retention} says that their term is over; an archive may show it."
            yield f"Not proven: what the first {self.retained} entries say. {over}"
        if "ML-DSA-44" not in self.signed:
            yield "Not proven to somebody who has a quantum computer: the ML-DSA-44 signature was not checked."
        if not self.keys_from_elsewhere:
            yield "Not proven: that the keys are the log's; they came with the export. Give yours: --policy or --vkeys."


class Key(NamedTuple):
    """A verifier key (C2SP signed-note)."""

    name: str
    kind: Kind
    id: bytes
    public: bytes
    vkey: str


class Policy(NamedTuple):
    """Whom to trust (C2SP tlog-policy): the keys of logs and of witnesses, and what is enough.

    A rule is a number and the names of which so many must have cosigned; a witness's name stands for its key.
    """

    logs: list[Key]
    witnesses: dict[str, Key]
    rules: dict[str, tuple[int, list[str]]]
    quorum: str

    def met(self, name: str, vkeys: frozenset[str]) -> bool:
        """Tell whether the cosignatures by these keys are enough for what has this name."""
        if name in self.witnesses:
            return self.witnesses[name].vkey in vkeys
        least, members = self.rules[name]
        return sum(self.met(member, vkeys) for member in members) >= least


class _Row(NamedTuple):
    """The tiles of one level."""

    level: int
    full: int
    rest: int


def verify(
    directory: Path,
    *,
    vkeys: Path | None = None,
    policy: Path | None = None,
    sample: int | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> Report:
    """Check an export. `progress` is told the part that is done, from 0 to 1. Raises `DoesNotHold`."""
    trusted = _trusted(directory, vkeys, policy)  # (1)
    data = _read(directory, "checkpoint")
    head = checkpoint("checkpoint", data, trusted.logs)  # (2)
    signed, cosigned = _signed(data, trusted)
    at = min((each for each in signed.values() if each is not None), default=None)
    whole = head.size == 0 or (directory / "tile").exists()
    retained, retention = _retained(directory, head) if whole else 0, None
    if whole:
        _tiles(directory, head, retained, lambda part: progress(part / 2))  # (3)
        retention = _entries(directory, head, retained, lambda part: progress((1 + part) / 2))  # (4)
    proven = _proven(directory, head, data)  # (5)
    older = _older(directory, head, trusted.logs)  # (6)
    if sample is not None:  # (7)
        there = frozenset(proven)
        for index in sampled(head, sample, retained if whole else None):
            if index not in there:
                raise DoesNotHold("entries", f"entry {index} is of the sample, and what it says is not there")
    if not whole and not proven:
        raise DoesNotHold("entries", "there is neither the log nor any entry of it")
    given = bool(vkeys or policy), bool(policy)
    return Report(head, tuple(signed), at, cosigned, proven, older, whole, *given, retained, retention, sample)


@contextmanager
def opened(given: Path, *, most: int = 1 << 16) -> Generator[Path]:
    """The directory of an export: the given one, or a tar file's, for as long as this lasts. Raises `DoesNotHold`.

    A tar file has no more members than `most`, none of which is larger here than there.
    """
    if not given.is_file():
        yield given
        return
    with tempfile.TemporaryDirectory() as made:
        try:
            with tarfile.open(given, "r:") as members:
                for number, member in enumerate(members):
                    plain = member.isreg() and not member.issparse() and member.size <= _MEMBER_MOST
                    data = members.extractfile(member) if plain and number < most else None
                    if data is None or not _MEMBER.fullmatch(member.name):
                        raise DoesNotHold(given.name, "holds something that is not of an evidence bundle")
                    file = Path(made, member.name)
                    file.parent.mkdir(exist_ok=True)
                    file.write_bytes(data.read())
        except (tarfile.TarError, OSError, ValueError, RecursionError):  # the last two of headers that make no sense
            raise DoesNotHold(given.name, "is not a tar file, or not a whole one") from None
        yield Path(made)


def story(directory: Path) -> list[Entry]:
    """The entries of an export, in their order. Believe them only after `verify`."""
    note = _read(directory, "checkpoint").decode(errors="replace").split("\n")
    size = int(note[1]) if len(note) > 1 and _NUMBER.fullmatch(note[1]) else 0
    first = _retained(directory, Checkpoint("", size, b""))
    leaves = (leaf for where, width in _bundles(_rows(size), first) for leaf in _bundle(directory, where, width))
    return [Entry(index, leaf) for index, leaf in enumerate(leaves, first)]


def leaf_hashes(directory: Path, head: Checkpoint) -> Iterator[bytes]:
    """The hash of each entry of an export, past its term or not, in their order. Believe them only after `verify`."""
    (row, *_) = [*_rows(head.size), _Row(0, 0, 0)]
    return (each for n, width in _each(row) for each in _tile(directory, 0, n, width))


def endorsed(where: str, note: bytes, vkey: str) -> str:
    """The text of a note that this key signed (C2SP signed-note). Raises `DoesNotHold`."""
    key, *others = keys(where, f"{vkey}\n".encode())
    body, signatures = signatures_of(where, note)
    if others or key.kind is not Kind.ED25519 or not any(_by(where, key, each, body) for each in signatures):
        raise DoesNotHold(where, f"is not signed by {key.name}")
    return body


def sampled(head: Checkpoint, first: int, beyond: int | None = None) -> Iterator[int]:
    """The entries from `first` on, below `beyond`, that the head draws: one in a hundred, by nobody's choice."""
    begun = hashlib.sha256(b"ketenbrug audit sample v1\n" + head.root)
    for index in range(first, head.size if beyond is None else beyond):
        each = begun.copy()
        each.update(index.to_bytes(8, "big"))
        if int.from_bytes(each.digest()[:8], "big") < 2**64 // 100:
            yield index


def placed(where: str, proof: bytes, hashed: bytes, vkeys: Iterable[str]) -> tuple[int, Checkpoint]:
    """Where the leaf of this hash stands, and in which signed tree, by a tlog-proof that stands alone.

    Raises `DoesNotHold`.
    """
    index, path, note = _tlog_proof(where, proof)
    head = checkpoint(where, note, keys(where, "".join(f"{each}\n" for each in vkeys).encode()))
    if not _included(hashed, index, head, path):
        raise DoesNotHold(where, "does not prove that this leaf is in the tree")
    return index, head


# Keys and notes


def _trusted(directory: Path, vkeys: Path | None, policy: Path | None) -> Policy:
    """Whom to trust. A list of keys is a policy that demands no witness: whom of it the log is, its name tells."""
    if policy is not None:
        return parsed(str(policy), _read(policy.parent, policy.name))
    data = _read(vkeys.parent, vkeys.name) if vkeys else _read(directory, "vkeys")
    found = keys(str(vkeys or "vkeys"), data)
    return Policy(found, {key.vkey: key for key in found}, {_NONE: (0, [])}, _NONE)


def parsed(where: str, data: bytes) -> Policy:
    """Read a policy (C2SP tlog-policy). Raises `DoesNotHold`."""
    found = Policy([], {}, {_NONE: (0, [])}, "")
    members: list[str] = []
    for line in _lines(where, data.replace(b"\t", b" ")):
        words = line.split()
        known = found.witnesses.keys() | found.rules.keys()
        match words:
            case ["log", vkey] | ["log", vkey, _]:
                found.logs.extend(_key(where, vkey))
            case ["witness", name, vkey] | ["witness", name, vkey, _] if name not in known:
                found.witnesses[name] = _witness(where, name, vkey)
            case ["group", name, least, *names] if name not in known and names and set(names) <= known - {_NONE}:
                members += names
                number = {"any": "1", "all": str(len(names))}.get(least, least)
                if not _NUMBER.fullmatch(number) or not 1 <= int(number) <= len(names):
                    raise DoesNotHold(where, f"the group {name} asks for more members than it has, or for none")
                found.rules[name] = (int(number), names)
            case ["quorum", name] if name in known and not found.quorum:
                found = found._replace(quorum=name)
            case _ if not words or words[0].startswith("#"):
                pass
            case _:
                raise DoesNotHold(where, f"a line is not of a policy: {line[:60]}")
    publics = [key.public for key in (*found.logs, *found.witnesses.values())]
    if not found.quorum or not found.logs or len(set(members)) < len(members) or len(set(publics)) < len(publics):
        raise DoesNotHold(where, "names no log, no quorum, or something twice")
    return found


def _witness(where: str, name: str, vkey: str) -> Key:
    for key in _key(where, vkey):
        if key.kind is not Kind.ED25519:
            return key
    raise DoesNotHold(where, f"the key of the witness {name} is of no kind that cosigns")


def keys(where: str, data: bytes) -> list[Key]:
    """The verifier keys of a list, those of unknown kinds left out. Raises `DoesNotHold`."""
    found = [key for line in _lines(where, data) for key in _key(where, line)]
    if not found:
        raise DoesNotHold(where, "holds no key that is known here")
    return found


def _key(where: str, line: str) -> list[Key]:
    match = _VKEY.fullmatch(line)
    if match is None:
        raise DoesNotHold(where, "a line is not a verifier key")
    name, identity, encoded = match.groups()
    key = _base64(where, encoded)
    if hashlib.sha256(name.encode() + b"\n" + key).hexdigest()[:8] != identity:
        raise DoesNotHold(where, f"the key id of {name} is not that of its key")
    if len(name.encode()) > _NAME_MOST:
        raise DoesNotHold(where, f"a key has a name of more than {_NAME_MOST} bytes")
    kinds = [kind for kind, length in _PUBLIC.items() if key[0] == kind and len(key) == 1 + length]
    return [Key(name, kind, bytes.fromhex(identity), key[1:], line) for kind in kinds]


def checkpoint(where: str, data: bytes, trusted: Sequence[Key]) -> Checkpoint:
    """The head that a log signed under its own name, with Ed25519. Raises `DoesNotHold`."""
    body, signatures = signatures_of(where, data)
    by = [key for key in trusted for signature in signatures if _by(where, key, signature, body)]
    head = _head(where, body)
    if not any(key.name == head.origin and key.kind is Kind.ED25519 for key in by):
        raise DoesNotHold(where, f"is not signed by a known key of {head.origin!r}")
    return head


def _signed(data: bytes, trusted: Policy) -> tuple[dict[str, datetime | None], dict[str, datetime]]:
    """Signatures of the log, and of each witness, by when they were made. Raises `DoesNotHold` without a quorum."""
    where = "checkpoint"
    body, signatures = signatures_of(where, data)
    origin = _head(where, body).origin
    known = {key.vkey: key for key in (*trusted.logs, *trusted.witnesses.values())}.values()
    made = [
        (key, at)
        for key in known
        for signature in signatures
        for at in [None if key.kind is Kind.ED25519 else _instant(signature[1])]
        # Who names a time that is none says nothing by it, and spoils nothing for the others.
        if _by(where, key, signature, body) and (key.kind is Kind.ED25519 or at is not None)
    ]
    if not trusted.met(trusted.quorum, frozenset(key.vkey for key, _ in made)):
        raise DoesNotHold(where, "is not cosigned by as many witnesses as the policy demands")
    own = {_NAMES[key.kind]: at for key, at in sorted(made) if key.name == origin}
    return own, {key.name: at for key, at in made if key.name != origin and at is not None}


def _instant(signature: bytes) -> datetime | None:
    """When a cosignature says that it was made; None when its 64 bits are no time that can be told."""
    try:
        return datetime.fromtimestamp(int.from_bytes(signature[4:12], "big"), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def signatures_of(where: str, data: bytes) -> tuple[str, list[tuple[str, bytes]]]:
    """The text of a note with its last newline, and (key name, key id and signature) for each signature line."""
    text = _text(where, data)
    body, blank, tail = text.rpartition("\n\n")
    lines = tail.split("\n")
    if not blank or lines.pop() or not 0 < len(lines) <= _SIGNATURES_MOST:
        raise DoesNotHold(where, "is not a signed note")
    signatures: list[tuple[str, bytes]] = []
    for line in lines:
        match = _SIGNATURE.fullmatch(line)
        if match is None:
            raise DoesNotHold(where, "a signature line is not of its form")
        signatures.append((match[1], _base64(where, match[2])))
    return f"{body}\n", signatures


def _head(where: str, body: str) -> Checkpoint:
    origin, size, root, *extensions = [*body[:-1].split("\n"), "", ""]
    long = len(origin.encode()) > _NAME_MOST
    if not origin or long or not _NUMBER.fullmatch(size) or any(not line for line in extensions[:-2]):
        raise DoesNotHold(where, "is not a checkpoint")
    return Checkpoint(origin, int(size), hashed(where, root))


def _by(where: str, key: Key, signature: tuple[str, bytes], body: str) -> bool:
    """Tell whether this key made the signature. One that names a known key and is not by it spoils the whole note."""
    name, data = signature
    if name != key.name or data[:4] != key.id:
        return False
    at = int.from_bytes(data[4:12], "big")
    try:
        match key.kind:
            case Kind.ED25519:
                Ed25519PublicKey.from_public_bytes(key.public).verify(data[4:], body.encode())
            case Kind.COSIGNATURE:
                Ed25519PublicKey.from_public_bytes(key.public).verify(data[12:], cosigned_text(body, at))
            case Kind.ML_DSA_44:
                message = cosigned_head(name, _head(where, body), at)
                MLDSA44PublicKey.from_public_bytes(key.public).verify(data[12:], message)
    except InvalidSignature:
        raise DoesNotHold(where, f"the signature of {name} is not by its key over this text") from None
    return True


def cosigned_text(body: str, at: int) -> bytes:
    """What an Ed25519 cosignature signs (C2SP tlog-cosignature)."""
    return f"cosignature/v1\ntime {at}\n{body}".encode()


def cosigned_head(name: str, head: Checkpoint, at: int) -> bytes:
    """What an ML-DSA-44 cosignature of a whole tree signs (C2SP tlog-cosignature, `cosigned_message`)."""
    strings = [len(each).to_bytes(1, "big") + each for each in (name.encode(), head.origin.encode())]
    numbers = [each.to_bytes(8, "big") for each in (at, 0, head.size)]
    return b"".join((_COSIGNED, strings[0], numbers[0], strings[1], *numbers[1:], head.root))


# The tree


def _retained(directory: Path, head: Checkpoint) -> int:
    """Of how many entries at the beginning only the hashes are left: whole bundles."""
    if not (directory / "retained").exists():
        return 0
    (number, *more) = _lines("retained", _read(directory, "retained")) or [""]
    if more or not _NUMBER.fullmatch(number) or not 0 < int(number) <= head.size or int(number) % _WIDTH:
        raise DoesNotHold("retained", "is not a number of whole bundles of this log")
    return int(number)


def _tiles(directory: Path, head: Checkpoint, retained: int, progress: Callable[[float], None]) -> None:
    rows = _rows(head.size)
    _exactly(directory, rows, retained)
    edge = [(row, _tile(directory, row.level, row.full, row.rest)) for row in reversed(rows) if row.rest]
    root = _Tree()
    for row, hashes in edge:
        for each in hashes:
            root.add(each, row.level * 8)
    if root.root() != head.root:
        names = ", ".join(_at(row.level, row.full, row.rest) for row, _ in edge)
        raise DoesNotHold(names or "checkpoint", "the right edge of the tree does not give the signed root")
    for above, below in zip(reversed(rows[1:]), reversed(rows[:-1]), strict=True):
        upper = (each for n, width in _each(above) for each in _tile(directory, above.level, n, width))
        for n, each in enumerate(upper):
            progress(n / below.full if below.level == 0 else 0)
            if _Tree.over(_tile(directory, below.level, n, _WIDTH)) != each:
                raise DoesNotHold(_at(below.level, n, _WIDTH), "is not what the tile above it stands for")


def _exactly(directory: Path, rows: Sequence[_Row], retained: int) -> None:
    """Nothing is missing, or too much but partial tiles of earlier heads. A size that promises more ends at once."""
    ours: dict[str, str] = {}
    there = {path.relative_to(directory).as_posix() for path in (directory / "tile").rglob("*") if not path.is_dir()}
    hashes = (_at(row.level, n, width) for row in rows for n, width in _each(row))
    for where in itertools.chain((where for where, _ in _bundles(rows, retained)), hashes):
        if where not in there:
            raise DoesNotHold(where, "is not there")
        there.remove(where)
        ours[where.partition(".p/")[0]] = where
    for where in sorted(there):
        now = ours.get(where.partition(".p/")[0])
        if now is None or not _read(directory, now).startswith(_read(directory, where)):
            raise DoesNotHold(where, "is no tile of a log of this size")


def _entries(directory: Path, head: Checkpoint, retained: int, progress: Callable[[float], None]) -> int | None:
    """Returns which entry says that those before `retained` are past their term, if any are."""
    tree, told = _Tree(), None
    leaves = list(itertools.islice(leaf_hashes(directory, head), retained))
    for each in leaves:
        tree.add(each)
    for where, width in _bundles(_rows(head.size), retained):
        progress(len(leaves) / head.size)
        for leaf in _bundle(directory, where, width):
            told = len(leaves) if retained and _retains(leaf, retained) else told
            leaves.append(hashlib.sha256(b"\x00" + leaf).digest())
            tree.add(leaves[-1])
    if tree.root() == head.root:
        if retained and told is None:
            raise DoesNotHold("retained", f"no entry from {retained} on says that the term of those before it is over")
        return told
    signed = leaf_hashes(directory, head)
    index = next(index for index, (one, other) in enumerate(zip(leaves, signed, strict=True)) if one != other)
    where = _at("entries", index // _WIDTH, min(_WIDTH, head.size - index // _WIDTH * _WIDTH))
    raise DoesNotHold(where, f"entry {index} is not the one that was signed for")


def _retains(leaf: bytes, below: int) -> bool:
    """Whether an entry says that those before `below` are past their term. Few of a million are read for that."""
    if b'"audit.retain"' not in leaf:
        return False
    try:
        match json.loads(leaf):
            case {"action": "audit.retain", "result": "permitted", "object": {"type": "audit-log", "version": int(to)}}:
                return to >= below
            case _:
                return False
    except (ValueError, RecursionError):
        return False


def _bundle(directory: Path, where: str, width: int) -> list[bytes]:
    """The entries of a bundle: each 16 bits of length, big-endian, and its bytes."""
    leaves, data = list[bytes](), _read(directory, where)
    at = 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if end > len(data):
            raise DoesNotHold(where, "ends within an entry")
        leaves.append(data[at + 2 : end])
        at = end
    if len(leaves) != width:
        raise DoesNotHold(where, f"holds {len(leaves)} entries instead of {width}")
    return leaves


def _tile(directory: Path, level: int, n: int, width: int) -> list[bytes]:
    where = _at(level, n, width)
    data = _read(directory, where)
    if len(data) != width * _HASH:
        raise DoesNotHold(where, f"does not hold {width} hashes")
    return [data[at : at + _HASH] for at in range(0, len(data), _HASH)]


def _rows(size: int) -> list[_Row]:
    rows: list[_Row] = []
    count = size
    while count:
        rows.append(_Row(len(rows), *divmod(count, _WIDTH)))
        count //= _WIDTH
    return rows


def _each(row: _Row, first: int = 0) -> Iterator[tuple[int, int]]:
    yield from ((n, _WIDTH) for n in range(first, row.full))
    if row.rest:
        yield row.full, row.rest


def _bundles(rows: Sequence[_Row], retained: int) -> Iterator[tuple[str, int]]:
    return ((_at("entries", n, width), width) for row in rows[:1] for n, width in _each(row, retained // _WIDTH))


def _at(level: int | str, n: int, width: int) -> str:
    number = f"{n % 1000:03}"
    while n := n // 1000:
        number = f"x{n % 1000:03}/{number}"
    return f"tile/{level}/{number}" + (f".p/{width}" if width < _WIDTH else "")


class _Tree:
    """A tree that is only added to: the roots of its full subtrees, from left to right."""

    def __init__(self) -> None:
        self._subtrees: list[tuple[int, bytes]] = []

    @classmethod
    def over(cls, hashes: Sequence[bytes]) -> bytes:
        """The root over these hashes."""
        tree = cls()
        for each in hashes:
            tree.add(each)
        return tree.root()

    def add(self, hashed: bytes, height: int = 0) -> None:
        """Add a full subtree. None may be higher than the last one was."""
        while self._subtrees and self._subtrees[-1][0] == height:
            hashed = _node(self._subtrees.pop()[1], hashed)
            height += 1
        self._subtrees.append((height, hashed))

    def root(self) -> bytes:
        """RFC 6962 section 2.1."""
        if not self._subtrees:
            return hashlib.sha256(b"").digest()
        root = self._subtrees[-1][1]
        for _, left in reversed(self._subtrees[:-1]):
            root = _node(left, root)
        return root


# Proofs


def _proven(directory: Path, head: Checkpoint, note: bytes) -> tuple[int, ...]:
    names = {path.name for path in (directory / "entries").glob("*")}
    indexes = {name.partition(".")[0] for name in names}
    odd = sorted(names ^ {f"{index}.{kind}" for index in indexes for kind in ("json", "tlog-proof")})
    for where in (f"entries/{name}" for name in odd):
        raise DoesNotHold(where, "each entry is an INDEX.json with its INDEX.tlog-proof, and nothing else")
    proven: list[int] = []
    for index in sorted(indexes):
        where = f"entries/{index}.tlog-proof"
        leaf = _read(directory, f"entries/{index}.json")
        found, path, checkpoint = _tlog_proof(where, _read(directory, where))
        if index != str(found):
            raise DoesNotHold(where, f"is not a proof for index {index}")
        if checkpoint != note:
            raise DoesNotHold(where, "its checkpoint is not the one of this export")
        if not included(leaf, int(index), head, path):
            raise DoesNotHold(where, f"does not prove that entries/{index}.json stands at index {index}")
        proven.append(int(index))
    return tuple(sorted(proven))


def _tlog_proof(where: str, data: bytes) -> tuple[int, list[bytes], bytes]:
    """Index, path and checkpoint of a C2SP tlog-proof."""
    text, blank, checkpoint = _text(where, data).partition("\n\n")
    first, second, *lines = [*text.split("\n"), ""]
    index = second.removeprefix("index ")
    if not blank or first != "c2sp.org/tlog-proof@v1" or second == index or not _NUMBER.fullmatch(index):
        raise DoesNotHold(where, "is not a tlog-proof")
    return int(index), [hashed(where, line) for line in lines[:-1]], checkpoint.encode()


def _older(directory: Path, head: Checkpoint, trusted: Sequence[Key]) -> int | None:
    if not any((directory / name).exists() for name in ("checkpoint.old", "consistency")):
        return None
    older = checkpoint("checkpoint.old", _read(directory, "checkpoint.old"), trusted)
    if older.origin != head.origin:
        raise DoesNotHold("checkpoint.old", "is of another log")
    path = [hashed("consistency", line) for line in _lines("consistency", _read(directory, "consistency"))]
    if not consistent(older, head, path):
        raise DoesNotHold("consistency", "does not prove that checkpoint.old is the beginning of this log")
    return older.size


def included(leaf: bytes, index: int, head: Checkpoint, path: Sequence[bytes]) -> bool:
    """Whether the leaf stands at the index in the tree of the head."""
    return _included(hashlib.sha256(b"\x00" + leaf).digest(), index, head, path)


def _included(hashed: bytes, index: int, head: Checkpoint, path: Sequence[bytes]) -> bool:
    """RFC 9162 section 2.1.3.2; fn, sn and r are its names."""
    if index >= head.size:
        return False
    fn, sn = index, head.size - 1
    r = hashed
    for p in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = _node(p, r)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = _node(r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == head.root


def consistent(first: Checkpoint, second: Checkpoint, path: Sequence[bytes]) -> bool:
    """Whether the log of the first head is the beginning of that of the second (RFC 9162 section 2.1.4.2)."""
    return begun(first, second, path) == first.root


def begun(first: Checkpoint, second: Checkpoint, path: Sequence[bytes]) -> bytes | None:
    """The root at the size of the first head by a path to the second; None if it leads elsewhere. Another one: a fork.

    RFC 9162 section 2.1.4.2; fn, sn, fr and sr are its names. An empty or equal tree needs, and has, no path.
    """
    if first.size in {0, second.size}:
        root = second.root if first.size == second.size else hashlib.sha256(b"").digest()
        return None if path else root
    if first.size > second.size or not path:
        return None
    whole = first.size & (first.size - 1) == 0
    fr, *rest = [first.root, *path] if whole else path
    sr = fr
    fn, sn = first.size - 1, second.size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    for c in rest:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            fr, sr = _node(c, fr), _node(c, sr)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = _node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return fr if sn == 0 and sr == second.root else None


# Bytes and words


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def hashed(where: str, encoded: str) -> bytes:
    """A hash in base64. Raises `DoesNotHold`."""
    decoded = _base64(where, encoded)
    if len(decoded) != _HASH:
        raise DoesNotHold(where, "a hash is not 32 bytes long")
    return decoded


def _base64(where: str, encoded: str) -> bytes:
    """Decode; there is one way to write each value, and no other is taken."""
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    if not decoded or base64.b64encode(decoded).decode() != encoded:
        raise DoesNotHold(where, "holds a value that is not base64")
    return decoded


def _lines(where: str, data: bytes) -> list[str]:
    text = _text(where, data)
    if text and not text.endswith("\n"):
        raise DoesNotHold(where, "does not end with a newline")
    return text.split("\n")[:-1]


def _text(where: str, data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise DoesNotHold(where, "is not UTF-8") from None
    if any(character < " " and character != "\n" for character in text):
        raise DoesNotHold(where, "holds control characters")
    return text


def _read(directory: Path, name: str) -> bytes:
    try:
        with (directory / name).open("rb") as file:
            data = file.read(_FILE_MOST + 1)
    except OSError:
        raise DoesNotHold(name, "is not there, or cannot be read") from None
    if len(data) > _FILE_MOST:
        raise DoesNotHold(name, "is larger than a bundle of the longest entries")
    return data


def main(arguments: Sequence[str] | None = None) -> int:
    """Check, and say what was proven and what was not."""
    parser = argparse.ArgumentParser(prog="verifier.py", description="Check an export of the log.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--vkeys", type=Path, help="verifier keys that you have from elsewhere, a line each")
    parser.add_argument("--policy", type=Path, help="whom you trust, in the form of C2SP tlog-policy")
    parser.add_argument("--sample", type=_index, metavar="FIRST", help="check that the sample from here on is whole")
    options = parser.parse_args(arguments)
    try:
        with opened(options.directory) as directory:
            chosen: dict[str, Any] = {name: getattr(options, name) for name in ("vkeys", "policy", "sample")}
            report = verify(directory, **chosen, progress=_bar if sys.stderr.isatty() else lambda _: None)
    except DoesNotHold as fault:
        sys.stderr.write(f"It does not hold. {fault}\n")
        return 1
    sys.stdout.write(f"{report.words()}\n")
    return 0


def _index(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise argparse.ArgumentTypeError("is not the index of an entry")
    return int(text)


def _bar(part: float) -> None:
    """Show how far it is, on one line."""
    sys.stderr.write(f"\r[{'#' * round(part * 40):<40}] {part:4.0%}" + ("\r\x1b[K" if part >= 1 else ""))


if __name__ == "__main__":  # pragma: no cover - a test runs it as a process of its own
    sys.exit(main())
