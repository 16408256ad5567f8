"""Which witnesses cosign the log, and how many of them are enough: a C2SP tlog-policy file. Pure."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from api.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NONE: Final = "none"
_VKEY: Final = re.compile(r"([^\s+]+)\+([0-9a-f]{8})\+(\S+)")
_NAME_MOST: Final = 255
_KINDS: Final = {4: 32, 6: 1312}
"""Of cosignatures, with the length of their public keys: Ed25519 and ML-DSA-44."""


@dataclass(frozen=True, slots=True)
class Witness:
    """One key of a witness. `url` is its submission prefix; without one it is not asked."""

    name: str
    vkey: str
    kind: int
    id: bytes
    public: bytes
    url: str | None

    @classmethod
    def of(cls, vkey: str, url: str | None) -> Witness:
        """Read a verifier key line. Raises `ValueError`."""
        match = _VKEY.fullmatch(vkey)
        if match is None:
            raise ValueError("is not a verifier key")
        name, identity, encoded = match.groups()
        if len(name.encode()) > _NAME_MOST:
            raise ValueError("has a name of more than 255 bytes")
        key = base64.b64decode(encoded, validate=True)
        if _KINDS.get(key[0] if key else 0) != len(key) - 1:
            raise ValueError("is not the key of a witness")
        hashed = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
        if hashed.hex() != identity:
            raise ValueError("has an id that is not that of its key")
        return cls(name, vkey, key[0], hashed, key[1:], url)


@dataclass(frozen=True, slots=True)
class Group:
    """So many of its members have to cosign."""

    least: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """Witnesses and groups by their names in the file, and the one that is the quorum."""

    witnesses: Mapping[str, Witness]
    groups: Mapping[str, Group]
    quorum: str

    def satisfied(self, vkeys: Iterable[str]) -> bool:
        """Tell whether the cosignatures of these keys are enough."""
        given = frozenset(vkeys)
        return self.quorum == _NONE or self._by(self.quorum, given)

    def _by(self, name: str, given: frozenset[str]) -> bool:
        if name in self.witnesses:
            return self.witnesses[name].vkey in given
        group = self.groups[name]
        return sum(self._by(member, given) for member in group.members) >= group.least


def parse(text: str) -> Policy:
    """Read a policy file. Raises `Misconfigured` with the line that is wrong."""
    reading = _Reading()
    for number, line in enumerate(text.split("\n"), 1):
        try:
            reading.line(line.split())
        except ValueError as error:
            raise Misconfigured((f"the witness policy, line {number}: {error}",)) from None
    if reading.quorum is None:
        raise Misconfigured(("the witness policy names no quorum",))
    return Policy(reading.witnesses, reading.groups, reading.quorum)


class _Reading:
    """What the lines so far have defined."""

    def __init__(self) -> None:
        self.witnesses: dict[str, Witness] = {}
        self.groups: dict[str, Group] = {}
        self.quorum: str | None = None
        self._members: set[str] = set()

    def line(self, words: list[str]) -> None:
        """Take one line up. Raises `ValueError`. Whose log it is, the settings tell: its lines are for others."""
        match words:
            case [] | ["log", _] | ["log", _, _]:
                pass
            case [first, *_] if first.startswith("#"):
                pass
            case ["witness", name, vkey]:
                self._witness(name, Witness.of(vkey, None))
            case ["witness", name, vkey, url]:
                self._witness(name, Witness.of(vkey, url))
            case ["group", name, least, *members] if members:
                self._group(name, least, members)
            case ["quorum", name] if self.quorum is None and (name == _NONE or self._known(name)):
                self.quorum = name
            case _:
                raise ValueError("is not a line of a policy")

    def _known(self, name: str) -> bool:
        return name in self.witnesses or name in self.groups

    def _fresh(self, name: str) -> None:
        if name == _NONE or self._known(name):
            raise ValueError("defines a name for the second time")

    def _witness(self, name: str, witness: Witness) -> None:
        self._fresh(name)
        if witness.public in {each.public for each in self.witnesses.values()}:
            raise ValueError("names a key for the second time")
        self.witnesses[name] = witness

    def _group(self, name: str, word: str, members: list[str]) -> None:
        self._fresh(name)
        if not all(self._known(member) for member in members):
            raise ValueError("names a member that no line above defines")
        if len(set(members)) < len(members) or self._members & set(members):
            raise ValueError("names a member for the second time")
        least = {"any": 1, "all": len(members)}.get(word) or (int(word) if word.isdecimal() else 0)
        if not 1 <= least <= len(members):
            raise ValueError("asks for more members than it has, or for none")
        self._members |= set(members)
        self.groups[name] = Group(least, tuple(members))
