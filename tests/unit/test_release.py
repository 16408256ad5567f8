"""A file that streams is opened by its recipient alone, in true beginnings, and never as whole when it was cut."""

from __future__ import annotations

import io
import json
import pickle
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from uuid import UUID

import pytest

from api.crypto import inbox, jwe, release, stream
from api.crypto.inbox import Inbox, Kind
from api.errors import Undecryptable
from api.vocabulary import DocumentType
from clients import _opening, _releasing, _sealing
from clients._chunks import MEDIA_TYPE
from clients._messages import Request
from clients._released import Receiver
from clients.documents import Content
from clients.errors import UnexpectedAnswer
from tests.jwe_kit import private, public

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KIND: Final = "x25519"
NOW: Final = datetime(2026, 11, 26, 12, tzinfo=UTC)
AT: Final = NOW.timestamp()
DOCUMENT: Final = UUID(int=7)
SIZES: Final = (0, 1, 16_383, 16_384, 16_385, 40_000)


async def sealed(text: bytes, kind: str = KIND, block: int = 7_000) -> bytes:
    async def blocks() -> AsyncIterator[bytes]:
        for at in range(0, len(text), block):
            yield text[at : at + block]

    to = jwe.recipient(public(kind))
    return b"".join([part async for part in release.sealed(to, blocks(), "application/x-ndjson")])


def opened(sent: bytes, kind: str = KIND, block: int = 5_000) -> bytes:
    """What is written of it, if it is whole."""
    file = io.BytesIO()
    receiver = Receiver(file, _opening.Opener(private(kind)))
    into = receiver.begin(MEDIA_TYPE, 0)
    for at in range(0, len(sent), block):
        into.write(sent[at : at + block])
    receiver.end()
    return file.getvalue()


@pytest.mark.parametrize("size", SIZES)
async def test_it_opens_however_it_comes(size: int) -> None:
    text = bytes(number % 251 for number in range(size))
    sent = await sealed(text)
    for block in (1 if size < 2 else 311, 16_400, 100_000):
        assert opened(sent, block=block) == text
    if size > 1:
        assert text[:16] not in sent


async def test_only_the_recipient_opens_it() -> None:
    sent = await sealed(b"x")
    with pytest.raises(UnexpectedAnswer, match="not for this client"):
        opened(sent, "p-256")
    with pytest.raises(UnexpectedAnswer, match="opening_key"):
        Receiver(io.BytesIO(), None).begin(MEDIA_TYPE, 0)


async def test_a_file_in_the_clear_goes_through_as_it_is() -> None:
    file = io.BytesIO()
    receiver = Receiver(file, None)
    receiver.begin("text/csv", 0).write(b"a,b")
    receiver.end()
    assert file.getvalue() == b"a,b"


async def test_what_was_cut_changed_or_mixed_is_not_whole() -> None:
    sent, other = await sealed(b"x" * 40_000), await sealed(b"y" * 40_000)
    line, _, rest = sent.partition(b"\n")
    begin, chunk = stream.HEADER, stream.SEALED_CHUNK
    bad: dict[str, bytes] = {
        "nothing": b"",
        "the line alone": line + b"\n",
        "no line": rest,
        "half a line": line[:100],
        "an endless line": b"e" * 5_000,
        "without its last chunk": line + b"\n" + rest[: begin + 2 * chunk],
        "without its end": sent[:-1],
        "with more": sent + b"x",
        "turned round": line
        + b"\n"
        + rest[:begin]
        + rest[begin + chunk : begin + 2 * chunk]
        + rest[begin : begin + chunk],
        "under another key": line + b"\n" + other.partition(b"\n")[2],
        "a flipped bit": sent[:-1] + bytes([sent[-1] ^ 1]),
        "another salt": line + b"\n" + b"\x00" * 24 + rest[24:],
    }
    for name, each in bad.items():
        with pytest.raises(UnexpectedAnswer, match="not whole"):
            raise AssertionError(name, len(opened(each)))


