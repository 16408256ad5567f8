"""Evidence (bewijs) as it is shown, whatever it is of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.schemas import evidence as wire

if TYPE_CHECKING:
    from api.evidence.model import Evidence


def shown(found: Evidence) -> wire.Evidence:
    """In its wire type."""
    return wire.Evidence(
        body=found.body,
        digest=found.digest,
        payload_signature=found.signature,
        key=dict(found.key),
        signed_at=found.signed_at,
    )
