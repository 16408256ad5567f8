"""Checks an export of the log offline: `python -m clients.verifier DIR [--vkeys FILE]`. Exit 1 names what fails.

One file, standard library and `cryptography` only; it shares no line with the server, so that a fault there cannot hide
itself here. The steps, each resting on the ones before; the first thing that does not hold ends it:

    (1) vkeys        the verifier keys (C2SP signed-note); `--vkeys` takes them from elsewhere instead
    (2) checkpoint   signed by one of them under the log's own name (C2SP signed-note, tlog-checkpoint)
    (3) tile/        exactly the tiles of a tree of the signed size; their right edge gives the signed root, and every
                     hash above level 0 is the root of the tile below it (C2SP tlog-tiles, RFC 6962 section 2.1)
    (4) tile/entries the entries alone give the signed root once more; else the first foreign one is named
    (5) entries/     each INDEX.json is the leaf at that index (C2SP tlog-proof, RFC 9162 section 2.1.3.2)
    (6) consistency  the log of checkpoint.old is the beginning of this one (RFC 9162 section 2.1.4.2)

Not proven by this: that the keys are the log's (get them from elsewhere), that others were shown the same tree (compare
checkpoints with them), that everything that was done was written down.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import itertools
import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_HASH: Final = 32
_WIDTH: Final = 256
_ED25519: Final = 1
_SIGNATURES_MOST: Final = 64
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
_VKEY: Final = re.compile(r"([^\s+]+)\+([0-9a-f]{8})\+(\S+)")
_SIGNATURE: Final = re.compile(r"\u2014 ([^\s+]+) (\S+)")


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
        """What the leaf says. Raises `ValueError` when it is not JSON."""
        content: dict[str, Any] = json.loads(self.leaf)
        return content


@dataclass(frozen=True, slots=True)
class Report:
    """What holds: this head, the entries proven by themselves, and the size of the older head if one was given."""

    checkpoint: Checkpoint
    proven: tuple[int, ...]
    older: int | None
    keys_from_elsewhere: bool

    def words(self) -> str:
        """What was proven and what was not, for a reader."""
        head = self.checkpoint
        lines = [
            f"It holds: log {head.origin}, {head.size} entries, root {base64.b64encode(head.root).decode()}.",
            "Proven: the head is signed; the entries are exactly those that it was signed for, in this order.",
        ]
        if self.proven:
            lines.append(f"Proven by themselves: {', '.join(str(index) for index in self.proven)}.")
        if self.older is not None:
            lines.append(f"Proven: the log as it was at {self.older} entries is the beginning of this one.")
        lines.append("Not proven: that everything that was done was written down, or that others see this same log.")
        if not self.keys_from_elsewhere:
            lines.append("Not proven: that the keys are the log's; they came with the export. Give yours with --vkeys.")
        return "\n".join(lines)


class _Key(NamedTuple):
    name: str
    id: bytes
    public: Ed25519PublicKey


class _Row(NamedTuple):
    """The tiles of one level."""

    level: int
    full: int
    rest: int


def verify(directory: Path, *, vkeys: Path | None = None) -> Report:
    """Check an export. Raises `DoesNotHold`."""
    keys = _keys(str(vkeys or "vkeys"), _read(vkeys.parent, vkeys.name) if vkeys else _read(directory, "vkeys"))  # (1)
    note = _read(directory, "checkpoint")
    head = _checkpoint("checkpoint", note, keys)  # (2)
    _tiles(directory, head)  # (3)
    _entries(directory, head)  # (4)
    proven = _proven(directory, head, note)  # (5)
    older = _older(directory, head, keys)  # (6)
    return Report(head, proven, older, vkeys is not None)


def story(directory: Path) -> list[Entry]:
    """The entries of an export, in their order. Believe them only after `verify`."""
    note = _read(directory, "checkpoint").decode(errors="replace").split("\n")
    size = int(note[1]) if len(note) > 1 and _NUMBER.fullmatch(note[1]) else 0
    leaves = (leaf for where, width in _bundles(size) for leaf in _bundle(where, _read(directory, where), width))
    return [Entry(index, leaf) for index, leaf in enumerate(leaves)]


def endorsed(where: str, note: bytes, vkey: str) -> str:
    """The text of a note that this key signed (C2SP signed-note). Raises `DoesNotHold`."""
    keys = _keys(where, f"{vkey}\n".encode())
    body, signatures = _note(where, note)
    if not any(_by(where, keys[0], each, body) for each in signatures):
        raise DoesNotHold(where, f"is not signed by {keys[0].name}")
    return body


def placed(where: str, proof: bytes, hashed: bytes, vkeys: Iterable[str]) -> tuple[int, Checkpoint]:
    """Where the leaf of this hash stands, and in which signed tree, by a tlog-proof that stands alone.

    Raises `DoesNotHold`.
    """
    index, path, note = _tlog_proof(where, proof)
    head = _checkpoint(where, note, _keys(where, "".join(f"{each}\n" for each in vkeys).encode()))
    if not _included(hashed, index, head, path):
        raise DoesNotHold(where, "does not prove that this leaf is in the tree")
    return index, head


# Keys and notes


def _keys(where: str, data: bytes) -> list[_Key]:
    keys: list[_Key] = []
    for line in _lines(where, data):
        match = _VKEY.fullmatch(line)
        if match is None:
            raise DoesNotHold(where, "a line is not a verifier key")
        name, identity, encoded = match.groups()
        key = _base64(where, encoded)
        if hashlib.sha256(name.encode() + b"\n" + key).hexdigest()[:8] != identity:
            raise DoesNotHold(where, f"the key id of {name} is not that of its key")
        if key[0] == _ED25519 and len(key) == 1 + _HASH:
            keys.append(_Key(name, bytes.fromhex(identity), Ed25519PublicKey.from_public_bytes(key[1:])))
    if not keys:
        raise DoesNotHold(where, "holds no Ed25519 key")
    return keys


def _checkpoint(where: str, data: bytes, keys: Sequence[_Key]) -> Checkpoint:
    body, signatures = _note(where, data)
    signers = [key.name for key in keys for signature in signatures if _by(where, key, signature, body)]
    origin, size, root, *extensions = [*body[:-1].split("\n"), "", ""]
    if not origin or not _NUMBER.fullmatch(size) or any(not line for line in extensions[:-2]):
        raise DoesNotHold(where, "is not a checkpoint")
    if origin not in signers:
        raise DoesNotHold(where, f"is not signed by a known key of {origin!r}")
    return Checkpoint(origin, int(size), _hash(where, root))


def _note(where: str, data: bytes) -> tuple[str, list[tuple[str, bytes]]]:
    """The text with its last newline, and (key name, key id and signature) for each signature line."""
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


def _by(where: str, key: _Key, signature: tuple[str, bytes], body: str) -> bool:
    """Tell whether this key made the signature. One that names a known key and is not by it spoils the whole note."""
    name, data = signature
    if name != key.name or data[:4] != key.id:
        return False
    try:
        key.public.verify(data[4:], body.encode())
    except InvalidSignature:
        raise DoesNotHold(where, f"the signature of {name} is not by its key over this text") from None
    return True


# The tree


def _tiles(directory: Path, head: Checkpoint) -> None:
    rows = _rows(head.size)
    _exactly(directory, rows)
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
            if _Tree.over(_tile(directory, below.level, n, _WIDTH)) != each:
                raise DoesNotHold(_at(below.level, n, _WIDTH), "is not what the tile above it stands for")


def _exactly(directory: Path, rows: Sequence[_Row]) -> None:
    """Nothing is missing and nothing is there too much. A size that promises more than is there ends at once."""
    there = {path.relative_to(directory).as_posix() for path in (directory / "tile").rglob("*") if not path.is_dir()}
    bundles = (_at("entries", n, width) for row in rows[:1] for n, width in _each(row))
    tiles = (_at(row.level, n, width) for row in rows for n, width in _each(row))
    for where in itertools.chain(bundles, tiles):
        if where not in there:
            raise DoesNotHold(where, "is not there")
        there.remove(where)
    for where in sorted(there):
        raise DoesNotHold(where, "is no tile of a log of this size")


def _entries(directory: Path, head: Checkpoint) -> None:
    tree = _Tree()
    leaves: list[bytes] = []
    for where, width in _bundles(head.size):
        for leaf in _bundle(where, _read(directory, where), width):
            leaves.append(hashlib.sha256(b"\x00" + leaf).digest())
            tree.add(leaves[-1])
    if tree.root() == head.root:
        return
    (row, *_) = _rows(head.size)
    signed = (each for n, width in _each(row) for each in _tile(directory, 0, n, width))
    index = next(index for index, (one, other) in enumerate(zip(leaves, signed, strict=True)) if one != other)
    where = _at("entries", index // _WIDTH, _WIDTH if index // _WIDTH < row.full else row.rest)
    raise DoesNotHold(where, f"entry {index} is not the one that was signed for")


def _bundle(where: str, data: bytes, width: int) -> list[bytes]:
    """The entries of a bundle: each 16 bits of length, big-endian, and its bytes."""
    leaves: list[bytes] = []
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


def _each(row: _Row) -> Iterator[tuple[int, int]]:
    for n in range(row.full):
        yield n, _WIDTH
    if row.rest:
        yield row.full, row.rest


def _bundles(size: int) -> Iterator[tuple[str, int]]:
    return ((_at("entries", n, width), width) for row in _rows(size)[:1] for n, width in _each(row))


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
    return int(index), [_hash(where, line) for line in lines[:-1]], checkpoint.encode()


def _older(directory: Path, head: Checkpoint, keys: Sequence[_Key]) -> int | None:
    if not any((directory / name).exists() for name in ("checkpoint.old", "consistency")):
        return None
    older = _checkpoint("checkpoint.old", _read(directory, "checkpoint.old"), keys)
    if older.origin != head.origin:
        raise DoesNotHold("checkpoint.old", "is of another log")
    path = [_hash("consistency", line) for line in _lines("consistency", _read(directory, "consistency"))]
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
    """RFC 9162 section 2.1.4.2; fn, sn, fr and sr are its names. An empty or equal tree needs, and has, no path."""
    if first.size in {0, second.size}:
        root = second.root if first.size else hashlib.sha256(b"").digest()
        return not path and first.root == root
    if first.size > second.size or not path:
        return False
    whole = first.size & (first.size - 1) == 0
    fr, *rest = [first.root, *path] if whole else path
    sr = fr
    fn, sn = first.size - 1, second.size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    for c in rest:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = _node(c, fr), _node(c, sr)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = _node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == first.root and sr == second.root


# Bytes and words


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _hash(where: str, encoded: str) -> bytes:
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
        return (directory / name).read_bytes()
    except OSError:
        raise DoesNotHold(name, "is not there, or cannot be read") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Check, and say what was proven and what was not."""
    parser = argparse.ArgumentParser(prog="python -m clients.verifier", description="Check an export of the log.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--vkeys", type=Path, help="verifier keys that you have from elsewhere, a line each")
    options = parser.parse_args(arguments)
    try:
        report = verify(options.directory, vkeys=options.vkeys)
    except DoesNotHold as fault:
        sys.stderr.write(f"It does not hold. {fault}\n")
        return 1
    sys.stdout.write(f"{report.words()}\n")
    return 0


if __name__ == "__main__":  # pragma: no cover - a test runs it as a process of its own
    sys.exit(main())
