"""What documents cost: one of 50 MiB in and out over HTTP, beside what sealing and the database take alone.

The bare limit is the same bytes put into a table as rows of the same size, a commit each, and read back on one
connection: no HTTP, no sealing, no entry. The document is sent as a release too: sealed by its sender, opened here.
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from api.dossiers.document_store import PART
from api.sandbox.cast import Cast
from api.sandbox.databases import Role
from api.sandbox.running import NAME, Running
from api.schemas.cases import NewCase
from api.schemas.documents import NewDocument
from api.schemas.dossiers import Delivery, NewDossierRequest, Section
from api.vocabulary import DOCUMENT_MOST, CareFunction, DataCategory, DocumentType, Municipality, Purpose
from clients.chain import ChainClient
from clients.documents import Content

if TYPE_CHECKING:
    from uuid import UUID

    from api.sandbox.cluster import Cluster

ROUNDS: Final = 3
MOST_GROWTH: Final = 30 * 1024
"""Kilobytes that the service may grow by while documents pass: less than one of them."""


def measure(running: Running) -> bool:
    """Print the figures, and say whether memory stayed within its bound."""
    rows = asyncio.run(_rows(running.cluster))
    with tempfile.TemporaryDirectory() as folder, Cast(running.base_url, running.issuer, running.credentials) as cast:
        file = Path(folder) / "document.pdf"
        file.write_bytes(b"%PDF-1.7\n" + os.urandom(DOCUMENT_MOST - 9))
        content, dossier = Content.of_file(file, DocumentType.PDF), _dossier(cast)
        before = _peak(running.service.pid)
        sent, read = zip(
            *(_passed(cast.ind, dossier, content, Path(folder) / "read") for _ in range(ROUNDS)), strict=True
        )
        mine = running.credentials["ind"]
        with ChainClient(
            running.base_url,
            issuer=running.issuer,
            client_id=mine.client_id,
            key=mine.jwk,
            scope=mine.scope,
            seal_posts=True,
        ) as ind:
            released = [_passed(ind, dossier, content, Path(folder) / "read")[0] for _ in range(ROUNDS)]
        grown = _peak(running.service.pid) - before
    print(
        f"  {DOCUMENT_MOST >> 20} MiB document: sent {max(sent):.0f} MB/s, sealed {max(released):.0f} MB/s,"
        f" read {max(read):.0f} MB/s;"
        f" as bare rows put {rows[0]:.0f} MB/s, read {rows[1]:.0f} MB/s"
    )
    print(f"    peak memory of the service grew by {grown / 1024:.1f} MiB (at most {MOST_GROWTH >> 10})")
    return grown <= MOST_GROWTH


def _dossier(cast: Cast) -> UUID:
    """A dossier that takes documents; its supplier needs nobody's consent to read what it supplied."""
    functions = (CareFunction.COORDINATION, CareFunction.LEGAL_SCREENING)
    case = cast.ngo.cases.open(NewCase(municipality=Municipality.UTRECHT, v_number="0000000999", functions=functions))
    asked = NewDossierRequest(
        case_id=case.value.id,
        supplier_id=cast.id_of("ind"),
        purpose=Purpose.LEGAL_SCREENING,
        categories=(DataCategory.IDENTITY,),
        proportionality_note="A measurement.",
    )
    request = cast.ngo.dossier_requests.request(asked).value.id
    part = Delivery(sections=(Section(category=DataCategory.IDENTITY, content={"note": "made up"}),), complete=False)
    dossier = cast.ind.dossier_requests.deliver(request, part).value.dossier_id
    if dossier is None:
        raise AssertionError("what was delivered is a dossier")
    return dossier


def _passed(ind: ChainClient, dossier: UUID, content: Content, into: Path) -> tuple[float, float]:
    """MB/s of one document in, and out again."""
    new = NewDocument(category=DataCategory.IDENTITY, media_type=DocumentType.PDF, title="A measurement")
    document = ind.documents.attach(dossier, new).value.id
    began = time.perf_counter()
    ind.documents.store(dossier, document, content)
    stored = time.perf_counter()
    with into.open("wb") as file:
        ind.documents.read(dossier, document, file)
    ended = time.perf_counter()
    if into.stat().st_size != content.length:
        raise AssertionError("all of it comes back")
    return content.length / 1e6 / (stored - began), content.length / 1e6 / (ended - stored)


async def _rows(cluster: Cluster) -> tuple[float, float]:
    """MB/s of the same bytes as rows, put and read."""
    connection: Any = await asyncpg.connect(cluster.url(Role.OWNER, NAME))
    content = os.urandom(PART)
    count = DOCUMENT_MOST // PART
    try:
        await connection.execute("CREATE TABLE public.bench_part (number int PRIMARY KEY, content bytea NOT NULL)")
        await connection.execute("ALTER TABLE public.bench_part ALTER COLUMN content SET STORAGE EXTERNAL")
        began = time.perf_counter()
        for number in range(count):
            await connection.execute("INSERT INTO public.bench_part VALUES ($1, $2)", number, content)
        put = time.perf_counter()
        for number in range(count):
            await connection.fetchval("SELECT content FROM public.bench_part WHERE number = $1", number)
        read = time.perf_counter()
        await connection.execute("DROP TABLE public.bench_part")
    finally:
        await connection.close()
    return count * PART / 1e6 / (put - began), count * PART / 1e6 / (read - put)


def _peak(pid: int) -> int:
    """Kilobytes of memory at the most, of a process and all that it started."""
    found, wanted = 0, [pid]
    while wanted:
        each = wanted.pop()
        status = Path(f"/proc/{each}/status").read_text()
        if match := re.search(r"VmHWM:\s+(\d+)", status):
            found += int(match[1])
        wanted += [int(child) for child in Path(f"/proc/{each}/task/{each}/children").read_text().split()]
    return found
