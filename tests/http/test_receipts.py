"""Receipts over HTTP: every answer whose entry is committed carries one, and a promise that is broken shows."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from api.audit import export, receipt
from api.audit.checkpoint import Signer
from api.crypto import keyfile
from api.vocabulary import Purpose
from clients import receipts
from clients._sending import forget
from clients.errors import NotFound, NotPermitted, ServerFailed
from tests import audit_store
from tests import exchange as world
from tests.audit_store import Rows
from tests.dealings import Dealings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clients.receipts import Receipt
    from tests import servers
    from tests.exchange import Exchange, Furnished


pytestmark = pytest.mark.asyncio(loop_scope="module")

ORIGIN = "127.0.0.1:9/log"
DELETION = "DELETE FROM audit.entry WHERE position('{}'::bytea IN leaf) > 0"


@pytest.fixture
def own(furnished: Furnished) -> Iterator[servers.Database]:
    """A database of its own: its log is damaged."""
    with furnished.clone() as made:
        yield made


async def key_of(exchange: Exchange) -> str:
    published = await exchange.http.get("/.well-known/audit-receipts")
    assert published.headers["cache-control"] == "public, max-age=300"
    body: dict[str, Any] = published.json()
    assert (body["origin"], body["mergeDelaySeconds"]) == (ORIGIN, 60)
    key: str = body["receiptKey"]
    return key


async def settled(exchange: Exchange, origin: str = ORIGIN) -> str:
    """Let the sequencer integrate what there is. Returns the verifier key of the log."""
    signer = Signer.from_seeds(origin, audit_store.SEED, audit_store.SEED, exchange.clock)
    async with exchange.database.connection() as connection:
        await audit_store.settle(connection, signer=signer)
    return signer.key.vkey


async def test_every_ending_of_a_proven_request_has_its_receipt(exchange: Exchange) -> None:
    """Permitted, unchanged, refused, absent, badly written: the receipt is for the one entry of that very request."""
    ngo = exchange.actor("ngo")
    dealings = await Dealings.begin(exchange)
    shown = await ngo.get(f"/cases/{dealings.id}")
    answers = [
        shown,
        await ngo.get(f"/cases/{dealings.id}", headers={"If-None-Match": shown.headers["etag"]}),
        await ngo.get("/cases"),
        await ngo.get(f"/cases/{uuid4()}"),
        await ngo.get(f"/dossiers/{uuid4()}", purpose=Purpose.ENFORCEMENT),
        await ngo.get("/audit/checkpoint"),
        await ngo.send("HEAD", f"/cases/{dealings.id}"),
    ]
    assert [each.status_code for each in answers] == [200, 304, 200, 404, 403, 403, 200]
    for answer in answers:
        assert await exchange.is_promised(answer)


async def test_who_is_not_proven_gets_no_receipt_and_the_header_is_ours(exchange: Exchange) -> None:
    answer = await exchange.http.get("/v1/cases", headers={"Audit-Receipt": "mine"})
    assert answer.status_code == 401
    assert "audit-receipt" not in answer.headers
    assert "audit-receipt" not in (await exchange.http.get("/health/live")).headers


async def test_issuing_a_token_has_a_receipt_that_the_client_keeps(exchange: Exchange) -> None:
    kept: list[str] = []
    exchange.avim._driver.session._sender.keep = kept.append
    assert [each.kind async for each in exchange.avim.organisations.list()]
    key = await key_of(exchange)
    promised = {receipts.read(each, key).leaf_hash for each in kept}
    leaves = {row["leaf_hash"]: row["leaf"] for row in await exchange.rows("SELECT leaf, leaf_hash FROM audit.entry")}
    assert promised <= leaves.keys()
    assert any(b"oauth.issue-token" in leaves[each] for each in promised)


async def test_a_party_redeems_the_receipt_of_its_answer(exchange: Exchange) -> None:
    """Without any right to the log: who knows the hash was given the receipt."""
    made = await Dealings.begin(exchange)
    key = await key_of(exchange)
    answer = await exchange.ngo.cases.read(made.id)
    mine = receipts.read(str(answer.receipt), key)
    with pytest.raises(NotFound) as early:
        await exchange.ngo.receipts.prove(mine.hashed)
    asked = await exchange.entry(early.value.request_id)
    assert asked["object"] == {"type": "audit-receipt", "digest": mine.leaf_hash.hex()}

    vkey = await settled(exchange)
    proof = await exchange.ngo.receipts.prove(mine.hashed)
    index, head = receipts.kept(mine, proof.value.tlog_proof, [vkey])
    assert (index, head.size) == (proof.value.index, proof.value.tree_size)


async def test_a_client_keeps_each_receipt_of_what_was_permitted_and_failed(exchange: Exchange) -> None:
    """The one that comes with the error is of how it ended."""
    dealings, kept = await Dealings.begin(exchange), list[str]()
    await dealings.consented()
    dossier = await dealings.dossier()
    await exchange.rows(
        "UPDATE exchange.dossier_section SET content = set_bit(content, 160, 1 - get_bit(content, 160))"
        " WHERE dossier_id = $1 RETURNING 1",
        dossier,
    )
    exchange.ngo._driver.session._sender.keep = kept.append
    with pytest.raises(ServerFailed) as failed:
        await exchange.ngo.dossiers.read(dossier, purpose=Purpose.LEGAL_SCREENING)
    exchange.ngo._driver.session._sender.keep = forget
    key = await key_of(exchange)
    entries = await exchange.entries_of(failed.value.request_id)
    assert [each["result"] for each in entries] == ["permitted", "failed"]
    assert len({receipts.read(each, key).leaf_hash for each in kept[-2:]}) == 2
    assert failed.value.receipt == kept[-1]


async def test_a_refusal_brings_its_receipt_with_the_error(exchange: Exchange) -> None:
    with pytest.raises(NotPermitted) as refused:
        await exchange.ngo.dossiers.read(uuid4(), purpose=Purpose.ENFORCEMENT)
    assert receipts.read(str(refused.value.receipt), await key_of(exchange)).leaf_hash


async def test_an_entry_that_an_administrator_deletes_before_it_is_sequenced_is_missed(
    own: servers.Database, furnished: Furnished, tmp_path: Path
) -> None:
    """Promise 3. The log itself is whole and its proofs hold: only the receipt tells, and to third parties too."""
    path = tmp_path / "keys"
    keyfile.create(path)
    keys = keyfile.load(path)
    async with world.running(own, tmp_path, furnished.members, keys, log_origin="one.example/log") as exchange:
        key = receipt.Signer.from_seed("one.example/log", 60, keys.receipt).key.vkey
        kept = receipts.Keeper(tmp_path / "receipts")
        exchange.ngo._driver.session._sender.keep = kept
        with pytest.raises(NotPermitted) as refused:
            await exchange.ngo.dossiers.read(uuid4(), purpose=Purpose.ENFORCEMENT)
        await audit_store.tamper(own, DELETION.format(refused.value.request_id))
        await settled(exchange, "one.example/log")

        lost = receipts.read(str(refused.value.receipt), key)
        with pytest.raises(NotFound):
            await exchange.ngo.receipts.prove(lost.hashed)
        assert _found(lost, await _exported(exchange, tmp_path), kept, key) == (), "it is not due yet"

        exchange.clock.ahead = receipts.SKEW + timedelta(seconds=61)
        later = exchange.actor("ngo")
        assert (await later.get(f"/audit/receipts/{lost.hashed}/proof")).status_code == 404
        await settled(exchange, "one.example/log")
        assert _found(lost, await _exported(exchange, tmp_path), kept, key) == (lost,)


def _found(lost: Receipt, directory: Path, kept: receipts.Keeper, key: str) -> tuple[Receipt, ...]:
    mine = kept.read(key)
    assert lost in mine
    return receipts.broken(mine, directory)


async def _exported(exchange: Exchange, tmp_path: Path) -> Path:
    async with exchange.database.connection() as connection:
        await export.write(Rows(connection), tmp_path / "export")
    return tmp_path / "export"
