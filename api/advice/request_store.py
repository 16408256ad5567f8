"""Statements on advice requests. What is sealed is opened only under a permit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import Integer, Uuid, bindparam, column, exists, insert, literal_column, or_, select, table

from api.advice.model import RequestFacts, RequestSummary
from api.advice.tables import ADVICE_REQUEST, advice, advice_request
from api.cases import situation
from api.cases.tables import case
from api.crypto.tables import person_key
from api.persons import store as persons
from api.persons.tables import PERSON, person, person_alias
from api.storage.statement import statement
from api.vocabulary import (
    AdviceId,
    AdviceRequestId,
    CaseId,
    DataCategory,
    OrganisationId,
    PersonAlias,
    PersonId,
    Purpose,
    Reason,
    ScreeningOutcomeId,
)

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from api.advice.model import NewRequest
    from api.disclosure.call import Call
    from api.disclosure.permit import Permit
    from api.storage.unit import Record, Unit

_LATEST: Final = (
    select(advice.c.id)
    .where(advice.c.request_id == advice_request.c.id)
    .order_by(advice.c.id.desc())
    .limit(literal_column("1"))
    .correlate(advice_request)
    .scalar_subquery()
)
_FIND_REQUEST: Final = statement(
    select(
        advice_request.c.id,
        advice_request.c.requester,
        advice_request.c.addressee,
        advice_request.c.purpose,
        advice_request.c.outcome_id,
        advice_request.c.requested_at,
        advice_request.c.due_on,
        advice_request.c.answered_at,
        advice_request.c.version,
        _LATEST.label("advice_id"),
        *situation.columns(
            case_id=advice_request.c.case_id,
            person_id=advice_request.c.person_id,
            municipality=case.c.municipality,
            supplier=advice_request.c.requester,
        ),
    )
    .join(case, case.c.id == advice_request.c.case_id)
    .join(person_alias, person_alias.c.person_id == advice_request.c.person_id)
    .where(advice_request.c.id == bindparam("request_id"))
)
# The room of outcomes is beside this one: of its tables only the names of these columns are known here.
_OUTCOMES: Final = table("screening_outcome", column("id"), column("case_id"), column("author"), schema="exchange")
_SHARES: Final = table("screening_share", column("outcome_id"), column("organisation_id"), schema="exchange")
_OUTCOME: Final = statement(
    select(
        exists()
        .where(
            _SHARES.c.outcome_id == _OUTCOMES.c.id,
            _SHARES.c.organisation_id == bindparam("addressee", type_=Uuid),
        )
        .label("shared")
    ).where(
        _OUTCOMES.c.id == bindparam("outcome_id", type_=Uuid),
        _OUTCOMES.c.case_id == bindparam("of_case", type_=Uuid),
        _OUTCOMES.c.author == bindparam("by", type_=Uuid),
    )
)
_LOCK: Final = statement(
    select(advice_request.c.version).where(advice_request.c.id == bindparam("request_id")).with_for_update()
)
_LIST: Final = statement(
    select(advice_request, person_alias.c.alias)
    .join(person_alias, person_alias.c.person_id == advice_request.c.person_id)
    .where(
        or_(
            advice_request.c.requester == bindparam("organisation"),
            advice_request.c.addressee == bindparam("organisation"),
        )
    )
    .where(advice_request.c.id < bindparam("before"))
    .order_by(advice_request.c.id.desc())
    .limit(bindparam("most", type_=Integer))
)
_INSERT_REQUEST: Final = statement(
    insert(advice_request),
    "id",
    "case_id",
    "person_id",
    "requester",
    "addressee",
    "purpose",
    "question",
    "seal",
    "outcome_id",
    "requested_at",
    "working_days",
    "due_on",
    "version",
)
_OPEN_REQUEST: Final = statement(
    select(*ADVICE_REQUEST.selected("question"), *PERSON.selected("v_number"), *persons.KEY_COLUMNS)
    .join(person, person.c.id == advice_request.c.person_id)
    .join(person_key, person_key.c.person_id == advice_request.c.person_id)
    .where(advice_request.c.id == bindparam("request_id"))
)


async def find_request(call: Call, request_id: AdviceRequestId) -> RequestFacts | None:
    """A request and the situation of the caller around it, or None."""
    row = await call.unit.one(_FIND_REQUEST(request_id=request_id, **situation.binds(call)))
    return None if row is None else await _request_facts(call, row)


async def hindrance(call: Call, new: NewRequest) -> Reason | None:
    """Why the outcome that is named cannot go with the question; None when it can, and when none is named.

    It is one of the caller's own in this case, and was shared with whom is asked: so it was explained to the person
    before, or there is a coded reason why not. Else its id alone would tell an authority that there is an outcome.
    """
    if new.outcome_id is None:
        return None
    mine = call.caller.organisation.id
    row = await call.unit.one(
        _OUTCOME(outcome_id=new.outcome_id, of_case=new.case_id, by=mine, addressee=new.addressee)
    )
    if row is None:
        return Reason.NOT_VISIBLE
    return None if row["shared"] else Reason.NOT_EXPLAINED


async def lock(unit: Unit, request_id: AdviceRequestId) -> None:
    """Hold the request until the unit ends."""
    await unit.run(_LOCK(request_id=request_id))


async def listed(unit: Unit, organisation: OrganisationId, before: UUID, most: int) -> list[RequestSummary]:
    """Requests that an organisation made or was addressed in, newest first."""
    rows = await unit.all(_LIST(organisation=organisation, before=before, most=most))
    return [
        RequestSummary(
            AdviceRequestId(row["id"]),
            CaseId(row["case_id"]),
            Purpose(row["purpose"]),
            row["requested_at"],
            row["due_on"],
            row["answered_at"] is not None,
            PersonId(row["person_id"]),
            PersonAlias(row["alias"]),
        )
        for row in rows
    ]


async def add_request(
    call: Call, request_id: AdviceRequestId, who: PersonId, new: NewRequest, days: int | None, due: date | None
) -> None:
    """Store a request, its question sealed."""
    await persons.take_keys(call.unit, call.vault, who)
    clear = {
        "id": request_id,
        "case_id": new.case_id,
        "person_id": who,
        "requester": call.caller.organisation.id,
        "addressee": new.addressee,
        "purpose": str(new.purpose),
        "outcome_id": new.outcome_id,
        "requested_at": call.unit.now,
        "working_days": days,
        "due_on": due,
        "version": 1,
    }
    await call.unit.run(_INSERT_REQUEST(**call.vault.row(who, ADVICE_REQUEST, {"question": new.question}, clear)))


async def open_request(permit: Permit, call: Call, facts: RequestFacts) -> tuple[str | None, str | None]:
    """Question and V-number, as far as the permit goes. This is the unit's last statement."""
    row = await persons.opening(call.vault, await call.unit.last(_OPEN_REQUEST(request_id=facts.id)))
    (who,) = permit.persons
    question = v_number = None
    if facts.question_category in permit.categories:
        question = str(call.vault.open_row(who, ADVICE_REQUEST, row, ("question",))["question"])
    if DataCategory.IDENTITY in permit.categories:
        v_number = persons.v_number(call.vault.open_row(who, PERSON, row, ("v_number",)))
    return question, v_number


async def _request_facts(call: Call, row: Record) -> RequestFacts:
    mine = call.caller.organisation.id
    purpose = Purpose(row["purpose"])
    holdings: dict[DataCategory, tuple[str, ...]] = {DataCategory.IDENTITY: ("vNumber",)}
    if purpose is Purpose.IDENTITY_ADVICE:
        holdings[DataCategory.IDENTITY] = ("question", "vNumber")
    else:
        holdings[DataCategory.SHARED_OUTCOME] = ("question",)
    return RequestFacts(
        AdviceRequestId(row["id"]),
        OrganisationId(row["requester"]),
        OrganisationId(row["addressee"]),
        purpose,
        None if row["outcome_id"] is None else ScreeningOutcomeId(row["outcome_id"]),
        row["requested_at"],
        row["due_on"],
        row["answered_at"],
        None if row["advice_id"] is None else AdviceId(row["advice_id"]),
        row["version"],
        await situation.of(
            call.unit,
            row,
            supplied=row["requester"] == mine,
            addressed=row["addressee"] == mine,
            holdings=holdings,
        ),
    )
