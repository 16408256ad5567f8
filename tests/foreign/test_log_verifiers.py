"""Verifiers of others over an export of a log that really ran: Sigstore's, and the one of Go's checksum database."""

from __future__ import annotations

import asyncio
import base64
import shutil
import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import pytest

from api import settings
from api.audit import policy
from api.audit.witnessing import Rounds
from api.outbound import Outbound
from api.storage.pool import Database
from api.vocabulary import Purpose
from tests import live

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from api.audit.policy import Policy
    from tests.foreign.tools import Go, Node

NAMES: Final = ("ngo.example/witness", "municipality.example/witness")
FULL: Final = 256
"""Entries of a full tile."""
SIGNATURE: Final = "\n\u2014 ".encode()
PATIENCE: Final = 60.0
"""Seconds until the log has signed what happened."""


@dataclass(frozen=True)
class Export:
    """Made by `ketenbrug audit export`. `entries` are proven one by one; `older` is the size of an earlier head."""

    directory: Path
    size: int
    older: int
    entries: tuple[int, ...]


@pytest.fixture(scope="module")
def export(sandbox: live.Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Export:
    """A log of more than one full tile: the sample dossier is read until it is."""
    folder, url = tmp_path_factory.mktemp("log"), sandbox.description()["applicationDatabaseUrl"]
    older = _exported(url, folder / "before")
    dossier = UUID(sandbox.description()["samples"]["dossierId"])
    with sandbox.cast() as cast:
        for _ in range(FULL):
            cast.ngo.dossiers.read(dossier, purpose=Purpose.LEGAL_SCREENING)
    until = time.monotonic() + PATIENCE
    while (size := _exported(url, folder / "now")) < older + FULL:
        assert time.monotonic() < until, f"{size} entries are signed, of at least {older + FULL}"
        time.sleep(0.5)
    entries = (0, 1, FULL - 1, FULL, size - 1)
    words = [word for each in entries for word in ("--entry", str(each))]
    size = _exported(url, folder / "now", *words, "--from", str(older))
    return Export(folder / "now", size, older, entries)


@dataclass(frozen=True)
class Witnesses:
    """Two that run. `policy` names them with their addresses, `vkeys` has the Ed25519 key of each."""

    policy: Path
    vkeys: Path


@pytest.fixture(scope="module")
def witnesses(export: Export, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Witnesses]:
    """Each is `ketenbrug witness`, in a process of its own, and follows the log by the keys that it publishes."""
    folder, lines, known = tmp_path_factory.mktemp("witnesses"), list[str](), list[str]()
    with ExitStack() as running:
        for number, name in enumerate(NAMES):
            made = live.command("witness", "init", name, "--dir", str(folder / str(number)))
            assert made.returncode == 0, made.stderr
            shutil.copy(export.directory / "vkeys", folder / str(number) / "logs")
            url = running.enter_context(_listening(folder / str(number)))
            old, new = made.stdout.split()
            known.append(f"{old}\n")
            lines += [f"witness w{number}-ed {old} {url}\n", f"witness w{number}-pq {new} {url}\n"]
        (folder / "policy").write_text("".join([*lines, "group both all w0-ed w1-ed\n", "quorum both\n"]))
        (folder / "vkeys").write_text("".join(known))
        yield Witnesses(folder / "policy", folder / "vkeys")


@pytest.fixture(scope="module")
def cosigned(
    sandbox: live.Sandbox, export: Export, witnesses: Witnesses, tmp_path_factory: pytest.TempPathFactory
) -> Export:
    """The log with the cosignatures of both."""
    folder, url = tmp_path_factory.mktemp("cosigned"), sandbox.description()["workDatabaseUrl"]
    until = time.monotonic() + PATIENCE
    while True:
        faults = asyncio.run(_offered(url, policy.parse(witnesses.policy.read_text())))
        size = _exported(url, folder / "log", "--entry", "0", "--from", str(export.older))
        if all(f"\n\u2014 {name} " in (folder / "log/checkpoint").read_text() for name in NAMES):
            return Export(folder / "log", size, export.older, (0,))
        assert time.monotonic() < until, faults


@contextmanager
def _listening(directory: Path) -> Generator[str]:
    words = (*live.COMMAND, "witness", "serve", "--dir", str(directory), "--port", "0")
    environment = live.environment(PYTHONUNBUFFERED="1")
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as serving:  # noqa: S603 - our own words
        assert serving.stdout is not None
        try:
            yield serving.stdout.readline().split()[-1]
        finally:
            serving.terminate()


async def _offered(url: str, trust: Policy) -> list[Exception]:
    """Have the newest head cosigned, as `ketenbrug work` does. Returns what went wrong."""
    database = await Database.open(url, size=4)
    try:
        async with Outbound() as outbound:
            return await Rounds(database, trust, outbound, settings.now).round()
    finally:
        await database.close()


@pytest.fixture
def changed(export: Export, tmp_path: Path) -> Export:
    """A copy, to be tampered with."""
    shutil.copytree(export.directory, tmp_path / "export")
    return Export(tmp_path / "export", export.size, export.older, export.entries)


def test_sigstore_finds_every_entry_in_the_signed_log(node: Node, export: Export) -> None:
    """The head is signed by the key that we publish, and each proof leads from the entry to it (RFC 6962)."""
    for index in export.entries:
        told = by_sigstore(node, export, index)["accepted"]
        assert (told["origin"], told["size"]) == ("sandbox.ketenbrug.example/log", export.size)
        assert told["hashes"] >= 1


def test_sigstore_refuses_an_entry_that_was_changed(node: Node, changed: Export) -> None:
    flip(changed.directory / "entries/255.json")
    assert "root hash does not match" in by_sigstore(node, changed, 255)["refused"]


def test_sigstore_refuses_the_proof_of_another_entry(node: Node, changed: Export) -> None:
    shutil.copy(changed.directory / "entries/1.json", changed.directory / "entries/0.json")
    assert "root hash does not match" in by_sigstore(node, changed, 0)["refused"]


def test_sigstore_refuses_a_head_that_we_did_not_sign(node: Node, changed: Export) -> None:
    """A size that is one higher, under the signature of the true one."""
    file = changed.directory / "entries/0.tlog-proof"
    file.write_text(file.read_text().replace(f"\n{changed.size}\n", f"\n{changed.size + 1}\n"))
    assert "invalid checkpoint signature" in by_sigstore(node, changed, 0)["refused"]


def test_go_finds_the_whole_log_as_it_was_signed(go: Go, export: Export) -> None:
    """Signature, every tile, every entry, inclusion and consistency; and Go's own proofs are ours, hash by hash."""
    assert by_go(go, export) == {
        "accepted": {
            "origin": "sandbox.ketenbrug.example/log",
            "size": export.size,
            "older": export.older,
            "entries": export.size,
            "proofs": len(export.entries),
            "cosigned": [],
        }
    }


@pytest.mark.parametrize(
    "name",
    [
        "vkeys",
        "checkpoint",
        "checkpoint.old",
        "consistency",
        "entries/0.json",
        "entries/255.tlog-proof",
        "tile/0/000",
        "tile/entries/000",
    ],
)
def test_go_refuses_a_log_with_one_changed_byte_in(go: Go, changed: Export, name: str) -> None:
    """In the middle of the file, as a disk or a hand would change it."""
    flip(changed.directory / name)
    assert set(by_go(go, changed)) == {"refused"}


def test_go_refuses_the_end_of_a_log_with_one_changed_byte(go: Go, changed: Export) -> None:
    """The last tile of each kind is not full, and is named by its width."""
    for kind in ("tile/0/001.p", "tile/1/000.p", "tile/entries/001.p"):
        (last,) = (changed.directory / kind).iterdir()
        kept = last.read_bytes()
        flip(last)
        assert set(by_go(go, changed)) == {"refused"}, kind
        last.write_bytes(kept)
    assert set(by_go(go, changed)) == {"accepted"}


def test_go_sees_which_witnesses_cosigned_the_log(go: Go, cosigned: Export, witnesses: Witnesses) -> None:
    """C2SP tlog-cosignature, Ed25519: each witness is a process of its own, and signed the time with the head."""
    found = by_go(go, cosigned, witnesses.vkeys)["accepted"]
    assert sorted(found["cosigned"]) == sorted(NAMES)
    assert (found["size"], found["entries"], found["proofs"]) == (cosigned.size, cosigned.size, 1)
    assert by_go(go, cosigned)["accepted"]["cosigned"] == [], "whom nobody knows is passed over"


@pytest.mark.parametrize("name", NAMES)
def test_go_refuses_a_cosignature_with_one_changed_bit(
    go: Go, cosigned: Export, witnesses: Witnesses, tmp_path: Path, name: str
) -> None:
    """Of the time, or of the signature: a witness that is known and did not sign this spoils the whole head."""
    for place in (8, 40):
        shutil.copytree(cosigned.directory, tmp_path / str(place))
        file = tmp_path / str(place) / "checkpoint"
        file.write_text(
            "".join(map(partial(spoilt, witnesses, name, place), file.read_text().splitlines(keepends=True)))
        )
        changed = Export(tmp_path / str(place), cosigned.size, cosigned.older, cosigned.entries)
        assert "invalid signature" in by_go(go, changed, witnesses.vkeys)["refused"]


def spoilt(witnesses: Witnesses, name: str, place: int, line: str) -> str:
    """A line of a note, with a changed bit if it is the Ed25519 cosignature of this witness."""
    if not line.startswith(f"\u2014 {name} "):
        return line
    data = bytearray(base64.b64decode(line.split(" ")[2]))
    if data[:4].hex() not in witnesses.vkeys.read_text():
        return line
    data[place] ^= 1
    return f"\u2014 {name} {base64.b64encode(data).decode()}\n"


def by_sigstore(node: Node, of: Export, index: int) -> Any:
    return node.run("sigstore", {"directory": str(of.directory), "index": index})


def by_go(go: Go, of: Export, witnesses: Path | None = None) -> Any:
    known = {} if witnesses is None else {"witnesses": str(witnesses)}
    return go.run({"directory": str(of.directory), "entries": of.entries} | known)


def flip(file: Path) -> None:
    """Change one bit of the byte in the middle of what these verifiers know: ML-DSA-44 stands last, and they do not."""
    data = bytearray(file.read_bytes())
    if file.name == "vkeys":
        known = data.index(b"\n")
    else:
        known = data.rindex(SIGNATURE) if data.count(SIGNATURE) > 1 else len(data)
    data[known // 2] ^= 1
    file.write_bytes(data)


def _exported(url: str, directory: Path, *words: str) -> int:
    """Export the log. Returns its size."""
    ended = live.command("audit", "export", "--dir", str(directory), *words, database_url=url)
    assert ended.returncode == 0, ended.stderr
    return int((directory / "checkpoint").read_text().splitlines()[1])
