"""The signed head: the C2SP forms, byte for byte, and a key that does not show itself."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidSignature

from api.audit.checkpoint import Ed25519Key, Head, Signer, hash_lines, signed, tlog_proof
from api.errors import LogDamaged
from tests.audit_kit import KEY, ORIGIN, STRANGER

ROOT = bytes(range(32))
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
SIGNER = Signer.from_seeds(ORIGIN, bytes(range(32)), bytes(32), lambda: NOON)
TEXT = "ketenbrug.example/log\n7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
NOTE = (
    f"{TEXT}\n— ketenbrug.example/log "
    "ySrpG8Mv+subHMjsy8cAoiPT+/ivfz8XcNJPgm+gRspmUvPRWe9/p8BPBI1QgfuGzfkUSV0le5Nsl7OjnqVw0eazMQo=\n"
)


def test_a_head_is_three_lines() -> None:
    assert Head(ORIGIN, 7, ROOT).text() == TEXT


def test_a_checkpoint_is_always_the_same_bytes() -> None:
    """Golden: Ed25519 is deterministic, so a change of form shows here."""
    note = SIGNER.signed(Head(ORIGIN, 7, ROOT))
    assert note == NOTE
    assert KEY.vkey == "ketenbrug.example/log+c92ae91b+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"


def test_a_cosignature_is_over_the_members_of_the_head() -> None:
    """The bytes of C2SP tlog-cosignature, put together here by hand, verified by the library."""
    kind, public = b"\x06", SIGNER.post_quantum._private.public_key()
    name, identity, encoded = SIGNER.post_quantum.vkey.split("+", 2)
    assert base64.b64decode(encoded) == kind + public.public_bytes_raw()
    assert identity == hashlib.sha256(ORIGIN.encode() + b"\n" + kind + public.public_bytes_raw()).hexdigest()[:8]
    dash, signer, line = SIGNER.cosignature(Head(ORIGIN, 7, ROOT)).split(" ")
    data = base64.b64decode(line)
    assert (dash, signer, data[:4].hex(), len(data)) == ("\u2014", name, identity, 4 + 8 + 2420)
    assert int.from_bytes(data[4:12], "big") == int(NOON.timestamp())
    length = bytes([len(ORIGIN)])
    message = b"subtree/v1\n\0" + length + ORIGIN.encode() + data[4:12] + length + ORIGIN.encode()
    message += (0).to_bytes(8, "big") + (7).to_bytes(8, "big") + ROOT
    public.verify(data[12:], message)
    with pytest.raises(InvalidSignature):
        public.verify(data[12:], message[:-1] + b"\0")


def test_what_was_written_is_read_back() -> None:
    assert Head.of(NOTE) == Head(ORIGIN, 7, ROOT)
    for damaged in (
        "",
        NOTE.replace("7", "07"),
        NOTE.replace("7", "x"),
        NOTE.replace("\n\n", "\n"),
        NOTE.replace("AAEC", ""),
    ):
        with pytest.raises(LogDamaged):
            Head.of(damaged)


def test_each_key_adds_a_line() -> None:
    note = signed(Head(ORIGIN, 7, ROOT), [KEY, STRANGER])
    assert note.startswith(NOTE)
    assert note.count("\n") == NOTE.count("\n") + 1


def test_a_proof_stands_before_its_checkpoint() -> None:
    expected = f"c2sp.org/tlog-proof@v1\nindex 3\n{hash_lines([ROOT])}\n{NOTE}"
    assert tlog_proof(3, [ROOT], NOTE) == expected
    assert hash_lines([ROOT, ROOT]) == "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n" * 2


@pytest.mark.parametrize("name", ["", "a log", "a+log", "a\nlog", "a\u00a0log", "a\x1flog"])
def test_a_log_has_a_name_that_a_signature_line_can_hold(name: str) -> None:
    with pytest.raises(ValueError, match="name of a log"):
        Ed25519Key.from_seed(name, bytes(32))


def test_a_key_does_not_show_itself() -> None:
    assert repr(KEY) == f"Ed25519Key(name='{ORIGIN}')"
    assert repr(SIGNER.post_quantum) == f"MlDsaKey(name='{ORIGIN}')"
