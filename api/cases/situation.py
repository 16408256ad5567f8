"""What a decision needs to know of a case, as columns of whatever statement finds the thing that is asked for.

So a protected read takes one statement to decide. Only identifiers, words and instants are read here; nothing sealed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Boolean, Date, DateTime, Text, Uuid, and_, bindparam, false, func, literal_column, or_, select
from sqlalchemy.dialects.postgresql import array

from api.cases.emergencies import store as emergencies
from api.cases.tables import assignment, case
from api.consent import agreements, standing, visibility
from api.consent.model import Relation, Situation, day_of
from api.oauth.tables import organisation
from api.persons.tables import person_alias
from api.principal import Organisation
from api.storage.statement import statement
from api.vocabulary import CareFunction, CaseId, Municipality, OrganisationId, Party, PersonAlias, PersonId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement

    from api.disclosure.call import Call
    from api.storage.unit import Record, Unit
    from api.vocabulary import DataCategory

RECIPIENT: Final = bindparam("recipient", type_=Uuid)
_TODAY: Final = bindparam("today", type_=Date)


def columns(
    *,
    case_id: ColumnElement[Any],
    person_id: ColumnElement[Any],
    municipality: ColumnElement[Any],
    supplier: ColumnElement[Any],
) -> tuple[ColumnElement[Any], ...]:
    """Columns that `of` reads. The statement binds `recipient` (who asks) and `today`: see `binds`.

    It joins `person_alias`: whoever was erased has none, and so nothing of theirs is found.
    """
    by = select(func.json_build_array(organisation.c.kind, organisation.c.name)).where(organisation.c.id == supplier)
    return (
        case_id.label("situation_case"),
        person_id.label("situation_person"),
        municipality.label("situation_municipality"),
        supplier.label("situation_supplier"),
        _functions(case_id).label("situation_functions"),
        person_alias.c.alias.label("situation_alias"),
        by.scalar_subquery().label("situation_by"),
        agreements.in_force_column(
            municipality=municipality, supplier=supplier, recipient=RECIPIENT, today=_TODAY
        ).label("situation_agreements"),
        standing.column(case_id=case_id, recipient=RECIPIENT).label("situation_consents"),
        case.c.closed_date.is_not(None).label("situation_closed"),
        emergencies.of_situation(case_id=case_id, recipient=RECIPIENT).label("situation_emergency"),
    )


def row(
    *,
    case_id: ColumnElement[Any],
    municipality: ColumnElement[Any],
    supplier: ColumnElement[Any],
    supplier_kind: ColumnElement[Any],
    purpose: ColumnElement[Any],
) -> visibility.Row:
    """The same for a list, which is chosen by the rule as SQL. The statement binds `list_binds`."""
    return visibility.Row(
        case=case_id,
        municipality=municipality,
        supplier=supplier,
        supplier_kind=supplier_kind,
        recipient=RECIPIENT,
        recipient_kind=bindparam("recipient_kind", type_=Text),
        designated=bindparam("designated", type_=Boolean),
        functions=_functions(case_id),
        purpose=purpose,
        noted=false(),
        now=bindparam("now", type_=DateTime(timezone=True)),
        today=_TODAY,
    )


def open_to(listed: visibility.Row, *, addressed: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether the recipient has a relation to a row, and something is there for it: after the end, not from outside."""
    assigned = func.cardinality(listed.functions) > literal_column("0")
    return or_(assigned, and_(addressed, case.c.closed_date.is_(None)))


def list_binds(call: Call) -> dict[str, Any]:
    """What a statement with `columns` and a `row` binds."""
    caller = call.caller.organisation
    asking = {"recipient_kind": str(caller.kind), "designated": caller.designated, "now": call.unit.now}
    return binds(call) | asking


def binds(call: Call, recipient: OrganisationId | None = None) -> dict[str, Any]:
    """What a statement with these columns binds. The caller receives, if nobody else is said to."""
    return {"recipient": recipient or call.caller.organisation.id, "today": day_of(call.unit.now)}


def _functions(case_id: ColumnElement[Any]) -> ColumnElement[Any]:
    """The functions that the recipient has in a case, as text[]."""
    assigned = select(func.array_agg(assignment.c.function)).where(
        assignment.c.case_id == case_id,
        assignment.c.organisation_id == RECIPIENT,
        assignment.c.until_at.is_(None),
    )
    return func.coalesce(assigned.correlate_except(assignment).scalar_subquery(), array([], type_=Text))


async def of(
    unit: Unit,
    row: Record,
    *,
    supplied: bool = False,
    addressed: bool = False,
    holdings: Mapping[DataCategory, tuple[str, ...]] | None = None,
    proportionality_note: bool = False,
) -> Situation:
    """The situation in a row that selected `columns`. After a case has ended nothing is there for who is outside it."""
    outside = row["situation_closed"] and not row["situation_functions"] and not supplied
    kind, name = row["situation_by"] or (Party.OPERATOR, "")
    return Situation(
        case=CaseId(row["situation_case"]),
        person=PersonId(row["situation_person"]),
        alias=PersonAlias(row["situation_alias"]),
        municipality=Municipality(row["situation_municipality"]),
        supplier=Organisation(OrganisationId(row["situation_supplier"]), Party(kind), name, None),
        relation=Relation(
            functions=frozenset(CareFunction(each) for each in row["situation_functions"]),
            addressed=addressed,
            supplied=supplied,
        ),
        agreements=await agreements.parsed(unit, row["situation_agreements"]),
        consents=standing.read(row["situation_consents"]),
        holdings={} if outside else holdings or {},
        proportionality_note=proportionality_note,
        closed=row["situation_closed"],
        emergency=emergencies.read(row["situation_emergency"]),
    )


_OF_CASE: Final = statement(
    select(
        *columns(
            case_id=case.c.id,
            person_id=case.c.person_id,
            municipality=case.c.municipality,
            supplier=bindparam("supplier", type_=Uuid),
        )
    )
    .join(person_alias, person_alias.c.person_id == case.c.person_id)
    .where(case.c.id == bindparam("case_id"))
)


async def of_case(
    call: Call,
    case_id: CaseId,
    supplier: OrganisationId,
    *,
    addressed: bool = False,
    holdings: Mapping[DataCategory, tuple[str, ...]] | None = None,
    recipient: OrganisationId | None = None,
) -> Situation | None:
    """The situation between a supplier and a recipient (the caller) in a case, or None when there is no such case."""
    row = await call.unit.one(_OF_CASE(case_id=case_id, supplier=supplier, **binds(call, recipient)))
    return None if row is None else await of(call.unit, row, addressed=addressed, holdings=holdings)
