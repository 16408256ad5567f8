"""What the operations on the log share: a query as it was asked, and an entry as it is shown."""

import base64

from api import problems
from api.audit import projection, query
from api.audit.proofs import Logged
from api.audit.query import Key, Span, Term, Unreadable
from api.problems import InputError, Problem, Stopped
from api.schemas import audit as wire


def terms(body: wire.AuditSearch) -> tuple[Term, ...]:
    """The query, narrowed by the filters. Raises `Stopped`."""
    try:
        found = query.parse(body.query)
    except Unreadable as error:
        raise unreadable("Character", error) from None
    span = {Key.AFTER: Span(body.after_at, None), Key.BEFORE: Span(None, body.before_at)}
    filters = {
        Key.ORG: body.organisation_id,
        Key.CLIENT: body.client_id,
        Key.PERSON: body.person_alias,
        Key.ACTION: body.action,
        Key.RESULT: body.result,
        Key.PURPOSE: body.purpose,
        Key.REQUEST: body.request_id,
        **{key: each for key, each in span.items() if each != Span(None, None)},
    }
    things = (body.object_type, body.object_id)
    named = [*filters.items(), *((Key.OBJECT, each) for each in things)]
    return (*found, *(Term(key, (value,)) for key, value in named if value is not None))


def unreadable(what: str, error: Unreadable) -> Stopped:
    """The answer to a query that cannot be taken. `what`: of what its place is the number."""
    fault = InputError("body", "/query", "query", f"{what} {error.place}: {error}")
    return Stopped(Problem(problems.INVALID_INPUT, errors=(fault,)))


def entry(found: Logged) -> wire.AuditEntry:
    """An entry with its exact bytes."""
    leaf = base64.b64encode(found.leaf).decode()
    return wire.AuditEntry(index=found.index, content=projection.content(found.leaf), leaf=leaf)
