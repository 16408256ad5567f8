"""Wire types of evidence (bewijs): what was sent, signed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from api.schemas.base import Instant, Wire


class Evidence(Wire):
    """A body as it was sent, with the signature over it. It holds without us: no byte of it was written anew."""

    body: str = Field(description="The body as it came. Its UTF-8 is what `digest` is the hash of.")
    digest: Annotated[str, Field(description="The header field `Digest` (RFC 3230). It is what was signed.")]
    payload_signature: Annotated[
        str, Field(description="The header field `Payload-Signature`: a detached JWS in the form of JAdES.")
    ]
    key: dict[str, str] = Field(
        description="The public key (JWK) by which it holds, as it was registered for the payloads of the author then."
    )
    signed_at: Instant
