"""The log as files over HTTP: hashes for everybody, entries for auditors, the same bytes as an export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api.audit import export
from api.edge import routing
from api.routes import audit, log
from api.vocabulary import Party, Scope
from tests import oauth_kit as kit
from tests.audit_store import Rows, append, settle, tamper
from tests.oauth_world import World, opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

    from tests import servers

BY = kit.key("es256")


@pytest.fixture
async def world(database: servers.Database) -> AsyncIterator[World]:
    async with opened(database.work_url) as made:
        routing.join(made.inner, log.routes)
        yield made


async def settled(world: World, count: int) -> None:
    async with world.database.connection() as connection:
        await append(connection, count)
        await settle(connection)


async def auditor(world: World, kind: Party = Party.AUDITOR, scope: Scope = Scope.AUDIT_READ) -> str:
    """A token."""
    organisation = await world.organisation(f"one {kind}", kind)
    await world.client(BY, str(kind), frozenset({scope}), organisation)
    return await world.token(BY, str(kind), scope)


async def get(world: World, path: str, status: int = 200, token: str | None = None) -> httpx.Response:
    answer = await (world.http.get(path) if token is None else world.call(BY, token, path=path))
    assert answer.status_code == status, answer.text
    return answer


def written(directory: Path) -> dict[str, bytes]:
    """Every file under it."""
    files = (each for each in directory.rglob("*") if each.is_file())
    return {str(each.relative_to(directory)): each.read_bytes() for each in files}


async def test_before_the_log_has_begun_nothing_is_published(world: World) -> None:
    await get(world, "/log/checkpoint", 404)
    await get(world, "/log/tile/0/000", 404)


async def test_what_is_served_is_what_is_exported(world: World, tmp_path: Path) -> None:
    """Every file of an export, byte for byte; hashes without a token, and kept for ever; entries with one."""
    await settled(world, 600)
    token = await auditor(world)
    await settled(world, 0)
    async with world.database.connection() as connection:
        head = await export.write(Rows(connection), tmp_path)
    files = written(tmp_path)
    assert f"tile/0/002.p/{head.size % 256}" in files
    assert f"tile/entries/002.p/{head.size % 256}" in files
    for name in files:
        if name == "vkeys":
            continue
        entries = name.startswith("tile/entries")
        answer = await get(world, f"/log/{name}", token=token if entries else None)
        assert answer.content == files[name], name
        kept = "no-store" if entries else "public, max-age=31536000, immutable"
        kept = "public, no-cache" if name == "checkpoint" else kept
        assert answer.headers["cache-control"] == kept
        assert ("audit-receipt" in answer.headers) == entries
    assert (await get(world, "/log/checkpoint")).headers["content-type"] == "text/plain; charset=utf-8"
    assert (await get(world, "/log/tile/0/000")).headers["content-type"] == "application/octet-stream"


async def test_the_partial_tiles_of_every_size_that_was_signed_stay(world: World) -> None:
    for count in (5, 300, 300):
        await settled(world, count)
    for place in ("000.p/5", "001.p/49", "002.p/93"):
        await get(world, f"/log/tile/0/{place}")
    for place in ("000.p/6", "001.p/50", "002.p/92", "003", "002", "003.p/1"):
        await get(world, f"/log/tile/0/{place}", 404)
    for place in ("000.p/1", "000.p/2"):
        await get(world, f"/log/tile/1/{place}")
    for address in ("1/000.p/3", "1/000", "2/000.p/1", "0/x000/001", "64/000", "secrets/000", "0/"):
        await get(world, f"/log/tile/{address}", 404)


async def test_bundles_are_for_auditors_and_each_reading_is_an_entry(world: World) -> None:
    await settled(world, 600)
    token = await auditor(world)
    await settled(world, 0)
    await get(world, "/log/tile/entries/001", token=token)
    await get(world, "/log/tile/entries/002.p/9", 404, token=token)
    await get(world, "/log/tile/entries/x000/001", 404, token=token)
    read, missed, odd = await world.entries("audit.read")
    assert (read["result"], read["object"]) == ("permitted", {"type": "audit-bundle", "version": 1})
    assert (missed["result"], missed["reason"]) == ("refused", "not-found")
    assert odd["object"] == {"type": "audit-bundle"}


async def test_what_is_past_its_term_is_gone_and_still_proven(world: World, database: servers.Database) -> None:
    """410 says that it was there; hashes and proofs stay."""
    routing.join(world.inner, audit.routes, "/v1")
    await settled(world, 600)
    token = await auditor(world)
    await settled(world, 0)
    await get(world, "/log/tile/entries/001", token=token)
    await tamper(database, "INSERT INTO audit.retention VALUES (512, now()); DELETE FROM audit.entry WHERE id <= 512")
    for path in ("/log/tile/entries/001", "/log/tile/entries/001.p/88", "/v1/audit/entries/511"):
        answer = await get(world, path, 410, token)
        assert answer.json()["type"].endswith("/problems/retention-over")
    gone = next(each for each in await world.entries("audit.read") if each.get("reason") == "retention-over")
    assert gone["object"] == {"type": "audit-bundle", "version": 1}
    for path in ("/log/tile/entries/002.p/88", "/v1/audit/entries/512", "/v1/audit/entries/511/proof"):
        await get(world, path, token=token)
    await get(world, "/log/tile/0/001")
    await get(world, "/v1/audit/entries/9999", 404, token)
    await get(world, "/v1/audit/entries/9999/proof", 404, token)


async def test_nobody_else_reads_entries(world: World) -> None:
    await settled(world, 256)
    await get(world, "/log/tile/entries/000", 401)
    for kind in (Party.NGO, Party.OPERATOR):
        await get(world, "/log/tile/entries/000", 403, await auditor(world, kind))
    for each in await world.entries("audit.read"):
        assert (each["result"], each["reason"]) == ("refused", "wrong-party")


@pytest.mark.parametrize(
    ("damage", "path"),
    [
        ("DELETE FROM audit.leaf WHERE index = 3", "/log/tile/0/000.p/9"),
        ("DELETE FROM audit.entry WHERE id = 3", "/log/tile/entries/000.p/9"),
    ],
)
async def test_a_damaged_log_publishes_nothing_in_its_place(
    world: World, database: servers.Database, damage: str, path: str
) -> None:
    await settled(world, 9)
    token = await auditor(world)
    await tamper(database, damage)
    answer: Any = await get(world, path, 500, token if "entries" in path else None)
    assert answer.json()["title"]
