"""How supervision comes by what it reads, and by what it reviews: the same for whatever it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from api.disclosure import gate
from api.disclosure.permit import Refusal
from api.vocabulary import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.audit.entry import Stated, Thing
    from api.disclosure.call import Call
    from api.vocabulary import PersonAlias, PersonId

T = TypeVar("T")


def admitted(
    call: Call,
    thing: Thing,
    found: T | None,
    why: Reason | None = None,
    *,
    whom: Mapping[PersonId, PersonAlias] | None = None,
    stated: Stated | None = None,
) -> T | Refusal:
    """What was found; or the refusal of what is not there, or of what `why` forbids to do about it.

    `whom`: whom it is about. `stated`: what the caller says of it.
    """
    if found is None:
        return gate.refuse(call, thing, Reason.NOT_VISIBLE, stated=stated)
    if why is not None:
        return gate.refuse(call, thing, why, whom, stated=stated)
    answer = gate.admit(call, thing, persons=whom, stated=stated)
    return answer if isinstance(answer, Refusal) else found


def reviewed(found: T | None) -> T:
    """What was reviewed, read in the same transaction."""
    if found is None:
        raise AssertionError("what was just reviewed is there")
    return found
