"""Tables of persons. No name and no birth date: those are sections of a dossier."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, LargeBinary, SmallInteger, Table, Text, Uuid, text

from api.crypto.rows import SealedRow
from api.storage.base import instant, key, metadata, seal, sealed, words
from api.vocabulary import ErasureGround, HoldGround, RestrictionGround

person: Final = Table(
    "person",
    metadata,
    key(),
    Column("v_index", LargeBinary, unique=True, comment="Blind index of the V-number; NULL when there is none yet."),
    *sealed("v_number", nullable=True, step=1),
    *seal(),
    instant("created_at"),
    instant("erased_at", nullable=True),
    CheckConstraint("erased_at IS NULL OR (v_index IS NULL AND v_number IS NULL)", name="erased"),
    schema="exchange",
)
PERSON: Final = SealedRow(person, "v_index")

person_alias: Final = Table(
    "person_alias",
    metadata,
    Column("person_id", Uuid, primary_key=True),
    Column("alias", Uuid, nullable=False, unique=True),
    schema="exchange",
    comment="The random name of a person in the audit log. Deleting a row makes the log anonymous.",
)

erasure: Final = Table(
    "erasure",
    metadata,
    key(),
    *words("ground", ErasureGround),
    Column("kek", Text, nullable=False),
    Column("key_version", SmallInteger, nullable=False),
    Column("key_digest", LargeBinary, nullable=False),
    instant("erased_at"),
    schema="exchange",
    comment="Proof that a key was destroyed: SHA-256 of the wrapped key that is gone. Not whose it was.",
)

legal_hold: Final = Table(
    "legal_hold",
    metadata,
    key(),
    Column("person_id", Uuid, nullable=False),
    *words("ground", HoldGround),
    instant("placed_at"),
    instant("released_at", nullable=True),
    Index("uq_legal_hold_standing", "person_id", unique=True, postgresql_where=text("released_at IS NULL")),
    schema="exchange",
    comment="While one stands the person is not erased, whoever asks.",
)

delay: Final = Table(
    "disclosure_delay",
    metadata,
    key(),
    Column("index", BigInteger, nullable=False),
    *words("ground", RestrictionGround),
    Column("reference", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("actor", Text),
    instant("decided_at"),
    instant("until_at"),
    instant("reviewed_at", nullable=True),
    Column("outcome", Text),
    Column("reviewer_client", Text),
    Column("reviewer", Text),
    CheckConstraint("until_at > decided_at", name="ends"),
    CheckConstraint("outcome IN ('upheld', 'lifted')", name="outcome"),
    CheckConstraint("(outcome IS NULL) = (reviewed_at IS NULL)", name="reviewed"),
    Index("ix_disclosure_delay_index", "index"),
    schema="exchange",
    comment="Until when an entry of the log stays out of the account of the person it is about. Not who that is.",
)
