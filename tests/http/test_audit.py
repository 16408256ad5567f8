"""The audit log over HTTP: an auditor finds entries, reads them, and has them proven; that is written down too."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from api.crypto.mac import Mac
from api.edge import paging, routing
from api.routes import audit
from api.vocabulary import Party, Scope
from clients import verifier
from tests import oauth_kit as kit
from tests.audit_kit import KEY, ORIGIN, write
from tests.audit_store import SIGNER, append, settle, tamper
from tests.oauth_world import World, opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

    from tests import servers

BY = kit.key("es256")
SEARCH = "/v1/audit/entries/_search"
SIZE = 300


class Auditor:
    """An auditor with a token."""

    def __init__(self, world: World, token: str) -> None:
        self.world = world
        self._token = token

    async def get(self, path: str, status: int = 200) -> dict[str, Any]:
        """Read."""
        return _body(await self.world.call(BY, self._token, path=path), status)

    async def search(self, address: str = "", status: int = 200, **filters: Any) -> dict[str, Any]:
        """Search with these filters."""
        headers = self.world.headers(BY, self._token, "POST", f"{kit.ISSUER}{SEARCH}")
        return _body(await self.world.http.post(f"{SEARCH}{address}", json=filters, headers=headers), status)


def _body(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def integrate(world: World) -> int:
    """Let the sequencer run until nothing is left."""
    async with world.database.connection() as connection:
        return (await settle(connection)).edge.size


@pytest.fixture
async def world(database: servers.Database) -> AsyncIterator[World]:
    async with opened(database.work_url) as made:
        routing.join(made.inner, audit.routes, "/v1")
        paging.install(made.inner, Mac(bytes(32)))
        yield made


async def caller(world: World, kind: Party = Party.AUDITOR) -> Auditor:
    organisation = await world.organisation(f"one {kind}", kind)
    await world.client(BY, str(kind), frozenset({Scope.AUDIT_READ}), organisation)
    return Auditor(world, await world.token(BY, str(kind), Scope.AUDIT_READ))


@pytest.fixture
async def auditor(world: World) -> Auditor:
    """The log holds 300 entries, and those of making the auditor."""
    async with world.database.connection() as connection:
        await append(connection, SIZE)
    made = await caller(world)
    await integrate(world)
    return made


async def test_before_the_log_has_begun_there_is_nothing(world: World) -> None:
    early = await caller(world)
    await early.get("/v1/audit/checkpoint", 404)
    await early.get("/v1/audit/consistency?first=0&second=0", 404)
    await early.get("/v1/audit/entries/0", 404)
    await early.get("/v1/audit/entries/0/proof", 404)
    assert (await early.search()) == {"items": [], "nextCursor": None}


async def test_an_entry_is_read_and_proven_from_the_answers_alone(auditor: Auditor, tmp_path: Path) -> None:
    """Exact bytes, signed head, path: the verifier needs nothing else of the server."""
    head = await auditor.get("/v1/audit/checkpoint")
    for index in (0, 255, 256, head["treeSize"] - 1):
        entry = await auditor.get(f"/v1/audit/entries/{index}")
        proof = await auditor.get(f"/v1/audit/entries/{index}/proof")
        leaf = base64.b64decode(entry["leaf"])
        assert json.loads(leaf) == entry["content"]
        assert (proof["index"], proof["treeSize"]) == (index, head["treeSize"])
        for name, data in {
            "vkeys": "".join(f"{each}\n" for each in head["verifierKeys"]),
            "checkpoint": head["checkpoint"],
            f"entries/{index}.tlog-proof": proof["tlogProof"],
        }.items():
            write(tmp_path / name, data.encode())
        write(tmp_path / f"entries/{index}.json", leaf)
    keys = verifier.keys("vkeys", (tmp_path / "vkeys").read_bytes())
    checkpoint = verifier.checkpoint("checkpoint", head["checkpoint"].encode(), keys)
    assert set(head["verifierKeys"]) == {KEY.vkey, SIGNER.post_quantum.vkey}
    assert head["checkpoint"].count("\n\u2014 ketenbrug.example/log ") == 2
    assert (checkpoint.origin, checkpoint.root) == (ORIGIN, base64.b64decode(head["rootHash"]))
    assert len(verifier._proven(tmp_path, checkpoint, head["checkpoint"].encode())) == 4


async def test_what_the_auditor_reads_is_written_down_too(auditor: Auditor) -> None:
    before = (await auditor.get("/v1/audit/checkpoint"))["treeSize"]
    entry = await auditor.get("/v1/audit/entries/299")
    await auditor.get("/v1/audit/entries/299/proof")
    await auditor.get("/v1/audit/entries/9999", 404)
    await auditor.search(action="audit.read")
    assert await integrate(auditor.world) == before + 5
    read, missed = await auditor.world.entries("audit.read")
    assert (read["result"], missed["result"], missed["reason"]) == ("permitted", "refused", "not-found")
    assert read["object"]["type"] == "audit-entry"
    assert entry["content"]["n"] == 299
    (looked,) = await auditor.world.entries("audit.checkpoint")
    assert looked["object"] == {"type": "audit-log", "version": before}


async def test_the_log_grows_and_proves_that_it_only_grew(auditor: Auditor) -> None:
    old = await auditor.get("/v1/audit/checkpoint")
    await integrate(auditor.world)
    new = await auditor.get("/v1/audit/checkpoint")
    assert new["treeSize"] > old["treeSize"]
    sizes = f"first={old['treeSize']}&second={new['treeSize']}"
    proof = await auditor.get(f"/v1/audit/consistency?{sizes}")
    first, second = (
        verifier.Checkpoint(ORIGIN, each["treeSize"], base64.b64decode(each["rootHash"])) for each in (old, new)
    )
    assert verifier.consistent(first, second, [base64.b64decode(each) for each in proof["hashes"]])
    await auditor.get("/v1/audit/consistency?first=2&second=1", 404)
    await auditor.get("/v1/audit/consistency?first=1&second=99999", 404)


async def test_a_search_is_paged_and_newest_first(auditor: Auditor) -> None:
    indexes: list[int] = []
    query = "?limit=120"
    while query:
        page = await auditor.search(query)
        indexes += [each["index"] for each in page["items"]]
        query = f"?limit=120&cursor={page['nextCursor']}" if page["nextCursor"] else ""
    assert indexes == list(reversed(range(len(indexes))))
    assert len(indexes) > SIZE
    await auditor.search("?cursor=AAAA", 400)


async def test_an_entry_that_is_not_there_is_said_to_be_missing(auditor: Auditor, database: servers.Database) -> None:
    """And hides no other one: the list does not end before it."""
    await tamper(database, "DELETE FROM audit.entry WHERE id = (SELECT entry_id FROM audit.leaf WHERE index = 250)")
    for problem in (
        await auditor.get("/v1/audit/entries/250", 500),
        await auditor.search("?limit=120", 500),
        await auditor.search(status=500, query="seq:249..251"),
    ):
        assert problem["type"].endswith("/problems/log-damaged")
        assert problem["detail"].endswith("entry 250 is not there.")
    assert len((await auditor.search("?limit=120", query="seq:..249"))["items"]) == 120


async def test_filters_narrow_a_search(auditor: Auditor) -> None:
    await auditor.get("/v1/audit/entries/7")
    await integrate(auditor.world)
    (found,) = (await auditor.search(action="audit.read", clientId="auditor", result="permitted"))["items"]
    assert found["content"]["action"] == "audit.read"
    at = found["content"]["at"]
    request = found["content"]["origin"]["requestId"]
    assert (await auditor.search(requestId=request, afterAt=at))["items"] == [found]
    assert (await auditor.search(requestId=request, beforeAt=at))["items"] == []
    await auditor.search(status=400, person="Jan")


async def test_a_query_narrows_a_search_and_one_that_cannot_be_read_says_how_to_write_it(auditor: Auditor) -> None:
    await auditor.get("/v1/audit/entries/9999", 404)
    await integrate(auditor.world)
    (found,) = (await auditor.search(query="action:audit.* -result:permitted org:auditor"))["items"]
    assert found["content"]["reason"] == "not-found"
    assert (await auditor.search(query="result:refused", action="audit.search"))["items"] == []
    refused = await auditor.search(status=400, query="name:Canary")
    (fault,) = refused["errors"]
    assert (fault["in"], fault["code"]) == ("body", "query")
    assert "There is no such key; there are: actor, client" in str(fault)
    assert "Canary" not in str(refused)


async def test_nobody_but_an_auditor_sees_the_log(world: World) -> None:
    ngo = await caller(world, Party.NGO)
    await integrate(world)
    for path in ("checkpoint", "entries/0", "entries/0/proof", "consistency?first=0&second=1"):
        assert "wrong-party" in (await ngo.get(f"/v1/audit/{path}", 403))["type"]
    await ngo.search(status=403)


async def test_an_entry_that_is_not_json_is_shown_as_its_bytes(auditor: Auditor) -> None:
    async with auditor.world.database.connection() as connection:
        await connection.execute("INSERT INTO audit.entry (leaf) VALUES ('\\xfffe')")
    size = await integrate(auditor.world)
    (found,) = (await auditor.search("?limit=1"))["items"]
    assert found == {"index": size - 1, "content": {}, "leaf": base64.b64encode(b"\xff\xfe").decode()}
