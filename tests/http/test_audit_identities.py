"""Opening who stands behind an alias: with a reason, no more than is asked, and the person gets to see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from api.schemas.audit import AuditAlias
from api.schemas.erasures import NewErasure
from api.vocabulary import AuditReason, ErasureGround
from tests import audit_store
from tests.actor import refused, told
from tests.dealings import Dealings, v_number

if TYPE_CHECKING:
    from tests.exchange import Exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")

OPEN = "/audit/identities/_open"
WHY: dict[str, Any] = {"reason": "complaint", "reference": "AUD-2026-15"}


async def alias_of(exchange: Exchange, dealings: Dealings) -> UUID:
    """As an auditor finds it: in an entry."""
    answer = await exchange.ngo.cases.read(dealings.id)
    return UUID((await exchange.entry(answer.request_id))["person"])


def asked(alias: UUID, **members: Any) -> dict[str, Any]:
    return {"personAlias": str(alias), **WHY, **members}


async def test_an_alias_is_opened_to_the_cases_alone(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    alias = await alias_of(exchange, dealings)
    wanted = AuditAlias(person_alias=alias, reason=AuditReason.COMPLAINT, reference="AUD-2026-15")
    answer = await exchange.auditor.audit.open_identity(wanted)
    assert (answer.value.case_ids, answer.value.v_number) == ((dealings.id,), None)
    entry = await exchange.entry(answer.request_id)
    assert (entry["action"], entry["person"], entry["stated"]) == ("audit.read-identity", str(alias), WHY)
    assert (entry["disclosed"], entry["purpose"]) == ({"identity": ["caseId"]}, "audit-review")
    assert str(dealings.id) not in str(entry)


async def test_the_number_is_opened_only_when_it_is_asked_for(exchange: Exchange) -> None:
    number = v_number()
    alias = await alias_of(exchange, await Dealings.begin(exchange, number=number))
    answer = await exchange.actor("auditor").post(OPEN, asked(alias, withVNumber=True))
    assert answer.json()["vNumber"] == number
    entry = await exchange.entry(answer.headers["request-id"])
    assert entry["disclosed"] == {"identity": ["caseId", "vNumber"]}
    assert number not in str(entry)
    without = await alias_of(exchange, await Dealings.begin(exchange, number=None))
    answer = await exchange.actor("auditor").post(OPEN, asked(without, withVNumber=True))
    assert answer.json()["vNumber"] is None
    assert (await exchange.entry(answer.headers["request-id"]))["disclosed"] == {"identity": ["caseId"]}


async def test_the_person_sees_that_they_were_opened(exchange: Exchange) -> None:
    dealings = await Dealings.begin(exchange)
    await exchange.actor("auditor").post(OPEN, asked(await alias_of(exchange, dealings)))
    async with exchange.database.connection() as connection:
        await audit_store.settle(connection)
    lines = [each async for each in exchange.ngo.persons.disclosures(dealings.case.person_id)]
    (line,) = (each for each in lines if each.action == "audit.read-identity")
    assert (line.organisation_id, line.purpose) == (exchange.id_of("auditor"), "audit-review")
    assert line.categories == ("identity",)


async def test_who_is_erased_is_as_absent(exchange: Exchange) -> None:
    """The same answer, and the same entry but for when and which request."""
    dealings = await Dealings.begin(exchange)
    alias = await alias_of(exchange, dealings)
    await exchange.operator.erasures.erase(NewErasure(case_id=dealings.id, ground=ErasureGround.OBJECTION))
    auditor = exchange.actor("auditor")
    gone, never = [await auditor.post(OPEN, asked(each, withVNumber=True)) for each in (alias, uuid4())]
    refused(gone, 404, "not-found")
    assert told(gone) == told(never)
    entries = [await exchange.entry(each.headers["request-id"]) for each in (gone, never)]
    for entry in entries:
        for name in ("id", "at", "origin"):
            del entry[name]
    assert entries[0] == entries[1]
    assert str(alias) not in str(entries)


async def test_without_a_reason_nobody_is_opened(exchange: Exchange) -> None:
    alias = await alias_of(exchange, await Dealings.begin(exchange))
    auditor = exchange.actor("auditor")
    for missing in WHY:
        body = {name: value for name, value in asked(alias).items() if name != missing}
        refused(await auditor.post(OPEN, body), 400, "invalid-input")
    refused(await exchange.actor("ngo").post(OPEN, asked(alias)), 403, "wrong-party")
