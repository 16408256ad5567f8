"""Tables of emergencies."""

from __future__ import annotations

from typing import Final

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Table, Text, UniqueConstraint, Uuid

from api.cases.tables import case
from api.storage.base import instant, key, metadata, words
from api.vocabulary import EmergencyOutcome, EmergencyReason

emergency: Final = Table(
    "emergency",
    metadata,
    key(),
    Column("case_id", Uuid, ForeignKey(case.c.id), nullable=False),
    Column("organisation_id", Uuid, nullable=False),
    *words("reason", EmergencyReason),
    Column("reference", Text),
    Column("client", Text, nullable=False),
    Column("actor", Text),
    instant("declared_at"),
    instant("until_at"),
    instant("ended_at", nullable=True),
    CheckConstraint("declared_at < until_at", name="lasts"),
    CheckConstraint("ended_at BETWEEN declared_at AND until_at", name="ended"),
    CheckConstraint("(reference IS NULL) = (actor IS NULL)", name="named"),
    Index("ix_emergency_case_id_organisation_id", "case_id", "organisation_id", "declared_at"),
    schema="exchange",
    comment="That an organisation declared that a person cannot consent while their life is in danger. No free text. "
    "Reference and actor go when the person is erased.",
)

emergency_review: Final = Table(
    "emergency_review",
    metadata,
    key(),
    Column("emergency_id", Uuid, ForeignKey(emergency.c.id), nullable=False),
    Column("organisation_id", Uuid, nullable=False),
    Column("client", Text, nullable=False),
    Column("reviewer", Text, nullable=False),
    *words("outcome", EmergencyOutcome),
    Column("reference", Text, nullable=False),
    instant("reviewed_at"),
    UniqueConstraint("emergency_id", "organisation_id", "reviewer", name="uq_emergency_review_reviewer"),
    schema="exchange",
    comment="What people of supervision found of an emergency: two of them, and nobody twice.",
)
