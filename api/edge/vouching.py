"""What the hop where TLS ends says about a connection: taken out of the request, and into its passage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api import problems
from api.oauth.hop import FIELDS, Unvouched
from api.problems import InputError, Problem

if TYPE_CHECKING:
    from starlette.types import Scope

    from api.edge.passage import Passage
    from api.oauth.hop import Hop


def take(hop: Hop, scope: Scope, here: Passage) -> Problem | None:
    """Take it. From anybody else, and what is not exact, is refused; nothing of it is left in the scope."""
    peer = scope.get("client")
    found = hop.read(scope["headers"], peer[0] if peer else None)
    scope["headers"] = [pair for pair in scope["headers"] if pair[0] not in FIELDS]
    if isinstance(found, Unvouched):
        error = InputError("header", found.name, found.code, found.message)
        return Problem(problems.INVALID_INPUT, errors=(error,))
    if found is not None:
        here.certificate, here.called_at = found, hop.url or here.base_url
    return None
