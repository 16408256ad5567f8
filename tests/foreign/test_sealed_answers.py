"""What we seal to a client opens with npm `jose`, in both profiles, and what it seals to us opens here."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from api.crypto import inbox, jwe, unsealing
from api.crypto.inbox import Kind
from tests.jwe_kit import KINDS, private, public

if TYPE_CHECKING:
    from pathlib import Path

    from tests.foreign.tools import Node

TEXT = json.dumps({"sections": [{"content": {"familyName": "Voorbeeld"}}] * 400})


def test_jose_opens_what_is_sealed_to_its_keys(node: Node) -> None:
    sealed = [
        {"jwe": jwe.sealed(jwe.recipient(public(kind)), TEXT.encode()).decode(), "jwk": private(kind)} for kind in KINDS
    ]
    found = node.run("decrypt", {"sealed": sealed})
    assert [each["text"] for each in found] == [TEXT] * len(KINDS)
    assert [each["header"]["alg"] for each in found] == [algorithm for algorithm, _ in KINDS.values()]


def test_what_jose_seals_to_our_published_keys_opens(node: Node, tmp_path: Path) -> None:
    """Of each kind; and once as the encryption module of the design rules has it, which names no key."""
    file, now = tmp_path / "keys.inbox", datetime(2026, 11, 26, tzinfo=UTC)
    for kind in Kind:
        inbox.rotate(file, kind, now, now, compromised=False, like=file)
    ours, at = inbox.read(file), now.timestamp()
    sealed: list[str] = node.run("encrypt", {"text": TEXT, "keys": ours.published(at)})
    assert len(sealed) == len(Kind) + 1
    assert [unsealing.opened(each.encode(), ours, at) for each in sealed] == [TEXT.encode()] * len(sealed)
