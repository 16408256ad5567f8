"""The account (inzage in verstrekkingen): who saw what of a person's file, when and why, as the log has it.

It is asked for the person by the NGO that guides them. An entry is in it when it disclosed something; one that named
the person in a list, or refused, did not. One that is delayed (UAVG 41) is left out where it is looked for, so that no
short page tells of it; when the delay ends it stands in its place. It is read from the search columns of the log, so
that it is a second behind at most; each line names its place in the log, where an auditor can have it proven.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from api.audit import projection, search
from api.audit.entry import Thing
from api.audit.query import Key, Pattern, Term
from api.cases import store
from api.disclosure import gate
from api.disclosure.permit import Refusal
from api.oauth import registry
from api.persons import delays
from api.vocabulary import OrganisationId, Reason, Result

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from api.audit.projection import Columns
    from api.audit.proofs import Logged
    from api.disclosure.call import Call
    from api.vocabulary import PersonAlias, PersonId

_SOMETHING: Final = (Term(Key.CATEGORY, (Pattern("%"),)), Term(Key.RESULT, (Result.PERMITTED,)))


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One access: by whom, when, why, on which ground and consent, and what was shown.

    `shown` is false when opening failed after the entry was written: then nothing left.
    """

    index: int
    at: datetime | None
    action: str
    organisation: UUID | None
    organisation_name: str | None
    purpose: str | None
    grounds: tuple[str, ...]
    consents: tuple[tuple[UUID, int], ...]
    categories: tuple[str, ...]
    shown: bool


async def of(call: Call, who: PersonId, below: int, most: int) -> list[Disclosure] | Refusal:
    """What was disclosed of a person, newest first."""
    thing = Thing("person")  # by alias, among the persons of the entry: the id would outlive an erasure
    alias = await store.guided(call.unit, who, call.caller.organisation.id)
    if alias is None:
        return gate.refuse(call, thing, Reason.NOT_VISIBLE)
    answer = gate.admit(call, thing, persons={who: alias})
    if isinstance(answer, Refusal):
        return answer
    delayed = await delays.standing(call.unit)
    found = await search.page(call.unit, _terms(alias), below, most, without=delayed)
    columns = [(each, projection.of(each.leaf)) for each in found]
    requests = [of.request_id for _, of in columns if of.request_id is not None]
    failed = await search.failed(call.unit, requests)
    names = {each.id: each.name for each in await registry.organisations(call.unit)}
    return [_disclosure(each, of, names, shown=of.request_id not in failed) for each, of in columns]


def _terms(alias: PersonAlias) -> tuple[Term, ...]:
    return (Term(Key.PERSON, (alias,)), *_SOMETHING)


def _disclosure(logged: Logged, columns: Columns, names: dict[OrganisationId, str], *, shown: bool) -> Disclosure:
    return Disclosure(
        index=logged.index,
        at=columns.at,
        action=columns.action or "",
        organisation=columns.organisation,
        organisation_name=None if columns.organisation is None else names.get(OrganisationId(columns.organisation)),
        purpose=columns.purpose,
        grounds=columns.grounds or (),
        consents=projection.consents(logged.leaf),
        categories=columns.categories or (),
        shown=shown,
    )
