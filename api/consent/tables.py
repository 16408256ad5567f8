"""Tables of what was agreed and what persons consented to.

Everything here is written once: the application role needs SELECT and INSERT, and UPDATE of one column,
`agreement_signature.revoked_at`. There are no foreign keys to rooms above: persons and cases are plain ids.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from api.crypto.rows import SealedRow
from api.storage.base import instant, key, metadata, seal, sealed, words, words_array
from api.vocabulary import (
    AgreementKind,
    CareFunction,
    ConsentEventKind,
    ConsentGiver,
    ConsentKind,
    DataCategory,
    LegalGround,
    Municipality,
    Party,
    ProhibitionException,
    Purpose,
)

WAIVED: Final = "none"
"""In a rule: a category for which no consent is asked, with a motive."""

agreement: Final = Table(
    "agreement",
    metadata,
    key(),
    *words("kind", AgreementKind),
    *words("municipality", Municipality, index=True),
    Column("rests_on", Uuid, ForeignKey("consent.agreement.id")),
    instant("created_at"),
    CheckConstraint("kind <> 'side-agreement' OR rests_on IS NOT NULL", name="side_rests"),
    schema="consent",
    comment="A data-sharing agreement (gegevensdelingsafspraak) of one municipality.",
)

agreement_version: Final = Table(
    "agreement_version",
    metadata,
    Column("agreement_id", Uuid, ForeignKey(agreement.c.id), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    CheckConstraint("version >= 1", name="version"),
    Column("document", JSONB, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    CheckConstraint("octet_length(digest) = 32", name="digest"),
    Column("valid_from", Date, nullable=False),
    Column("valid_until", Date, comment="The last day; NULL while no end is agreed."),
    instant("created_at"),
    CheckConstraint("valid_from <= valid_until", name="validity"),
    schema="consent",
    comment="digest: SHA-256 of the canonical bytes of the document, which are what the parties sign.",
)

_OF_VERSION: Final = ["consent.agreement_version.agreement_id", "consent.agreement_version.version"]

agreement_party: Final = Table(
    "agreement_party",
    metadata,
    Column("agreement_id", Uuid, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("organisation_id", Uuid, primary_key=True),
    *words("slot", Party),
    Column("director", Boolean, nullable=False),
    ForeignKeyConstraint(["agreement_id", "version"], _OF_VERSION),
    schema="consent",
    comment="Which organisation is party, in the slot of its kind; director: regievoerder.",
)

agreement_rule: Final = Table(
    "agreement_rule",
    metadata,
    Column("agreement_id", Uuid, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("rule", Text, primary_key=True),
    *words("category", DataCategory, primary_key=True),
    *words("source", Party),
    *words("recipient", Party),
    *words("purpose", Purpose),
    *words_array("functions", CareFunction),
    *words("ground", LegalGround),
    *words_array("exceptions", ProhibitionException),
    *words("consent", (*ConsentKind, WAIVED)),
    ForeignKeyConstraint(["agreement_id", "version"], _OF_VERSION),
    CheckConstraint("purpose <> 'enforcement'", name="never"),
    schema="consent",
    comment="The rules of a document, a row per category: for lists, which are decided in SQL. Rebuilt from documents.",
)

agreement_signature: Final = Table(
    "agreement_signature",
    metadata,
    Column("agreement_id", Uuid, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("organisation_id", Uuid, primary_key=True),
    Column("kid", Text, nullable=False),
    Column("signature", Text, nullable=False, comment="Detached JWS over the canonical bytes of the document."),
    instant("signed_at"),
    instant("revoked_at", nullable=True),
    # Who signs is a party.
    ForeignKeyConstraint(
        ["agreement_id", "version", "organisation_id"],
        [
            "consent.agreement_party.agreement_id",
            "consent.agreement_party.version",
            "consent.agreement_party.organisation_id",
        ],
    ),
    Index("ix_agreement_signature_organisation_id", "organisation_id", "agreement_id", "version"),
    schema="consent",
)

consent: Final = Table(
    "consent",
    metadata,
    key(),
    Column("person_id", Uuid, nullable=False, index=True),
    Column("case_id", Uuid, nullable=False),
    *words("kind", ConsentKind),
    *words("purpose", Purpose),
    Column("recipient_organisation_id", Uuid, nullable=False),
    *words("function", CareFunction, nullable=True),
    *words_array("categories", DataCategory),
    *words("given_by", ConsentGiver),
    Column("text_id", Text, nullable=False),
    Column("text_version", Integer, nullable=False),
    Column("text_sha256", LargeBinary, nullable=False),
    CheckConstraint("octet_length(text_sha256) = 32", name="text_sha256"),
    Column("language", Text, nullable=False),
    *sealed("evidence"),
    *seal(),
    instant("valid_from"),
    instant("valid_until"),
    Column("recorded_by", Uuid, nullable=False),
    instant("created_at"),
    CheckConstraint("purpose <> 'enforcement'", name="never"),
    CheckConstraint("cardinality(categories) >= 1", name="some"),
    CheckConstraint("valid_from < valid_until", name="validity"),
    Index("ix_consent_case_id_recipient_organisation_id", "case_id", "recipient_organisation_id"),
    schema="consent",
    comment="What a person was asked: one purpose, one recipient in one function, some categories. State: see events.",
)
CONSENT: Final = SealedRow(
    consent,
    "case_id",
    "kind",
    "purpose",
    "recipient_organisation_id",
    "function",
    "categories",
    "given_by",
    "text_id",
    "text_version",
    "text_sha256",
    "valid_from",
    "valid_until",
    "recorded_by",
)

consent_event: Final = Table(
    "consent_event",
    metadata,
    key(),
    Column("consent_id", Uuid, ForeignKey(consent.c.id), nullable=False),
    Column("sequence", Integer, nullable=False),
    CheckConstraint("sequence >= 1", name="sequence"),
    *words("kind", ConsentEventKind),
    instant("at"),
    instant("valid_until", nullable=True),
    Column("by_organisation_id", Uuid, nullable=False),
    Column("by_client", Text, nullable=False),
    *sealed("note", nullable=True),
    *seal(),
    UniqueConstraint("consent_id", "sequence"),
    schema="consent",
    comment=(
        "Append-only. The latest event is the state; its sequence is the version that the audit log names. "
        "valid_until: to when it was re-confirmed. note: sealed; of a re-confirmation, its evidence."
    ),
)
CONSENT_EVENT: Final = SealedRow(
    consent_event,
    "consent_id",
    "sequence",
    "kind",
    "at",
    "valid_until",
    "by_organisation_id",
    through=(consent_event.c.consent_id,),
)

supersession: Final = Table(
    "supersession",
    metadata,
    key(),
    Column("consent_id", Uuid, ForeignKey(consent.c.id), nullable=False),
    Column("superseded_id", Uuid, ForeignKey(consent.c.id), nullable=False, index=True),
    Column("version", Integer, nullable=False),
    *seal(),
    CheckConstraint("version >= 1", name="version"),
    CheckConstraint("consent_id <> superseded_id", name="another"),
    UniqueConstraint("consent_id", "superseded_id"),
    schema="consent",
    comment=(
        "Append-only. An answer takes the place of an earlier one, as that stood at this version, "
        "for the categories that both are about."
    ),
)
SUPERSESSION: Final = SealedRow(
    supersession, "consent_id", "superseded_id", "version", through=(supersession.c.consent_id,)
)
