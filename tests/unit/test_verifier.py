"""The verifier takes what C2SP and the RFCs describe, and nothing else; it names what does not hold."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.audit import tree
from api.audit.checkpoint import Ed25519Key, Head, signed
from clients import verifier, witness
from tests.audit_kit import KEY, ORIGIN, POST_QUANTUM, STRANGER, Log, leaves, lightened, retention, write

EMPTY = hashlib.sha256(b"").digest()


@cache
def log_of(size: int) -> Log:
    return Log(leaves(size))


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """600 entries, four of them proven, and the head at 300."""
    return log_of(600).export(tmp_path / "export", proven=(0, 255, 256, 599), older=300)


def fault(directory: Path, vkeys: Path | None = None) -> str:
    with pytest.raises(verifier.DoesNotHold) as caught:
        verifier.verify(directory, vkeys=vkeys)
    return str(caught.value)


def note(text: str, *keys: Ed25519Key) -> bytes:
    """Sign any text, which the server never does."""
    return f"{text}\n".encode() + b"".join(f"{sign(key, text)}\n".encode() for key in keys)


def sign(key: Ed25519Key, text: str) -> str:
    return f"— {key.name} {base64.b64encode(key._id + key._private.sign(text.encode())).decode()}"


def replaced(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 600])
def test_an_export_of_any_size_holds(tmp_path: Path, size: int) -> None:
    log = log_of(size)
    for older in {0, size // 2, size}:
        directory = log.export(tmp_path / str(older), proven=range(0, size, 97), older=older)
        report = verifier.verify(directory)
        assert report.checkpoint == verifier.Checkpoint(ORIGIN, size, log.edge.root())
        assert (report.proven, report.older) == (tuple(range(0, size, 97)), older)
        assert [entry.leaf for entry in verifier.story(directory)] == log.leaves


def test_the_example_of_the_signed_note_specification_holds() -> None:
    """C2SP signed-note: the verifier key and the note of its examples."""
    text = (
        "This is an example message.\n\n— example.com/foo "
        "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
    )
    (key,) = verifier.keys("vkeys", b"example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\n")
    body, (signature,) = verifier.signatures_of("note", text.encode())
    assert verifier._by("note", key, signature, body)


def test_the_report_says_what_was_proven_and_what_was_not(export: Path, tmp_path: Path) -> None:
    words = verifier.verify(export).words()
    assert f"log {ORIGIN}, 600 entries" in words
    assert "Proven by themselves: 0, 255, 256, 599." in words
    assert "as it was at 300 entries" in words
    assert "Not proven: that the keys are the log's" in words
    write(tmp_path / "mine", f"{KEY.vkey}\n".encode())
    assert "that the keys are the log's" not in verifier.verify(export, vkeys=tmp_path / "mine").words()
    plain = verifier.verify(log_of(3).export(tmp_path / "plain")).words()
    assert "by themselves" not in plain
    assert "beginning" not in plain


def test_keys_from_elsewhere_are_the_ones_that_count(export: Path, tmp_path: Path) -> None:
    """An operator who forges the log and signs it with a new key is found by whoever kept the old one."""
    write(tmp_path / "mine", f"{STRANGER.vkey}\n".encode())
    assert fault(export, tmp_path / "mine").startswith("checkpoint: is not signed by a known key")


def test_unknown_signatures_are_ignored_and_false_ones_spoil_the_note(export: Path) -> None:
    head = log_of(600).head()
    witness = Ed25519Key.from_seed("witness.example", bytes(32))
    for name in ("entries/0", "entries/255", "entries/256", "entries/599"):
        for kind in (".json", ".tlog-proof"):
            (export / f"{name}{kind}").unlink()
    write(export / "checkpoint", signed(head, [witness, STRANGER, KEY]).encode())
    verifier.verify(export)
    write(export / "checkpoint", note(f"{ORIGIN}\n600\n{base64.b64encode(EMPTY).decode()}\n", KEY))
    assert "right edge" in fault(export)
    forged = signed(head, [KEY]).replace("\n600\n", "\n599\n")
    write(export / "checkpoint", forged.encode())
    assert fault(export) == f"checkpoint: the signature of {ORIGIN} is not by its key over this text"


def test_the_log_itself_must_have_signed(export: Path) -> None:
    """A known key of another name, such as a witness, is not enough."""
    witness = Ed25519Key.from_seed("witness.example", bytes(32))
    write(export / "vkeys", f"{KEY.vkey}\n{witness.vkey}\n".encode())
    verifier.verify(export)
    write(export / "checkpoint", signed(log_of(600).head(), [witness]).encode())
    assert fault(export).startswith("checkpoint: is not signed by a known key of")


@pytest.mark.parametrize(
    "text",
    [
        f"{ORIGIN}\n",
        f"{ORIGIN}\n600\n",
        f"{ORIGIN}\n0600\nROOT\n",
        f"{ORIGIN}\n-1\nROOT\n",
        f"{ORIGIN}\n\u0666\u0660\u0660\nROOT\n",
        f"{ORIGIN}\n600\nROOT=\n",
        f"{ORIGIN}\n600\nAAAA\n",
        f"{ORIGIN}\n600\n\n",
        f"{ORIGIN}\n600\nROOT\nextension\n\nextension\n",
        "\n600\nROOT\n",
    ],
)
def test_a_text_that_is_no_checkpoint_is_refused_though_it_is_signed(export: Path, text: str) -> None:
    root = base64.b64encode(log_of(600).edge.root()).decode()
    write(export / "checkpoint", note(text.replace("ROOT", root), KEY))
    assert fault(export).startswith("checkpoint: ")


def test_extension_lines_are_allowed(tmp_path: Path) -> None:
    log = log_of(5)
    log.export(tmp_path)
    write(tmp_path / "checkpoint", note(f"{log.head().text()}an extension\n", KEY))
    assert verifier.verify(tmp_path).checkpoint.size == 5


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data.rstrip(b"\n"),
        lambda data: data.replace(b"\n\n", b"\n"),
        lambda data: data.replace("— ".encode(), b"- "),
        lambda data: data + b"\n",
        lambda data: data.partition(b"\n\n")[0] + b"\n\n",
        lambda data: data + data.rpartition(b"\n\n")[2] * 64,
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.replace(b"\n", b"\xff\n", 1),
        lambda data: data[:-3] + b"*=\n",
        lambda data: data[:0],
    ],
)
def test_a_note_in_any_other_form_is_refused(export: Path, spoil: object) -> None:
    assert callable(spoil)
    file = export / "checkpoint"
    write(file, spoil(file.read_bytes()))
    assert fault(export).startswith("checkpoint: ")


def test_base64_has_one_form_only(export: Path) -> None:
    """The last character before the padding has bits that mean nothing: another one there is another text."""
    proof = export / "entries/599.tlog-proof"
    first = proof.read_text().split("\n")[2]
    last = first[-2]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    replaced(proof, first, f"{first[:-2]}{alphabet[alphabet.index(last) ^ 1]}=")
    assert fault(export) == "entries/599.tlog-proof: holds a value that is not base64"


@pytest.mark.parametrize(
    ("vkeys", "what"),
    [
        ("", "holds no key that is known here"),
        ("a line\n", "a line is not a verifier key"),
        (KEY.vkey, "does not end with a newline"),
        (KEY.vkey.replace("+", "+0", 1) + "\n", "a line is not a verifier key"),
        (KEY.vkey.replace(".example", ".exampel") + "\n", "the key id of ketenbrug.exampel/log is not that of its key"),
        (KEY.vkey[:-1] + "\n", "holds a value that is not base64"),
    ],
)
def test_verifier_keys_in_any_other_form_are_refused(export: Path, vkeys: str, what: str) -> None:
    write(export / "vkeys", vkeys.encode())
    assert fault(export) == f"vkeys: {what}"


def test_a_key_of_a_kind_that_is_not_known_here_is_passed_over(export: Path) -> None:
    """ECDSA is type 2."""
    public = b"\x02" + bytes(64)
    identity = hashlib.sha256(ORIGIN.encode() + b"\n" + public).hexdigest()[:8]
    other = f"{ORIGIN}+{identity}+{base64.b64encode(public).decode()}\n"
    write(export / "vkeys", f"{other}{KEY.vkey}\n".encode())
    verifier.verify(export)
    write(export / "vkeys", other.encode())
    assert fault(export) == "vkeys: holds no key that is known here"


def test_what_is_missing_is_named(export: Path) -> None:
    for name in ("tile/entries/001", "tile/0/000", "tile/0/002.p/88", "tile/1/000.p/2"):
        data = (export / name).read_bytes()
        (export / name).unlink()
        assert fault(export) == f"{name}: is not there"
        write(export / name, data)
    verifier.verify(export)
    (export / "checkpoint").unlink()
    assert fault(export) == "checkpoint: is not there, or cannot be read"


def test_what_is_there_too_much_is_named(export: Path) -> None:
    write(export / "tile/0/002.p/87", bytes(32 * 87))
    assert fault(export) == "tile/0/002.p/87: is no tile of a log of this size"


def test_the_partial_tiles_of_earlier_heads_may_be_there_still(export: Path) -> None:
    """As in a bucket that was published in step by step. They are the beginning of what is there now."""
    for name, now in {"tile/0/002.p/87": "tile/0/002.p/88", "tile/0/001.p/3": "tile/0/001"}.items():
        write(export / name, (export / now).read_bytes()[: 32 * int(name.rpartition("/")[2])])
    verifier.verify(export)
    write(export / "tile/0/003.p/1", bytes(32))
    assert fault(export) == "tile/0/003.p/1: is no tile of a log of this size"


def test_a_size_that_nobody_could_export_ends_at_once(export: Path) -> None:
    """Also where it says that all of it is past its term, so that there is nothing to be looked for."""
    size = 256 * 10**15
    write(export / "checkpoint", note(f"{ORIGIN}\n{size}\n{base64.b64encode(EMPTY).decode()}\n", KEY))
    assert fault(export).endswith("is not there")
    write(export / "retained", f"{size}\n".encode())
    assert fault(export).endswith("is not there")
    (export / "tile/0/002.p/88").unlink()
    (export / "tile/0/002.p/88").symlink_to("/dev/zero")
    (export / "retained").unlink()
    write(export / "checkpoint", note(f"{ORIGIN}\n{600}\n{base64.b64encode(EMPTY).decode()}\n", KEY))
    assert "larger than" in fault(export)


def test_the_tile_that_was_changed_is_named(export: Path) -> None:
    for name, where in {
        "tile/0/000": "tile/0/000: is not what the tile above it stands for",
        "tile/0/001": "tile/0/001: is not what the tile above it stands for",
        "tile/0/002.p/88": "tile/1/000.p/2, tile/0/002.p/88: the right edge of the tree does not give the signed root",
        "tile/1/000.p/2": "tile/1/000.p/2, tile/0/002.p/88: the right edge of the tree does not give the signed root",
    }.items():
        data = (export / name).read_bytes()
        write(export / name, data[:40] + bytes([data[40] ^ 1]) + data[41:])
        assert fault(export) == where
        write(export / name, data[:-1])
        assert "does not hold" in fault(export)
        write(export / name, data)


def test_the_root_of_an_empty_log_must_be_that_of_nothing(tmp_path: Path) -> None:
    Log().export(tmp_path)
    verifier.verify(tmp_path)
    write(tmp_path / "checkpoint", signed(Head(ORIGIN, 0, bytes(32)), [KEY]).encode())
    assert fault(tmp_path) == "checkpoint: the right edge of the tree does not give the signed root"


def test_the_entry_that_was_changed_is_named(export: Path) -> None:
    for name, at, index in (
        ("tile/entries/000", 2, 0),
        ("tile/entries/001", 2, 256),
        ("tile/entries/002.p/88", -1, 599),
    ):
        data = bytearray((export / name).read_bytes())
        kept = bytes(data)
        data[at] ^= 1
        write(export / name, bytes(data))
        assert fault(export) == f"{name}: entry {index} is not the one that was signed for"
        write(export / name, kept)


def test_a_bundle_in_any_other_form_is_refused(export: Path) -> None:
    name = "tile/entries/002.p/88"
    data = (export / name).read_bytes()
    first = 2 + int.from_bytes(data[:2], "big")
    for spoiled, what in (
        (data[:-1], "ends within an entry"),
        (data + b"\x00", "ends within an entry"),
        (data[first:], "holds 87 entries instead of 88"),
        (data + b"\x00\x00", "holds 89 entries instead of 88"),
    ):
        write(export / name, spoiled)
        assert fault(export) == f"{name}: {what}"


@pytest.mark.parametrize(
    "last",
    [
        b"?audit.retain",
        b'["audit.retain"]',
        retention(256),
        retention(512, action="audit.retained"),
        retention(512, result="refused"),
        retention(512, object={"type": "audit-log", "version": "512"}),
        retention(512, object={"type": "audit-export", "version": 512}),
    ],
)
def test_that_a_term_is_over_an_entry_of_the_log_must_say(tmp_path: Path, last: bytes) -> None:
    """The file `retained` alone is the word of whoever hands the export over, who may have left out what they like."""
    directory = lightened(Log([*leaves(599), last]).export(tmp_path), 512)
    assert fault(directory) == "retained: no entry from 512 on says that the term of those before it is over"


def test_which_entry_says_that_a_term_is_over_is_told(tmp_path: Path) -> None:
    for below in (512, 1024):
        directory = lightened(Log([*leaves(1024), retention(below)]).export(tmp_path / str(below)), 512)
        report = verifier.verify(directory)
        assert (report.retained, report.retention) == (512, 1024)
        assert "what the first 512 entries say. Entry 1024 says that their term is over" in report.words()


def test_an_entry_and_its_proof_go_together(export: Path) -> None:
    for name in ("entries/255.json", "entries/255.tlog-proof"):
        data = (export / name).read_bytes()
        (export / name).unlink()
        assert fault(export).endswith("each entry is an INDEX.json with its INDEX.tlog-proof, and nothing else")
        write(export / name, data)
    write(export / "entries/notes.txt", b"")
    assert "nothing else" in fault(export)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("@v1", "@v2", "is not a tlog-proof"),
        ("index 255", "index 254", "is not a proof for index 255"),
        ("index 255", "index 0255", "is not a tlog-proof"),
        ("\nindex 255", "\nextra AAAA\nindex 255", "is not a tlog-proof"),
        ("\n600\n", "\n601\n", "its checkpoint is not the one of this export"),
        ("\n\n", "\n", "holds a value that is not base64"),
        ("index 255\n", "index 255\nAAAA\n", "a hash is not 32 bytes long"),
        ("index 255\n", f"index 255\n{'A' * 43}=\n", "does not prove that entries/255.json stands at index 255"),
    ],
)
def test_a_proof_in_any_other_form_is_refused(export: Path, old: str, new: str, what: str) -> None:
    replaced(export / "entries/255.tlog-proof", old, new)
    assert fault(export) == f"entries/255.tlog-proof: {what}"


def test_a_proof_that_is_short_long_or_of_another_leaf_is_refused() -> None:
    log = log_of(600)
    head = verifier.Checkpoint(ORIGIN, 600, log.edge.root())
    for index in (0, 100, 255, 256, 511, 512, 599):
        path = log.prove(tree.inclusion(index, 600))
        assert verifier.included(log.leaves[index], index, head, path)
        assert not verifier.included(log.leaves[index], index + 1, head, path)
        assert not verifier.included(log.leaves[index - 1], index, head, path)
        assert not verifier.included(log.leaves[index], index, head, path[:-1])
        assert not verifier.included(log.leaves[index], index, head, [*path, bytes(32)])
        assert not verifier.included(log.leaves[index], index + 600, head, path)


def test_every_log_of_up_to_forty_entries_is_the_beginning_of_the_next_ones() -> None:
    heads = [verifier.Checkpoint(ORIGIN, size, log_of(40).head(size).root) for size in range(41)]
    for second in heads:
        for first in heads[: second.size + 1]:
            path = log_of(40).prove(tree.consistency(first.size, second.size))
            assert verifier.consistent(first, second, path)
            assert not verifier.consistent(first, second, [*path, bytes(32)])
            assert not path or not verifier.consistent(first, second, path[:-1])


@pytest.mark.parametrize(
    ("first", "path"),
    [
        (verifier.Checkpoint(ORIGIN, 0, EMPTY), [bytes(32)]),
        (verifier.Checkpoint(ORIGIN, 0, bytes(32)), []),
        (verifier.Checkpoint(ORIGIN, 9, bytes(32)), []),
        (verifier.Checkpoint(ORIGIN, 4, bytes(32)), []),
        (verifier.Checkpoint(ORIGIN, 8, bytes(32)), []),
        (verifier.Checkpoint(ORIGIN, 4, bytes(32)), [bytes(32)] * 9),
    ],
)
def test_a_consistency_proof_that_no_log_can_have_is_refused(first: verifier.Checkpoint, path: list[bytes]) -> None:
    second = verifier.Checkpoint(ORIGIN, 8, log_of(8).edge.root())
    assert not verifier.consistent(first, second, path)


def test_an_older_head_that_is_not_the_beginning_is_named(export: Path) -> None:
    other = Log(leaves(601)[1:])
    write(export / "checkpoint.old", signed(other.head(300), [KEY]).encode())
    assert fault(export) == "consistency: does not prove that checkpoint.old is the beginning of this log"
    write(export / "checkpoint.old", signed(Head("other/log", 300, bytes(32)), [KEY]).encode())
    assert fault(export).startswith("checkpoint.old: is not signed by a known key of 'other/log'")
    second = Ed25519Key("other/log", Ed25519PrivateKey.generate())
    write(export / "vkeys", f"{KEY.vkey}\n{second.vkey}\n".encode())
    write(export / "checkpoint.old", signed(Head("other/log", 300, bytes(32)), [second]).encode())
    assert fault(export) == "checkpoint.old: is of another log"
    (export / "checkpoint.old").unlink()
    assert fault(export) == "checkpoint.old: is not there, or cannot be read"


def test_a_tile_has_the_address_that_c2sp_gives_it() -> None:
    for n, width in ((0, 256), (67, 3), (999, 256), (1000, 256), (1_234_067, 255)):
        assert verifier._at("entries", n, width) == tree.path("entries", n, width)
    assert verifier._at(0, 1_234_067, 256) == "tile/0/x001/x234/067"


def test_an_entry_can_be_read_or_says_that_it_is_not_json() -> None:
    assert verifier.Entry(0, b'{"v":1}').content == {"v": 1}
    with pytest.raises(ValueError, match="Expecting value"):
        _ = verifier.Entry(0, b"??").content


def test_an_entry_that_is_nested_without_end_cannot_be_read() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        _ = verifier.Entry(0, b"[" * 20_000).content


def test_a_story_without_a_checkpoint_is_empty(tmp_path: Path) -> None:
    write(tmp_path / "checkpoint", b"?")
    assert verifier.story(tmp_path) == []
    write(tmp_path / "checkpoint", b"origin\nmany\n")
    assert verifier.story(tmp_path) == []


def test_it_runs_from_a_stick(export: Path, tmp_path: Path) -> None:
    """One file, away from the project: what it needs is Python and `cryptography`, and nothing that lies beside it."""
    stick = tmp_path / "verifier.py"
    stick.write_bytes(Path(verifier.__file__).read_bytes())
    (tmp_path / "json.py").write_text("raise SystemExit(3)")
    for arguments, code, said in (
        ([str(export)], 0, "It holds: log"),
        ([str(export), "--vkeys", str(tmp_path / "none")], 1, "none: is not there"),
    ):
        for how in ((stick,), ("-P", stick), (verifier.__file__,)):
            run = subprocess.run([sys.executable, *how, *arguments], capture_output=True, text=True, check=False)  # noqa: S603 - ours
            assert (run.returncode, said in run.stdout + run.stderr) == (code, True)


def test_the_command_says_what_holds_and_what_does_not(export: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verifier.main([str(export)]) == 0
    assert capsys.readouterr().out.startswith("It holds: log ketenbrug.example/log, 600 entries")
    (export / "vkeys").unlink()
    assert verifier.main([str(export)]) == 1
    assert capsys.readouterr().err == "It does not hold. vkeys: is not there, or cannot be read\n"


# Who signed, and whom one trusts

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def test_the_post_quantum_signature_is_checked_and_told(export: Path) -> None:
    """It stands beside the other; that it is missing is said, that it is false spoils the checkpoint."""
    for each in (export / "entries").iterdir():
        each.unlink()
    head = log_of(600).head()
    write(export / "vkeys", f"{KEY.vkey}\n{POST_QUANTUM.vkey}\n".encode())
    report = verifier.verify(export)
    assert report.signed == ("Ed25519",)
    assert "somebody who has a quantum computer" in report.words()
    write(export / "checkpoint", f"{signed(head, [KEY])}{POST_QUANTUM.line(head, NOON)}\n".encode())
    report = verifier.verify(export)
    assert report.signed == ("Ed25519", "ML-DSA-44")
    assert "with Ed25519 and ML-DSA-44" in report.words()
    assert "quantum" not in report.words()
    for other in (Head(ORIGIN, 599, head.root), Head("other", 600, head.root), Head(ORIGIN, 600, bytes(32))):
        write(export / "checkpoint", f"{signed(head, [KEY])}{POST_QUANTUM.line(other, NOON)}\n".encode())
        assert fault(export) == f"checkpoint: the signature of {ORIGIN} is not by its key over this text"


def test_the_post_quantum_signature_alone_is_not_the_logs(export: Path) -> None:
    """The note's text is signed by the other; extension lines would be signed by nobody."""
    head = log_of(600).head()
    write(export / "vkeys", f"{POST_QUANTUM.vkey}\n".encode())
    write(export / "checkpoint", f"{head.text()}\n{POST_QUANTUM.line(head, NOON)}\n".encode())
    assert fault(export).startswith("checkpoint: is not signed by a known key of")


