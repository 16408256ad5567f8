"""Documents in hostile hands: rows changed under them, keys renewed, their person erased."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import httpx
import pytest

from api.crypto.stream import CHUNK, SEALED_CHUNK
from api.schemas.erasures import NewErasure
from api.vocabulary import ErasureGround
from tests.actor import refused
from tests.documents_kit import SCREENING, Attached, pdf, proven, scope
from tests.http.test_edge_wire import serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import servers
    from tests.custody_kit import Custody
    from tests.exchange import Exchange

PART: Final = 32 * CHUNK
CONTENT: Final = pdf(2 * PART + 3 * CHUNK + 5)
S: Final = SEALED_CHUNK
_PUT: Final = (
    "INSERT INTO exchange.document_part (upload, number, content, stored_at)"
    " SELECT upload, $2, $3, now() FROM exchange.document WHERE id = $1"
)
_GONE: Final = "DELETE FROM exchange.document_part p USING exchange.document d WHERE p.upload = d.upload AND d.id = $1"
_PARTS: Final = (
    "SELECT content FROM exchange.document_part JOIN exchange.document USING (upload) WHERE id = $1 ORDER BY number"
)


def _flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes((content[at] ^ 1,)) + content[at + 1 :]


TORN: Final[dict[str, tuple[Callable[[list[bytes], list[bytes]], list[bytes]], int]]] = {
    "a flipped bit": (lambda it, _: [it[0], _flipped(it[1], S + 7), it[2]], PART + CHUNK),
    "a flipped bit at once": (lambda it, _: [_flipped(it[0], 0), *it[1:]], 0),
    "chunks that changed places": (lambda it, _: [it[0], it[1][S : 2 * S] + it[1][:S] + it[1][2 * S :], it[2]], PART),
    "rows that changed places": (lambda it, _: [it[0], it[2], it[1]], PART),
    "a chunk that is gone": (lambda it, _: [it[0], it[1][S:], it[2]], PART),
    "an end that is gone": (lambda it, _: [*it[:2], it[2][: 2 * S]], 2 * PART + 2 * CHUNK),
    "a row that is gone": (lambda it, _: it[:2], 2 * PART),
    "a row of another document": (lambda it, other: [it[0], other[1], it[2]], PART),
}
"""What is done to a stored content, given that of another one too, and how much of it may leave at most."""
UNOPENED: Final = {
    "a length": "UPDATE exchange.document SET length = length - 1 WHERE id = $1",
    "a category": "UPDATE exchange.document SET category = 'identity' WHERE id = $1",
    "a key": (
        "UPDATE exchange.document d SET secret = o.secret FROM exchange.document o WHERE d.id = $1 AND o.id <> $1"
    ),
    "a content": "UPDATE exchange.document SET upload = gen_random_uuid() WHERE id = $1",
}
"""What is done to the row of a document: then nothing of it leaves."""


async def _stored(superuser: Any, document: str, contents: list[bytes]) -> None:
    """Let these be the rows of a content."""
    await superuser.execute(_GONE, document)
    for number, content in enumerate(contents):
        await superuser.execute(_PUT, document, number, content)


async def _downloaded(exchange: Exchange, port: int, at: str) -> tuple[int, bytes, bool]:
    """Status, what came of the body, and whether it came to its end, over a real connection."""
    ngo, came = exchange.actor("ngo"), bytearray()
    headers = {"Purpose": str(SCREENING)} | await proven(ngo, "GET", at)
    async with (
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
        client.stream("GET", f"/v1{at}", headers=headers) as answer,
    ):
        try:
            async for block in answer.aiter_raw():
                came += block
        except httpx.RemoteProtocolError:
            return answer.status_code, bytes(came), False
    return answer.status_code, bytes(came), True


async def test_what_is_not_as_it_was_sealed_breaks_the_answer_off(exchange: Exchange, own: servers.Database) -> None:
    """Only a true beginning leaves, the connection ends before the body does, and the log says that it failed."""
    dossier = await Attached.to(exchange)
    at, other = await dossier.stored(CONTENT), await dossier.stored(CONTENT)
    document, another = (each.rpartition("/")[2] for each in (at, other))
    superuser: Any = await asyncpg.connect(own.superuser_url)
    try:
        mine = [row["content"] for row in await superuser.fetch(_PARTS, document)]
        theirs = [row["content"] for row in await superuser.fetch(_PARTS, another)]
        async with serving(exchange.app) as port:
            for name, (torn, most) in TORN.items():
                await _stored(superuser, document, torn(mine, theirs))
                status, came, whole = await _downloaded(exchange, port, at)
                assert (name, status, whole) == (name, 200, False)
                assert CONTENT.startswith(came), name
                assert len(came) <= most, name
                ends = [entry["result"] for entry in await exchange.entries("documents.read")][-2:]
                assert ends == ["permitted", "failed"], name
            await _stored(superuser, document, mine)
            assert await _downloaded(exchange, port, at) == (200, CONTENT, True)
        for name, sql in UNOPENED.items():
            await superuser.execute("CREATE TABLE saved AS TABLE exchange.document")
            await superuser.execute(sql, document)
            assert (await dossier.read(at)).status_code == 500, name
            await superuser.execute("TRUNCATE exchange.document")
            await superuser.execute("INSERT INTO exchange.document TABLE saved")
            await superuser.execute("DROP TABLE saved")
    finally:
        await superuser.close()
    assert (await dossier.read(at)).content == CONTENT


async def test_a_new_key_of_the_person_opens_their_documents_and_erasure_ends_them(
    exchange: Exchange, custodian: Custody
) -> None:
    """The contents are not touched by the first; the second takes rows and keys at once, contents when collected."""
    dossier = await Attached.to(exchange)
    at = await dossier.stored(CONTENT)
    awaited = await dossier.awaited()
    before = await custodian.rows("SELECT md5(content) FROM exchange.document_part ORDER BY number")
    await custodian.rotate_dek()
    assert (await custodian.check()).holds
    assert await custodian.rows("SELECT md5(content) FROM exchange.document_part ORDER BY number") == before
    assert (await dossier.read(at)).content == CONTENT
    assert (await dossier.send(awaited, CONTENT)).status_code == 204
    await exchange.operator.erasures.erase(NewErasure(case_id=dossier.dealings.id, ground=ErasureGround.OBJECTION))
    for answer in (
        await dossier.read(at),
        await exchange.actor("ind").get(at, purpose=SCREENING),
        await exchange.actor("ngo").get(dossier.path, purpose=SCREENING),
        await dossier.send(awaited, CONTENT),
    ):
        refused(answer, 404, "not-found")
    assert await custodian.rows("SELECT 1 FROM exchange.document") == []


async def test_a_download_holds_no_connection_while_its_reader_is_slow(exchange: Exchange) -> None:
    """Constant memory, and the pool is everybody's: between two parts nothing is borrowed."""
    dossier = await Attached.to(exchange)
    at, free = await dossier.stored(CONTENT), list[int]()
    ngo = exchange.actor("ngo")
    state = exchange.app.app.state.ketenbrug  # type: ignore[attr-defined] # Starlette's own
    pool = state.database._pool
    largest, asked = 0, list[None]()

    async def receive() -> dict[str, Any]:
        if asked:
            await asyncio.Event().wait()
        asked.append(None)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        nonlocal largest
        if message["type"] == "http.response.body":
            largest = max(largest, len(message.get("body", b"")))
            free.append(pool.get_size() - pool.get_idle_size())

    await exchange.app(await scope(ngo, "GET", at, {"Purpose": str(SCREENING)}), receive, send)
    assert len(free) > 3
    assert set(free) == {0}
    assert largest <= PART


@pytest.mark.parametrize("asked", ["bytes=0-0", f"bytes={PART}-{PART + 9}"])
async def test_a_range_reads_only_what_holds_it(exchange: Exchange, own: servers.Database, asked: str) -> None:
    """What is damaged elsewhere does not matter to it; what is damaged there does."""
    dossier = await Attached.to(exchange)
    at = await dossier.stored(CONTENT)
    superuser: Any = await asyncpg.connect(own.superuser_url)
    try:
        await superuser.execute("DELETE FROM exchange.document_part WHERE number = 2")
    finally:
        await superuser.close()
    start = int(asked.partition("=")[2].partition("-")[0])
    answer = await dossier.read(at, Range=asked)
    assert answer.status_code == 206
    assert CONTENT[start:].startswith(answer.content)
