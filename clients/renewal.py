"""A client replaces its own keys: the old key names the new ones, and each new one proves that it is there.

    renew(issuer, client_id, old, [old, new], time.time)    both count from now on
    renew(issuer, client_id, new, [new], time.time)         the old one counts no longer

In between, the systems of the organisation change over to the new key.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlencode, urlsplit

from clients import _keys, _transport
from clients._messages import Request, is_secure
from clients._tokens import ASSERTION_TYPE, WELL_KNOWN
from clients.errors import Misconfigured, UnexpectedAnswer, is_token_refusal, of_problem, of_token_refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clients._drivers import Transport
    from clients._keys import KeySource
    from clients._messages import Response

_PATIENCE: Final = 35.0
_FORM: Final = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}


def renew(
    issuer: str,
    client_id: str,
    key: KeySource,
    keys: Sequence[KeySource],
    clock: Callable[[], float],
    transport: Transport | None = None,
) -> str:
    """Register these keys in place of all that are registered, and return by when they are to be renewed.

    `key`: one that is registered now. Raises `KetenbrugClientError`.
    """
    if not is_secure(issuer):
        raise Misconfigured("must be an HTTPS URL; HTTP only on this machine", "issuer")
    old, new = _keys.load(key), [_keys.load(each) for each in keys]
    sending = transport or _transport.Http(timeout=_PATIENCE)
    try:
        parts = urlsplit(issuer)
        asked = f"{parts.scheme}://{parts.netloc}{WELL_KNOWN}{parts.path.rstrip('/')}"
        metadata = _object(sending.send(Request("GET", asked, {"Accept": "application/json"})))
        endpoint = metadata.get("client_keys_endpoint")
        if metadata.get("issuer") != issuer or not isinstance(endpoint, str) or not is_secure(endpoint):
            raise UnexpectedAnswer("the issuer does not say where clients replace their keys", HTTPStatus.OK)
        jti, now = _keys.identifier(), clock()
        named = {"keys": [each.public for each in new]}
        form = {
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": old.assertion(client_id, issuer, now, jti=jti, jwks=named),
            "proofs": " ".join(each.presence(client_id, issuer, now, jti) for each in new),
        }
        told = _object(sending.send(Request("POST", endpoint, _FORM, urlencode(form).encode())))
    finally:
        if transport is None:
            sending.close()
    return str(told.get("client_keys_renew_by", ""))


def _object(answer: Response) -> dict[str, Any]:
    if answer.status != HTTPStatus.OK:
        request_id = answer.headers.get("request-id")
        if is_token_refusal(answer.content):
            raise of_token_refusal(answer.status, answer.content, request_id=request_id)
        raise of_problem(answer.status, answer.content, request_id=request_id)
    try:
        found: object = json.loads(answer.content)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise UnexpectedAnswer("the authorization server's answer is not as specified", answer.status)
    return cast("dict[str, Any]", found)