WITNESSES = {
    name: witness.Key.from_seeds(f"{name}.example", bytes([n]) * 32, bytes(32)) for n, name in enumerate("abc")
}


def policy(*lines: str) -> bytes:
    """A policy with the log and three witnesses, by their Ed25519 keys."""
    known = [f"witness {name} {key.vkeys[0]}" for name, key in WITNESSES.items()]
    return "\n".join([f"log {KEY.vkey}", *known, *lines, ""]).encode()


def cosigned(export: Path, *names: str) -> None:
    """Have the checkpoint of an export cosigned; its single proofs, which hold another, go."""
    head = log_of(600).head()
    lines = [WITNESSES[n].lines(head.text(), verifier.Checkpoint(ORIGIN, 600, head.root), 1_764_072_000) for n in names]
    write(export / "checkpoint", "".join([signed(head, [KEY]), *lines]).encode())
    for each in (export / "entries").iterdir():
        each.unlink()


@pytest.mark.parametrize(
    ("lines", "by", "holds"),
    [
        (("quorum none",), "", True),
        (("quorum a",), "a", True),
        (("quorum a",), "bc", False),
        (("group g 2 a b c", "quorum g"), "ac", True),
        (("group g 2 a b c", "quorum g"), "b", False),
        (("group g any a b", "group h all g c", "quorum h"), "bc", True),
        (("group g any a b", "group h all g c", "quorum h"), "ab", False),
        (("# a comment", "  ", "group\tg all a", "quorum g"), "a", True),
    ],
)
def test_as_many_witnesses_as_the_policy_demands(
    export: Path, tmp_path: Path, lines: tuple[str, ...], by: str, *, holds: bool
) -> None:
    cosigned(export, *by)
    write(tmp_path / "policy", policy(*lines))
    if holds:
        report = verifier.verify(export, policy=tmp_path / "policy")
        assert set(report.cosigned) == {f"{name}.example" for name in by}
        assert ("others see this same log" in report.words()) == (not by)
        assert not by or "on 2025-11-25 at 12:00:00 UTC" in report.words()
        assert "came with the export" not in report.words()
    else:
        with pytest.raises(verifier.DoesNotHold, match="as many witnesses as the policy demands"):
            verifier.verify(export, policy=tmp_path / "policy")


