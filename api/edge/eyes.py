"""To the recipient's eyes only: whoever stands between us and the client, its own TLS proxy too, reads no dossier."""

from fastapi import Request

from api.crypto import jwe
from api.crypto.jwe import Recipient
from api.disclosure.call import Call
from api.edge import media

FORMS = {jwe.NLGOV: {"schema": {"type": "string"}}, jwe.COMPACT: {"schema": {"type": "string"}}}
"""How the answer of such an operation is described beside JSON."""


def recipient(request: Request, call: Call) -> Recipient | None:
    """Whom the answer is sealed to; None for a client without such a key.

    Asked before anything is disclosed: raises `Stopped` for a client with a key that accepts only an answer in the
    clear, or only another form. A request cannot choose less than what was registered.
    """
    jwk = call.caller.encryption_jwk
    found = None if jwk is None else jwe.stored(jwk)
    media.check_accept(request.headers.get("accept"), "application/json" if found is None else found.media_type)
    return found
