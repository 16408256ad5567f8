"""Statements on advice, and on the request that it answers. What is sealed is opened only under a permit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import ARRAY, Integer, Uuid, any_, bindparam, insert, select, update

from api.advice.model import Advice, AdviceFacts, RequestFacts
from api.advice.tables import ADVICE, advice, advice_request
from api.cases import situation
from api.cases.tables import case
from api.consent import visibility
from api.crypto.rows import digest, named
from api.crypto.tables import person_key
from api.errors import Overloaded
from api.oauth.tables import organisation
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
    from collections.abc import Sequence
    from uuid import UUID

    from api.advice.model import NewAdvice
    from api.disclosure.call import Call
    from api.disclosure.permit import Permit
    from api.storage.unit import Record
    from api.vocabulary import CaseId

_FACTS: Final = (
    select(
        advice.c.id,
        advice.c.request_id,
        advice.c.author,
        advice.c.answer,
        advice.c.valid_until,
        advice.c.given_at,
        advice.c.seal,
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
)
_FIND_ADVICE: Final = statement(_FACTS.where(advice.c.id == bindparam("advice_id")))
_AUTHOR: Final = organisation.alias()
_LISTED: Final = situation.row(
    case_id=advice_request.c.case_id,
    municipality=case.c.municipality,
    supplier=advice.c.author,
    supplier_kind=_AUTHOR.c.kind,
    purpose=advice_request.c.purpose,
)
_LIST: Final = statement(
    _FACTS.join(_AUTHOR, _AUTHOR.c.id == advice.c.author)
    .where(
        advice_request.c.case_id == bindparam("of_case"),
        advice_request.c.purpose == bindparam("asked_for"),
        advice.c.id < bindparam("before"),
        situation.open_to(_LISTED, addressed=advice_request.c.requester == situation.RECIPIENT),
        visibility.granted(DataCategory.ADVICE, _LISTED),
    )
    .order_by(advice.c.id.desc())
    .limit(bindparam("most", type_=Integer))
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
    .where(advice.c.id == any_(bindparam("advice_ids", type_=ARRAY(Uuid))))
)


async def find_advice(call: Call, advice_id: AdviceId) -> AdviceFacts | None:
    """An advice and the situation of the caller around it, or None."""
    row = await call.unit.one(_FIND_ADVICE(advice_id=advice_id, **situation.binds(call)))
    return None if row is None else await _advice_facts(call, row)


async def listed(call: Call, case_id: CaseId, purpose: Purpose, before: UUID, most: int) -> list[AdviceFacts]:
    """The advice on a case that the caller may see for this purpose, newest first, as `visibility` chooses it."""
    asked = {"of_case": case_id, "asked_for": str(purpose), "before": before, "most": most}
    return [await _advice_facts(call, row) for row in await call.unit.all(_LIST(**asked, **situation.list_binds(call)))]


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


async def open_advice(permit: Permit, call: Call, shown: Sequence[AdviceFacts]) -> list[Advice]:
    """Advice that the permit names, in this order. This is the unit's last statement; of none, there is none."""
    if not shown:
        return []
    if DataCategory.ADVICE not in permit.categories:
        raise AssertionError("the gate names the advice or refuses")
    rows = await call.unit.last(_OPEN_ADVICE(advice_ids=[each.id for each in shown]))
    if len(rows) < len(shown):
        raise Overloaded  # they were there a statement ago: the person was erased in between
    await call.vault.take(persons.wrapped(rows))
    found = {ADVICE.row(row): row for row in rows}
    opened: list[Advice] = []
    for facts in shown:
        (who,) = permit.persons & {facts.situation.person}
        content = call.vault.open_row(who, ADVICE, found[facts.id], ("content",))["content"]
        opened.append(Advice(facts, content["summary"], content["body"]))
    return opened


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
        {named(advice, row["id"]): digest(row["seal"])},
    )