@pytest.mark.parametrize(
    "text",
    [
        policy(),
        policy("quorum d"),
        policy("quorum a", "quorum b"),
        policy("group g any d", "quorum g"),
        policy("group g any none", "quorum g"),
        policy("group g 0 a", "quorum g"),
        policy("group g 3 a b", "quorum g"),
        policy("group g x a b", "quorum g"),
        policy("group g any", "quorum none"),
        policy("group a any b", "quorum a"),
        policy("group g any a", "group h any a", "quorum h"),
        policy(f"witness a {WITNESSES['a'].vkeys[1]}", "quorum a"),
        policy(f"witness d {WITNESSES['a'].vkeys[0]}", "quorum a"),
        policy(f"witness none {WITNESSES['a'].vkeys[1]}", "quorum a"),
        policy("nonsense", "quorum a"),
        b"quorum none\n",
    ],
)
def test_a_policy_in_any_other_form_is_refused(text: bytes) -> None:
    with pytest.raises(verifier.DoesNotHold, match="policy: "):
        verifier.parsed("policy", text)


@pytest.mark.parametrize("elsewhere", [True, False])
def test_only_a_policy_makes_a_witness_of_a_key(export: Path, tmp_path: Path, *, elsewhere: bool) -> None:
    """Whoever hands an export over can make up a witness; a list of keys does not say who of it is one."""
    cosigned(export, "a")
    write(export / "vkeys", f"{KEY.vkey}\n{WITNESSES['a'].vkeys[0]}\n".encode())
    mine = write(tmp_path / "mine", (export / "vkeys").read_bytes()) if elsewhere else None
    words = verifier.verify(export, vkeys=mine).words()
    assert "Proven: a.example saw" not in words
    assert "or that others see this same log" in words
    assert "Not proven: that a.example is a witness. By a key that is called so it saw this head, it says, on" in words


