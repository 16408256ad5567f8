"""Tables of screening outcomes."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, ForeignKey, Integer, Table, Uuid

from api.cases.tables import case
from api.crypto.rows import SealedRow
from api.storage.base import instant, key, metadata, seal, sealed, words
from api.vocabulary import NotExplainedReason

screening_outcome: Final = Table(
    "screening_outcome",
    metadata,
    key(),
    Column("case_id", Uuid, ForeignKey(case.c.id), nullable=False, index=True),
    Column("person_id", Uuid, nullable=False),
    Column("author", Uuid, nullable=False),
    *sealed("shared"),
    *sealed("analysis", nullable=True),
    *sealed("explanations"),
    *seal(),
    *words("not_explained_reason", NotExplainedReason, nullable=True),
    instant("created_at"),
    Column("version", Integer, nullable=False),
    schema="exchange",
)
SCREENING_OUTCOME: Final = SealedRow(screening_outcome, "case_id", "author", "not_explained_reason")

screening_share: Final = Table(
    "screening_share",
    metadata,
    Column("outcome_id", Uuid, ForeignKey(screening_outcome.c.id), primary_key=True),
    Column("organisation_id", Uuid, primary_key=True),
    schema="exchange",
    comment="To whom an outcome was addressed; what they then see is decided at each read.",
)
