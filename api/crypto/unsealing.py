"""Opening what was sealed to us (RFC 7516): only as we say that it is to be sealed, and one error for every cause.

(1) Five parts in base64url without padding, each within its size: the compact form, so one recipient.
(2) The header is a JSON object that names nothing twice. `zip` is refused, because what is compressed tells its content
    by its length and grows when it is opened; so is `crit`, because nothing is critical here. `typ` and `cty`, if they
    are there, say JWE and JSON. What else it names is not understood and is never used, as section 4 wants it: no key
    and no address is taken from a message.
(3) `alg` and `kid` name one key of ours that opens now. The algorithm is that key's, exactly; the content A256GCM.
(4) The key opens it. What comes out is within its size.

Whatever fails is `Undecryptable`: format, padding, tag, and a key of ours that is gone (RFC 7516 section 11.5).
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from typing import TYPE_CHECKING, Any, Final, cast

from joserfc import jwe as library
from joserfc.errors import JoseError

from api.crypto.jwe import CONTENT
from api.errors import Undecryptable

if TYPE_CHECKING:
    from api.crypto.inbox import Inbox

_B64: Final = rb"[A-Za-z0-9_-]"
_COMPACT: Final = re.compile(
    rb"(%b{16,1024})\.(%b{40,1024})\.(%b{16})\.(%b+)\.(%b{22})" % ((_B64,) * 5),
)
_TYP: Final = (None, "JWE")
_CTY: Final = (None, "json", "application/json")
_NEVER: Final = frozenset({"zip", "crit"})
_SPACE: Final = 2_200
"""Characters of all that is not content, at most: header, key, nonce, tag and dots."""


class _Registry(library.JWERegistry):
    max_ciphertext_length = 1 << 30  # the edge has counted it


def sealed_length(length: int) -> int:
    """How long what is sealed may be, for a text of this length at most."""
    return (length * 4 + 2) // 3 + _SPACE


def opened(sent: bytes, inbox: Inbox, at: float) -> bytes:
    """The text that was sealed to a key of the inbox. Raises `Undecryptable`."""
    parts = _COMPACT.fullmatch(sent)  # (1)
    if parts is None:
        raise Undecryptable
    header = _header(parts[1])  # (2)
    key = inbox.named(header.get("kid"), header.get("alg"), at)  # (3)
    if key is None or header.get("enc") != CONTENT:
        raise Undecryptable
    registry = _Registry(algorithms=[key.public.algorithm, CONTENT], strict_check_header=False)
    try:  # (4)
        return library.decrypt_compact(sent, key.native, registry=registry).plaintext or b""
    except (JoseError, ValueError, TypeError, LookupError, AttributeError):  # the library lets hostile headers out
        raise Undecryptable from None


def _header(part: bytes) -> dict[str, Any]:
    try:
        text = urlsafe_b64decode(part + b"=" * (-len(part) % 4)).decode("utf-8")
        header: object = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise Undecryptable from None
    if not isinstance(header, dict) or header.keys() & _NEVER:
        raise Undecryptable
    named = cast("dict[str, Any]", header)
    if named.get("typ") not in _TYP or named.get("cty") not in _CTY or not isinstance(named.get("kid", ""), str):
        raise Undecryptable
    return named


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found
