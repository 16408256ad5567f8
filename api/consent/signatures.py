"""How a party signs an agreement: a detached JWS (RFC 7515 appendix F) over the canonical bytes of the document.

    protected header: alg, kid (a key that the organisation registered for signing), typ "ketenbrug-agreement+jws"

The type keeps it apart from whatever else the key signs (RFC 8725 section 3.11).
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any, Final

import orjson

from api.oauth import jose

if TYPE_CHECKING:
    from api.oauth.jose import KeyRing, Native

TYPE: Final = "ketenbrug-agreement+jws"

_DETACHED: Final = re.compile(rf"([A-Za-z0-9_-]{{2,{jose.HEADER_MOST}}})\.\.([A-Za-z0-9_-]{{2,{jose.SIGNATURE_MOST}}})")


def make(text: bytes, key: Native, kid: str, alg: str) -> str:
    """Sign canonical bytes with a key of one's own."""
    # The claims come out in the order in which they are written, and that is the canonical one.
    header, _, signature = jose.sign({"alg": alg, "kid": kid, "typ": TYPE}, orjson.loads(text), key).split(".")
    return f"{header}..{signature}"


def verified(signature: str, text: bytes, keys: KeyRing) -> str:
    """The id of the registered key that made this signature over this text. Raises `jose.Unreadable`."""
    parts = _DETACHED.fullmatch(signature)
    if parts is None:
        raise jose.Unreadable("not a detached JWS, or too long")
    header = _header(parts[1])
    kid = header.get("kid")
    if header.get("typ") != TYPE or not isinstance(kid, str):
        raise jose.Unreadable("the header names no key, or another type")
    whole = (parts[1], base64.urlsafe_b64encode(text).rstrip(b"=").decode(), parts[2])
    jose.verify(jose.Unverified(header, {}, whole), _registered(keys, kid))
    return kid


def _registered(keys: KeyRing, kid: str) -> jose.PublicKey:
    key = keys.keys.get(kid)
    if key is None:
        raise jose.Unreadable("the header names no registered key")
    return key


def _header(part: str) -> dict[str, Any]:
    try:
        header: object = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError:
        raise jose.Unreadable("the header is not base64url of JSON") from None
    if not isinstance(header, dict):
        raise jose.Unreadable("the header is not a JSON object")
    return dict[str, Any](header)  # pyright: ignore[reportUnknownArgumentType]
