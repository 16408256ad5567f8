"""Tables of cases."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    Table,
    Uuid,
)

from api.crypto.rows import SealedRow
from api.persons.tables import person
from api.storage.base import instant, key, metadata, seal, sealed, words
from api.vocabulary import (
    AdmissionResult,
    CareFunction,
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
