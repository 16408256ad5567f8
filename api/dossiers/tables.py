"""Tables of dossier requests and dossiers."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    ARRAY,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from api.cases.tables import case
from api.crypto.rows import SealedRow, SealedSet
from api.storage.base import instant, key, metadata, seal, sealed, words, words_array
from api.vocabulary import (
    DOSSIER_SECTIONS,
    DataCategory,
    DocumentType,
    DocumentWithdrawalReason,
    DossierRequestState,
    Purpose,
    RequestRefusalReason,
)

dossier_request: Final = Table(
    "dossier_request",
    metadata,
    key(),
    Column("case_id", Uuid, ForeignKey(case.c.id), nullable=False, index=True),
    Column("person_id", Uuid, nullable=False),
    Column("requester", Uuid, nullable=False, index=True),
    Column("supplier", Uuid, nullable=False, index=True),
    *words("purpose", Purpose),
    *words_array("categories", DataCategory),
    *sealed("proportionality_note", nullable=True),
    *seal(),
    *words("state", DossierRequestState),
    instant("requested_at"),
    Column("working_days", Integer),
    CheckConstraint("working_days BETWEEN 1 AND 366", name="working_days"),
    Column("due_on", Date),
    instant("acknowledged_at", nullable=True),
    instant("ended_at", nullable=True),
    *words("refusal_reason", RequestRefusalReason, nullable=True),
    Column("missing", JSONB, nullable=False, comment="Category -> withheld-by-law | not-found, as the supplier says."),
    Column("version", Integer, nullable=False),
    schema="exchange",
)
DOSSIER_REQUEST: Final = SealedRow(dossier_request, "case_id", "requester", "supplier", "purpose")

dossier: Final = Table(
    "dossier",
    metadata,
    key(),
    Column("request_id", Uuid, ForeignKey(dossier_request.c.id), nullable=False, unique=True),
    Column("complete", Boolean, nullable=False),
    *seal(),
    instant("created_at"),
    Column("version", Integer, nullable=False),
    schema="exchange",
)

dossier_section: Final = Table(
    "dossier_section",
    metadata,
    key(),
    Column("dossier_id", Uuid, ForeignKey(dossier.c.id), nullable=False),
    *words("category", DOSSIER_SECTIONS),
    Column("fields", ARRAY(Text), nullable=False, comment="Names of the fields; never values."),
    *sealed("content"),
    instant("delivered_at"),
    UniqueConstraint("dossier_id", "category"),
    schema="exchange",
)
DOSSIER: Final = SealedSet(
    dossier, dossier_section, "request_id", "version", by="category", content="content", through=(dossier.c.request_id,)
)

document: Final = Table(
    "document",
    metadata,
    key(),
    Column("dossier_id", Uuid, ForeignKey(dossier.c.id), nullable=False, index=True),
    Column("person_id", Uuid, nullable=False, index=True),
    *words("category", DOSSIER_SECTIONS),
    *words("media_type", DocumentType),
    *sealed("title"),
    *sealed("secret", nullable=True),
    *seal(),
    Column("length", Integer, comment="Bytes of the content; NULL until it is there, as all that tells of it."),
    Column("upload", Uuid, unique=True, comment="Which parts are the content."),
    Column("fingerprint", LargeBinary, comment="HMAC of the digest, by which a repeated upload is known."),
    instant("added_at"),
    instant("stored_at", nullable=True),
    CheckConstraint("num_nulls(secret, length, upload, fingerprint, stored_at) IN (0, 5)", name="stored"),
    schema="exchange",
)
DOCUMENT: Final = SealedRow(document, "dossier_id", "category", "media_type", "length", "upload")

document_part: Final = Table(
    "document_part",
    metadata,
    Column("upload", Uuid, comment="One attempt to send a content; of no document unless that names it."),
    Column("number", Integer),
    Column("content", LargeBinary, nullable=False, comment="Sealed chunks (C2SP chunked-encryption), in order."),
    instant("stored_at"),
    PrimaryKeyConstraint("upload", "number"),
    Index("ix_document_part_first", "stored_at", postgresql_where=text("number = 0")),
    schema="exchange",
)

document_withdrawal: Final = Table(
    "document_withdrawal",
    metadata,
    Column("document_id", Uuid, primary_key=True),
    Column("dossier_id", Uuid, ForeignKey(dossier.c.id), nullable=False, index=True),
    *words("category", DOSSIER_SECTIONS),
    *words("media_type", DocumentType),
    instant("added_at"),
    instant("stored_at", nullable=True),
    *words("reason", DocumentWithdrawalReason),
    instant("withdrawn_at"),
    schema="exchange",
    comment="Documents that were taken back. What they said is gone, once no legal hold keeps it.",
)
