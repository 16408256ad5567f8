"""Tables of cases."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)

from api.crypto.rows import SealedRow
from api.persons.tables import person
from api.storage.base import instant, key, metadata, seal, sealed, words
from api.vocabulary import (
    AdmissionResult,
    CareFunction,
    EmergencyOutcome,
    EmergencyReason,
    LeavingReason,
    Municipality,
)

case: Final = Table(
    "case",
    metadata,
    key(),
    Column("person_id", Uuid, ForeignKey(person.c.id), nullable=False, index=True),
    *words("municipality", Municipality),
    Column("opened_by", Uuid, nullable=False),
    instant("opened_at"),
    Column("with_status", Boolean, nullable=False, comment="Whether the person has LVV status."),
    Column("closed_date", Date),
    *words("leaving_reason", LeavingReason, nullable=True),
    Column("version", Integer, nullable=False),
    schema="exchange",
)

assignment: Final = Table(
    "assignment",
    metadata,
    key(),
    Column("case_id", Uuid, ForeignKey(case.c.id), nullable=False),
    Column("organisation_id", Uuid, nullable=False),
    *words("function", CareFunction),
    instant("from_at"),
    instant("until_at", nullable=True),
    Index("ix_assignment_case_id_organisation_id", "case_id", "organisation_id"),
    Index("ix_assignment_organisation_id_case_id", "organisation_id", "case_id"),
    schema="exchange",
)

admission_check: Final = Table(
    "admission_check",
    metadata,
    key(),
    Column("case_id", Uuid, ForeignKey(case.c.id), nullable=False, index=True),
    Column("person_id", Uuid, nullable=False),
    Column("asked_by", Uuid, nullable=False),
    Column("addressee", Uuid, nullable=False, index=True),
    instant("asked_at"),
    instant("answered_at", nullable=True),
    *sealed("answers", nullable=True),
    *words("result", AdmissionResult, nullable=True),
    *sealed("conditions", nullable=True),
    *seal(),
    Column("decided_by", Uuid),
    Column("review_date", Date),
    instant("decided_at", nullable=True),
    Column("version", Integer, nullable=False),
    schema="exchange",
)
ADMISSION_CHECK: Final = SealedRow(admission_check, "case_id", "asked_by", "addressee")

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
