"""Verifiers of others over an export of a log that really ran: Sigstore's, and the one of Go's checksum database."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import pytest

from api.vocabulary import Purpose
from tests import live

if TYPE_CHECKING:
    from pathlib import Path

    from tests.foreign.tools import Go, Node

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


def by_sigstore(node: Node, of: Export, index: int) -> Any:
    return node.run("sigstore", {"directory": str(of.directory), "index": index})


def by_go(go: Go, of: Export) -> Any:
    return go.run({"directory": str(of.directory), "entries": of.entries})


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
