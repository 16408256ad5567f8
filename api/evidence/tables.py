"""The table of what was signed."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Table, Text, Uuid

from api.crypto.rows import SealedRow
from api.storage.base import instant, key, metadata, seal, sealed, words
from api.vocabulary import Signable

signed_payload: Final = Table(
    "signed_payload",
    metadata,
    key(),
    Column("person_id", Uuid, nullable=False, index=True),
    *words("operation", Signable),
    Column("author", Uuid, nullable=False),
    Column("thumbprint", Text, nullable=False),
    *sealed("content"),
    *seal(),
    instant("signed_at"),
    schema="exchange",
    comment="What was sent with a signature, byte by byte, beside what was made of it: the row of the same id.",
)
SIGNED_PAYLOAD: Final = SealedRow(signed_payload, "operation", "author", "thumbprint", "signed_at")
