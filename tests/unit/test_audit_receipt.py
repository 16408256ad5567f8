"""The receipt: a promise that the client checks by code that shares nothing with the server."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import orjson
import pytest

from api.audit import tree
from api.audit.checkpoint import signed, tlog_proof
from api.audit.receipt import Signer
from clients import receipts, witness
from clients.receipts import Keeper
from clients.verifier import Checkpoint, DoesNotHold
from tests import audit_kit
from tests.audit_kit import KEY, ORIGIN, STRANGER

if TYPE_CHECKING:
    from pathlib import Path

AT = datetime(2026, 11, 25, 9, 30, 0, 5, tzinfo=UTC)
SIGNER = Signer.from_seed(ORIGIN, 60, bytes(range(2, 34)))
VKEY = SIGNER.key.vkey
LEAF = b'{"action":"dossiers.read","v":1}'
GOLDEN = (
    "ketenbrug audit receipt v1\n"
    "ketenbrug.example/log\n"
    "bnBEU3/xI/GOKw7OSqipfVz5DmReGQwzGIiYDFHqWrs=\n"
    "2026-11-25T09:30:00.000005Z\n"
    "60\n"
)


def by(text: str, signer: Signer = SIGNER) -> str:
    """A header of any text, well signed."""
    note = f"{text}\n{signer.key.signature(text)}\n"
    return base64.urlsafe_b64encode(note.encode()).rstrip(b"=").decode()


def test_version_1_is_frozen() -> None:
    """Golden: these five lines are what parties keep for years."""
    note = base64.urlsafe_b64decode(SIGNER.sign(LEAF, AT) + "==").decode()
    assert note == f"{GOLDEN}\n{SIGNER.key.signature(GOLDEN)}\n"
    assert VKEY.startswith("ketenbrug.example/log/receipts+")


def test_the_client_reads_what_the_server_promised() -> None:
    receipt = receipts.read(SIGNER.sign(LEAF, AT), VKEY)
    assert (receipt.origin, receipt.leaf_hash) == (ORIGIN, sha256(b"\x00" + LEAF).digest())
    assert receipt.due == AT + timedelta(seconds=60)
    assert base64.urlsafe_b64decode(f"{receipt.hashed}=") == receipt.leaf_hash
    assert receipt.hashed not in repr(receipt)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not base64url",
        "AAA=",
        "A",
        "AAB",
        base64.urlsafe_b64encode(b"\xff\xfe").decode().rstrip("="),
        base64.urlsafe_b64encode(b"a note without a signature\n").decode().rstrip("="),
        SIGNER.sign(LEAF, AT)[:-4] + "AAAA",
        SIGNER.sign(LEAF, AT).replace("a", "b", 1),
        by(GOLDEN.replace("v1", "v2")),
        by(GOLDEN.replace("\n60\n", "\n0\n")),
        by(GOLDEN.replace("2026-11-25", "2026-13-25")),
        by(GOLDEN.replace("2026-11-25", "yesterday")),
        by(GOLDEN.replace("rs=", "==")),
        by(GOLDEN + "more\n"),
        by(GOLDEN.replace(ORIGIN, "another.example/log")),
        by(GOLDEN, Signer.from_seed(ORIGIN, 60, bytes(32))),
        by(GOLDEN, replace(SIGNER, key=KEY)),
    ],
)
def test_what_is_not_promised_by_the_receipt_key_is_no_receipt(text: str) -> None:
    with pytest.raises(DoesNotHold):
        receipts.read(text, VKEY)


def test_the_key_of_receipts_signs_no_checkpoint_and_the_log_key_no_receipt() -> None:
    """Each key has one use: what one signed is never taken for the other's, even if the seed were the same."""
    same = Signer.from_seed(ORIGIN, 60, bytes(range(32)))
    with pytest.raises(DoesNotHold):
        receipts.read(same.sign(LEAF, AT), KEY.vkey)
    with pytest.raises(DoesNotHold):
        receipts.read(by(GOLDEN, replace(SIGNER, key=KEY)), KEY.vkey)


def test_a_kept_promise_is_proven_offline() -> None:
    log = audit_kit.Log(audit_kit.leaves(300))
    receipt = receipts.read(SIGNER.sign(log.leaves[77], AT), VKEY)
    proof = tlog_proof(77, log.prove(tree.inclusion(77, 300)), signed(log.head(), [KEY]))
    index, head = receipts.kept(receipt, proof, [KEY.vkey])
    assert (index, head.size) == (77, 300)

    other = receipts.read(SIGNER.sign(log.leaves[78], AT), VKEY)
    elsewhere = replace(receipt, origin="another.example/log")
    for wrong, text, key in (
        (other, proof, KEY.vkey),
        (elsewhere, proof, KEY.vkey),
        (receipt, proof, STRANGER.vkey),
        (receipt, proof.replace("index 77", "index 78"), KEY.vkey),
        (receipt, proof.replace("index 77", "seventy-seven"), KEY.vkey),
        (receipt, "", KEY.vkey),
    ):
        with pytest.raises(DoesNotHold):
            receipts.kept(wrong, text, [key])


def entry(number: int, at: str = "2026-11-25T09:30:00.000000Z") -> bytes:
    """A leaf that says when it was."""
    return orjson.dumps({"at": at, "n": number})


