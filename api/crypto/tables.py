"""The key table. It is apart from the data, so that its backups can be short-lived: erasure must reach them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Boolean, CheckConstraint, Column, Index, LargeBinary, SmallInteger, Table, Text, Uuid, text

from api.storage.base import instant, key, metadata

person_key: Final = Table(
    "person_key",
    metadata,
    Column("person_id", Uuid, primary_key=True),
    Column("version", SmallInteger, nullable=False),
    Column("kek", Text, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    instant("created_at"),
    CheckConstraint("version BETWEEN 1 AND 32767", name="version"),
    Index("ix_person_key_kek", "kek"),
    Index("ix_person_key_created_at", "created_at"),
    schema="keys",
    comment=(
        "The one key of each person, wrapped. Whoever seals with it holds the row until commit; a new version replaces "
        "the old one in the transaction that seals everything anew. Deleting a row is erasing the person."
    ),
)

destroyed_kek: Final = Table(
    "destroyed_kek",
    metadata,
    Column("kek", Text, primary_key=True),
    instant("at"),
    schema="keys",
    comment="Epochs that are over. A trigger on person_key refuses what is wrapped under one.",
)

index_version: Final = Table(
    "index_version",
    metadata,
    Column("version", SmallInteger, primary_key=True, autoincrement=False),
    instant("at"),
    schema="keys",
    comment=(
        "Versions of the V-number index that whoever is new is stored under since, the newest of them now. A trigger "
        "on person refuses those before, so that nobody is stored where others look no more, or twice."
    ),
)

rotation: Final = Table(
    "rotation",
    metadata,
    key(),
    Column("what", Text, nullable=False),
    instant("began_at"),
    instant("ended_at", nullable=True),
    CheckConstraint("what IN ('dek', 'index')", name="what"),
    Index("uq_rotation_running", "what", unique=True, postgresql_where=text("ended_at IS NULL")),
    schema="keys",
    comment="Replacements that take long: one that was interrupted goes on from when it began.",
)

inbox_key: Final = Table(
    "inbox_key",
    metadata,
    Column("kid", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    instant("begins_at"),
    Column("lost", Boolean, nullable=False),
    schema="keys",
    comment="Ids of keys that posts are sealed to, so that nobody serves with an old file of them. No keys.",
)
