"""Opening who stands behind an alias of the log (herleiden): for an auditor with a reason, and no more than is needed.

The cases of the person are what those who work on them know them by, and so enough to go on: no organisation knows a
person by an id that another one knows. The V-number is opened only when it is asked for. Either is a disclosure: its
entry names the person, so that it stands in their account. Who is erased has no alias any more, and is as absent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from api.audit.entry import Stated, Thing
from api.cases import store as cases
from api.disclosure import gate
from api.disclosure.permit import Refusal
from api.persons import store
from api.vocabulary import DataCategory, PersonAlias, Purpose, Reason

if TYPE_CHECKING:
    from uuid import UUID

    from api.disclosure.call import Call
    from api.vocabulary import CaseId

_THING: Final = Thing("person")  # by alias, among the persons of the entry: the id would outlive an erasure
_CASE: Final = "caseId"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who it is. `v_number` is None where it was not asked for, or where there is none yet."""

    cases: tuple[CaseId, ...]
    v_number: str | None = field(default=None, repr=False)


async def opened(call: Call, alias: UUID, why: Stated, *, with_number: bool) -> Identity | Refusal:
    """Who stands behind an alias."""
    found = await store.of_alias(call.unit, PersonAlias(alias))
    if found is None:
        return gate.refuse(call, _THING, Reason.NOT_VISIBLE, stated=why)
    who, has_number = found
    asked = with_number and has_number
    names = (_CASE, *cases.V_NUMBER_FIELD) if asked else (_CASE,)
    answer = gate.admit(
        call,
        _THING,
        persons={who: PersonAlias(alias)},
        holdings={DataCategory.IDENTITY: names},
        purpose=Purpose.AUDIT_REVIEW,
        stated=why,
    )
    if isinstance(answer, Refusal):
        return answer
    which = await cases.of_person(call.unit, who)
    return Identity(which, await cases.open_v_number(answer, call.unit, call.vault, who) if asked else None)