SIGNED = datetime(2026, 11, 25, 10, tzinfo=UTC)


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """A log that was signed at 10:00. What its entries say of time is theirs: one clock is two minutes ahead."""
    odd = [b"\xff", b"[" * 20_000, entry(5, "2026-11-25T10:02:00.000000Z")]
    return audit_kit.Log([*(entry(n) for n in range(5)), *odd]).export(tmp_path / "export", at=SIGNED)


def test_a_promise_that_a_later_log_does_not_keep_is_broken(export: Path) -> None:
    """The evidence is the receipt, its key, and the log that was signed later: anybody can check it."""
    kept, lost, recent, foreign = (
        receipts.read(SIGNER.sign(entry(1), AT), VKEY),
        receipts.read(SIGNER.sign(entry(99), SIGNED - receipts.SKEW - timedelta(seconds=61)), VKEY),
        receipts.read(SIGNER.sign(entry(98), SIGNED - receipts.SKEW - timedelta(seconds=60)), VKEY),
        replace(receipts.read(SIGNER.sign(entry(97), AT), VKEY), origin="another.example/log"),
    )
    assert receipts.judged([kept, lost, recent, foreign], export) == ((lost,), (recent,))
    assert receipts.broken([kept, lost, recent, foreign], export) == (lost,)
    (export / "checkpoint").unlink()
    with pytest.raises(DoesNotHold):
        receipts.broken([lost], export)


def test_a_promise_that_was_kept_is_kept_when_its_entry_is_past_its_term(tmp_path: Path) -> None:
    """Its hash stands where it stood; one that never stood there is broken as before."""
    entries = [*(entry(n) for n in range(600)), audit_kit.retention(512)]
    export = audit_kit.lightened(audit_kit.Log(entries).export(tmp_path, at=SIGNED), 512)
    promised = [receipts.read(SIGNER.sign(entry(n), AT), VKEY) for n in (5, 511, 512, 600)]
    assert receipts.broken(promised, export) == tuple(promised[3:])


def test_when_nobody_tells_when_a_log_was_signed_nobody_can_tell_what_was_due(tmp_path: Path) -> None:
    """Only the signature of the log, or of a witness, tells; who left it out is not the one to profit from it."""
    log = audit_kit.Log([entry(0)])
    export = log.export(tmp_path / "export")
    kept, lost = (receipts.read(SIGNER.sign(entry(n), AT), VKEY) for n in (0, 1))
    assert receipts.broken([kept], export) == ()
    with pytest.raises(DoesNotHold, match="checkpoint: no signature by a key that you gave says when"):
        receipts.broken([lost], export)
    of = witness.Key.from_seeds("w.example", bytes(32), bytes(32))
    lines = of.lines(log.head().text(), Checkpoint(ORIGIN, 1, log.head().root), int(SIGNED.timestamp()))
    audit_kit.write(export / "checkpoint", (export / "checkpoint").read_bytes() + lines.encode())
    mine = audit_kit.write(tmp_path / "mine", f"{KEY.vkey}\n{of.vkeys[0]}\n".encode())
    with pytest.raises(DoesNotHold, match="says when"):
        receipts.broken([lost], export, vkeys=mine)
    policy = audit_kit.write(tmp_path / "policy", f"log {KEY.vkey}\nwitness w {of.vkeys[0]}\nquorum w\n".encode())
    assert receipts.broken([kept, lost], export, policy=policy) == (lost,)


def test_a_receipt_that_is_due_beyond_all_time_is_none() -> None:
    """The log signs what it likes: this one would end the comparison of every other."""
    late = SIGNER.sign(entry(1), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
    with pytest.raises(DoesNotHold, match="names no instant"):
        receipts.read(late, VKEY)


def test_receipts_are_kept_in_a_file_and_checked_by_one_command(
    export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep = Keeper(tmp_path / "receipts")
    (tmp_path / "key").write_text(f"{VKEY}\n")
    (tmp_path / "vkeys").write_text(f"{KEY.vkey}\n")
    told = [str(export), str(tmp_path / "receipts"), "--receipt-key", str(tmp_path / "key")]
    assert receipts.main(told) == 1
    assert "receipts" in capsys.readouterr().err

    keep(SIGNER.sign(entry(1), AT))
    assert receipts.main([*told, "--vkeys", str(tmp_path / "vkeys")]) == 0
    assert capsys.readouterr().out == "1 receipts, 0 broken promises.\n"

    keep(SIGNER.sign(entry(99), AT))
    keep(SIGNER.sign(entry(98), SIGNED))
    assert receipts.main(told) == 1
    first, second, last = capsys.readouterr().out.splitlines()
    assert first.startswith("Broken: promised 2026-11-25 09:30:00 UTC")
    assert second.startswith("Not due when this log was signed: promised 2026-11-25 10:00:00 UTC")
    assert last == "3 receipts, 1 broken promises."


@pytest.mark.parametrize("name", ["receipts", "key"])
def test_a_file_that_is_no_text_is_named_and_does_not_hold(
    export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """A disk or a hand changed it: that is said in words, and ends with 1."""
    Keeper(tmp_path / "receipts")(SIGNER.sign(entry(1), AT))
    (tmp_path / "key").write_text(f"{VKEY}\n")
    (tmp_path / name).write_bytes(b"\xff\xfe")
    assert receipts.main([str(export), str(tmp_path / "receipts"), "--receipt-key", str(tmp_path / "key")]) == 1
    assert capsys.readouterr().err == f"It does not hold. {name}: is not UTF-8\n"
