"""The witness policy (C2SP tlog-policy) as the sequencer's side reads it; the verifier has a reader of its own."""

from __future__ import annotations

import base64
import hashlib

import pytest

from api.audit import policy
from api.errors import Misconfigured
from clients import witness
from tests.audit_kit import KEY

WITNESSES = {
    name: witness.Key.from_seeds(f"{name}.example", bytes([n]) * 32, bytes(32)) for n, name in enumerate("abc")
}

LONG = witness.Key.from_seeds("w" * 256, bytes(32), bytes(32))


def text(*lines: str) -> str:
    """A policy with the log and three witnesses, by their Ed25519 keys."""
    known = [f"witness {name} {key.vkeys[0]}" for name, key in WITNESSES.items()]
    return "\n".join([f"log {KEY.vkey} https://log.example", *known, *lines, ""])


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
        (("# a comment", "#", "  ", "group\tg all a", "quorum g"), "a", True),
    ],
)
def test_as_many_witnesses_as_it_demands(lines: tuple[str, ...], by: str, *, holds: bool) -> None:
    found = policy.parse(text(*lines))
    assert found.satisfied(WITNESSES[name].vkeys[0] for name in by) == holds
    assert all(each.url is None for each in found.witnesses.values())


def test_a_witness_is_asked_where_its_line_says() -> None:
    found = policy.parse(f"witness a {WITNESSES['a'].vkeys[1]} https://a.example/w\nquorum a")
    assert (found.witnesses["a"].kind, found.witnesses["a"].url) == (6, "https://a.example/w")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (text(), "names no quorum"),
        (text("quorum d"), "line 5: is not a line of a policy"),
        (text("quorum a", "quorum b"), "line 6"),
        (text("group g any d", "quorum g"), "no line above defines"),
        (text("group g any g", "quorum g"), "no line above defines"),
        (text(f"witness d {LONG.vkeys[1]}", "quorum d"), "line 5: has a name of more than 255 bytes"),
        (text("group g 0 a", "quorum g"), "more members than it has, or for none"),
        (text("group g 3 a b", "quorum g"), "more members"),
        (text("group g x a b", "quorum g"), "more members"),
        (text("group g any", "quorum none"), "is not a line"),
        (text("group a any b", "quorum a"), "a name for the second time"),
        (text("group g any a", "group h any a", "quorum h"), "a member for the second time"),
        (text("group g any a a", "quorum g"), "a member for the second time"),
        (text(f"witness d {WITNESSES['a'].vkeys[0]}", "quorum a"), "a key for the second time"),
        (text(f"witness none {WITNESSES['a'].vkeys[1]}", "quorum a"), "a name for the second time"),
        (text(f"witness d {KEY.vkey}", "quorum a"), "is not the key of a witness"),
        (text("witness d x+00000000+AAAA", "quorum a"), "is not the key of a witness"),
        (text("witness d nonsense", "quorum a"), "is not a verifier key"),
        (text("witness d x+00000000+!", "quorum a"), "line 5"),
        (text("nonsense", "quorum a"), "is not a line"),
    ],
)
def test_in_any_other_form_it_is_refused(wrong: str, said: str) -> None:
    with pytest.raises(Misconfigured, match=said):
        policy.parse(wrong)


def test_the_id_of_a_key_is_computed_and_not_believed() -> None:
    key = bytes([4]) + bytes(32)
    right = hashlib.sha256(b"x\n" + key).hexdigest()[:8]
    line = "witness d x+{}+" + base64.b64encode(key).decode() + "\nquorum d"
    assert policy.parse(line.format(right)).witnesses["d"].id.hex() == right
    with pytest.raises(Misconfigured, match="not that of its key"):
        policy.parse(line.format("00000000"))
