"""Nothing about a person is in the log, in an event, or in what the service says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import structlog

from api.vocabulary import Purpose
from tests import dealings as dealing
from tests.actor import refused
from tests.dealings import IDENTITY, Dealings, wire

if TYPE_CHECKING:
    from tests.exchange import Exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")

NUMBER = "0000009777"
NAME = "KanarieAchternaam"
WORDS = (NUMBER, NAME, "kanarie-vraag", "kanarie-analyse", "kanarie-advies", "kanarie-nota", "kanarie-plaats")


async def lived(exchange: Exchange) -> None:
    """All that can happen to a person here, with words that must stay sealed."""
    ngo, ind, other = (exchange.actor(each) for each in ("ngo", "ind", "otherNgo"))
    dealings = await (await Dealings.begin(exchange, number=NUMBER)).consented()
    consent = wire(dealings.new_consent(Purpose.CASE_MEETING, "municipality", IDENTITY))
    consent["evidence"]["place"] = "kanarie-plaats"
    made = await ngo.post("/consents", consent)
    await ngo.post(f"/consents/{made.json()['id']}/withdrawals", {"note": "kanarie-nota"})
    await ngo.post("/cases/_search", {"vNumber": NUMBER})
    check = await dealings.check()
    await ind.get(f"/admission-checks/{check.id}", purpose=Purpose.ADMISSION)
    await ind.post(f"/admission-checks/{check.id}/answers", wire(dealing.answers()))
    exception = {"result": "admitted-by-exception", "conditions": "kanarie-nota", "reviewDate": "2027-01-01"}
    await exchange.actor("municipality").post(f"/admission-checks/{check.id}/decisions", exception)
    new = wire(dealings.new_request(proportionality_note="kanarie-nota"))
    await ngo.post("/dossier-requests/_preview", new)
    request = (await ngo.post("/dossier-requests", new)).json()
    await ind.get(f"/dossier-requests/{request['id']}", purpose=Purpose.LEGAL_SCREENING)
    delivery = {
        "sections": [{"category": "identity", "content": {"familyName": NAME, "deep": [{"again": NAME}]}}],
        "complete": True,
    }
    dossier = (await ind.post(f"/dossier-requests/{request['id']}/deliveries", delivery)).json()["dossierId"]
    seen = await ngo.get(f"/dossiers/{dossier}", purpose=Purpose.LEGAL_SCREENING)
    assert NAME in seen.text
    refused(await other.get(f"/dossiers/{dossier}", purpose=Purpose.LEGAL_SCREENING), 404, "not-found")
    shared = {"perspective": "return", "question": "kanarie-vraag", "nextSteps": []}
    outcome = wire(dealings.new_outcome("ind")) | {"sharedOutcome": shared, "legalAnalysis": "kanarie-analyse"}
    await ngo.post("/screening-outcomes", outcome)
    asked = await dealings.asked(question="kanarie-vraag")
    await ind.get(f"/advice-requests/{asked.id}", purpose=Purpose.RESIDENCE_ADVICE)
    given = await dealings.advised(asked, summary="kanarie-advies")
    await ngo.get(f"/advice/{given.id}", purpose=Purpose.RESIDENCE_ADVICE)


async def misused(exchange: Exchange) -> None:
    """Requests that fail, with the same words where they do not belong."""
    ngo = exchange.actor("ngo")
    for answer in (
        await ngo.post("/cases", {"municipality": NAME, f"{NAME} of {NUMBER}": NUMBER}),
        await ngo.post("/cases/_search", {"vNumber": NUMBER, "name": NAME}),
        await ngo.post("/cases", b'{"vNumber": "' + NUMBER.encode()),
        await ngo.get(f"/cases?cursor={NAME}"),
        await ngo.get(f"/dossiers/{NUMBER}", purpose=NAME),
        await ngo.post("/cases", {}, key=f"{NAME} {NUMBER}"),
    ):
        assert answer.status_code == 400
        assert NUMBER not in answer.text
        assert NAME not in answer.text


async def test_nothing_about_a_person_is_where_it_does_not_belong(
    exchange: Exchange, capfd: pytest.CaptureFixture[str]
) -> None:
    """Every leaf of the log, every row of events, keys and requests in the clear, and every line that is written."""
    with structlog.testing.capture_logs() as logged:
        await lived(exchange)
        await misused(exchange)
    tables = [
        f'{row["schemaname"]}."{row["tablename"]}"'
        for row in await exchange.rows(
            "SELECT schemaname, tablename FROM pg_tables JOIN pg_class ON oid = format('%I.%I', schemaname, tablename)"
            "::regclass WHERE NOT relispartition AND schemaname IN ('exchange', 'consent', 'oauth', 'audit')"
        )
    ]
    assert 'audit."entry"' in tables
    assert 'exchange."event"' in tables
    for table in tables:
        text = await whole(exchange, table)
        for word in WORDS:
            assert word.lower() not in text, (table, word)
    written = capfd.readouterr()
    for word in WORDS:
        assert word not in str(logged) + written.out + written.err


async def whole(exchange: Exchange, table: str) -> str:
    """All columns of all rows as text: bytes as they are, and as Latin-1 should there be text in them."""
    rows: list[Any] = await exchange.rows(f"SELECT * FROM {table}")  # noqa: S608 - of the catalogue
    values = [value for row in rows for value in row.values()]
    return " ".join(value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in values).lower()
