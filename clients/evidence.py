"""Evidence, held without the server: that a key signed exactly this body, and when.

    evidence = ngo.advice.evidence(advice_id, purpose=Purpose.RESIDENCE_ADVICE).value
    signed_at = verify(evidence, thumbprint)

Whose key it is, the evidence cannot say: compare the thumbprint with the one that you have from the author, or with
`signed.key` in the audit entry of the posting, which was registered by two operators.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from clients._payloads import SIG_D
from clients.errors import KetenbrugClientError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.schemas.evidence import Evidence
    from clients._payloads import Native

_DETACHED: Final = re.compile(r"([A-Za-z0-9_-]{2,2048})\.\.([A-Za-z0-9_-]{2,1024})")
_DIGEST: Final = re.compile(r"(sha-256|sha-512)=([A-Za-z0-9+/=]{1,88})", re.IGNORECASE)
_ALGORITHMS: Final[Mapping[str, tuple[tuple[str, ...], type[Native]]]] = {
    "RSA": (("PS256",), RSAKey),
    "EC": (("ES256",), ECKey),
    "OKP": (("Ed25519", "EdDSA"), OKPKey),
}


class EvidenceInvalid(KetenbrugClientError):
    """The evidence does not hold."""


def verify(evidence: Evidence, thumbprint: str) -> datetime:
    """When the key of this thumbprint (RFC 7638) signed this body, as it says itself. Raises `EvidenceInvalid`."""
    try:
        return _verified(evidence, thumbprint)
    except (JoseError, ValueError, TypeError, KeyError, binascii.Error):
        raise EvidenceInvalid("it is not well-formed") from None


def signature_digest(evidence: Evidence) -> str:
    """What the audit entry of the posting has as `signed.digest`."""
    return hashlib.sha256(evidence.payload_signature.encode()).hexdigest()


def _verified(evidence: Evidence, thumbprint: str) -> datetime:
    # (1) the digest is of this body
    digest = _DIGEST.fullmatch(evidence.digest)
    if digest is None:
        raise EvidenceInvalid("the digest is of no kind that is taken")
    made = base64.b64encode(hashlib.new(digest[1].lower().replace("-", ""), evidence.body.encode()).digest())
    if not hmac.compare_digest(made, digest[2].encode()):
        raise EvidenceInvalid("the body is not the one that was signed")
    # (2) the key is the one that was meant
    algorithms, taker = _ALGORITHMS[evidence.key["kty"]]
    key = taker.import_key(cast("dict[str, str | list[str]]", dict(evidence.key)))
    if not hmac.compare_digest(key.thumbprint(), thumbprint):
        raise EvidenceInvalid("it was signed by another key")
    # (3) the header says that the digest is what was signed, and by the algorithm of the key
    parts = _DETACHED.fullmatch(evidence.payload_signature)
    if parts is None:
        raise EvidenceInvalid("the signature is not a detached JWS")
    header: dict[str, Any] = json.loads(_raw(parts[1]))
    if header["alg"] not in algorithms or header["sigD"] != SIG_D or header["b64"] is not False:
        raise EvidenceInvalid("the header says something else than this form")
    # (4) the signature
    signed = f"{parts[1]}.digest: {evidence.digest}".encode()
    algorithm = JWSRegistry.algorithms["Ed25519" if header["alg"] == "EdDSA" else header["alg"]]
    if not algorithm.verify(signed, _raw(parts[2]), key):
        raise EvidenceInvalid("the signature does not hold")
    if "iat" in header:
        return datetime.fromtimestamp(header["iat"], UTC)
    return datetime.fromisoformat(header["sigT"])


def _raw(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