@pytest.mark.parametrize("told", [b"{}", b"[]", b'{"key": "AAAA", "cipher": "none"}', b'{"key": 7, "cipher": "none"}'])
async def test_what_the_line_tells_is_as_it_is_described(told: bytes) -> None:
    line = jwe.sealed(jwe.recipient(public(KIND)), told)
    with pytest.raises(UnexpectedAnswer):
        opened(line + b"\n" + b"x" * 100)


async def test_what_breaks_off_inside_is_not_whole() -> None:
    """The service ends the answer abnormally, and what came until then has no last chunk."""

    async def blocks() -> AsyncIterator[bytes]:
        yield b"x" * 20_000
        raise RuntimeError("the database went away")

    parts: list[bytes] = []

    async def served() -> None:
        async for part in release.sealed(jwe.recipient(public(KIND)), blocks(), "text/csv"):
            parts.append(part)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(RuntimeError):
        await served()
    with pytest.raises(UnexpectedAnswer):
        opened(b"".join(parts))


# to us


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Inbox:
    """An inbox with one key."""
    file = tmp_path_factory.mktemp("inbox") / "keys.inbox"
    inbox.rotate(file, Kind.X25519, NOW, NOW, compromised=False, like=file)
    return inbox.read(file)


def sent_to(ours: Inbox, text: bytes) -> tuple[bytes, bytes]:
    """The line and the rest of what our client sends."""
    key = _sealing.taken(ours.published(AT)[0])
    assert key is not None
    content = Content.of(text, DocumentType.PDF)
    request = _releasing.released(Request("PUT", "", dict(content.headers())), key, content, DOCUMENT)
    assert request.source is not None
    sent = b"".join(request.source())
    assert request.headers == {"Content-Type": release.MEDIA_TYPE, "Content-Length": str(len(sent))}
    line, _, rest = sent.partition(b"\n")
    return line, rest


async def came(told: release.Release, rest: bytes, block: int) -> bytes:
    """What comes of it."""

    async def blocks() -> AsyncIterator[bytes]:
        for at in range(0, len(rest), block):
            yield rest[at : at + block]

    return b"".join([part async for part in told.opened(blocks())])


@pytest.mark.parametrize("size", SIZES)
async def test_what_our_client_sends_opens_here(ours: Inbox, size: int) -> None:
    text = bytes(number % 251 for number in range(size))
    line, rest = sent_to(ours, text)
    told = release.received(line, ours, AT)
    assert (told.media_type, told.document, told.digest) == ("application/pdf", str(DOCUMENT), sha256(text).digest())
    assert await came(told, rest, 5_000) == text
    with pytest.raises(Undecryptable):
        await came(told, rest[:-1], 5_000)
    with pytest.raises(TypeError, match="not serialised"):
        pickle.dumps(told)
    assert "key=" not in repr(told)


GOOD: Final = {
    "cipher": release.CIPHER,
    "key": "A" * 43,
    "mediaType": "application/pdf",
    "digest": "A" * 43,
    "documentId": str(DOCUMENT),
}


@pytest.mark.parametrize(
    "told",
    [
        *({name: value for name, value in GOOD.items() if name != left_out} for left_out in GOOD),
        GOOD | {"cipher": "none"},
        GOOD | {"key": "A" * 42},
        GOOD | {"key": "A" * 43 + "="},
        GOOD | {"digest": 7},
        [GOOD],
        "text",
    ],
    ids=str,
)
def test_a_line_to_us_says_all_of_it(ours: Inbox, told: object) -> None:
    key = _sealing.taken(ours.published(AT)[0])
    assert key is not None
    assert release.received(key.seal(json.dumps(GOOD).encode()).content, ours, AT).document == str(DOCUMENT)
    with pytest.raises(Undecryptable):
        release.received(key.seal(json.dumps(told).encode()).content, ours, AT)
    with pytest.raises(Undecryptable):
        release.received(key.seal(b"{").content, ours, AT)
