"""What the rules found, as auditors read it; the sample of a week, and its figures."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import TYPE_CHECKING

import orjson
import pytest

from api.audit import sample, search, signals
from api.audit.digest import of_week
from api.audit.signals import Watch
from api.cli import digest
from api.schemas.audit import AuditExport, AuditSearch
from api.vocabulary import AuditReason, ExportFormat, SignalRule
from clients import verifier
from tests import audit_store
from tests.actor import refused
from tests.dealings import Dealings

if TYPE_CHECKING:
    from pathlib import Path

    from tests import servers
    from tests.exchange import Exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")

WATCH = Watch({SignalRule.NO_CASE_RELATION: 2})


async def settled(exchange: Exchange) -> int:
    async with exchange.database.connection() as connection:
        size = (await audit_store.settle(connection)).edge.size
    await signals.Lookout(exchange.database, WATCH, exchange.clock, _raised).look()
    return size


def _raised(fault: Exception) -> None:
    raise fault


async def test_an_auditor_reads_what_the_rules_found(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    for _ in range(3):
        refused(await exchange.actor("otherNgo").get(f"/cases/{dealings.id}"), 404, "not-found")
    await settled(exchange)
    (found,) = [each async for each in exchange.auditor.audit.signals(rule=SignalRule.NO_CASE_RELATION, limit=1)]
    assert (found.organisation_id, found.figure, found.threshold) == (exchange.id_of("otherNgo"), 3, 2)
    assert found.client_id == exchange.members["otherNgo"].client_id
    assert found.explanation.startswith("3 times on one day")
    assert found.explanation_dutch.startswith("3 keer op één dag")
    (entry,) = [each async for each in exchange.auditor.audit.search(AuditSearch(query="signal:no-case-*"))]
    assert entry.index == found.index
    assert entry.content["reason"] == "not-found"
    assert {each.rule async for each in exchange.auditor.audit.signals()} == {SignalRule.NO_CASE_RELATION}
    assert (await exchange.entries("audit.list-signals"))[-1]["object"] == {"type": "audit-signal"}
    assert [each async for each in exchange.auditor.audit.signals(rule=SignalRule.VOLUME)] == []
    refused(await exchange.actor("auditor").get("/audit/signals?rule=hunch"), 400, "invalid-input")


async def test_a_sample_is_drawn_by_the_head_and_nobody_else(exchange: Exchange, tmp_path: Path) -> None:
    async with exchange.database.connection() as connection:
        await audit_store.append(connection, 600)
    size = await settled(exchange)
    wanted = AuditExport(
        format=ExportFormat.EVIDENCE, reason=AuditReason.PERIODIC_REVIEW, reference="AUD-2026-20", sample_from=1
    )
    with (tmp_path / "sample.tar").open("wb") as file:
        answer = await exchange.auditor.audit.export(wanted, file)
    assert verifier.main([str(tmp_path / "sample.tar"), "--sample", "1"]) == 0
    with verifier.opened(tmp_path / "sample.tar") as directory:
        report = verifier.verify(directory, sample=1)
    assert list(report.proven) == sample.drawn(report.checkpoint.root, 1, size)
    entry = await exchange.entry(answer.request_id)
    assert entry["stated"] == {
        "reason": "periodic-review",
        "reference": "AUD-2026-20",
        "query": "",
        "format": "evidence",
        "entries": len(report.proven),
        "sample": 1,
    }
    lines = io.BytesIO()
    await exchange.auditor.audit.export(wanted.model_copy(update={"format": ExportFormat.NDJSON}), lines)
    assert [orjson.loads(each)["index"] for each in lines.getvalue().splitlines()] == list(report.proven)


async def test_a_sample_has_no_query(exchange: Exchange) -> None:
    await settled(exchange)
    body = {"format": "csv", "reason": "periodic-review", "reference": "AUD-2026-20", "sampleFrom": 0}
    refused(
        await exchange.actor("auditor").post("/audit/entries/_export", body | {"action": "cases.read"}),
        400,
        "invalid-input",
    )


async def test_a_week_is_told_in_figures_without_anybody_in_it(exchange: Exchange) -> None:
    """In both languages."""
    dealings = await Dealings.begin(exchange)
    await exchange.ngo.cases.read(dealings.id)
    await settled(exchange)
    unit = exchange.unit()
    monday = digest.monday(None, exchange.clock().date() + timedelta(days=7))
    found = await of_week(unit, monday)
    nothing = await of_week(unit, monday - timedelta(days=7))
    rules = {each.rule for each in await signals.listed(unit, None, search.END, 10)}
    await unit.finish()
    assert found.by_kind["ngo"] >= 1
    assert sum(found.by_kind.values()) == found.disclosures
    assert found.entries > found.disclosures + found.refused
    assert {rule for rule, times in found.signals.items() if times} == rules
    english, dutch = digest.text(found), digest.text(found, dutch=True)
    for text in (english, dutch):
        assert f"{found.disclosures:>8}  " in text
        assert str(found.first) in text
        assert str(dealings.id) not in text
        for kind in found.by_kind:
            assert f"  {kind}" in text
    assert "reasons to look, no verdicts" in english
    assert "reden om te kijken, geen oordeel" in dutch
    assert (nothing.entries, nothing.first) == (0, None)
    assert "sampleFrom" not in digest.text(nothing)


async def test_no_sample_begins_with_what_is_past_its_term(
    exchange: Exchange, furnished_database: servers.Database
) -> None:
    """It would break off where the first of these is drawn. The last of this file: the mark stays."""
    async with exchange.database.connection() as connection:
        await audit_store.append(connection, 256)
    await settled(exchange)
    await audit_store.tamper(furnished_database, "INSERT INTO audit.retention VALUES (256, now())")
    body = {"format": "ndjson", "reason": "periodic-review", "reference": "AUD-2026-21"}
    auditor = exchange.actor("auditor")
    refused(await auditor.post("/audit/entries/_export", body | {"sampleFrom": 255}), 410, "retention-over")
    assert (await exchange.entries("audit.export"))[-1]["reason"] == "retention-over"
    assert (await auditor.post("/audit/entries/_export", body | {"sampleFrom": 256})).status_code == 200