def test_the_key_of_a_log_is_no_witness(export: Path, tmp_path: Path) -> None:
    """It signs without a time, for its own log: it says nothing of what it saw before."""
    other = Ed25519Key.from_seed("other.example", bytes(32))
    write(export / "checkpoint", signed(log_of(600).head(), [KEY, other]).encode())
    write(tmp_path / "policy", f"log {KEY.vkey}\nwitness w {other.vkey}\nquorum w\n".encode())
    with pytest.raises(verifier.DoesNotHold, match="the key of the witness w is of no kind that cosigns"):
        verifier.verify(export, policy=tmp_path / "policy")


def test_a_name_that_no_cosignature_can_say_is_refused(export: Path, tmp_path: Path) -> None:
    """There is one byte for its length: of a key's name, and of the origin of a log."""
    long = witness.Key.from_seeds("w" * 256, bytes(32), bytes(32))
    write(export / "vkeys", f"{KEY.vkey}\n{long.vkeys[1]}\n".encode())
    assert fault(export) == "vkeys: a key has a name of more than 255 bytes"
    write(tmp_path / "mine", f"{POST_QUANTUM.vkey}\n".encode())
    identity = POST_QUANTUM.line(Head(ORIGIN, 600, bytes(32)), NOON).split(" ")[2]
    write(export / "checkpoint", f"{'o' * 256}\n600\n{'A' * 43}=\n\n\u2014 {ORIGIN} {identity}\n".encode())
    assert fault(export, tmp_path / "mine") == "checkpoint: is not a checkpoint"


