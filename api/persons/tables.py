"""Tables of persons. No name and no birth date: those are sections of a dossier."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, LargeBinary, Table, Uuid

from api.crypto.rows import SealedRow
from api.storage.base import instant, key, metadata, seal, sealed

person: Final = Table(
    "person",
    metadata,
    key(),
    Column("v_index", LargeBinary, unique=True, comment="Blind index of the V-number; NULL when there is none yet."),
    *sealed("v_number", nullable=True),
    *seal(),
    instant("created_at"),
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
