"""Exports of the log: for auditors, with a reason, streamed, and written down before anything leaves."""

from __future__ import annotations

import base64
import csv
import io
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from api.errors import LogDamaged
from api.schemas.audit import AuditExport, AuditSearch
from api.supervision import exports
from api.vocabulary import AuditReason, ExportFormat
from clients import verifier
from clients.errors import InvalidInput
from tests import audit_store
from tests.actor import refused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.exchange import Exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXPORT = "/audit/entries/_export"
WHY: dict[str, Any] = {"reason": "incident", "reference": "AUD-2026-14"}


def asked(format_: str = "ndjson", **members: Any) -> dict[str, Any]:
    return {"format": format_, **WHY, **members}


def wanted(format_: ExportFormat, query: str = "") -> AuditExport:
    return AuditExport(format=format_, reason=AuditReason.INCIDENT, reference="AUD-2026-14", query=query)


async def settled(exchange: Exchange) -> int:
    async with exchange.database.connection() as connection:
        return (await audit_store.settle(connection)).edge.size


async def grown(exchange: Exchange, action: str, count: int) -> int:
    """A log in which so many more entries have this action."""
    async with exchange.database.connection() as connection:
        leaves = [audit_store.leaf(action=action, n=number, actor={"person": "=1+1"}) for number in range(count)]
        await connection.executemany(audit_store.APPEND, [(each,) for each in leaves])
    return await settled(exchange)


async def test_an_export_is_the_log_as_it_was_signed_a_line_an_entry(exchange: Exchange) -> None:
    """The same as a search finds, oldest first, however many pages that takes."""
    size = await grown(exchange, "tests.lines", 450)
    file = io.BytesIO()
    answer = await exchange.auditor.audit.export(wanted(ExportFormat.NDJSON, "action:tests.lines"), file)
    lines = [orjson.loads(line) for line in file.getvalue().splitlines()]
    found = [
        each.index async for each in exchange.auditor.audit.search(AuditSearch(query="action:tests.lines"), limit=200)
    ]
    assert [each["index"] for each in lines] == found[::-1]
    assert all(orjson.loads(base64.b64decode(each["leaf"])) == each["content"] for each in lines)
    entry = await exchange.entry(answer.request_id)
    assert (entry["action"], entry["result"]) == ("audit.export", "permitted")
    assert entry["object"] == {"type": "audit-export", "version": size}
    assert entry["stated"] == WHY | {"query": 'action:"tests.lines"', "format": "ndjson", "entries": 450}
    assert answer.receipt is not None


async def test_evidence_is_checked_by_who_has_nothing_else(exchange: Exchange, tmp_path: Path) -> None:
    await grown(exchange, "tests.evidence", 300)
    with (tmp_path / "log.tar").open("wb") as file:
        await exchange.auditor.audit.export(wanted(ExportFormat.EVIDENCE, "action:tests.evidence"), file)
    with verifier.opened(tmp_path / "log.tar") as directory:
        report = verifier.verify(directory)
        (one, *_) = sorted((directory / "entries").glob("*.json"))
        one.write_bytes(one.read_bytes().replace(b"tests", b"tasts"))
        with pytest.raises(verifier.DoesNotHold, match="does not prove"):
            verifier.verify(directory)
    assert len(report.proven) == 300
    assert not report.whole
    assert set(report.signed) == {"Ed25519", "ML-DSA-44"}


async def test_a_spreadsheet_runs_nothing(exchange: Exchange) -> None:
    await grown(exchange, "tests.sheet", 3)
    answer = await exchange.actor("auditor").post(EXPORT, asked("csv", query="action:tests.sheet"))
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="audit-log.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [each["person acting"] for each in rows] == ["'=1+1"] * 3


async def test_nothing_found_is_an_empty_file(exchange: Exchange) -> None:
    await settled(exchange)
    answer = await exchange.actor("auditor").post(EXPORT, asked(action="tests.never"))
    assert (answer.status_code, answer.content) == (200, b"")


async def test_without_a_reason_nothing_leaves(exchange: Exchange) -> None:
    auditor = exchange.actor("auditor")
    for missing in ("reason", "reference", "format"):
        body = {name: value for name, value in asked().items() if name != missing}
        refused(await auditor.post(EXPORT, body), 400, "invalid-input")
    for reference in ("Jan Jansen", "0000009001", "AUD-0000009001", "a-1", ""):
        refused(await auditor.post(EXPORT, asked(reference=reference)), 400, "invalid-input")


async def test_what_may_not_stay_in_the_log_is_no_query_of_an_export(exchange: Exchange) -> None:
    await settled(exchange)
    auditor = exchange.actor("auditor")
    for query in ("actor:0000009001", 'actor:"Jan Jansen"', "name:x"):
        answer = await auditor.post(EXPORT, asked(query=query))
        refused(answer, 400, "invalid-input")
        assert "Jan" not in answer.text + str(await exchange.entry(answer.headers["request-id"]))


async def test_more_than_the_bound_is_refused_and_not_cut_off(exchange: Exchange) -> None:
    """Ten thousand proofs are the most; entries without them may be more."""
    await grown(exchange, "tests.bound", exports.MOST[ExportFormat.EVIDENCE] + 1)
    auditor = exchange.actor("auditor")
    answer = await auditor.post(EXPORT, asked("evidence", query="action:tests.bound"))
    refused(answer, 400, "export-too-large")
    entry = await exchange.entry(answer.headers["request-id"])
    assert (entry["result"], entry["reason"]) == ("refused", "export-too-large")
    assert "entries" not in entry["stated"]
    all_of_them = await auditor.post(EXPORT, asked(query="action:tests.bound"))
    assert all_of_them.content.count(b"}\n") == 10_001


async def test_an_answer_is_of_the_kind_that_is_accepted(exchange: Exchange) -> None:
    await settled(exchange)
    auditor = exchange.actor("auditor")
    refused(await auditor.post(EXPORT, asked("csv"), headers={"accept": "application/json"}), 406, "not-acceptable")
    answer = await auditor.post(EXPORT, asked("csv", query="seq:0"), headers={"accept": "text/*"})
    assert answer.status_code == 200


async def test_a_client_gets_the_problem_and_writes_nothing(exchange: Exchange) -> None:
    file = io.BytesIO()
    with pytest.raises(InvalidInput):
        await exchange.auditor.audit.export(wanted(ExportFormat.CSV, "colour:red"), file)
    assert file.getvalue() == b""


async def test_an_entry_that_is_gone_breaks_the_export_off(exchange: Exchange) -> None:
    """Never a shorter file that looks whole."""
    await settled(exchange)
    auditor = exchange.unit()
    some = exports.Export(ExportFormat.CSV, None, (), [0, 2**40])  # type: ignore[arg-type]
    with pytest.raises(LogDamaged):
        _ = [part async for part in some.sheet(exchange.database, auditor.now)]
    await auditor.finish()
