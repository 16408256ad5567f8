"""How a party signs an agreement: a detached JWS (RFC 7515 appendix F) over the canonical bytes (RFC 8785).

The signature is made over the document that was read, and only if its digest is the one that was shown with it: what
is signed is what was seen. Names in a document are ASCII and numbers are integers, so that sorting and compact writing
give the canonical form.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from api.schemas.agreements import NewSignature
from clients import _keys
from clients.errors import Misconfigured

if TYPE_CHECKING:
    from api.schemas.agreements import Agreement
    from clients._keys import KeySource


def signature(agreement: Agreement, key: KeySource) -> NewSignature:
    """The signature of a version, by a key that your organisation registered for signing.

    Raises `Misconfigured` when the key is not usable, or the document is not the one of its digest.
    """
    text = json.dumps(agreement.document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    if hashlib.sha256(text).hexdigest() != agreement.digest:
        raise Misconfigured("the document does not have the digest that was shown with it", "agreement")
    return NewSignature(version=agreement.version, signature=_keys.load(key).detached(text))
