"""Statements on screening outcomes. What is sealed is opened only under a permit, and only the columns it names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Integer, bindparam, case, exists, insert, select

from api.cases import situation
from api.cases import tables as cases
from api.crypto import rows
from api.crypto.tables import person_key
from api.persons import store as persons
from api.persons.tables import person_alias
from api.screening.model import Outcome, OutcomeFacts, OutcomeSummary, holdings
from api.screening.tables import SCREENING_OUTCOME, screening_outcome, screening_share
from api.storage.statement import statement
from api.vocabulary import CaseId, DataCategory, OrganisationId, PersonAlias, PersonId, ScreeningOutcomeId

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import ColumnElement

    from api.disclosure.call import Call
    from api.disclosure.permit import Permit
    from api.screening.model import NewOutcome
    from api.storage.unit import Record

_ADDRESSED: Final = exists().where(
    screening_share.c.outcome_id == screening_outcome.c.id,
    screening_share.c.organisation_id == situation.RECIPIENT,
)
_FIND: Final = statement(
    select(
        screening_outcome.c.id,
        screening_outcome.c.author,
        screening_outcome.c.created_at,
        screening_outcome.c.version,
        screening_outcome.c.analysis.is_not(None).label("analysed"),
        _ADDRESSED.label("addressed"),
        *situation.columns(
            case_id=screening_outcome.c.case_id,
            person_id=screening_outcome.c.person_id,
            municipality=cases.case.c.municipality,
            supplier=screening_outcome.c.author,
        ),
    )
    .join(cases.case, cases.case.c.id == screening_outcome.c.case_id)
    .join(person_alias, person_alias.c.person_id == screening_outcome.c.person_id)
    .where(screening_outcome.c.id == bindparam("outcome_id"))
)
_LIST: Final = statement(
    select(
        screening_outcome.c.id,
        screening_outcome.c.case_id,
        screening_outcome.c.created_at,
        screening_outcome.c.person_id,
        person_alias.c.alias,
    )
    .join(person_alias, person_alias.c.person_id == screening_outcome.c.person_id)
    .where(
        screening_outcome.c.author == bindparam("organisation"),
        screening_outcome.c.case_id == bindparam("of_case"),
        screening_outcome.c.id < bindparam("before"),
    )
    .order_by(screening_outcome.c.id.desc())
    .limit(bindparam("most", type_=Integer))
)
_INSERT: Final = statement(
    insert(screening_outcome),
    "id",
    "case_id",
    "person_id",
    "author",
    "shared",
    "analysis",
    "explanations",
    "seal",
    "not_explained_reason",
    "created_at",
    "version",
)
_SHARE: Final = statement(insert(screening_share), "outcome_id", "organisation_id")


def _if(named: str, column: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((bindparam(named), column), else_=rows.trace(column))


_OPEN: Final = statement(
    select(
        # Nothing leaves the database unless the permit names it; of the rest the seal needs the traces.
        *SCREENING_OUTCOME.selected(
            analysis=_if("analysis", screening_outcome.c.analysis),
            shared=_if("shared", screening_outcome.c.shared),
            explanations=_if("shared", screening_outcome.c.explanations),
        ),
        *persons.KEY_COLUMNS,
    )
    .join(person_key, person_key.c.person_id == screening_outcome.c.person_id)
    .where(screening_outcome.c.id == bindparam("outcome_id"))
)


async def find(call: Call, outcome_id: ScreeningOutcomeId) -> OutcomeFacts | None:
    """An outcome and the situation of the caller around it, or None."""
    row = await call.unit.one(_FIND(outcome_id=outcome_id, **situation.binds(call)))
    return None if row is None else await _facts(call, row)


async def listed(call: Call, case_id: CaseId, before: UUID, most: int) -> list[OutcomeSummary]:
    """The caller's own outcomes of a case, newest first."""
    found = await call.unit.all(
        _LIST(organisation=call.caller.organisation.id, of_case=case_id, before=before, most=most)
    )
    return [_summary(row) for row in found]


async def add(call: Call, outcome_id: ScreeningOutcomeId, who: PersonId, new: NewOutcome) -> None:
    """Store an outcome, sealed, and to whom it is addressed."""
    await persons.take_keys(call.unit, call.vault, who)
    clear = {
        "id": outcome_id,
        "case_id": new.case_id,
        "person_id": who,
        "author": call.caller.organisation.id,
        "not_explained_reason": None if new.not_explained_reason is None else str(new.not_explained_reason),
        "created_at": call.unit.now,
        "version": 1,
    }
    values = {"shared": new.shared, "analysis": new.analysis, "explanations": new.explanations}
    await call.unit.run(_INSERT(**call.vault.row(who, SCREENING_OUTCOME, values, clear)))
    for addressee in sorted(new.addressees):
        await call.unit.run(_SHARE(outcome_id=outcome_id, organisation_id=addressee))


async def open_outcome(permit: Permit, call: Call, facts: OutcomeFacts) -> Outcome:
    """The outcome as far as the permit goes. This is the unit's last statement."""
    (who,) = permit.persons
    may = {
        "shared": DataCategory.SHARED_OUTCOME in permit.categories,
        "analysis": DataCategory.LEGAL_ANALYSIS in permit.categories,
    }
    row = await persons.opening(call.vault, await call.unit.last(_OPEN(outcome_id=facts.id, **may)))
    named = [*(("shared", "explanations") if may["shared"] else ()), *(("analysis",) if may["analysis"] else ())]
    opened = call.vault.open_row(who, SCREENING_OUTCOME, row, named)
    return Outcome(facts, opened.get("shared"), opened.get("analysis"), tuple(opened.get("explanations") or ()))


def _summary(row: Record) -> OutcomeSummary:
    return OutcomeSummary(
        ScreeningOutcomeId(row["id"]),
        CaseId(row["case_id"]),
        row["created_at"],
        PersonId(row["person_id"]),
        PersonAlias(row["alias"]),
    )


async def _facts(call: Call, row: Record) -> OutcomeFacts:
    around = await situation.of(
        call.unit,
        row,
        supplied=row["author"] == call.caller.organisation.id,
        addressed=row["addressed"],
        holdings=holdings(analysis=row["analysed"]),
    )
    return OutcomeFacts(
        ScreeningOutcomeId(row["id"]), OrganisationId(row["author"]), row["created_at"], row["version"], around
    )
