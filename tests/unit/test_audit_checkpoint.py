"""The signed head: the C2SP forms, byte for byte, and a key that does not show itself."""

from __future__ import annotations

import pytest

from api.audit.checkpoint import Ed25519Key, Head, Signer, hash_lines, signed, tlog_proof
from tests.audit_kit import KEY, ORIGIN, STRANGER

ROOT = bytes(range(32))
TEXT = "ketenbrug.example/log\n7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
NOTE = (
    f"{TEXT}\n— ketenbrug.example/log "
    "ySrpG8Mv+subHMjsy8cAoiPT+/ivfz8XcNJPgm+gRspmUvPRWe9/p8BPBI1QgfuGzfkUSV0le5Nsl7OjnqVw0eazMQo=\n"
)


def test_a_head_is_three_lines() -> None:
    assert Head(ORIGIN, 7, ROOT).text() == TEXT


def test_a_checkpoint_is_always_the_same_bytes() -> None:
    """Golden: Ed25519 is deterministic, so a change of form shows here."""
    note = Signer.from_seed(ORIGIN, bytes(range(32))).signed(Head(ORIGIN, 7, ROOT))
    assert note == NOTE
    assert KEY.vkey == "ketenbrug.example/log+c92ae91b+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"


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
