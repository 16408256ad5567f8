"""Streams of sealed chunks, on values alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.crypto import stream
from api.errors import Undecryptable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

KEY = bytes(range(32))
DOCUMENT = bytes(number * 7 % 251 for number in range(3 * stream.CHUNK + 100))


async def blocks(whole: bytes, size: int = 5_000) -> AsyncGenerator[bytes]:
    """In blocks."""
    for at in range(0, len(whole), size):
        yield whole[at : at + size]


async def sealed(document: bytes = DOCUMENT, context: bytes = b"place") -> bytes:
    """A stream."""
    return b"".join([each async for each in stream.seal(KEY, context, blocks(document))])


async def opened(whole: bytes, context: bytes = b"place") -> bytes:
    """The document in a stream."""
    return b"".join([each async for each in stream.open_all(KEY, context, blocks(whole))])


async def ranged(whole: bytes, start: int, stop: int) -> tuple[bytes, int]:
    """A range, and how many bytes of the stream were read for it."""
    seen = 0

    async def read(at: int, length: int) -> bytes:
        nonlocal seen
        seen += length
        return whole[at : at + length]

    return b"".join([each async for each in stream.open_range(KEY, b"place", read, start, stop)]), seen


@pytest.mark.parametrize("length", [0, 1, stream.CHUNK - 1, stream.CHUNK, stream.CHUNK + 1, len(DOCUMENT)])
async def test_a_document_comes_back_and_lengths_are_known_beforehand(length: int) -> None:
    """What an upload and a download announce."""
    document = DOCUMENT[:length]
    whole = await sealed(document)
    assert await opened(whole) == document
    assert stream.sealed_length(length) == len(whole)
    assert stream.opened_length(len(whole)) == length


async def test_no_two_streams_are_alike() -> None:
    """Each has a salt, and so a key, of its own."""
    assert (await sealed())[56:] != (await sealed())[56:]


async def test_a_stream_opens_in_its_place_only() -> None:
    """Another document, another person, another key version: the commitment refuses before anything is opened."""
    with pytest.raises(Undecryptable):
        await opened(await sealed(), context=b"elsewhere")


@settings(max_examples=60, deadline=None)
@given(st.data())
async def test_of_a_damaged_stream_only_a_true_beginning_comes_out(data: st.DataObject) -> None:
    """Cut, flipped, reordered or longer: refused, and what came before is the document's."""
    whole = bytearray(await sealed())
    at = data.draw(st.integers(0, len(whole) - 1))
    match data.draw(st.sampled_from(("cut", "flip", "swap", "more"))):
        case "cut":
            del whole[at:]
        case "flip":
            whole[at] ^= 1 << data.draw(st.integers(0, 7))
        case "swap":
            one, two, three = (stream.HEADER + number * stream.SEALED_CHUNK for number in range(3))
            whole[one:two], whole[two:three] = whole[two:three], whole[one:two]
        case _:
            whole += b"more"
    out = bytearray()

    async def take() -> None:
        async for each in stream.open_all(KEY, b"place", blocks(bytes(whole))):
            out.extend(each)

    with pytest.raises(Undecryptable):
        await take()
    assert DOCUMENT.startswith(bytes(out))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(DOCUMENT)), st.integers(0, len(DOCUMENT)))
async def test_a_range_reads_the_chunks_that_hold_it_and_no_more(one: int, two: int) -> None:
    """Constant memory, whatever the document."""
    start, stop = sorted((one, two))
    got, seen = await ranged(await sealed(), start, stop)
    assert got == DOCUMENT[start:stop]
    assert seen <= stream.HEADER + (stop - start) + 2 * stream.SEALED_CHUNK + 16 * 4


async def test_a_range_beyond_the_end_or_of_a_cut_stream_is_refused() -> None:
    """A stream that ends too soon is not shorter: it is damaged."""
    whole = await sealed()
    for broken, stop in ((whole, len(DOCUMENT) + 1), (whole[:-1], len(DOCUMENT)), (whole[: stream.HEADER], 1)):
        with pytest.raises(Undecryptable):
            await ranged(broken, 0, stop)
    with pytest.raises(Undecryptable):
        await ranged(b"", 0, 1)


@pytest.mark.parametrize("length", [0, 55, 56, 71, 56 + stream.SEALED_CHUNK])
def test_no_stream_is_so_long(length: int) -> None:
    """The last chunk is short and has a tag."""
    with pytest.raises(Undecryptable):
        stream.opened_length(length)