def test_a_false_cosignature_spoils_the_checkpoint(export: Path, tmp_path: Path) -> None:
    cosigned(export, "a")
    head = log_of(599).head()
    line = WITNESSES["b"].lines(head.text(), verifier.Checkpoint(ORIGIN, 599, head.root), 7).splitlines()[0]
    write(export / "checkpoint", (export / "checkpoint").read_bytes() + f"{line}\n".encode())
    write(tmp_path / "policy", policy("quorum a"))
    with pytest.raises(verifier.DoesNotHold, match=r"the signature of b\.example"):
        verifier.verify(export, policy=tmp_path / "policy")


@pytest.mark.parametrize("at", [2**64 - 1, 2**60, 253_402_300_800])
def test_a_cosignature_of_no_time_counts_for_nobody_and_spoils_nothing(export: Path, tmp_path: Path, at: int) -> None:
    cosigned(export, "a")
    head = log_of(600).head()
    line = WITNESSES["b"].lines(head.text(), verifier.Checkpoint(ORIGIN, 600, head.root), at)
    write(export / "checkpoint", (export / "checkpoint").read_bytes() + line.encode())
    write(tmp_path / "policy", policy("quorum a"))
    assert set(verifier.verify(export, policy=tmp_path / "policy").cosigned) == {"a.example"}
    write(tmp_path / "policy", policy("quorum b"))
    with pytest.raises(verifier.DoesNotHold, match="as many witnesses as the policy demands"):
        verifier.verify(export, policy=tmp_path / "policy")


