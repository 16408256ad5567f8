"""Column types that SQLAlchemy has no name for, for revisions to use. Revisions are frozen, so this module is too."""

from __future__ import annotations

from typing import Any

from sqlalchemy.types import UserDefinedType


class Named(UserDefinedType[Any]):
    """A type of PostgreSQL by its name there."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:  # noqa: ANN401 - SQLAlchemy's signature
        """Return the name."""
        return self.name
