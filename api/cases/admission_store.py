"""Statements on admission checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy import case as sql_case

from api.cases import situation
from api.cases.model import AdmissionFacts, Finding
from api.cases.tables import ADMISSION_CHECK, admission_check, case
from api.crypto.rows import SEAL
from api.crypto.tables import person_key
from api.persons import store as persons
from api.persons.tables import PERSON, person, person_alias
from api.storage.statement import statement
from api.vocabulary import (
    AdmissionCheckId,
    AdmissionResult,
    CaseId,
    Criterion,
    CriterionAnswer,
    DataCategory,
    OrganisationId,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from api.disclosure.call import Call
    from api.disclosure.permit import Permit
    from api.storage.unit import Record
    from api.vocabulary import PersonId

_SUPPLIER: Final = sql_case(
    (admission_check.c.addressee == situation.RECIPIENT, admission_check.c.asked_by), else_=admission_check.c.addressee
)
"""To the one asked, the asker supplies; to others, the one asked."""
_FIND: Final = statement(
    select(
        admission_check.c.id,
        admission_check.c.asked_by,
        admission_check.c.addressee,
        admission_check.c.asked_at,
        admission_check.c.answered_at,
        admission_check.c.result,
        admission_check.c.review_date,
        admission_check.c.decided_at,
        admission_check.c.version,
        admission_check.c.conditions.is_not(None).label("conditioned"),
        *situation.columns(
            case_id=admission_check.c.case_id,
            person_id=admission_check.c.person_id,
            municipality=case.c.municipality,
            supplier=_SUPPLIER,
        ),
    )
    .join(case, case.c.id == admission_check.c.case_id)
    .join(person_alias, person_alias.c.person_id == admission_check.c.person_id)
    .where(admission_check.c.id == bindparam("check_id"))
)
_LOCK: Final = statement(
    select(admission_check.c.version).where(admission_check.c.id == bindparam("check_id")).with_for_update()
)
_INSERT: Final = statement(
    insert(admission_check),
    "id",
    "case_id",
    "person_id",
    "asked_by",
    "addressee",
    "asked_at",
    "answers",
    "conditions",
    "seal",
    "version",
)
_SEALED: Final = statement(
    select(*ADMISSION_CHECK.selected(), *persons.KEY_COLUMNS)
    .join(person_key, person_key.c.person_id == admission_check.c.person_id)
    .where(admission_check.c.id == bindparam("check_id"))
    .with_for_update(read=True, of=person_key)
)
_ANSWER: Final = statement(
    update(admission_check)
    .where(admission_check.c.id == bindparam("check_id"))
    .values(
        answers=bindparam("sealed", type_=admission_check.c.answers.type),
        seal=bindparam("row_seal"),
        answered_at=bindparam("at"),
        version=admission_check.c.version + 1,
    )
)
_DECIDE: Final = statement(
    update(admission_check)
    .where(admission_check.c.id == bindparam("check_id"))
    .values(
        result=bindparam("how"),
        conditions=bindparam("sealed", type_=admission_check.c.conditions.type),
        seal=bindparam("row_seal"),
        review_date=bindparam("review"),
        decided_by=bindparam("by"),
        decided_at=bindparam("at"),
        version=admission_check.c.version + 1,
    )
)
_OPEN: Final = statement(
    select(*ADMISSION_CHECK.selected("answers", "conditions"), *PERSON.selected("v_number"), *persons.KEY_COLUMNS)
    .join(person, person.c.id == admission_check.c.person_id)
    .join(person_key, person_key.c.person_id == person.c.id)
    .where(admission_check.c.id == bindparam("check_id"))
)


async def find(call: Call, check_id: AdmissionCheckId) -> AdmissionFacts | None:
    """A check and the caller's situation, or None: as many statements for one that is there as for one that is not."""
    row = await call.unit.one(_FIND(check_id=check_id, **situation.binds(call)))
    return None if row is None else await _facts(call, row)


async def lock(call: Call, check_id: AdmissionCheckId) -> None:
    """Hold the check until the unit ends."""
    await call.unit.run(_LOCK(check_id=check_id))


