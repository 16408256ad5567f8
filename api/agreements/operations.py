"""The use cases of agreements (gegevensdelingsafspraak) and of the organisations that make them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api import events
from api.agreements import store
from api.audit.entry import Thing
from api.consent import agreements, intake
from api.consent.model import Objection
from api.disclosure import gate
from api.disclosure.permit import Refusal
from api.events import EventType
from api.oauth import registry
from api.vocabulary import Party, Reason

if TYPE_CHECKING:
    from uuid import UUID

    from api.agreements.model import AgreementVersion
    from api.disclosure.call import Call
    from api.principal import Organisation
    from api.vocabulary import AgreementId


async def organisations(call: Call) -> list[Organisation] | Refusal:
    """Every party of the exchange."""
    answer = gate.admit(call, Thing("organisation"))
    return answer if isinstance(answer, Refusal) else await registry.organisations(call.unit)


async def listed(call: Call, before: UUID, most: int) -> list[AgreementVersion] | Refusal:
    """The latest version of each agreement: what the parties do with each other is no secret among them."""
    answer = gate.admit(call, Thing("agreement"))
    return answer if isinstance(answer, Refusal) else await store.listed(call.unit, before, most)


async def read(call: Call, agreement_id: AgreementId, version: int | None) -> AgreementVersion | Refusal:
    """One version, the latest unless told otherwise."""
    found = await store.find(call.unit, agreement_id, version)
    thing = Thing("agreement", agreement_id, version if found is None else found.version)
    if found is None:
        return gate.refuse(call, thing, Reason.NOT_VISIBLE)
    answer = gate.admit(call, thing)
    return answer if isinstance(answer, Refusal) else found


async def add(call: Call, document: object) -> AgreementVersion | Refusal:
    """Take in a version. Its parties are told; it is in force between those that sign it.

    A municipality takes in its own only: a version that it put before that of another one would stand in its way.
    """
    if (barred := gate.bar(call, Thing("agreement"))) is not None:
        return barred
    if _of_others(call, document):
        return gate.refuse(call, Thing("agreement"), Reason.WRONG_MUNICIPALITY)
    added = await intake.add(call.unit, document, await registry.organisations(call.unit))
    if isinstance(added, Objection):
        return gate.refuse(call, Thing("agreement"), added.reason, faults=added.faults)
    gate.admit(call, Thing("agreement", added.agreement, added.number))
    made = await _there(call, added.agreement, added.number)
    for party in made.parties:
        events.tell(call.unit, party.organisation_id, EventType.AGREEMENT_ADDED, "agreement", made.id)
    return made


async def again(call: Call, document: object) -> AgreementVersion | Refusal:
    """The version that a document names, for who sends it once more."""
    named = intake.named(document)
    if isinstance(named, Objection):
        return gate.refuse(call, Thing("agreement"), named.reason, faults=named.faults)
    return await read(call, *named)


async def sign(call: Call, agreement_id: AgreementId, version: int, signature: str) -> AgreementVersion | Refusal:
    """Sign for one's own organisation, with a key that it registered for that."""
    thing = Thing("agreement", agreement_id, version)
    mine = call.caller.organisation.id
    if (barred := gate.bar(call, thing)) is not None:
        return barred
    keys = await registry.signing_keys(call.unit, mine)
    if keys is None:
        return gate.refuse(call, thing, Reason.SIGNATURE_INVALID)
    signed = await agreements.sign(call.unit, agreement_id, version, mine, signature, keys)
    if isinstance(signed, Objection):
        return gate.refuse(call, thing, signed.reason, faults=signed.faults)
    gate.admit(call, thing)
    made = await _there(call, agreement_id, version)
    for party in made.parties:
        events.tell(call.unit, party.organisation_id, EventType.AGREEMENT_SIGNED, "agreement", agreement_id)
    return made


def _of_others(call: Call, document: object) -> bool:
    """Whether a municipality brings what is agreed in another one."""
    mine, about = call.caller.organisation, intake.municipality(document)
    return mine.kind is Party.MUNICIPALITY and about is not None and about not in mine.municipalities


async def _there(call: Call, agreement_id: AgreementId, version: int) -> AgreementVersion:
    found = await store.find(call.unit, agreement_id, version)
    if found is None:
        raise AssertionError("what was just written is there")
    return found