def test_a_log_that_cosigns_its_own_head_too_is_told_so(export: Path) -> None:
    head = log_of(600).head()
    own = witness.Key.from_seeds(ORIGIN, bytes([9]) * 32, bytes(32))
    cosigned(export)
    line = own.lines(head.text(), verifier.Checkpoint(ORIGIN, 600, head.root), 7).splitlines()[0]
    write(export / "checkpoint", (export / "checkpoint").read_bytes() + f"{line}\n".encode())
    write(export / "vkeys", f"{KEY.vkey}\n{own.vkeys[0]}\n".encode())
    report = verifier.verify(export)
    assert report.signed == ("Ed25519", "an Ed25519 cosignature")
    assert report.cosigned == {}


def test_some_entries_with_their_proofs_are_evidence_without_the_rest(export: Path) -> None:
    shutil.rmtree(export / "tile")
    report = verifier.verify(export)
    assert (report.proven, report.whole) == ((0, 255, 256, 599), False)
    assert "Not proven: anything about the entries that are not in this bundle." in report.words()
    assert "exactly those" not in report.words()
    shutil.rmtree(export / "entries")
    assert fault(export) == "entries: there is neither the log nor any entry of it"


def test_it_tells_how_far_it_is(export: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told: list[float] = []
    verifier.verify(export, progress=told.append)
    assert told == sorted(told)
    assert (told[0], told[-1] > 0.8) == (0, True)
    for part in (0.5, 1.0):
        verifier._bar(part)
    assert "####################  " in capsys.readouterr().err
