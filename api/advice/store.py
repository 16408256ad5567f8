"""Statements on advice, and on the request that it answers. What is sealed is opened only under a permit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, insert, select, update

from api.advice.model import Advice, AdviceFacts, RequestFacts
from api.advice.tables import ADVICE, advice, advice_request
from api.cases import situation
from api.cases.tables import case
from api.crypto.tables import person_key
from api.persons import store as persons
from api.persons.tables import person_alias
from api.storage.statement import statement
from api.vocabulary import (
    AdviceAnswer,
    AdviceId,
    AdviceRequestId,
    DataCategory,
    OrganisationId,
    Purpose,
)

if TYPE_CHECKING:
    from api.advice.model import NewAdvice
    from api.disclosure.call import Call
    from api.disclosure.permit import Permit
    from api.storage.unit import Record

_FIND_ADVICE: Final = statement(
    select(
        advice.c.id,
        advice.c.request_id,
        advice.c.author,
        advice.c.answer,
        advice.c.valid_until,
        advice.c.given_at,
        advice_request.c.requester,
        advice_request.c.purpose,
        *situation.columns(
            case_id=advice_request.c.case_id,
            person_id=advice_request.c.person_id,
            municipality=case.c.municipality,
            supplier=advice.c.author,
        ),
    )
    .join(advice_request, advice_request.c.id == advice.c.request_id)
    .join(case, case.c.id == advice_request.c.case_id)
    .join(person_alias, person_alias.c.person_id == advice_request.c.person_id)
    .where(advice.c.id == bindparam("advice_id"))
)
_ANSWERED: Final = statement(
    update(advice_request)
    .where(advice_request.c.id == bindparam("request_id"))
    .values(answered_at=bindparam("at"), version=advice_request.c.version + 1)
)
_INSERT_ADVICE: Final = statement(
    insert(advice), "id", "request_id", "author", "answer", "content", "seal", "valid_until", "given_at"
)
_OPEN_ADVICE: Final = statement(
    select(*ADVICE.selected("content"), *persons.KEY_COLUMNS)
    .join(advice_request, advice_request.c.id == advice.c.request_id)
    .join(person_key, person_key.c.person_id == advice_request.c.person_id)
    .where(advice.c.id == bindparam("advice_id"))
)


async def find_advice(call: Call, advice_id: AdviceId) -> AdviceFacts | None:
    """An advice and the situation of the caller around it, or None."""
    row = await call.unit.one(_FIND_ADVICE(advice_id=advice_id, **situation.binds(call)))
    return None if row is None else await _advice_facts(call, row)


async def add_advice(call: Call, advice_id: AdviceId, facts: RequestFacts, new: NewAdvice) -> None:
    """Store an advice, sealed. Asking for more information leaves the request open."""
    who = facts.situation.person
    await persons.take_keys(call.unit, call.vault, who)
    values = {"content": {"summary": new.summary, "body": new.body}}
    clear = {
        "id": advice_id,
        "request_id": facts.id,
        "author": call.caller.organisation.id,
        "answer": str(new.answer),
        "valid_until": new.valid_until,
        "given_at": call.unit.now,
    }
    await call.unit.run(_INSERT_ADVICE(**call.vault.row(who, ADVICE, values, clear)))
    answered = None if new.answer is AdviceAnswer.MORE_INFORMATION else call.unit.now
    await call.unit.run(_ANSWERED(request_id=facts.id, at=answered))


async def open_advice(permit: Permit, call: Call, facts: AdviceFacts) -> Advice:
    """The advice, if the permit names it. This is the unit's last statement."""
    if DataCategory.ADVICE not in permit.categories:
        raise AssertionError("the gate names the advice or refuses")
    (row,) = await call.unit.last(_OPEN_ADVICE(advice_id=facts.id))
    await call.vault.take(persons.wrapped([row]))
    (who,) = permit.persons
    content = call.vault.open_row(who, ADVICE, row, ("content",))["content"]
    return Advice(facts, content["summary"], content["body"])


async def _advice_facts(call: Call, row: Record) -> AdviceFacts:
    mine = call.caller.organisation.id
    return AdviceFacts(
        AdviceId(row["id"]),
        AdviceRequestId(row["request_id"]),
        OrganisationId(row["author"]),
        OrganisationId(row["requester"]),
        Purpose(row["purpose"]),
        AdviceAnswer(row["answer"]),
        row["valid_until"],
        row["given_at"],
        await situation.of(
            call.unit,
            row,
            supplied=row["author"] == mine,
            addressed=row["requester"] == mine,
            holdings={DataCategory.ADVICE: ("body", "summary")},
        ),
    )
