"""What we seal to a client opens with npm `jose`, in both profiles, and what it seals to us opens here."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from api.crypto import inbox, jwe, release, unsealing
from api.crypto.inbox import Kind
from tests.jwe_kit import KINDS, private, public

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
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


async def test_a_file_that_was_sealed_while_it_streamed_opens_with_jose_and_node(node: Node) -> None:
    text = TEXT.encode() * 3

    async def blocks() -> AsyncIterator[bytes]:
        for at in range(0, len(text), 9_000):
            yield text[at : at + 9_000]

    to = jwe.recipient(public("x25519"))
    sent = b"".join([part async for part in release.sealed(to, blocks(), "application/x-ndjson")])
    found = node.run("release", {"release": b64encode(sent).decode(), "jwk": private("x25519")})
    assert (found["mediaType"], b64decode(found["text"])) == ("application/x-ndjson", text)


async def test_a_file_that_jose_and_node_seal_to_our_published_keys_opens_as_it_comes(
    node: Node, tmp_path: Path
) -> None:
    """Of each kind of key; once of a whole number of chunks, whose last one is empty."""
    file, now = tmp_path / "keys.inbox", datetime(2026, 11, 26, tzinfo=UTC)
    for kind in Kind:
        inbox.rotate(file, kind, now, now, compromised=False, like=file)
    ours, at = inbox.read(file), now.timestamp()
    for number, jwk in enumerate(ours.published(at)):
        text = TEXT.encode()[:16_384] * 2 + b"x" * number
        says = {"mediaType": "text/plain", "digest": "A" * 43, "documentId": "one"}
        story = {"text": b64encode(text).decode(), "jwk": jwk, "says": says}
        line, _, rest = b64decode(node.run("releasing", story)).partition(b"\n")
        told = release.received(line, ours, at)

        async def came(rest: bytes = rest) -> AsyncIterator[bytes]:
            yield rest[:9_000]
            yield rest[9_000:]

        assert (told.media_type, told.document) == ("text/plain", "one")
        assert b"".join([part async for part in told.opened(came())]) == text
