"""The key table. It is apart from the data, so that its backups can be short-lived: erasure must reach them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, LargeBinary, SmallInteger, Table, Text, Uuid

from api.storage.base import instant, metadata

person_key: Final = Table(
    "person_key",
    metadata,
    Column("person_id", Uuid, primary_key=True),
    Column("version", SmallInteger, primary_key=True, autoincrement=False),
    Column("kek", Text, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    instant("created_at"),
    schema="keys",
    comment="The key of each person, wrapped. Deleting a row is erasing the person.",
)
