"""The one place where ids of persons leave and come in: each organisation has its own for a person."""

from uuid import UUID

from fastapi import Request

from api.disclosure.call import Call
from api.edge import state
from api.vocabulary import PersonId


def shown(request: Request, call: Call, person: PersonId) -> UUID:
    """What the caller's organisation knows a person by."""
    return state.of(request).pseudonyms.of(person, call.caller.organisation.id)


def meant(request: Request, call: Call, pseudonym: UUID) -> PersonId:
    """Whom the caller's organisation means. For what can mean nobody it is an id that nobody has."""
    person = state.of(request).pseudonyms.person(pseudonym, call.caller.organisation.id)
    return PersonId(pseudonym if person is None else person)