async def add(
    call: Call, check_id: AdmissionCheckId, case_id: CaseId, who: PersonId, addressee: OrganisationId
) -> None:
    """Add a check that is asked now."""
    await persons.take_keys(call.unit, call.vault, who)
    clear = {
        "id": check_id,
        "case_id": case_id,
        "person_id": who,
        "asked_by": call.caller.organisation.id,
        "addressee": addressee,
        "asked_at": call.unit.now,
        "version": 1,
    }
    empty = {"answers": None, "conditions": None}
    await call.unit.run(_INSERT(**call.vault.row(who, ADMISSION_CHECK, empty, clear)))


async def answer(call: Call, facts: AdmissionFacts, findings: Sequence[Finding]) -> None:
    """Store IND's answers, sealed."""
    value = {str(each.criterion): str(each.answer) for each in findings}
    sealed, seal = await _resealed(call, facts, "answers", value)
    await call.unit.run(_ANSWER(check_id=facts.id, sealed=sealed, row_seal=seal, at=call.unit.now))


async def decide(
    call: Call, facts: AdmissionFacts, result: AdmissionResult, conditions: str | None, review: date | None
) -> None:
    """Store how the municipality decided."""
    sealed, seal = await _resealed(call, facts, "conditions", conditions)
    await call.unit.run(
        _DECIDE(
            check_id=facts.id,
            how=str(result),
            sealed=sealed,
            row_seal=seal,
            review=review,
            by=call.caller.organisation.id,
            at=call.unit.now,
        )
    )


async def _resealed(
    call: Call,
    facts: AdmissionFacts,
    column: str,
    value: Any,  # noqa: ANN401 - JSON
) -> tuple[bytes | None, bytes | None]:
    """The new envelope of one column and the new seal of its row. What was there must still be as it was sealed."""
    who = facts.situation.person
    row = await persons.opening(call.vault, await call.unit.run(_SEALED(check_id=facts.id)))
    sealed = call.vault.replace(who, ADMISSION_CHECK, row, {column: value})
    return sealed[column], sealed[SEAL]


async def open_check(
    permit: Permit, call: Call, facts: AdmissionFacts
) -> tuple[tuple[Finding, ...] | None, str | None, str | None]:
    """Findings, conditions and V-number, as far as the permit names them. This is the unit's last statement."""
    row, who = await persons.opening(call.vault, await call.unit.last(_OPEN(check_id=facts.id))), facts.situation.person
    findings = conditions = v_number = None
    if DataCategory.ADMISSION_FACTS in permit.categories:
        opened = call.vault.open_row(who, ADMISSION_CHECK, row, ("answers", "conditions"))
        found: dict[str, str] | None = opened["answers"]
        if found is not None:
            findings = tuple(Finding(Criterion(c), CriterionAnswer(a)) for c, a in sorted(found.items()))
        conditions = opened["conditions"]
    if DataCategory.IDENTITY in permit.categories:
        v_number = persons.v_number(call.vault.open_row(who, PERSON, row, ("v_number",)))
    return findings, conditions, v_number


async def _facts(call: Call, row: Record) -> AdmissionFacts:
    mine = call.caller.organisation
    addressed = row["addressee"] == mine.id
    there = (DataCategory.IDENTITY,) if addressed else (DataCategory.ADMISSION_FACTS,)
    decided = () if row["decided_at"] is None else ("result", *(("reviewDate",) if row["review_date"] else ()))
    facts = (*(str(c) for c in Criterion), *(("conditions",) if row["conditioned"] else ()), *decided)
    names = {DataCategory.IDENTITY: ("vNumber",), DataCategory.ADMISSION_FACTS: facts}
    around = await situation.of(call.unit, row, addressed=addressed, holdings={each: names[each] for each in there})
    return AdmissionFacts(
        id=AdmissionCheckId(row["id"]),
        asked_by=OrganisationId(row["asked_by"]),
        addressee=OrganisationId(row["addressee"]),
        asked_at=row["asked_at"],
        answered_at=row["answered_at"],
        result=None if row["result"] is None else AdmissionResult(row["result"]),
        review_date=row["review_date"],
        decided_at=row["decided_at"],
        version=row["version"],
        situation=around,
    )
